package middleware

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/v402/v402/x402"
)

// CORS lets scripts of other origins buy: it answers preflights of guarded
// paths and puts the headers on every answer of the guard.
type CORS struct {
	AllowOrigins     []string      // such as "https://app.example"; default every origin ("*")
	AllowHeaders     []string      // beside the payment headers, Content-Type and Authorization
	ExposeHeaders    []string      // beside the payment headers
	AllowCredentials bool          // needs AllowOrigins
	MaxAge           time.Duration // for which a preflight may be remembered; default 10 minutes
}

func (c *CORS) check() error {
	if c != nil && c.AllowCredentials && (len(c.AllowOrigins) == 0 || slices.Contains(c.AllowOrigins, "*")) {
		return fmt.Errorf("middleware: CORS.AllowCredentials needs the origins to be named")
	}
	return nil
}

// replayHeader marks an answer that was sent before.
const replayHeader = "X-V402-Replay"

var exposed = strings.Join([]string{x402.HeaderPaymentRequired, x402.HeaderPaymentResponse, x402.HeaderPaymentResponseV1, replayHeader}, ", ")

// apply puts the headers of an answer to r. A handler that allowed an origin
// itself is left its way, the payment headers are exposed all the same.
func (c *CORS) apply(h http.Header, r *http.Request) {
	if c == nil {
		return
	}
	if !c.anyOrigin() {
		h.Add("Vary", "Origin")
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return
	}
	if h.Get("Access-Control-Allow-Origin") == "" {
		switch {
		case c.anyOrigin():
			h.Set("Access-Control-Allow-Origin", "*")
		case slices.Contains(c.AllowOrigins, origin):
			h.Set("Access-Control-Allow-Origin", origin)
		default:
			return
		}
		if c.AllowCredentials {
			h.Set("Access-Control-Allow-Credentials", "true")
		}
	}
	h.Add("Access-Control-Expose-Headers", exposed)
	if len(c.ExposeHeaders) > 0 {
		h.Add("Access-Control-Expose-Headers", strings.Join(c.ExposeHeaders, ", "))
	}
}

func (c *CORS) anyOrigin() bool {
	return len(c.AllowOrigins) == 0 || slices.Contains(c.AllowOrigins, "*")
}

// writeOptions answers OPTIONS on a guarded path: a preflight if CORS is
// configured, and the methods otherwise. The handler does not run.
func (g *Guard) writeOptions(w http.ResponseWriter, r *http.Request, methods []string) {
	h := w.Header()
	allowed := strings.Join(methods, ", ")
	h.Set("Allow", allowed)
	c := g.cfg.CORS
	c.apply(h, r)
	if c != nil && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != "" {
		h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
		h.Del("Access-Control-Expose-Headers") // means nothing in a preflight
		if h.Get("Access-Control-Allow-Origin") != "" {
			headers := append([]string{x402.HeaderPaymentSignature, x402.HeaderPaymentV1, "Content-Type", "Authorization", "Access-Control-Expose-Headers"}, c.AllowHeaders...)
			maxAge := c.MaxAge
			if maxAge <= 0 {
				maxAge = 10 * time.Minute
			}
			h.Set("Access-Control-Allow-Methods", allowed)
			h.Set("Access-Control-Allow-Headers", strings.Join(headers, ", "))
			h.Set("Access-Control-Max-Age", strconv.Itoa(int(maxAge/time.Second)))
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// allMethods are those of a route that names none.
var allMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}

// methods lists what the routes of a guarded path answer to; nil if no route
// matches the path. It asks for each method anew: OPTIONS is rare.
func (t *trie) methods(r *http.Request) (methods []string, m match) {
	probe := *r
	for _, method := range append(slices.Clone(allMethods), t.others...) {
		probe.Method = method
		found := t.match(&probe)
		m.ambiguous = m.ambiguous || found.ambiguous
		if found.route != nil && !found.route.free {
			methods = append(methods, method)
			m.route = found.route
		}
	}
	if methods != nil {
		methods = append(methods, "OPTIONS")
	}
	return methods, m
}
