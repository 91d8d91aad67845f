package v402api

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/v402/v402/internal/web"
)

// Router finds handlers as [web.Router] does, answers what it does not find in
// the form of the API, and OPTIONS for any path.
type Router struct{ web.Router }

// Router returns one without routes.
func (a *API) Router() *Router {
	rt := new(Router)
	rt.NotFound = a.Func(func(http.ResponseWriter, *http.Request) error {
		return &Error{Code: NotFound, Message: "There is no such path"}
	}).ServeHTTP
	rt.MethodNotAllowed = func(w http.ResponseWriter, r *http.Request, allowed []string) {
		list := strings.Join(allowed, ", ")
		w.Header().Set("Allow", list)
		allowOrigins(w.Header())
		a.Refuse(w, r, &Error{Code: MethodNotAllowed, Message: "This path answers " + list + " only"})
	}
	return rt
}

// Join serves what the handlers serve, all of them made by [API.Router], as if
// their routes were one's.
func (a *API) Join(handlers ...http.Handler) (*Router, error) {
	rt := a.Router()
	for _, h := range handlers {
		other, ok := h.(*Router)
		if !ok {
			return nil, fmt.Errorf("v402api: %T is no handler of this API", h)
		}
		rt.Include(&other.Router)
	}
	return rt, nil
}

// Handle adds a route: see [web.Router.Handle].
func (rt *Router) Handle(pattern string, h http.Handler) { rt.Router.Handle(pattern, h.ServeHTTP) }

// ServeHTTP implements [http.Handler].
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodOptions {
		preflight(w)
		return
	}
	rt.Router.ServeHTTP(w, r)
}

// preflight tells browsers that pages of any origin may ask: no cookie grants
// anything here.
func preflight(w http.ResponseWriter) {
	h := w.Header()
	web.Secure(h)
	allowOrigins(h)
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Content-Type, Authorization, X-Payment, PAYMENT-SIGNATURE, X-API-Key, "+
		"X-Public-Key, X-Signature, X-V402-Signature, X-V402-Timestamp, X-V402-Nonce, X-V402-Chain-ID, X-V402-API-Key, "+
		"X-V402-Version, X-V402-Request-ID, X-V402-Client-Type, X-V402-SDK-Version, Idempotency-Key")
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}

var (
	anyOrigin = []string{"*"}
	exposed   = []string{"X-PAYMENT-RESPONSE, PAYMENT-RESPONSE, PAYMENT-REQUIRED, " +
		"X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After"}
)

func allowOrigins(h http.Header) {
	h["Access-Control-Allow-Origin"] = anyOrigin
	h["Access-Control-Expose-Headers"] = exposed
}
