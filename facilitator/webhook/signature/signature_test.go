package signature_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/webhook/signature"
)

const body = `{"id":"1","type":"payment.confirmed","data":{"amount":"10000"},"created_at":"2024-01-15T10:45:00Z"}`

var sent = time.Unix(1705315500, 0)

func parse(t testing.TB, text string) signature.Secret {
	t.Helper()
	s, err := signature.ParseSecret(text)
	require.NoError(t, err)
	return s
}

// signed are the headers of an attempt by these secrets.
func signed(t testing.TB, id string, at time.Time, secrets ...string) http.Header {
	t.Helper()
	var all []string
	for _, text := range secrets {
		all = append(all, parse(t, text).Standard(id, at, []byte(body)))
	}
	h := http.Header{}
	h.Set(signature.HeaderID, id)
	h.Set(signature.HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(signature.HeaderSignature, strings.Join(all, " "))
	return h
}

func verifier(t testing.TB, now time.Time, secrets ...string) *signature.Verifier {
	t.Helper()
	v, err := signature.NewVerifier(secrets...)
	require.NoError(t, err)
	v.Now = func() time.Time { return now }
	return v
}

func TestOurHeaderIsTheHMACOfTheBodyByTheTextOfTheSecret(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"your_webhook_secret", signature.NewSecret()} {
		mac := hmac.New(sha256.New, []byte(text))
		mac.Write([]byte(body))
		require.Equal(t, "sha256="+hex.EncodeToString(mac.Sum(nil)), parse(t, text).Hex([]byte(body)))
	}
	// echo -n hello | openssl dgst -sha256 -hmac your_webhook_secret
	require.Equal(t, "sha256=0922c6ee47e0435d10b10a8dc7f5aeb6a632728a56f867a329d8e2898d1dbe1f", parse(t, "your_webhook_secret").Hex([]byte("hello")))
}

func TestAPartOfABodyIsNoIDAndNoTime(t *testing.T) {
	t.Parallel()
	secret := parse(t, "your_webhook_secret") // both schemes have one key
	whole := `{"id":"1","data":{"title":"a.1705315500."}}`
	overheard, err := hex.DecodeString(strings.TrimPrefix(secret.Hex([]byte(whole)), "sha256="))
	require.NoError(t, err)
	h := http.Header{}
	h.Set(signature.HeaderID, `{"id":"1","data":{"title":"a`)
	h.Set(signature.HeaderTimestamp, "1705315500")
	h.Set(signature.HeaderSignature, "v1,"+base64.StdEncoding.EncodeToString(overheard))
	require.ErrorIs(t, verifier(t, sent, "your_webhook_secret").Verify(h, []byte(`"}}`)), signature.ErrHeaders)
}

func TestWhatWasChangedIsNotBelieved(t *testing.T) {
	t.Parallel()
	text := signature.NewSecret()
	v := verifier(t, sent, text)
	for name, c := range map[string]struct {
		header, value string
		body          string
		want          error
	}{
		"as it was sent":     {},
		"another body":       {body: strings.Replace(body, "10000", "90000", 1), want: signature.ErrSignature},
		"an empty body":      {body: " ", want: signature.ErrSignature},
		"another ID":         {header: signature.HeaderID, value: "2", want: signature.ErrSignature},
		"another time":       {header: signature.HeaderTimestamp, value: "1705315501", want: signature.ErrSignature},
		"no ID":              {header: signature.HeaderID, want: signature.ErrHeaders},
		"no time":            {header: signature.HeaderTimestamp, want: signature.ErrHeaders},
		"a time in words":    {header: signature.HeaderTimestamp, value: "now", want: signature.ErrHeaders},
		"no signature":       {header: signature.HeaderSignature, want: signature.ErrHeaders},
		"an empty signature": {header: signature.HeaderSignature, value: "v1,", want: signature.ErrSignature},
		"another version":    {header: signature.HeaderSignature, value: strings.Replace(parse(t, text).Standard("1", sent, []byte(body)), "v1", "v2", 1), want: signature.ErrSignature},
		"no base64":          {header: signature.HeaderSignature, value: "v1,%%%", want: signature.ErrSignature},
		"too many":           {header: signature.HeaderSignature, value: strings.Repeat("v1,AAAA ", 99) + parse(t, text).Standard("1", sent, []byte(body)), want: signature.ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := signed(t, "1", sent, text)
			if c.header != "" {
				h.Set(c.header, c.value)
			}
			given := body
			if c.body != "" {
				given = c.body
			}
			err := v.Verify(h, []byte(given))
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, c.want)
		})
	}
	require.ErrorIs(t, new(signature.Verifier).Verify(signed(t, "1", sent, text), []byte(body)), signature.ErrSignature, "nobody is believed without a secret")
}

