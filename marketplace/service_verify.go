package marketplace

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/v402/v402/store"
)

// VerifyRequest asks whether somebody may use something: by wallet and offer, or
// by the ID of an entitlement. What else is given must fit.
type VerifyRequest struct {
	Wallet        string `json:"wallet"`
	EntitlementID string `json:"entitlement_id"`
	OfferID       string `json:"offer_id"` // required without EntitlementID
	OrgRootID     string `json:"org_root_id"`
	WorkspaceID   string `json:"workspace_id"`
}

// VerifyCode says why an entitlement is valid or is not.
type VerifyCode string

// The codes of a verification.
const (
	VerifyValid             VerifyCode = "valid"
	VerifyNotFound          VerifyCode = "entitlement_not_found"
	VerifySuspended         VerifyCode = "entitlement_suspended"
	VerifyRevoked           VerifyCode = "entitlement_revoked"
	VerifyExpired           VerifyCode = "entitlement_expired"
	VerifyUnknownState      VerifyCode = "entitlement_state_unknown"
	VerifyParked            VerifyCode = "availability_parked"
	VerifyBoundaryMismatch  VerifyCode = "boundary_mismatch"  // of another org_root_id
	VerifyWorkspaceMismatch VerifyCode = "workspace_mismatch" // of another workspace_id
	VerifyOfferMismatch     VerifyCode = "offer_mismatch"
	VerifyWalletMismatch    VerifyCode = "wallet_mismatch"
)

// Verification is the answer.
type Verification struct {
	Valid       bool
	Code        VerifyCode
	Entitlement Entitlement // the one that is valid or comes closest; zero if there is none
	CheckedAt   time.Time
}

// maxHeld is how many entitlements of a wallet and offer are looked at together.
const maxHeld = 64

// VerifyEntitlement says whether somebody may use something now. An error means
// that nobody knows: whoever asks must refuse.
func (s *Service) VerifyEntitlement(ctx context.Context, r VerifyRequest) (v Verification, err error) {
	if r.EntitlementID == "" && r.OfferID == "" { // the key of an ID has no offer either
		return v, checkVerify(&r)
	}
	now := s.options.Clock()
	key := heldKey{strings.ToLower(r.Wallet), r.OfferID}
	if r.EntitlementID != "" {
		key = heldKey{subject: r.EntitlementID}
	}
	if list, ok := s.cache.find(key, now); ok {
		v.choose(list, &r, now)
		if v.Valid || len(list) < maxHeld {
			return v, nil
		}
	}
	return s.verifyStored(ctx, &r, key, now)
}

// verifyStored is VerifyEntitlement for what is not remembered.
func (s *Service) verifyStored(ctx context.Context, r *VerifyRequest, key heldKey, now time.Time) (v Verification, err error) {
	if err := checkVerify(r); err != nil {
		return v, err
	}
	stamp := s.cache.stamp()
	list, err := s.held(ctx, key)
	if err != nil {
		return v, err
	}
	if len(list) > 0 {
		s.cache.put(key, list, now, stamp)
	}
	v.choose(list, r, now)
	if v.Valid || len(list) < maxHeld {
		return v, nil
	}
	return s.search(ctx, r, v, now)
}

func checkVerify(r *VerifyRequest) error {
	switch {
	case r.EntitlementID != "":
		return text("entitlement_id", r.EntitlementID, 1, 2*maxText)
	case !ValidWallet(r.Wallet):
		return Invalid("wallet", "wallet must be 0x and 40 hexadecimal digits, unless entitlement_id is given.")
	default:
		return text("offer_id", r.OfferID, 1, maxText)
	}
}

// held reads the entitlements of a key: one indexed read.
func (s *Service) held(ctx context.Context, key heldKey) ([]Entitlement, error) {
	if key.offerID != "" {
		list, err := s.store.HeldEntitlements(ctx, key.subject, key.offerID, maxHeld)
		return list, refusal(err, nil, "look for entitlements")
	}
	e, err := s.store.Entitlement(ctx, key.subject)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, refusal(err, nil, "look for an entitlement")
	}
	return []Entitlement{e}, nil
}

