package registry

import (
	_ "embed"
	"net/http"

	"github.com/v402/v402/internal/web"
)

//go:embed openapi.yaml
var openAPI []byte

// Bounds of request bodies, in bytes.
const (
	maxBody      = 1 << 20
	maxBatchBody = 8 << 20 // of POST /api/sales/batch
	maxForm      = 64 << 10
)

// How often one client may do per minute what strangers may do.
const (
	statusPerMinute = 5  // ask for the status of applications: without end one finds out who applied
	applyPerMinute  = 20 // apply: to hash a password costs
)

// api is a Service behind HTTP.
type api struct {
	*Service
	statusLimits limit
	applyLimits  limit
}

// Handler serves the registry's REST API, described in openapi.yaml, which is
// itself at GET /api/registry/openapi.yaml. Answers have the form {success,
// message, data}, or {success, message, errors} where fields are wrong. All
// paths begin with /api/; use http.StripPrefix to serve them elsewhere.
//
// Platforms show their key in the header X-API-Key; admins are admitted by
// [Config.Admin]. Nothing is sent to a platform's api_endpoint by this package:
// what a platform should hear is an event in the outbox of the store, and
// [Service.Audience] says who is told of it.
func (s *Service) Handler() http.Handler {
	_, rt := s.routes()
	return rt
}

func (s *Service) routes() (*api, *web.Router) {
	a := &api{Service: s, statusLimits: newLimit(statusPerMinute), applyLimits: newLimit(applyPerMinute)}
	rt := &web.Router{NotFound: a.public(unknownPath), MethodNotAllowed: a.methodNotAllowed}
	a.routePlatforms(rt)
	a.routeContracts(rt)
	a.routeSales(rt)
	a.routeRoyalties(rt)
	a.routeMirrors(rt)
	a.routeSettlements(rt)
	a.routeAdmin(rt)
	rt.Handle("GET /api/registry/openapi.yaml", getOpenAPI)
	return a, rt
}

// public serves whoever asks.
func (a *api) public(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			a.refuse(w, r, err)
		}
	}
}

// platform serves active platforms.
func (a *api) platform(h func(http.ResponseWriter, *http.Request, Platform) error) http.HandlerFunc {
	return a.public(func(w http.ResponseWriter, r *http.Request) error {
		p, err := a.Authenticate(r.Context(), r.Header.Get("X-API-Key"))
		if err != nil {
			return err
		}
		return h(w, r, p)
	})
}

// admin serves whom Config.Admin admits, as actor.
func (a *api) admin(h func(w http.ResponseWriter, r *http.Request, actor string) error) http.HandlerFunc {
	return a.public(func(w http.ResponseWriter, r *http.Request) error {
		if a.options.Admin == nil {
			return ErrAdminRequired
		}
		actor, err := a.options.Admin(r)
		if err != nil {
			return err
		}
		return h(w, r, actor)
	})
}

func getOpenAPI(w http.ResponseWriter, _ *http.Request) {
	web.Secure(w.Header())
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI)
}
