package marketplace

import (
	"context"
	"errors"
	"slices"

	"github.com/v402/v402/store"
)

// CreateOffer makes a draft. Admins and its issuer may.
func (s *Service) CreateOffer(ctx context.Context, actor Actor, in OfferInput) (Offer, error) {
	if !actor.issues(in.IssuerID) {
		return Offer{}, errForbidden(actor)
	}
	o, err := s.checkOffer(in)
	if err != nil {
		return Offer{}, err
	}
	if _, err := s.Issuer(ctx, in.IssuerID); err != nil {
		return Offer{}, err
	}
	o.Status, o.CreatedAt, o.Approved = OfferDraft, s.now(), actor.Admin
	o.UpdatedAt = o.CreatedAt
	err = s.store.AddOffer(ctx, o, s.audited(actor, "offer.create", "offer:"+o.ID, nil))
	if errors.Is(err, store.ErrConflict) {
		return Offer{}, Refuse(CodeOfferExists, "Offer %s exists already.", o.ID)
	}
	return o, refusal(err, nil, "create an offer")
}

// checkOffer is an offer as in says, or what is wrong with it.
func (s *Service) checkOffer(in OfferInput) (Offer, error) {
	if in.AccessClass == "" {
		in.AccessClass = Connected
	}
	if in.Type == "" {
		in.Type = ModuleLicense
	}
	if in.Scope == "" {
		in.Scope = ScopeWallet
		if in.Policies.WorkspaceBound {
			in.Scope = ScopeWorkspace
		}
	}
	err := first(text("title", in.Title, 1, maxTitle), text("summary", in.Summary, 0, maxSummary), text("line_label", in.LineLabel, 0, maxTitle),
		oneOf("access_class", in.AccessClass, Connected, Sovereign), oneOf("entitlement_type", in.Type, ModuleLicense, ServicePlan, AccessPass),
		oneOf("scope", in.Scope, ScopeWallet, ScopeWorkspace), s.checkPricing(in.Pricing))
	const centuries = 100 * 365 * 24 * 60 * 60 // seconds
	switch {
	case err != nil:
	case !ValidID(in.ID):
		err = Invalid("offer_id", "offer_id must be 3 to 128 of a-z, 0-9, dot, underscore and hyphen.")
	case !ValidID(in.IssuerID):
		err = Invalid("issuer_id", "issuer_id must be 3 to 128 of a-z, 0-9, dot, underscore and hyphen.")
	case in.TermSeconds < 0 || in.TermSeconds > centuries:
		err = Invalid("term_seconds", "term_seconds must be 0 to %d.", centuries)
	case in.Seats < 0 || in.Seats > maxCount:
		err = Invalid("seats", "seats must be 0 to %d.", maxCount)
	case in.Policies.MaxPerWallet < 0 || in.Policies.MaxPerWallet > maxCount:
		err = Invalid("policies.max_per_wallet", "max_per_wallet must be 0 to %d.", maxCount)
	}
	return Offer{
		ID: in.ID, IssuerID: in.IssuerID, Title: in.Title, Summary: in.Summary, Pricing: in.Pricing, Policies: in.Policies,
		AccessClass: in.AccessClass, Type: in.Type, Scope: in.Scope, TermSeconds: in.TermSeconds, Seats: in.Seats, LineLabel: in.LineLabel,
	}, err
}

// checkPricing wants a currency that is configured, so that everything that is
// sold can be paid.
func (s *Service) checkPricing(p Pricing) error {
	chain := s.chains[p.ChainID]
	if chain == nil {
		return Invalid("pricing.chain_id", "Chain %d is not served here.", p.ChainID)
	}
	currency, ok := chain.currency(p.Currency)
	switch {
	case !ok:
		return Invalid("pricing.currency", "Currency %s is not taken on chain %d.", clip(p.Currency), p.ChainID)
	case p.Decimals != currency.Decimals:
		return Invalid("pricing.decimals", "%s has %d decimals on chain %d.", currency.Code, currency.Decimals, p.ChainID)
	case p.Amount.IsZero():
		return Invalid("pricing.amount_atomic", "amount_atomic must be positive.")
	}
	return nil
}

