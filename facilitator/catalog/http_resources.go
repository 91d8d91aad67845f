package catalog

import (
	"net/http"
	"strconv"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/x402"
)

// ResourceHandler serves what x402 finds at the root of a host:
//
//	GET /discovery/resources
//	GET /discovery/search
//	GET /.well-known/x402
func (s *Service) ResourceHandler() http.Handler {
	a := &api{Service: s, web: &v402api.API{Logger: s.log, Now: s.options.Now, Limits: s.options.Limits}}
	rt := a.web.Router()
	rt.Handle("GET /discovery/resources", a.anyone(a.getResources))
	rt.Handle("GET /discovery/search", a.anyone(a.getSearch))
	rt.Handle("GET /.well-known/x402", a.web.Func(a.getWellKnown))
	return rt
}

// resourceQuery reads what both lists are filtered by.
func (a *api) resourceQuery(r *http.Request) (ResourceQuery, *v402api.Query) {
	q := v402api.QueryOf(r)
	out := ResourceQuery{
		Type: q.Text("type", maxShort), PayTo: q.Text("payTo", maxShort), Scheme: q.Text("scheme", maxShort), Limit: q.Int("limit", 20, 1, 100),
		Version: q.Int("x402Version", x402.V2, x402.V1, x402.V2), Origin: a.originOf(r),
	}
	if name := q.Text("network", maxShort); name != "" {
		n, err := ParseChain(name)
		if err != nil {
			q.Add("network", v402api.InvalidEnum, "network is not known")
		}
		out.Network = n
	}
	return out, q
}

// originOf is scheme and host of a request.
func (a *api) originOf(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

const lastOffset = 1_000_000

func (a *api) getResources(w http.ResponseWriter, r *http.Request, _ account.User) error {
	out, q := a.resourceQuery(r)
	out.Offset = q.Int("offset", 0, 0, lastOffset)
	if err := q.Err(); err != nil {
		return err
	}
	page, err := a.Resources(r.Context(), out)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, page)
}

func (a *api) getSearch(w http.ResponseWriter, r *http.Request, _ account.User) error {
	out, q := a.resourceQuery(r)
	out.Query = q.Text("query", maxSearch)
	if cursor := q.Text("cursor", maxShort); cursor != "" {
		n, err := strconv.Atoi(cursor)
		if err != nil || n < 0 || n > lastOffset {
			q.Add("cursor", v402api.InvalidFormat, "cursor must be one that an answer gave")
		}
		out.Offset = n
	}
	if err := q.Err(); err != nil {
		return err
	}
	page, err := a.SearchResources(r.Context(), out)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, page)
}

// WellKnown is what GET /.well-known/x402 says of the facilitator. What is empty
// has the value that stands beside it.
type WellKnown struct {
	Name     string   // "v402 Facilitator"
	Version  string   // "1.0.0"
	URL      string   // "/api/v1"
	Chains   []string // those on which products can be paid here
	Schemes  []string // exact and dynamic
	Features []string // payment_verification, multi_chain_support and batch_payments
}

// wellKnownView has the keys of the documentation, in its order.
type wellKnownView struct {
	Version     string `json:"version"`
	Facilitator struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		URL     string `json:"url"`
	} `json:"facilitator"`
	Chains    []string `json:"supported_chains"`
	Schemes   []string `json:"supported_schemes"`
	Features  []string `json:"features"`
	Endpoints struct {
		Discovery string `json:"discovery"`
		Payment   string `json:"payment"`
		Access    string `json:"access"`
	} `json:"endpoints"`
}

func (a *api) getWellKnown(w http.ResponseWriter, r *http.Request) error {
	known := a.options.Payments.WellKnown
	if known.Chains == nil {
		supported, err := a.supported(r.Context())
		if err != nil {
			return err
		}
		known.Chains = []string{}
		for _, n := range a.networks {
			if _, proven := a.chain(n); proven || serves(&supported, n) {
				known.Chains = append(known.Chains, ChainName(n))
			}
		}
	}
	v := wellKnownView{Version: "1.0", Chains: known.Chains, Schemes: known.Schemes, Features: known.Features}
	v.Facilitator.Name, v.Facilitator.Version, v.Facilitator.URL = known.Name, known.Version, known.URL
	v.Endpoints.Discovery, v.Endpoints.Payment, v.Endpoints.Access = known.URL+"/clients/discover", known.URL+"/clients/payments", known.URL+"/clients/access"
	w.Header().Set("Cache-Control", "public, max-age=60")
	return v402api.JSON(w, http.StatusOK, v)
}

func (k WellKnown) withDefaults() WellKnown {
	for _, d := range []struct {
		value     *string
		byDefault string
	}{{&k.Name, "v402 Facilitator"}, {&k.Version, "1.0.0"}, {&k.URL, "/api/v1"}} {
		if *d.value == "" {
			*d.value = d.byDefault
		}
	}
	if k.Schemes == nil {
		k.Schemes = []string{string(SchemeExact), string(SchemeDynamic)}
	}
	if k.Features == nil {
		k.Features = []string{"payment_verification", "multi_chain_support", "batch_payments"}
	}
	return k
}
