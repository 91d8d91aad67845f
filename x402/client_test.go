package x402_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
)

// answers is a facilitator that gives fixed answers in turn, the last for ever,
// and keeps what it was asked.
type answers struct {
	*httptest.Server
	asked  []string // "METHOD /path"
	bodies []string
}

type reply struct {
	status int
	body   string
	header http.Header
}

func serve(t *testing.T, replies ...reply) *answers {
	t.Helper()
	a := &answers{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.asked, a.bodies = append(a.asked, r.Method+" "+r.URL.Path), append(a.bodies, string(body))
		reply := replies[min(len(a.asked), len(replies))-1]
		for name, values := range reply.header {
			w.Header()[name] = values
		}
		w.WriteHeader(reply.status)
		io.WriteString(w, reply.body)
	}))
	t.Cleanup(a.Close)
	return a
}

func client(t testing.TB, config x402.ClientConfig) *x402.Client {
	t.Helper()
	c, err := x402.NewClient(config)
	require.NoError(t, err)
	return c
}

// transport is a network that never leaves the process, so that a test can
// live in a bubble with its own clock.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func respond(status int, body string, header http.Header) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}
}

func TestTheFacilitatorURLMustBeAbsoluteHTTP(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "facilitator", "/verify", "ftp://h", "http://", "https://h?x=1", "https://h#f", "://"} {
		_, err := x402.NewClient(x402.ClientConfig{URL: url})
		assert.Error(t, err, url)
	}
	_, err := x402.NewClient(x402.ClientConfig{URL: "http://h", SettleTimeout: -1})
	assert.Error(t, err)
}

func TestTrailingSlashesOfTheURLDoNotMatter(t *testing.T) {
	t.Parallel()
	for _, suffix := range []string{"", "/", "///", "/base", "/base//"} {
		server := serve(t, reply{status: 200, body: `{"isValid":true}`})
		_, err := client(t, x402.ClientConfig{URL: server.URL + suffix}).Verify(t.Context(), readPayment(t, paymentV2))
		require.NoError(t, err)
		assert.Equal(t, []string{"POST " + strings.TrimRight(suffix, "/") + "/verify"}, server.asked)
	}
}

func TestAPaymentIsSentInTheFormOfItsVersion(t *testing.T) {
	t.Parallel()
	for _, document := range []string{paymentV1, paymentV2} {
		server := serve(t, reply{status: 200, body: `{"isValid":true}`}, reply{status: 200, body: settledV2})
		c := client(t, x402.ClientConfig{URL: server.URL})
		payment := readPayment(t, document)
		_, err := c.Verify(t.Context(), payment)
		require.NoError(t, err)
		_, err = c.Settle(t.Context(), payment)
		require.NoError(t, err)
		assert.Equal(t, []string{"POST /verify", "POST /settle"}, server.asked)
		assert.JSONEq(t, document, server.bodies[0])
		assert.JSONEq(t, document, server.bodies[1])
	}
}

func TestARefusalIsAnAnswerWhateverItsStatus(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 400, 402, 412, 500, 503} {
		server := serve(t, reply{status: status, body: `{"isValid":false,"invalidReason":"insufficient_funds","payer":"0x1"}`})
		v, err := client(t, x402.ClientConfig{URL: server.URL}).Verify(t.Context(), readPayment(t, paymentV2))
		require.NoError(t, err, status)
		assert.False(t, v.IsValid, status)
		assert.Equal(t, x402.Reason("insufficient_funds"), v.InvalidReason)
		assert.True(t, v.InvalidReason.Is(x402.ReasonEVMInsufficientFunds))

		server = serve(t, reply{status: status, body: `{"success":false,"errorReason":"x","transaction":"","network":"base"}`})
		s, err := client(t, x402.ClientConfig{URL: server.URL}).Settle(t.Context(), readPayment(t, paymentV2))
		require.NoError(t, err, status)
		assert.False(t, s.Success, status)
		assert.Equal(t, x402.Base, s.Network)
	}
}

