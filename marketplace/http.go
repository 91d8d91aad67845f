package marketplace

import (
	_ "embed"
	"net/http"
	"strconv"
	"time"

	"github.com/v402/v402/internal/web"
)

//go:embed openapi.yaml
var openAPI []byte

// maxBody bounds request bodies, in bytes.
const maxBody = 64 << 10

// DefaultRateLimit is how many anonymous changes one client may ask for within a
// minute.
const DefaultRateLimit = 120

// api is a Service behind HTTP.
type api struct {
	*Service
	limits *web.Limits // nil: none
}

// handler serves a request of who is known to have sent it, or returns why not.
type handler func(w http.ResponseWriter, r *http.Request, actor Actor) error

// Handler serves the marketplace's REST API, described in openapi.yaml, which is
// itself at GET /marketplace/openapi.yaml. Its paths begin with /marketplace/, and
// those for wallets and memberships with /secret/; use http.StripPrefix to serve
// them elsewhere. A refusal is {error, message, code, correlation_id, details}.
//
// Config.Authenticate says who admins and issuers are. A wallet shows its
// session in X-Edut-Session, or as a bearer token. Payment by x402 is served by
// a [Till], which needs a guard and is mounted beside this handler.
func (s *Service) Handler() http.Handler {
	a := &api{Service: s}
	switch limit := s.options.RateLimit; {
	case limit == 0:
		a.limits = web.NewLimits(DefaultRateLimit)
	case limit > 0:
		a.limits = web.NewLimits(limit)
	}
	rt := &web.Router{NotFound: a.open(unknownPath), MethodNotAllowed: a.methodNotAllowed}
	a.routeOffers(rt)
	a.routeIssuers(rt)
	a.routeCheckout(rt)
	a.routeEntitlements(rt)
	a.routeSeats(rt)
	a.routeLicences(rt)
	a.routeMemberships(rt)
	a.routeWallet(rt)
	rt.Handle("GET /marketplace/audit", a.known(a.getAudit))
	rt.Handle("GET /marketplace/openapi.yaml", a.open(getOpenAPI))
	return rt
}

// open serves whoever asks, whatever their credentials.
func (a *api) open(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			a.refuse(w, r, err)
		}
	}
}

// known serves whoever asks, and finds out who that is.
func (a *api) known(h handler) http.HandlerFunc {
	return a.open(func(w http.ResponseWriter, r *http.Request) error {
		actor, err := a.actor(r)
		if err != nil {
			return err
		}
		return h(w, r, actor)
	})
}

// change serves a request that may change something: strangers are limited, and
// one with an Idempotency-Key is carried out once.
func (a *api) change(h handler) http.HandlerFunc {
	return a.known(func(w http.ResponseWriter, r *http.Request, actor Actor) error {
		if err := a.admit(w, r, actor); err != nil {
			return err
		}
		return a.once(w, r, actor, h)
	})
}

// secret is change for what is answered with a secret: no answer is kept.
func (a *api) secret(h handler) http.HandlerFunc {
	return a.known(func(w http.ResponseWriter, r *http.Request, actor Actor) error {
		if err := a.admit(w, r, actor); err != nil {
			return err
		}
		return h(w, r, actor)
	})
}

// admit counts a request of a stranger or a wallet against its client.
func (a *api) admit(w http.ResponseWriter, r *http.Request, actor Actor) error {
	if a.limits == nil || actor.Admin || actor.IssuerID != "" {
		return nil
	}
	client := r.RemoteAddr
	if a.options.ClientAddr != nil {
		client = a.options.ClientAddr(r)
	}
	ok, left, wait := a.limits.Allow(web.ClientOf(client), a.now())
	w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(left))
	if !ok {
		return Refuse(CodeRateLimited, "Too many requests. Try again later.").again(max(wait, time.Second))
	}
	return nil
}

func unknownPath(http.ResponseWriter, *http.Request) error {
	return &Error{Code: codeNotFound, Message: "There is no such path. See GET /marketplace/openapi.yaml."}
}

func getOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	web.Secure(w.Header())
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI)
	return nil
}
