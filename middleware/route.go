package middleware

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/v402/v402/x402"
)

// Mode says when a payment is settled.
type Mode int

const (
	// SettleAfter runs the handler into a buffer of at most MaxResponseBody,
	// settles, and only then sends the answer. An answer with status 400 or
	// above, a panic, or an answer above the bound is not charged. Flush does
	// nothing and Hijack is refused.
	SettleAfter Mode = iota
	// SettleBefore settles first and then streams: Flusher, Hijacker and
	// ResponseController work. The buyer is charged whatever the handler does.
	// When it fails or the connection breaks, the same request with the same
	// payment runs it again, free of charge, up to MaxRuns times in all.
	SettleBefore
)

// MaxRuns is how often one payment may run a handler whose answer did not get
// through after the payment had been settled.
const MaxRuns = 3

// Route is a set of requests that must be paid for.
type Route struct {
	// Pattern is as in net/http, without a host: "GET /paid", "/api/{id}",
	// "/files/{path...}", "/files/" or "/files/*". GET guards HEAD too; all other
	// methods pass unguarded, so leave the method out unless the handler takes no
	// other. Letter case and a trailing slash of the request make no difference.
	Pattern string
	// Offers are the ways to pay, in the order of "accepts". A route whose
	// offers all have Price "0" is free. Buyers of protocol v1 see those by scheme
	// exact, without Permit2 ones, and the first of each network only.
	Offers []Offer
	// Resource describes what is sold; its URL is filled in per request.
	Resource x402.ResourceInfo
	Mode     Mode
	// Extensions are announced in the v2 challenge as they are.
	Extensions map[string]json.RawMessage
}

// Offer is one way to pay for a route. Network, PayTo (or PayToFunc) and one of
// Price, Amount and PriceFunc are required.
type Offer struct {
	Network x402.Network // or a v1 name, such as "base"
	Price   string       // "$0.01" or "0.01", in units of the asset
	Amount  x402.Amount  // atomic units, instead of Price
	Asset   string       // address; default the network's default asset
	PayTo   string       // address

	Scheme            string          // default exact
	MaxTimeoutSeconds x402.Seconds    // default x402.DefaultTimeout
	Extra             json.RawMessage // a JSON object, merged over the asset's

	// PriceFunc gives the price of one request, in the form of Price; "0" makes
	// it free. What it returns must be the same for the challenge and for the
	// payment that answers it. It may read the request's body.
	PriceFunc func(*http.Request) (string, error)
	// PayToFunc gives the address that one request is paid to.
	PayToFunc func(*http.Request) (string, error)
}

// route is a compiled [Route].
type route struct {
	Route
	pattern   pattern
	offers    []*offer
	free      bool
	static    *terms // nil if an offer depends on the request or the facilitator
	challenge *challenge
	page      []byte
	resource  []byte // ResourceInfo and extensions in JSON, up to the URL
}

// maxDescription is the longest description in bytes that hosted facilitators
// accept; they refuse payments for longer ones without saying why.
const maxDescription = 500

// compile checks r and computes what does not depend on requests.
func (r Route) compile(assets *x402.Assets) (*route, error) {
	p, err := parsePattern(r.Pattern)
	if err != nil {
		return nil, err
	}
	out := &route{Route: r, pattern: p}
	if err := out.compile(assets); err != nil {
		return nil, fmt.Errorf("middleware: route %q: %w", r.Pattern, err)
	}
	return out, nil
}

func (rt *route) compile(assets *x402.Assets) error {
	switch {
	case len(rt.Offers) == 0:
		return errors.New("no offers")
	case rt.Mode != SettleAfter && rt.Mode != SettleBefore:
		return fmt.Errorf("unknown mode %d", rt.Mode)
	case rt.Resource.URL != "":
		return errors.New("Resource.URL is filled in per request; set Config.PublicURL instead")
	}
	if n := len(rt.Resource.Description); n > maxDescription {
		return fmt.Errorf("the description has %d bytes, facilitators take %d", n, maxDescription)
	}
	if err := rt.Resource.Validate(); err != nil {
		return err
	}
	zero, static := 0, true
	for i, o := range rt.Offers {
		c, err := o.compile(assets)
		if err != nil {
			return fmt.Errorf("offer %d: %w", i, err)
		}
		if c.free() {
			zero++
		}
		static = static && !c.dynamic() && !c.asks
		rt.offers = append(rt.offers, c)
	}
	if zero > 0 && zero < len(rt.offers) {
		return errors.New("some offers are free and others are not")
	}
	rt.free = zero > 0
	var err error
	if rt.resource, err = resourceJSON(rt.Resource, rt.Extensions); err != nil {
		return err
	}
	return rt.precompute(static)
}

// precompute makes the challenge and the page of a route whose terms are the
// same for every request, and checks the challenge's size for all routes.
func (rt *route) precompute(static bool) error {
	t := &terms{}
	for _, o := range rt.offers {
		t.add(o, o.requirement)
	}
	if err := t.encode(rt.Resource); err != nil {
		return err
	}
	c := newChallenge(x402.ReasonPaymentRequired, "", t, rt.resource)
	n := c.maxHeader()
	for _, o := range rt.offers {
		if o.dynamic() || o.asks {
			n += 400 // an address, an amount, and what the facilitator adds
		}
	}
	if n > maxChallengeHeader {
		return fmt.Errorf("the challenge header can reach %d bytes, clients take %d: use fewer offers or a shorter description", n, maxChallengeHeader)
	}
	if static {
		rt.static, rt.challenge = t, c
		rt.page = page(rt.Resource, t)
	}
	return nil
}
