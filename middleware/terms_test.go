package middleware_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/middleware"
	"github.com/v402/v402/x402"
)

const termsURL = "https://shop.example/book?page=1"

func newTerms(f *fake, resource string, offers ...middleware.Offer) (*middleware.Terms, error) {
	r := httptest.NewRequest(http.MethodGet, "/book?page=1", nil)
	return middleware.NewTerms(r, f, x402.DefaultAssets(), x402.ResourceInfo{URL: resource, Description: "A book", MimeType: "text/plain"}, offers...)
}

func TestTermsAreWrittenInBothVersions(t *testing.T) {
	t.Parallel()
	terms, err := newTerms(&fake{}, termsURL, cents("$0.01"), cents("$0.02"))
	require.NoError(t, err)
	require.Len(t, terms.Requirements(), 2)
	require.Equal(t, "10000", terms.Requirements()[0].Amount.String())
	for reason, status := range map[x402.Reason]int{
		x402.ReasonPaymentRequired:  http.StatusPaymentRequired,
		x402.ReasonEVMNonceUsed:     http.StatusPaymentRequired,
		x402.ReasonPermit2Allowance: http.StatusPreconditionFailed,
	} {
		w := httptest.NewRecorder()
		terms.Write(w, reason, "")
		require.Equal(t, status, w.Code, reason)
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		var v2, v1 x402.PaymentRequired
		require.NoError(t, x402.DecodeHeader(w.Header().Get(x402.HeaderPaymentRequired), &v2))
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &v1))
		require.Equal(t, x402.V1, v1.Version)
		for _, c := range []x402.PaymentRequired{v2, v1} {
			require.Equal(t, termsURL, c.Resource.URL)
		}
		require.Len(t, v2.Accepts, 2)
		require.Len(t, v1.Accepts, 1, "a payment of version 1 does not say which offer it accepts")
		require.Equal(t, string(reason), v2.Error)
	}
}

func TestTermsMatchThePaymentThatAcceptsThem(t *testing.T) {
	t.Parallel()
	terms, err := newTerms(&fake{}, termsURL, cents("$0.01"), cents("$0.02"))
	require.NoError(t, err)
	accepted := terms.Requirements()[1]
	payment := func(edit func(*x402.PaymentPayload)) x402.PaymentPayload {
		p := x402.PaymentPayload{
			Version: x402.V2, Accepted: accepted, Resource: &x402.ResourceInfo{URL: termsURL},
			Payload: json.RawMessage(`{"authorization":{"value":"20000"}}`),
		}
		edit(&p)
		return p
	}
	got, err := terms.Match(payment(func(*x402.PaymentPayload) {}))
	require.NoError(t, err)
	require.Equal(t, accepted, got.Requirements)
	got, err = terms.Match(payment(func(p *x402.PaymentPayload) { p.Resource = nil }))
	require.NoError(t, err, "a payment need not name what it is for")
	require.Equal(t, accepted, got.Requirements)
	for reason, edit := range map[x402.Reason]func(*x402.PaymentPayload){
		x402.ReasonResourceMismatch: func(p *x402.PaymentPayload) { p.Resource = &x402.ResourceInfo{URL: "https://shop.example/other"} },
		x402.ReasonNoMatchingOffer:  func(p *x402.PaymentPayload) { p.Accepted.Amount = x402.NewAmount(1) },
	} {
		_, err := terms.Match(payment(edit))
		var refused *x402.Error
		require.ErrorAs(t, err, &refused)
		require.Equal(t, reason, refused.Reason)
	}
}

func TestTermsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	foreign := cents("$0.01")
	foreign.Network = "eip155:999999"
	for name, c := range map[string]struct {
		url    string
		offers []middleware.Offer
	}{
		"no URL":            {"", []middleware.Offer{cents("$0.01")}},
		"no offers":         {termsURL, nil},
		"an unknown token":  {termsURL, []middleware.Offer{foreign}},
		"no price":          {termsURL, []middleware.Offer{cents("")}},
		"nothing to pay":    {termsURL, []middleware.Offer{cents("$0")}},
		"a price of no sum": {termsURL, []middleware.Offer{cents("a dollar")}},
	} {
		_, err := newTerms(&fake{}, c.url, c.offers...)
		require.Error(t, err, name)
	}
}