// EditOffer replaces what is said of an offer that is not retired. What was
// quoted and sold stays as it was. An issuer's edit of an approved offer must be
// approved again, where approval is asked for: the offer is paused.
func (s *Service) EditOffer(ctx context.Context, actor Actor, id string, in OfferInput) (Offer, error) {
	if in.ID == "" {
		in.ID = id
	}
	if in.ID != id {
		return Offer{}, Invalid("offer_id", "offer_id cannot be changed.")
	}
	edited, err := s.checkOffer(in)
	if err != nil {
		return Offer{}, err
	}
	return s.updateOffer(ctx, actor, id, "offer.edit", func(o *Offer) error {
		switch {
		case o.IssuerID != edited.IssuerID:
			return Invalid("issuer_id", "issuer_id cannot be changed.")
		case o.Status == OfferRetired:
			return Refuse(CodeOfferState, "A retired offer cannot be changed.")
		}
		edited.Status, edited.Approved, edited.CreatedAt, edited.RevokedPolicies = o.Status, o.Approved, o.CreatedAt, o.RevokedPolicies
		if s.options.ApproveOffers && !actor.Admin {
			edited.Approved = false
			if edited.Status == OfferActive {
				edited.Status = OfferPaused
			}
		}
		*o = edited
		return nil
	})
}

// updateOffer changes an offer for whoever may, and tells of a new status.
func (s *Service) updateOffer(ctx context.Context, actor Actor, id, action string, change func(*Offer) error) (Offer, error) {
	now := s.now()
	o, err := s.store.UpdateOffer(ctx, id, func(o *Offer) (Trail, error) {
		if !actor.issues(o.IssuerID) {
			return Trail{}, errForbidden(actor)
		}
		before := o.Status
		if err := change(o); err != nil {
			return Trail{}, err
		}
		o.UpdatedAt = now
		trail := s.audited(actor, action, "offer:"+id, map[string]any{"status": o.Status})
		if o.Status != before {
			trail.Events = append(trail.Events, newEvent(EventOfferChanged, id, OfferEvent{o.IssuerID, id, o.Status}, now))
		}
		return trail, nil
	})
	return o, refusal(err, noOffer(id), "change an offer")
}

// SetOfferStatus moves an offer along: draft → active ↔ paused, and each of them
// → retired. The same status again changes nothing that counts.
func (s *Service) SetOfferStatus(ctx context.Context, actor Actor, id string, to OfferStatus) (Offer, error) {
	if err := oneOf("status", to, OfferDraft, OfferActive, OfferPaused, OfferRetired); err != nil {
		return Offer{}, err
	}
	return s.updateOffer(ctx, actor, id, "offer.status", func(o *Offer) error {
		switch {
		case o.Status == to:
		case !slices.Contains(offerMoves[o.Status], to):
			return Refuse(CodeOfferState, "An offer cannot go from %s to %s.", o.Status, to)
		case to == OfferActive && s.options.ApproveOffers && !o.Approved && !actor.Admin:
			return Refuse(CodeOfferState, "An admin must approve the offer first.")
		}
		o.Status = to
		o.Approved = o.Approved || actor.Admin && to == OfferActive
		return nil
	})
}

// ApproveOffer lets the issuer of an offer make it active. Admins may.
func (s *Service) ApproveOffer(ctx context.Context, actor Actor, id string) (Offer, error) {
	if !actor.Admin {
		return Offer{}, errForbidden(actor)
	}
	return s.updateOffer(ctx, actor, id, "offer.approve", func(o *Offer) error {
		o.Approved = true
		return nil
	})
}

// maxRevoked is how many policies of an offer can be revoked.
const maxRevoked = 256

