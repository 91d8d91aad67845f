package middleware

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/v402/v402/x402"
)

// errNotServed is returned when none of a route's offers can be paid now.
var errNotServed = errors.New("the facilitator serves none of the offers")

// errFacilitator is returned when /supported could not be read.
type errFacilitator struct{ error }

func (e errFacilitator) Unwrap() error { return e.error }

// termsFor computes the terms of one request. What is the same for every
// request was computed at construction. An offer that the facilitator does not
// serve is left out. The terms have no requirements if the request is free.
func (g *Guard) termsFor(rt *route, r *http.Request) (*terms, error) {
	if rt.static != nil {
		return rt.static, nil
	}
	return makeTerms(rt.offers, rt.Resource, r, g.supported)
}

// makeTerms computes the terms of one request. It asks what is supported if an
// offer depends on it.
func makeTerms(offers []*offer, resource x402.ResourceInfo, r *http.Request,
	ask func(context.Context) (x402.Supported, error)) (*terms, error) {
	var supported *x402.Supported
	t := &terms{}
	for _, o := range offers {
		var extra json.RawMessage
		if o.asks {
			if supported == nil {
				s, err := ask(r.Context())
				if err != nil {
					return nil, errFacilitator{err}
				}
				supported = &s
			}
			kind, ok := supported.Kind(x402.V2, o.Scheme, o.Network)
			if !ok {
				continue
			}
			extra = kind.Extra
		}
		req, err := o.requirementFor(r, extra)
		if err != nil {
			return nil, err
		}
		if req.Amount.IsZero() {
			return &terms{}, nil
		}
		t.add(o, req)
	}
	if len(t.requirements) == 0 {
		return nil, errFacilitator{errNotServed}
	}
	return t, t.encode(resource)
}

// supported asks the facilitator, whose client keeps the answer for a while.
func (g *Guard) supported(ctx context.Context) (x402.Supported, error) {
	ctx, cancel := context.WithTimeout(ctx, g.cfg.VerifyTimeout)
	defer cancel()
	return g.cfg.Facilitator.Supported(ctx)
}

// Check asks the facilitator what it serves and returns an error that names
// every offer that it does not. Call it at start-up if a wrong configuration
// should show before the first buyer comes; the guard works without it.
func (g *Guard) Check(ctx context.Context) error {
	s, err := g.supported(ctx)
	if err != nil {
		return fmt.Errorf("middleware: ask the facilitator what it serves: %w", err)
	}
	var errs []error
	for _, rt := range g.routes {
		for i, o := range rt.offers {
			if rt.free {
				continue
			}
			if _, ok := s.Kind(x402.V2, o.Scheme, o.Network); !ok {
				errs = append(errs, fmt.Errorf("middleware: route %q, offer %d: the facilitator does not serve scheme %q on %s", rt.Pattern, i, o.Scheme, o.Network))
			}
		}
	}
	return errors.Join(errs...)
}
