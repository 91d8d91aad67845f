package payer

import (
	"context"
	"net/http"

	"github.com/v402/v402/x402"
)

type paidKey struct{}

// markPaid makes resp remember what was paid for it. Its request is the
// caller's, without the payment.
func markPaid(resp *http.Response, req *http.Request, s Spending) {
	resp.Request = req.WithContext(context.WithValue(req.Context(), paidKey{}, s))
}

// paidBefore returns what was paid in an earlier hop of the redirects that
// led to req.
func paidBefore(req *http.Request) (Spending, bool) {
	for req.Response != nil && req.Response.Request != nil {
		if s, ok := SpendingFrom(req.Response); ok {
			return s, true
		}
		req = req.Response.Request
	}
	return Spending{}, false
}

// SpendingFrom returns what a [Payer] paid for resp; ok is false if nothing.
func SpendingFrom(resp *http.Response) (s Spending, ok bool) {
	if resp == nil || resp.Request == nil {
		return Spending{}, false
	}
	s, ok = resp.Request.Context().Value(paidKey{}).(Spending)
	return s, ok
}

// ReceiptFrom returns the settlement that the seller reports in resp, of
// either version; ok is false if there is none that can be read.
func ReceiptFrom(resp *http.Response) (receipt *x402.SettleResponse, ok bool) {
	if resp == nil {
		return nil, false
	}
	for _, name := range []string{x402.HeaderPaymentResponse, x402.HeaderPaymentResponseV1} {
		if v := resp.Header.Get(name); v != "" {
			var s x402.SettleResponse
			if x402.DecodeHeader(v, &s) == nil {
				return &s, true
			}
		}
	}
	return nil, false
}