// RevokePolicy refuses the confirmation of quotes that were made under a policy
// of an offer, by its hash, and new quotes under it: of at most 256 policies.
func (s *Service) RevokePolicy(ctx context.Context, actor Actor, offerID, hash string) (Offer, error) {
	return s.updateOffer(ctx, actor, offerID, "offer.revoke_policy", func(o *Offer) error {
		current, err := o.Policy().Hash()
		switch {
		case err != nil:
			return err
		case hash == current && o.Status == OfferActive:
			return Refuse(CodeOfferState, "The offer is sold under this policy: pause or edit it first.")
		case !policyForm.MatchString(hash):
			return Invalid("policy_hash", "policy_hash must be 64 hexadecimal digits in lower case.")
		case slices.Contains(o.RevokedPolicies, hash):
		case len(o.RevokedPolicies) >= maxRevoked:
			return Refuse(CodeOfferState, "%d policies of the offer are revoked, which is the most: retire it and make a new one.", maxRevoked)
		default:
			o.RevokedPolicies = append(slices.Clone(o.RevokedPolicies), hash)
		}
		return nil
	})
}

// Offer returns one, whatever its status.
func (s *Service) Offer(ctx context.Context, id string) (Offer, error) {
	o, err := s.store.Offer(ctx, id)
	return o, refusal(err, noOffer(id), "look for an offer")
}

// Offers lists offers of every status, unless f names one.
func (s *Service) Offers(ctx context.Context, f OfferFilter, page store.Page) (List[Offer], error) {
	if err := checkCursor(ctx, page.Cursor, s.store.Offer); err != nil {
		return List[Offer]{}, err
	}
	list, err := s.store.Offers(ctx, f, page)
	return list, refusal(err, nil, "list offers")
}

// ApproveBuyer lets a wallet buy an offer whose policies ask for it.
func (s *Service) ApproveBuyer(ctx context.Context, actor Actor, offerID, address string) (Approval, error) {
	address, err := s.approving(ctx, actor, offerID, address)
	if err != nil {
		return Approval{}, err
	}
	a := Approval{OfferID: offerID, Wallet: address, By: actor.String(), At: s.now()}
	err = s.store.ApproveBuyer(ctx, a, s.audited(actor, "buyer.approve", "offer:"+offerID, map[string]any{"wallet": address}))
	return a, refusal(err, noOffer(offerID), "approve a buyer")
}

// WithdrawApproval takes it back. What was quoted can still be bought.
func (s *Service) WithdrawApproval(ctx context.Context, actor Actor, offerID, address string) error {
	address, err := s.approving(ctx, actor, offerID, address)
	if err != nil {
		return err
	}
	err = s.store.WithdrawApproval(ctx, offerID, address, s.audited(actor, "buyer.withdraw", "offer:"+offerID, map[string]any{"wallet": address}))
	return refusal(err, Refuse(CodeOfferNotFound, "The wallet has no approval for this offer."), "withdraw an approval")
}

// BuyerApprovals lists who may buy an offer.
func (s *Service) BuyerApprovals(ctx context.Context, actor Actor, offerID string, page store.Page) (List[Approval], error) {
	o, err := s.Offer(ctx, offerID)
	switch {
	case err != nil:
		return List[Approval]{}, err
	case !actor.issues(o.IssuerID):
		return List[Approval]{}, errForbidden(actor)
	}
	if err := checkWallet(page.Cursor); err != nil {
		return List[Approval]{}, err
	}
	list, err := s.store.BuyerApprovals(ctx, offerID, page)
	return list, refusal(err, nil, "list approvals")
}

// approving checks who approves whom.
func (s *Service) approving(ctx context.Context, actor Actor, offerID, address string) (string, error) {
	if actor == (Actor{}) {
		return "", errForbidden(actor)
	}
	o, err := s.Offer(ctx, offerID)
	switch {
	case err != nil:
		return "", err
	case !actor.issues(o.IssuerID):
		return "", errForbidden(actor)
	}
	return wallet("wallet", address)
}
