package content_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog/content"
)

const (
	key     = "ck_2f8e"
	product = "550e8400-e29b-41d4-a716-446655440000"
)

var (
	now    = time.Date(2024, 1, 15, 10, 45, 0, 0, time.UTC)
	ticket = content.Ticket{Grant: "grant-1", Product: product, Payer: "0xabc", IssuedAt: now, Expires: now.Add(time.Hour)}
)

func at(t time.Time, keys ...string) content.Verifier {
	if keys == nil {
		keys = []string{key}
	}
	return content.Verifier{Keys: keys, Now: func() time.Time { return t }}
}

func TestATokenIsGoodForItsProductUntilItExpires(t *testing.T) {
	t.Parallel()
	token, err := content.Token(key, ticket)
	require.NoError(t, err)
	got, err := at(now).Token(product, token)
	require.NoError(t, err)
	require.Equal(t, ticket, got)
	_, err = at(now.Add(time.Hour)).Token(product, token)
	require.ErrorIs(t, err, content.ErrExpired)
	_, err = at(now).Token("another", token)
	require.ErrorIs(t, err, content.ErrInvalid)
	_, err = at(now, "another key").Token(product, token)
	require.ErrorIs(t, err, content.ErrInvalid)
	_, err = at(now, "another key", key).Token(product, token)
	require.NoError(t, err)
	_, err = at(now, "").Token(product, token)
	require.ErrorIs(t, err, content.ErrInvalid)
}

func TestTokensOfOtherMakingAreRefused(t *testing.T) {
	t.Parallel()
	good := jwt.MapClaims{"iss": "v402", "aud": product, "sub": "g", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	without := func(name string, value any) jwt.MapClaims {
		c := jwt.MapClaims{}
		for k, v := range good {
			c[k] = v
		}
		delete(c, name)
		if value != nil {
			c[name] = value
		}
		return c
	}
	sign := func(method jwt.SigningMethod, c jwt.Claims, key any) string {
		token, err := jwt.NewWithClaims(method, c).SignedString(key)
		require.NoError(t, err)
		return token
	}
	_, err := at(now).Token(product, sign(jwt.SigningMethodHS256, good, []byte(key)))
	require.NoError(t, err)
	for name, token := range map[string]string{
		"unsigned":          sign(jwt.SigningMethodNone, good, jwt.UnsafeAllowNoneSignatureType),
		"another algorithm": sign(jwt.SigningMethodHS512, good, []byte(key)),
		"no expiry":         sign(jwt.SigningMethodHS256, without("exp", nil), []byte(key)),
		"no issuer":         sign(jwt.SigningMethodHS256, without("iss", nil), []byte(key)),
		"two products":      sign(jwt.SigningMethodHS256, without("aud", []string{product, "b"}), []byte(key)),
		"no time of issue":  sign(jwt.SigningMethodHS256, without("iat", nil), []byte(key)),
		"empty":             "",
		"not a token":       "a.b.c",
		"too long":          strings.Repeat("a", 5000) + ".b.c",
	} {
		_, err := at(now).Token(product, token)
		require.ErrorIs(t, err, content.ErrInvalid, name)
	}
}

func TestASignedURLIsGoodForThatURLAlone(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"https://example.com/premium/1", "https://example.com/premium/1?a=b&token=old", "https://Example.com:8443/%2Fx?q=%20", "https://example.com", "https://example.com/a#part",
	} {
		signed, err := content.SignURL(key, address, ticket)
		require.NoError(t, err)
		u, err := url.Parse(signed)
		require.NoError(t, err)
		got, err := at(now).URL(product, u)
		require.NoError(t, err, signed)
		require.Equal(t, content.Ticket{Grant: "grant-1", Product: product, Expires: ticket.Expires}, got)
		_, err = at(ticket.Expires).URL(product, u)
		require.ErrorIs(t, err, content.ErrExpired)

		sent, _, _ := strings.Cut(signed, "#") // clients keep fragments to themselves
		r := httptest.NewRequest("GET", sent, nil)
		got, err = at(now).Request(product, r)
		require.NoError(t, err)
		require.Equal(t, "grant-1", got.Grant)

		for _, spoil := range []func(*url.URL){
			func(u *url.URL) { u.Host = "evil.example" },
			func(u *url.URL) { u.Path += "/other"; u.RawPath = "" },
			func(u *url.URL) { u.RawQuery = "extra=1&" + u.RawQuery },
			func(u *url.URL) { u.RawQuery = strings.Replace(u.RawQuery, "grant-1", "grant-2", 1) },
			func(u *url.URL) { u.RawQuery = strings.Replace(u.RawQuery, "v1.1", "v1.2", 1) },
			func(u *url.URL) { u.RawQuery = strings.Replace(u.RawQuery, "v1.1", "v1.01", 1) },
			func(u *url.URL) { u.RawQuery += "x" },
		} {
			c := *u
			spoil(&c)
			_, err := at(now).URL(product, &c)
			require.ErrorIs(t, err, content.ErrInvalid, c.String())
		}
	}
}

