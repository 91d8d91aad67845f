package catalog

import (
	_ "embed"
	"errors"
	"net/http"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web"
	"github.com/v402/v402/internal/web/v402api"
)

//go:embed openapi.yaml
var openAPI []byte

// api is a Service behind HTTP.
type api struct {
	*Service
	web *v402api.API
}

// Handler serves the API described in openapi.yaml, which is itself at GET
// /api/v1/catalog/openapi.yaml. All paths begin with /api/v1/; use
// http.StripPrefix to serve them elsewhere. Who asks is known by
// [Config.Authenticate]; what clients look for is open to everybody.
func (s *Service) Handler() http.Handler {
	a := &api{Service: s, web: &v402api.API{Logger: s.log, Now: s.options.Now, Limits: s.options.Limits}}
	rt := a.web.Router()
	a.routeExports(rt)
	a.routeProducts(rt)
	a.routeModeration(rt)
	a.routeWallets(rt)
	a.routeDiscover(rt)
	a.routeReviews(rt)
	a.routeLogs(rt)
	a.routeInsights(rt)
	a.routeAccess(rt)
	a.routePayments(rt)
	a.routeContent(rt)
	rt.Handle("GET /api/v1/catalog/openapi.yaml", http.HandlerFunc(getOpenAPI))
	return rt
}

func getOpenAPI(w http.ResponseWriter, _ *http.Request) {
	web.Secure(w.Header())
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI)
}

// userHandler serves a request of u.
type userHandler func(w http.ResponseWriter, r *http.Request, u account.User) error

// authenticate returns who sends r; nobody, without an error, if r has no
// credentials.
func (a *api) authenticate(r *http.Request) (account.User, error) {
	if a.options.Authenticate == nil {
		return account.User{}, nil
	}
	u, err := a.options.Authenticate(r)
	return u, unlessAnonymous(err)
}

// unlessAnonymous is err, but nil if that says that there are no credentials.
func unlessAnonymous(err error) error {
	var refused *Error
	if errors.As(err, &refused) && refused.Code == v402api.AuthenticationMissing {
		return nil
	}
	return err
}

// guarded serves whom admit lets in, as often as class grants to the user.
func (a *api) guarded(class v402api.Class, admit func(account.User) error, h userHandler) http.Handler {
	return a.web.Func(func(w http.ResponseWriter, r *http.Request) error {
		v402api.Receive(r, v402api.MaxBody)
		u, err := a.authenticate(r)
		if err == nil {
			err = admit(u)
		}
		if err := a.limit(w, r, class, u, err); err != nil {
			return err
		}
		return h(w, r, u)
	})
}

// limit refuses a request of u that comes too soon, and otherwise returns refused.
func (a *api) limit(w http.ResponseWriter, r *http.Request, class v402api.Class, u account.User, refused error) error {
	if refused != nil || u.ID == "" { // guessing keys is limited by address
		class = v402api.Anonymous
	}
	if err := a.web.Admit(w, r, class, u.ID); err != nil {
		return err
	}
	return refused
}

// anyone serves whoever asks; the ID of u is empty if nobody is known.
func (a *api) anyone(h userHandler) http.Handler {
	return a.guarded(v402api.Authenticated, func(account.User) error { return nil }, h)
}

// user serves those who are known.
func (a *api) user(h userHandler) http.Handler { return a.guarded(v402api.Authenticated, known, h) }

// provider serves content providers, and admins.
func (a *api) provider(h userHandler) http.Handler {
	return a.guarded(v402api.Provider, func(u account.User) error {
		if err := known(u); err != nil {
			return err
		}
		if !u.IsProvider() {
			return account.ErrProviderRequired
		}
		return nil
	}, h)
}

// admin serves admins.
func (a *api) admin(h userHandler) http.Handler {
	return a.guarded(v402api.Admin, func(u account.User) error {
		if err := known(u); err != nil {
			return err
		}
		if !u.IsAdmin() {
			return account.ErrAdminRequired
		}
		return nil
	}, h)
}

func known(u account.User) error {
	if u.ID == "" {
		return account.ErrUnauthenticated
	}
	return account.Admitted(u)
}
