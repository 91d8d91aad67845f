package account

import (
	_ "embed"
	"net/http"

	"github.com/v402/v402/internal/web"
	"github.com/v402/v402/internal/web/v402api"
)

//go:embed openapi.yaml
var openAPI []byte

// maxBody bounds the bodies of this API, in bytes.
const maxBody = 64 << 10

// api is a Service behind HTTP.
type api struct {
	*Service
	web *v402api.API
}

// Handler serves the API described in openapi.yaml, which is itself at GET
// /api/v1/account/openapi.yaml. All paths begin with /api/v1/; see [Join] to
// serve other domains there too.
func (s *Service) Handler() http.Handler {
	a := &api{Service: s, web: &v402api.API{Logger: s.log, Now: s.options.Now, Limits: s.options.Limits}}
	rt := a.web.Router()
	rt.Handle("POST /api/v1/auth/register", a.web.Public(v402api.Anonymous, a.postRegister))
	rt.Handle("POST /api/v1/auth/wallet", a.client(withAccount(a.postWallet)))
	a.routeProfile(rt, "/api/v1/clients", a.client)
	a.routeProfile(rt, "/api/v1/providers", a.provider)
	a.routeAdmin(rt)
	rt.Handle("GET /api/v1/account/openapi.yaml", a.web.Func(getOpenAPI))
	return rt
}

// Join serves the handlers of this and other domains of /api/v1 as one: those
// that the packages account, catalog and webhook make, with their own errors for
// paths that none of them has. It fails for a handler of another kind.
func Join(handlers ...http.Handler) (http.Handler, error) {
	return new(v402api.API).Join(handlers...)
}

// userHandler serves a request of u.
type userHandler = func(w http.ResponseWriter, r *http.Request, u User) error

// only serves those who are known and who pass check.
func (a *api) only(class v402api.Class, check func(User) error, h userHandler) http.Handler {
	return v402api.Guard(a.web, class, func(r *http.Request) (User, string, error) {
		u, err := a.Authenticate(r)
		if err == nil {
			err = check(u)
		}
		return u, u.ID, err
	}, h)
}

// client serves whoever is known.
func (a *api) client(h userHandler) http.Handler {
	return a.only(v402api.Authenticated, func(User) error { return nil }, h)
}

func (a *api) provider(h userHandler) http.Handler {
	return a.only(v402api.Provider, func(u User) error {
		if !u.IsProvider() {
			return ErrProviderRequired
		}
		return nil
	}, h)
}

func (a *api) admin(h userHandler) http.Handler {
	return a.only(v402api.Admin, func(u User) error {
		if !u.IsAdmin() {
			return ErrAdminRequired
		}
		return nil
	}, h)
}

// withAccount refuses those who have no account: a static admin token is none.
func withAccount(h userHandler) userHandler {
	return func(w http.ResponseWriter, r *http.Request, u User) error {
		if u.static() {
			return ErrNoAccount
		}
		return h(w, r, u)
	}
}

func getOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	web.Secure(w.Header())
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI)
	return nil
}