// shapeless are answers that say neither yes nor no.
func shapeless(name string) []string {
	return []string{
		``, `{}`, `[]`, `null`, `true`, `"true"`, `<html>502</html>`, `{"error":"x"}`,
		fmt.Sprintf(`{%q:"true"}`, name), fmt.Sprintf(`{%q:1}`, name), fmt.Sprintf(`{%q:null}`, name), fmt.Sprintf(`{%q:[true]}`, name),
		fmt.Sprintf(`{%q:true,"transaction":"0x1"}`, strings.ToUpper(name)), fmt.Sprintf(`{%q:true}`, strings.ToLower(name)+" "),
		fmt.Sprintf(`{%q:false,%q:true,"transaction":"0x1"}`, name, name), fmt.Sprintf(`{%q:true,"transaction":"0x1"}}`, name),
		fmt.Sprintf(`{%q:true,"transaction":"0x1"`, name), fmt.Sprintf(`{%q:true,"transaction":"0x1","network":5}`, name),
		fmt.Sprintf(`{%q:true,"payer":5,"transaction":"0x1"}`, name),
	}
}

func TestAnAnswerOfUnknownShapeIsAnErrorAndNeverSuccess(t *testing.T) {
	t.Parallel()
	for _, body := range shapeless("isValid") {
		if strings.Contains(body, "network") {
			continue // a verification has none
		}
		server := serve(t, reply{status: 200, body: body})
		v, err := client(t, x402.ClientConfig{URL: server.URL}).Verify(t.Context(), readPayment(t, paymentV2))
		assert.Error(t, err, body)
		assert.False(t, v.IsValid, body)
		assert.NotErrorIs(t, err, x402.ErrUnknownOutcome)
	}
	for _, body := range shapeless("success") {
		server := serve(t, reply{status: 200, body: body})
		s, err := client(t, x402.ClientConfig{URL: server.URL}).Settle(t.Context(), readPayment(t, paymentV2))
		assert.ErrorIs(t, err, x402.ErrUnknownOutcome, body)
		assert.False(t, s.Success, body)
	}
}

func TestSuccessWithAStatusOfFailureIsNotBelieved(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 400, 500} {
		server := serve(t, reply{status: status, body: `{"isValid":true}`})
		_, err := client(t, x402.ClientConfig{URL: server.URL}).Verify(t.Context(), readPayment(t, paymentV2))
		var answer *x402.AnswerError
		require.ErrorAs(t, err, &answer)
		assert.Equal(t, status, answer.Status)

		server = serve(t, reply{status: status, body: settledV2})
		_, err = client(t, x402.ClientConfig{URL: server.URL}).Settle(t.Context(), readPayment(t, paymentV2))
		assert.ErrorIs(t, err, x402.ErrUnknownOutcome)
	}
}

func TestSuccessWithoutATransactionIsBelievedOnlyWhereNothingHadToMove(t *testing.T) {
	t.Parallel()
	server := serve(t, reply{status: 200, body: `{"success":true,"transaction":"","network":"eip155:84532"}`})
	c := client(t, x402.ClientConfig{URL: server.URL})
	payment := readPayment(t, paymentV2)
	_, err := c.Settle(t.Context(), payment)
	assert.ErrorIs(t, err, x402.ErrUnknownOutcome)

	free := payment
	free.Requirements.Amount = x402.Amount{}
	s, err := c.Settle(t.Context(), free)
	require.NoError(t, err)
	assert.True(t, s.Success)

	metered := payment
	metered.Requirements.Scheme = x402.SchemeUpto
	s, err = c.Settle(t.Context(), metered)
	require.NoError(t, err)
	assert.True(t, s.Success)
}

func TestWhatASettleErrorMeansDependsOnTheStatus(t *testing.T) {
	t.Parallel()
	for status, unknown := range map[int]bool{
		200: true, 204: true, 500: true, 502: true, 503: true, 504: true, 408: true, 400: false, 401: false, 404: false, 429: false, 307: false,
	} {
		server := serve(t, reply{status: status, body: map[bool]string{true: "", false: `{"errorMessage":"schema"}`}[status == 204]})
		_, err := client(t, x402.ClientConfig{URL: server.URL}).Settle(t.Context(), readPayment(t, paymentV2))
		require.Error(t, err, status)
		assert.Equal(t, unknown, errors.Is(err, x402.ErrUnknownOutcome), "%d: %v", status, err)
		assert.Len(t, server.asked, 1, "never sent twice")
		if status != 204 {
			assert.ErrorContains(t, err, "schema")
		}
	}
}