func TestWhatIsOldIsNotBelieved(t *testing.T) {
	t.Parallel()
	text := signature.NewSecret()
	for age, ok := range map[time.Duration]bool{
		0: true, 5 * time.Minute: true, -5 * time.Minute: true, 5*time.Minute + time.Second: false, -5*time.Minute - time.Second: false, 24 * time.Hour: false,
	} {
		err := verifier(t, sent.Add(age), text).Verify(signed(t, "1", sent, text), []byte(body))
		if ok {
			require.NoError(t, err, "%s", age)
			continue
		}
		require.ErrorIs(t, err, signature.ErrTimestamp, "%s", age)
	}
	v := verifier(t, sent.Add(time.Hour), text)
	v.Tolerance = time.Hour
	require.NoError(t, v.Verify(signed(t, "1", sent, text), []byte(body)))
	v.Tolerance = time.Second
	require.ErrorIs(t, v.Verify(signed(t, "1", sent, text), []byte(body)), signature.ErrTimestamp)
}

func TestEitherSecretVerifiesWhileTheyAreRotated(t *testing.T) {
	t.Parallel()
	old, young := signature.NewSecret(), "a-text-of-somebody's-own"
	h := signed(t, "1", sent, young, old)
	for _, known := range [][]string{{old}, {young}, {young, old}, {signature.NewSecret(), old}} {
		require.NoError(t, verifier(t, sent, known...).Verify(h, []byte(body)))
	}
}

func TestASecretHasOneOfTwoForms(t *testing.T) {
	t.Parallel()
	for _, good := range []string{signature.NewSecret(), "your_webhook_secret", strings.Repeat("x", 256), "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		_, err := signature.ParseSecret(good)
		require.NoError(t, err, good)
	}
	for _, bad := range []string{"", "short", strings.Repeat("x", 257), "a secret with blanks", "ein geheimes Wörtchen", "tab\tand more of it", "whsec_" + "not base64 at all!", "whsec_c2hvcnQ=", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS"} {
		_, err := signature.ParseSecret(bad)
		require.Error(t, err, bad)
		_, err = signature.NewVerifier(bad)
		require.Error(t, err, bad)
	}
	_, err := signature.NewVerifier()
	require.Error(t, err)
	require.NotEqual(t, signature.NewSecret(), signature.NewSecret())
}

func TestARequestIsReadWithinBounds(t *testing.T) {
	t.Parallel()
	text := signature.NewSecret()
	v := verifier(t, sent, text)
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header = signed(t, "1", sent, text)
	e, err := v.Event(r)
	require.NoError(t, err)
	require.Equal(t, "payment.confirmed", e.Type)
	require.JSONEq(t, `{"amount":"10000"}`, string(e.Data))
	require.Equal(t, time.Date(2024, 1, 15, 10, 45, 0, 0, time.UTC), e.CreatedAt)

	_, err = v.Event(httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", signature.MaxBody+1))))
	require.ErrorIs(t, err, signature.ErrTooLarge)
	broken := errors.New("broken")
	_, err = v.Event(httptest.NewRequest("POST", "/", iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
}

func FuzzAStrangerIsNeverBelieved(f *testing.F) {
	f.Add("1", "1705315500", "v1,AAAA", []byte(body))
	f.Add("", "-1", " ,, v1", []byte{0xff})
	text := signature.NewSecret()
	v := verifier(f, sent, text)
	f.Fuzz(func(t *testing.T, id, unix, signatures string, b []byte) {
		h := http.Header{signature.HeaderID: {id}, signature.HeaderTimestamp: {unix}, signature.HeaderSignature: {signatures}}
		require.Error(t, v.Verify(h, b))
	})
}

func ExampleVerifier() {
	verifier, err := signature.NewVerifier("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		fmt.Println(err)
		return
	}
	receiver := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := verifier.Event(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		fmt.Println(event.Type, string(event.Data))
		w.WriteHeader(http.StatusNoContent)
	})

	// What the sender does:
	secret, _ := signature.ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	body, now := []byte(`{"id":"evt-1","type":"payment.confirmed","data":{"amount":"10000"}}`), time.Now()
	r := httptest.NewRequest("POST", "/webhooks/v402", strings.NewReader(string(body)))
	r.Header.Set(signature.Header, secret.Hex(body))
	r.Header.Set(signature.HeaderID, "evt-1")
	r.Header.Set(signature.HeaderTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(signature.HeaderSignature, secret.Standard("evt-1", now, body))
	w := httptest.NewRecorder()
	receiver.ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output:
	// payment.confirmed {"amount":"10000"}
	// 204
}