func TestAReceiptIsInTheHeaderOfItsVersion(t *testing.T) {
	t.Parallel()
	for version, name := range map[int]string{x402.V1: x402.HeaderPaymentResponseV1, x402.V2: x402.HeaderPaymentResponse} {
		h := http.Header{}
		middleware.SetReceipt(h, version, x402.SettleResponse{Success: true, Payer: buyer, Transaction: hash, Network: x402.BaseSepolia})
		var got x402.SettleResponse
		require.NoError(t, x402.DecodeHeader(h.Get(name), &got))
		require.True(t, got.Success)
		require.Equal(t, hash, got.Transaction)
		require.Len(t, h.Values(name), 1)
	}
}

func TestWhatMayHaveMovedIsUndecided(t *testing.T) {
	t.Parallel()
	for reason, want := range map[x402.Reason]bool{
		x402.ReasonSettlementPending: true, x402.ReasonEVMNonceUsed: true, x402.ReasonFacilitatorUnreached: true, "": true,
		x402.ReasonEVMTransactionFailed: false, x402.ReasonEVMSignature: false, x402.ReasonInvalidPayload: false,
	} {
		require.Equal(t, want, middleware.Undecided(x402.SettleResponse{ErrorReason: reason}), reason)
		require.False(t, middleware.Undecided(x402.SettleResponse{Success: true, ErrorReason: reason}), reason)
	}
}

func TestOnePaymentIsReadFromTheHeaderOfItsVersion(t *testing.T) {
	t.Parallel()
	for _, c := range []hostile{{"v2", raw(b64(wellFormed)), x402.V2, "", ""}, {"v1", []string{x402.HeaderPaymentV1, b64(wellFormedV1)}, x402.V1, "", ""}} {
		p, ok, err := middleware.ReadPayment(withHeaders(c.header...))
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, c.status, p.Version)
	}
	_, ok, err := middleware.ReadPayment(withHeaders())
	require.NoError(t, err)
	require.False(t, ok)
	for _, c := range append(unreadable[:16:16],
		hostile{name: "v1 in the header of v2", header: raw(b64(wellFormedV1))}, hostile{name: "v2 in the header of v1", header: []string{x402.HeaderPaymentV1, b64(wellFormed)}}) {
		_, ok, err := middleware.ReadPayment(withHeaders(c.header...))
		require.True(t, ok, c.name)
		var refused *x402.Error
		require.ErrorAs(t, err, &refused, c.name)
	}
}

// withHeaders is a request with pairs of headers.
func withHeaders(pairs ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for i := 0; i+1 < len(pairs); i += 2 {
		r.Header.Add(pairs[i], pairs[i+1])
	}
	return r
}

func FuzzReadPayment(f *testing.F) {
	f.Add(b64(wellFormed), false)
	f.Add(b64(wellFormedV1), true)
	for _, c := range unreadable {
		f.Add(c.header[1], c.header[0] == x402.HeaderPaymentV1)
	}
	f.Fuzz(func(t *testing.T, value string, old bool) {
		name, version := x402.HeaderPaymentSignature, x402.V2
		if old {
			name, version = x402.HeaderPaymentV1, x402.V1
		}
		p, ok, err := middleware.ReadPayment(withHeaders(name, value))
		require.True(t, ok)
		if err != nil {
			var refused *x402.Error
			require.True(t, errors.As(err, &refused), "%v", err)
			require.NotEmpty(t, refused.Reason)
			return
		}
		require.Equal(t, version, p.Version)
		again, err := x402.EncodeHeader(p)
		require.NoError(t, err)
		q, _, err := middleware.ReadPayment(withHeaders(name, again))
		require.NoError(t, err)
		require.Equal(t, p.Accepted.Amount.String(), q.Accepted.Amount.String())
		require.JSONEq(t, string(p.Payload), string(q.Payload))
	})
}