func TestTheSignatureIsTheOneThatIsDocumented(t *testing.T) {
	t.Parallel()
	signed, err := content.SignURL(key, "https://example.com/premium/1?a=b", ticket)
	require.NoError(t, err)
	mac := hmac.New(sha256.New, []byte(key))
	fmt.Fprintf(mac, "v402-content-v1\nexample.com\n/premium/1?a=b\n%d\ngrant-1\n%s", ticket.Expires.Unix(), product)
	want := base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	require.Equal(t, fmt.Sprintf("https://example.com/premium/1?a=b&token=v1.%d.grant-1.%s.%s", ticket.Expires.Unix(), product, want), signed)
}

func TestWhatCannotBeSignedIsAnError(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "/relative", "ftp://example.com/", "https://", "://"} {
		_, err := content.SignURL(key, address, ticket)
		require.Error(t, err, address)
	}
	_, err := content.SignURL("", "https://example.com", ticket)
	require.Error(t, err)
	_, err = content.SignURL(key, "https://example.com", content.Ticket{Product: "a.b"})
	require.Error(t, err)
	_, err = content.Token(key, content.Ticket{})
	require.Error(t, err)
}

func TestARequestMayBringItsTokenInAnyOfItsPlaces(t *testing.T) {
	t.Parallel()
	token, err := content.Token(key, ticket)
	require.NoError(t, err)
	header := httptest.NewRequest("GET", "/x", nil)
	header.Header.Set("Authorization", "Bearer "+token)
	for name, r := range map[string]struct{ url string }{"query": {"/x?token=" + token}, "query before others": {"/x?token=" + token + "&b=c"}} {
		got, err := at(now).Request(product, httptest.NewRequest("GET", r.url, nil))
		require.NoError(t, err, name)
		require.Equal(t, "grant-1", got.Grant)
	}
	got, err := at(now).Request(product, header)
	require.NoError(t, err)
	require.Equal(t, ticket, got)
	_, err = at(now).Request(product, httptest.NewRequest("GET", "/x?a=b", nil))
	require.ErrorIs(t, err, content.ErrMissing)
}

func FuzzVerify(f *testing.F) {
	token, err := content.Token(key, ticket)
	require.NoError(f, err)
	signed, err := content.SignURL(key, "https://example.com/1", ticket)
	require.NoError(f, err)
	f.Add("https://example.com/1?token=" + token)
	f.Add(signed)
	f.Add("https://example.com/?token=v1.1.a.b.c")
	f.Fuzz(func(t *testing.T, address string) {
		u, err := url.Parse(address)
		if err != nil {
			return
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.URL, r.Host = u, u.Host
		got, err := at(now).Request(product, r)
		if err == nil {
			require.Equal(t, "grant-1", got.Grant, "nobody else can make a proof")
		}
	})
}

func ExampleVerify() {
	signed, _ := content.SignURL(key, "https://example.com/premium/1", content.Ticket{
		Grant: "grant-1", Product: product, Expires: time.Now().Add(time.Minute),
	})
	r := httptest.NewRequest("GET", signed, nil)
	ticket, err := content.Verify(key, product, r)
	fmt.Println(ticket.Grant, err)
	_, err = content.Verify(key, "another product", r)
	fmt.Println(err)
	// Output:
	// grant-1 <nil>
	// content: the proof of payment is not valid
}

// While keys change a verifier has both.
func ExampleVerifier() {
	token, _ := content.Token("the old key", content.Ticket{Grant: "grant-1", Product: product, IssuedAt: time.Now(), Expires: time.Now().Add(time.Hour)})
	r := httptest.NewRequest("GET", "https://example.com/premium/1", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	for _, keys := range [][]string{{"the new key", "the old key"}, {"the new key"}} {
		ticket, err := content.Verifier{Keys: keys}.Request(product, r)
		fmt.Printf("%q %v\n", ticket.Grant, errors.Is(err, content.ErrInvalid))
	}
	// Output:
	// "grant-1" false
	// "" true
}
