package webhook

import (
	_ "embed"
	"net/http"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web"
	"github.com/v402/v402/internal/web/v402api"
)

//go:embed openapi.yaml
var openAPI []byte

// api is a Publisher behind HTTP.
type api struct {
	*Publisher
	v402api.API
}

// Handler serves the API for owners of endpoints, described in openapi.yaml,
// which is itself at GET /api/v1/webhooks/openapi.yaml. All paths begin with
// /api/v1/. Callers are whom Config.Authenticate admits: content providers and
// admins see what is their own, each the endpoints whose OwnerID is the user's
// ID; admins may also replay deliveries to any endpoint.
func (p *Publisher) Handler() http.Handler {
	a := &api{p, v402api.API{Logger: p.log, Now: p.options.Now, Limits: p.options.Limits}}
	const base = "/api/v1/providers/webhooks"
	rt := a.Router()
	rt.Handle("GET "+base, a.provider(a.getWebhooks))
	rt.Handle("POST "+base, a.provider(a.postWebhook))
	rt.Handle("GET "+base+"/{id}", a.provider(a.getWebhook))
	rt.Handle("PUT "+base+"/{id}", a.provider(a.putWebhook))
	rt.Handle("DELETE "+base+"/{id}", a.provider(a.deleteWebhook))
	rt.Handle("POST "+base+"/{id}/test", a.provider(a.postTest))
	rt.Handle("POST "+base+"/{id}/rotate-secret", a.provider(a.postRotate))
	rt.Handle("GET "+base+"/{id}/logs", a.provider(a.getLogs))
	rt.Handle("GET "+base+"/{id}/deliveries/{delivery}", a.provider(a.getDelivery))
	rt.Handle("POST "+base+"/{id}/deliveries/{delivery}/redeliver", a.provider(a.postRedeliver))
	rt.Handle("POST /api/v1/admin/webhooks/{id}/replay", a.admin(a.postReplay))
	rt.Handle("GET /api/v1/webhooks/openapi.yaml", a.Public(v402api.Anonymous, getOpenAPI))
	return rt
}

// handler serves a request of u.
type handler = func(w http.ResponseWriter, r *http.Request, u account.User) error

// only serves those whom Config.Authenticate admits and who pass check.
func (a *api) only(class v402api.Class, check func(account.User) error, h handler) http.Handler {
	return v402api.Guard(&a.API, class, func(r *http.Request) (account.User, string, error) {
		if a.options.Authenticate == nil {
			return account.User{}, "", account.ErrUnauthenticated
		}
		u, err := a.options.Authenticate(r)
		if err == nil {
			err = check(u)
		}
		return u, u.ID, err
	}, h)
}

func (a *api) provider(h handler) http.Handler {
	return a.only(v402api.Provider, func(u account.User) error {
		if !u.IsProvider() || u.ID == "" {
			return account.ErrProviderRequired
		}
		return nil
	}, h)
}

func (a *api) admin(h handler) http.Handler {
	return a.only(v402api.Admin, func(u account.User) error {
		if !u.IsAdmin() {
			return account.ErrAdminRequired
		}
		return nil
	}, h)
}

func getOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	web.Secure(w.Header())
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI)
	return nil
}
