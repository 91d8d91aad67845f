package report

import (
	_ "embed"
	"net/http"
	"time"

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
// /api/v1/reports/openapi.yaml. All paths begin with /api/v1/. Callers are whom
// Config.Authenticate admits: content providers and admins, each for what is
// their own.
func (s *Service) Handler() http.Handler {
	a := &api{s, &v402api.API{Logger: s.options.Logger, Now: s.options.Now, Limits: s.options.Limits}}
	rt := a.web.Router()
	rt.Handle("GET /api/v1/providers/products/{id}/analytics", a.provider(a.getProduct))
	rt.Handle("GET /api/v1/providers/analytics/dashboard", a.provider(a.getDashboard))
	rt.Handle("GET /api/v1/providers/analytics/revenue", a.provider(a.getRevenue))
	rt.Handle("GET /api/v1/reports/openapi.yaml", http.HandlerFunc(getOpenAPI))
	return rt
}

func getOpenAPI(w http.ResponseWriter, _ *http.Request) {
	web.Secure(w.Header())
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI) // an error means that the client has gone
}

// provider serves content providers, and admins.
func (a *api) provider(h func(w http.ResponseWriter, r *http.Request, u account.User) error) http.Handler {
	return v402api.Guard(a.web, v402api.Provider, func(r *http.Request) (account.User, string, error) {
		if a.options.Authenticate == nil {
			return account.User{}, "", account.ErrUnauthenticated
		}
		u, err := a.options.Authenticate(r)
		if err == nil {
			err = account.Admitted(u)
		}
		if err == nil && !u.IsProvider() {
			err = account.ErrProviderRequired
		}
		return u, u.ID, err
	}, h)
}

// span reads start_date, end_date and group_by.
func span(q *v402api.Query) (Range, Group) {
	r := Range{From: q.Time("start_date"), To: q.Until("end_date")}
	if !r.To.IsZero() {
		r.To = r.To.Truncate(time.Millisecond) // an end on the hour does not take in the hour after it
	}
	return r, v402api.OneOf(q, "group_by", groups...)
}

func (a *api) getProduct(w http.ResponseWriter, r *http.Request, u account.User) error {
	q := v402api.QueryOf(r)
	of, group := span(q)
	if err := q.Err(); err != nil {
		return err
	}
	report, err := a.Product(r.Context(), u, r.PathValue("id"), of, group)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, viewProduct(report))
}

func (a *api) getDashboard(w http.ResponseWriter, r *http.Request, u account.User) error {
	q := v402api.QueryOf(r)
	days := q.Int("days", 30, 1, MaxDays)
	if err := q.Err(); err != nil {
		return err
	}
	d, err := a.Dashboard(r.Context(), u.ID, days)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, viewDashboard(d))
}

func (a *api) getRevenue(w http.ResponseWriter, r *http.Request, u account.User) error {
	q := v402api.QueryOf(r)
	of, group := span(q)
	if err := q.Err(); err != nil {
		return err
	}
	report, err := a.Revenue(r.Context(), u.ID, of, group)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, viewRevenue(report))
}
