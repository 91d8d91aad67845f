package catalog

import (
	"context"
	"net/http"

	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/middleware"
)

type grantKey struct{}

// AccessFrom returns the access by which a request has passed [Service.Guard].
func AccessFrom(ctx context.Context) (Access, bool) {
	a, ok := ctx.Value(grantKey{}).(Access)
	return a, ok
}

// Guard protects a provider's own handler by a product: requests with a live
// grant pass, by access token, user or signed payer, or by a payment for the
// product, which is settled before the handler runs. All others are answered
// with 402. Each request that passes is an access; if the product has a most, it
// counts. A request that repeats a payment within a minute of its access is not
// another one, up to three times: the answer was perhaps lost. The access token of
// a payment is in the header X-V402-Access-Token of the answer.
func (s *Service) Guard(productID string) func(http.Handler) http.Handler {
	a := &api{Service: s, web: &v402api.API{Logger: s.log, Now: s.options.Now}}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a.guard(w, r, productID, next)
		})
	}
}

func (a *api) guard(w http.ResponseWriter, r *http.Request, productID string, next http.Handler) {
	marked := withAccessToken(r)
	got, err := a.pass(marked, productID)
	if err != nil {
		if err := a.deny(w, r, err); err != nil {
			a.web.Refuse(w, r, err)
		}
		return
	}
	h := w.Header()
	if got.Settlement != nil {
		middleware.SetReceipt(h, got.Version, *got.Settlement)
	}
	h.Set(HeaderAccessToken, got.Token)
	h.Set("Cache-Control", "private")
	next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), grantKey{}, got)))
}

// pass opens a product for a request to a handler, whose every answer counts.
func (a *api) pass(r *http.Request, productID string) (Access, error) {
	u, payer, err := a.caller(r)
	if err != nil {
		return Access{}, err
	}
	return a.enterAs(r, productID, u, payer, true)
}