func TestASettleThatBreaksOffIsUnknownAndNotRepeated(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		io.Copy(io.Discard, r.Body)
		if asked.Load() == 1 {
			io.WriteString(w, `{"success":tr`)
			w.(http.Flusher).Flush()
		}
		panic(http.ErrAbortHandler) // cuts the connection
	}))
	t.Cleanup(server.Close)
	c := client(t, x402.ClientConfig{URL: server.URL})
	for n := range 2 { // within the answer, and before it
		_, err := c.Settle(t.Context(), readPayment(t, paymentV2))
		assert.ErrorIs(t, err, x402.ErrUnknownOutcome)
		assert.EqualValues(t, n+1, asked.Load())
	}
	_, err := c.Verify(t.Context(), readPayment(t, paymentV2))
	require.Error(t, err)
	assert.NotErrorIs(t, err, x402.ErrUnknownOutcome, "a verification moves nothing")
}

func TestASettleThatWasNeverSentIsNotUnknown(t *testing.T) {
	t.Parallel()
	closed := serve(t, reply{status: 200})
	closed.Close() // nobody listens there any more
	_, err := client(t, x402.ClientConfig{URL: closed.URL}).Settle(t.Context(), readPayment(t, paymentV2))
	require.Error(t, err)
	assert.NotErrorIs(t, err, x402.ErrUnknownOutcome)

	server := serve(t, reply{status: 200, body: settledV2})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client(t, x402.ClientConfig{URL: server.URL}).Settle(gone, readPayment(t, paymentV2))
	assert.ErrorIs(t, err, context.Canceled)
	assert.NotErrorIs(t, err, x402.ErrUnknownOutcome)
	assert.Empty(t, server.asked)
}

func TestAnErrorOfATransportThatReportsNothingIsUnknown(t *testing.T) {
	t.Parallel()
	lost := transport(func(*http.Request) (*http.Response, error) { return nil, errors.New("lost") })
	_, err := client(t, x402.ClientConfig{URL: "http://f", HTTP: &http.Client{Transport: lost}}).Settle(t.Context(), readPayment(t, paymentV2))
	assert.ErrorIs(t, err, x402.ErrUnknownOutcome)
}

func TestVerifyAndSettleHaveNinetySecondsUnlessConfigured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		silent := transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		payment, start := readPayment(t, paymentV2), time.Now()
		c := client(t, x402.ClientConfig{URL: "http://f", HTTP: &http.Client{Transport: silent}})
		_, err := c.Settle(t.Context(), payment)
		assert.ErrorIs(t, err, x402.ErrUnknownOutcome)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 90*time.Second, time.Since(start))

		_, err = c.Verify(t.Context(), payment)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 180*time.Second, time.Since(start))

		c = client(t, x402.ClientConfig{URL: "http://f", HTTP: &http.Client{Transport: silent}, SettleTimeout: time.Second})
		_, err = c.Settle(t.Context(), payment)
		assert.ErrorIs(t, err, x402.ErrUnknownOutcome)
		assert.Equal(t, 181*time.Second, time.Since(start))
	})
}

func TestAnAnswerIsReadUpToOneMebibyte(t *testing.T) {
	t.Parallel()
	fits := `{"isValid":true,"invalidMessage":"` + strings.Repeat("x", 1<<20-36) + `"}`
	require.Len(t, fits, 1<<20)
	server := serve(t, reply{status: 200, body: fits}, reply{status: 200, body: fits + " "})
	c := client(t, x402.ClientConfig{URL: server.URL})
	v, err := c.Verify(t.Context(), readPayment(t, paymentV2))
	require.NoError(t, err)
	assert.True(t, v.IsValid)
	_, err = c.Verify(t.Context(), readPayment(t, paymentV2))
	assert.ErrorContains(t, err, "more than 1048576 bytes")
	_, err = c.Settle(t.Context(), readPayment(t, paymentV2))
	assert.ErrorIs(t, err, x402.ErrUnknownOutcome)
}

func TestARedirectToAnotherOriginIsNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := serve(t, reply{status: 200, body: settledV2})
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := serve(t, reply{status: status, header: http.Header{"Location": {elsewhere.URL + "/settle"}}})
		c := client(t, x402.ClientConfig{URL: server.URL})
		_, err := c.Settle(t.Context(), readPayment(t, paymentV2))
		require.ErrorContains(t, err, elsewhere.URL)
		assert.NotErrorIs(t, err, x402.ErrUnknownOutcome)
		_, err = c.Verify(t.Context(), readPayment(t, paymentV2))
		require.Error(t, err)
		_, err = c.Supported(t.Context())
		require.Error(t, err)
	}
	assert.Empty(t, elsewhere.asked)
}

func TestARedirectWithinTheOriginKeepsThePayment(t *testing.T) {
	t.Parallel()
	server := serve(t, reply{status: 308, header: http.Header{"Location": {"/v2/settle"}}}, reply{status: 200, body: settledV2})
	s, err := client(t, x402.ClientConfig{URL: server.URL}).Settle(t.Context(), readPayment(t, paymentV2))
	require.NoError(t, err)
	assert.True(t, s.Success)
	assert.Equal(t, []string{"POST /settle", "POST /v2/settle"}, server.asked)
	assert.JSONEq(t, paymentV2, server.bodies[1])

	server = serve(t, reply{status: 302, header: http.Header{"Location": {"/v2/settle"}}}, reply{status: 200, body: settledV2})
	_, err = client(t, x402.ClientConfig{URL: server.URL}).Settle(t.Context(), readPayment(t, paymentV2))
	require.Error(t, err)
	assert.Len(t, server.asked, 1, "a POST does not become a GET")
}

func TestEachRequestIsAuthorisedForItsOperation(t *testing.T) {
	t.Parallel()
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.URL.Path+" "+r.Header.Get("Authorization")+" "+r.Header.Get("Content-Type"))
		io.WriteString(w, `{"isValid":true,"success":true,"transaction":"0x1","network":"","kinds":[]}`)
	}))
	t.Cleanup(server.Close)
	c := client(t, x402.ClientConfig{URL: server.URL, Auth: func(_ context.Context, op x402.Operation) (http.Header, error) {
		return http.Header{"authorization": {"Bearer " + string(op)}}, nil
	}})
	_, err := c.Verify(t.Context(), readPayment(t, paymentV2))
	require.NoError(t, err)
	_, err = c.Settle(t.Context(), readPayment(t, paymentV2))
	require.NoError(t, err)
	_, err = c.Supported(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"/verify Bearer verify application/json", "/settle Bearer settle application/json", "/supported Bearer supported "}, got)
}

func TestNothingIsSentWithoutAuthorisation(t *testing.T) {
	t.Parallel()
	server := serve(t, reply{status: 200, body: settledV2})
	denied := errors.New("no key")
	c := client(t, x402.ClientConfig{URL: server.URL, Auth: func(context.Context, x402.Operation) (http.Header, error) { return nil, denied }})
	_, err := c.Settle(t.Context(), readPayment(t, paymentV2))
	assert.ErrorIs(t, err, denied)
	assert.NotErrorIs(t, err, x402.ErrUnknownOutcome)
	assert.Empty(t, server.asked)
}

const pending = `{"success":false,"errorReason":"settlement_pending","transaction":"0xfeed","network":"eip155:84532"}`

func TestAPendingSettlementIsAnAnswerWithItsHash(t *testing.T) {
	t.Parallel()
	server := serve(t, reply{status: 200, body: pending})
	s, err := client(t, x402.ClientConfig{URL: server.URL}).Settle(t.Context(), readPayment(t, paymentV2))
	require.NoError(t, err)
	assert.Equal(t, x402.ReasonSettlementPending, s.ErrorReason)
	assert.Equal(t, "0xfeed", s.Transaction)
	assert.Len(t, server.bodies, 1)
}
