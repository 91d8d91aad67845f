package marketplace

import (
	"context"
	"net/http"
)

// Requirement is what a handler asks of whoever sends a request.
type Requirement struct {
	OfferID string

	// Wallet says which wallet has sent a request, which must be proved: nil wants
	// a wallet session, see [Service.SessionOf].
	Wallet func(*http.Request) (string, error)
	// Workspace and OrgRoot say what the request is about; nil asks for none.
	Workspace func(*http.Request) string
	OrgRoot   func(*http.Request) string
	// Refused answers a request that is refused; nil answers as the API does.
	Refused func(http.ResponseWriter, *http.Request, error)
}

type entitlementKey struct{}

// EntitlementFrom is the entitlement that let a request through.
func EntitlementFrom(ctx context.Context) (Entitlement, bool) {
	e, ok := ctx.Value(entitlementKey{}).(Entitlement)
	return e, ok
}

// Require returns a middleware that lets through who has an entitlement of an
// offer, by wallet session.
func (s *Service) Require(offerID string) func(http.Handler) http.Handler {
	return s.RequireThat(Requirement{OfferID: offerID})
}

// RequireThat returns a middleware that lets through who meets r. If that cannot
// be known, nobody is let through.
func (s *Service) RequireThat(r Requirement) func(http.Handler) http.Handler {
	if r.Wallet == nil {
		r.Wallet = func(req *http.Request) (string, error) {
			session, err := s.SessionOf(req)
			return session.Wallet, err
		}
	}
	if r.Refused == nil {
		r.Refused = (&api{Service: s}).refuse
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			e, err := s.admit(&r, req)
			if err != nil {
				r.Refused(w, req, err)
				return
			}
			next.ServeHTTP(w, req.WithContext(context.WithValue(req.Context(), entitlementKey{}, e)))
		})
	}
}

// admit is the entitlement of a request, or why it is refused.
func (s *Service) admit(r *Requirement, req *http.Request) (Entitlement, error) {
	wallet, err := r.Wallet(req)
	switch {
	case err != nil:
		return Entitlement{}, err
	case wallet == "":
		return Entitlement{}, errNoSession()
	}
	ask := VerifyRequest{Wallet: wallet, OfferID: r.OfferID}
	if r.Workspace != nil {
		ask.WorkspaceID = r.Workspace(req)
	}
	if r.OrgRoot != nil {
		ask.OrgRootID = r.OrgRoot(req)
	}
	v, err := s.VerifyEntitlement(req.Context(), ask)
	switch {
	case err != nil:
		return Entitlement{}, err
	case !v.Valid:
		return Entitlement{}, v.Refusal(r.OfferID)
	}
	return v.Entitlement, nil
}

// Refusal is what somebody is told whose entitlement is not valid.
func (v *Verification) Refusal(offerID string) *Error {
	switch v.Code {
	case VerifyParked:
		return Refuse(CodeAvailabilityParked, "The entitlement is parked: renew it to go on.")
	case VerifyBoundaryMismatch:
		return Refuse(CodeBoundaryMismatch, "The entitlement belongs to another org_root_id.")
	case VerifyNotFound:
		return Refuse(CodeEntitlementRequired, "An entitlement of offer %s is required.", clip(offerID))
	default:
		return Refuse(CodeEntitlementRequired, "A valid entitlement of offer %s is required; the one there is: %s.", clip(offerID), v.Code)
	}
}