// search looks at all that a wallet has of an offer, for one with very many.
func (s *Service) search(ctx context.Context, r *VerifyRequest, closest Verification, now time.Time) (Verification, error) {
	f := EntitlementFilter{
		Wallet: strings.ToLower(r.Wallet), OfferID: r.OfferID, OrgRootID: r.OrgRootID, WorkspaceID: r.WorkspaceID, State: EntitlementActive, Now: now,
	}
	for page := (store.Page{}); ; {
		list, err := s.store.Entitlements(ctx, f, page)
		if err != nil {
			return Verification{}, refusal(err, nil, "look for entitlements")
		}
		var v Verification
		if v.choose(list.Items, r, now); v.Valid {
			return v, nil
		}
		if page.Cursor = list.Next; page.Cursor == "" {
			return closest, nil
		}
	}
}

// choose fills v with the first that is valid, or else the one that comes closest.
func (v *Verification) choose(list []Entitlement, r *VerifyRequest, now time.Time) {
	best, code := -1, VerifyNotFound
	for i := range list {
		c := list[i].verify(r, now)
		if c == VerifyValid {
			best, code = i, c
			break
		}
		if best < 0 || closeness[c] > closeness[code] {
			best, code = i, c
		}
	}
	v.Valid, v.Code, v.CheckedAt = code == VerifyValid, code, now
	if best >= 0 {
		v.Entitlement = list[best]
		v.Entitlement.State = v.Entitlement.StateAt(now)
	}
}

// closeness orders what is not valid: the higher, the more it says.
var closeness = map[VerifyCode]int{
	VerifyParked: 6, VerifySuspended: 5, VerifyExpired: 4, VerifyRevoked: 3, VerifyUnknownState: 2, VerifyWorkspaceMismatch: 1,
}

// verify says whether e is what r asks for, and good.
func (e *Entitlement) verify(r *VerifyRequest, now time.Time) VerifyCode {
	switch {
	case r.OfferID != "" && r.OfferID != e.OfferID:
		return VerifyOfferMismatch
	case r.Wallet != "" && r.EntitlementID != "" && !strings.EqualFold(r.Wallet, e.Wallet):
		return VerifyWalletMismatch
	case r.OrgRootID != "" && r.OrgRootID != e.OrgRootID:
		return VerifyBoundaryMismatch
	case r.WorkspaceID != "" && e.WorkspaceID != "" && r.WorkspaceID != e.WorkspaceID:
		return VerifyWorkspaceMismatch
	}
	return e.codeAt(now)
}

// codeAt says whether e is good, whatever it is for. It fails closed: what is not
// known is not valid.
func (e *Entitlement) codeAt(now time.Time) VerifyCode {
	switch e.StateAt(now) {
	case EntitlementActive:
	case EntitlementSuspended:
		return VerifySuspended
	case EntitlementRevoked:
		return VerifyRevoked
	case EntitlementExpired:
		return VerifyExpired
	default:
		return VerifyUnknownState
	}
	switch e.Availability {
	case AvailabilityActive, AvailabilityGrace, AvailabilityContinuity:
		return VerifyValid
	case AvailabilityParked:
		return VerifyParked
	default:
		return VerifyUnknownState
	}
}

// Observe forgets what an event says has changed, so that what another process
// has changed is seen before Config.CacheAge is over. It is a consumer of the
// outbox; an event may come often and in any order.
func (s *Service) Observe(_ context.Context, event store.Event) error {
	if !strings.HasPrefix(event.Type, "entitlement.") {
		return nil
	}
	var e EntitlementEvent
	if err := json.Unmarshal(event.Data, &e); err != nil {
		return nil // of somebody else's
	}
	s.cache.forget(e.ID, e.OfferID, e.Wallet, e.PreviousWallet)
	return nil
}
