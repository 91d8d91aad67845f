package middleware

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/v402/v402/x402"
)

// Guard asks for payment in front of handlers. It is safe for concurrent use.
type Guard struct {
	cfg     Config
	routes  []*route
	trie    *trie
	flights flights
	id      string // of this guard among all that share its Claims
	serial  atomic.Uint64
}

// New checks cfg and returns its guard. It does no I/O. Errors name the route
// and the offer that they are about; two routes that match the same request
// are an error unless one of them is more specific.
func New(cfg Config) (*Guard, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := cfg.CORS.check(); err != nil {
		return nil, err
	}
	if len(cfg.Routes) == 0 {
		return nil, errors.New("middleware: no routes")
	}
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("middleware: %w", err)
	}
	g := &Guard{cfg: cfg, id: hex.EncodeToString(id[:])}
	for _, r := range cfg.Routes {
		rt, err := r.compile(cfg.Assets)
		if err != nil {
			return nil, err
		}
		g.routes = append(g.routes, rt)
	}
	g.trie, err = newTrie(g.routes)
	return g, err
}

// Protect returns a middleware that sells whatever it wraps: every path and
// method, for one of offers. cfg has no Routes.
func Protect(cfg Config, offers ...Offer) (func(http.Handler) http.Handler, error) {
	if len(cfg.Routes) > 0 {
		return nil, errors.New("middleware: Protect takes no Routes; use New")
	}
	cfg.Routes = []Route{{Pattern: "/", Offers: offers}}
	g, err := New(cfg)
	if err != nil {
		return nil, err
	}
	return g.Wrap, nil
}

// Wrap returns a handler that asks for payment where a route says so and runs
// next. Requests that no route matches go to next as they are.
func (g *Guard) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions {
			g.options(w, r, next)
			return
		}
		m := g.trie.match(r)
		switch {
		case m.ambiguous:
			g.write(w, r, ambiguousOutcome(), false)
		case m.route == nil || m.route.free:
			next.ServeHTTP(w, r)
		default:
			g.serve(w, r, m.route, next)
		}
	})
}

func ambiguousOutcome() *Outcome {
	return errorOutcome(http.StatusBadRequest, "ambiguous_path", "path", "the path can be read in several ways; send it in its plain form, and the method in capitals")
}

// options answers OPTIONS on guarded paths and lets all others pass.
func (g *Guard) options(w http.ResponseWriter, r *http.Request, next http.Handler) {
	methods, m := g.trie.methods(r)
	switch {
	case m.ambiguous:
		g.write(w, r, ambiguousOutcome(), false)
	case m.route == nil:
		next.ServeHTTP(w, r)
	default:
		g.writeOptions(w, r, methods)
	}
}

// serve answers a request that must be paid for. What is settled first is asked
// for by its exact method and path only: a ServeMux would not find it by others,
// or redirect, and the buyer would have paid for that.
func (g *Guard) serve(w http.ResponseWriter, r *http.Request, rt *route, next http.Handler) {
	if rt.Mode == SettleBefore && !rt.pattern.exactly(r.Method, r.URL.EscapedPath()) {
		g.write(w, r, ambiguousOutcome(), false)
		return
	}
	v2, v1 := r.Header[keySignature], r.Header[keyPaymentV1]
	if len(v2)+len(v1) == 0 && rt.static != nil {
		g.writeChallenge(w, r, rt, rt.static, rt.challenge)
		return
	}
	if len(v2)+len(v1) > 1 {
		g.write(w, r, errorOutcome(http.StatusBadRequest, x402.ReasonInvalidPayload, "",
			"send one payment: PAYMENT-SIGNATURE or X-PAYMENT, once"), false)
		return
	}
	x := &exchange{g: g, w: w, r: r, route: rt, next: next}
	switch {
	case len(v2) == 1:
		x.version, x.header = x402.V2, v2[0]
	case len(v1) == 1:
		x.version, x.header = x402.V1, v1[0]
	}
	if refusal := x.prepare(); refusal != nil {
		g.write(w, r, refusal, false)
		return
	}
	switch {
	case len(x.terms.requirements) == 0: // free for this request
		next.ServeHTTP(w, x.r)
	case x.version == 0:
		g.writeChallenge(w, x.r, rt, x.terms, newChallenge(x402.ReasonPaymentRequired, "", x.terms, rt.resource))
	default:
		x.serve()
	}
}

// owner is unique to one attempt to serve a request, in all processes.
func (g *Guard) owner() string {
	return g.id + "-" + strconv.FormatUint(g.serial.Add(1), 36)
}
