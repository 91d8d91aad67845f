package marketplace

import (
	"context"
	"errors"
	"time"

	"github.com/v402/v402/store"
)

// confirmTimeout bounds what is done once a payment is known, whatever becomes of
// its request.
const confirmTimeout = 30 * time.Second

// checkPurchase checks what may have changed since the quote: membership, limit,
// and the entitlement that is renewed.
func (s *Service) checkPurchase(c *Checkout) error {
	q, now := &c.Quote, s.now()
	if q.Bundled() || q.Policy.Policies.MemberOnly {
		bundles := q.Bundled() && c.Membership.Status == MembershipNone
		switch {
		case q.OfferID == "" && !bundles && c.Membership.Status != MembershipActive:
			return Refuse(CodeMembershipState, "The membership of the wallet is %s.", c.Membership.Status)
		case q.OfferID == "" && !bundles:
			return Refuse(CodeMembershipActive, "The wallet is a member already.")
		case !bundles && c.Membership.Status != MembershipActive:
			return errMembershipRequired()
		case bundles && c.Joining: // which would pay the fee twice
			return Refuse(CodePaymentUnderWay, "Another payment that activates the membership is under way.").again(later)
		}
	}
	switch {
	case q.OfferID == "":
		return nil
	case q.Renews == "":
		return checkLimit(q.Policy.Policies, c.Held+c.Reserved)
	case c.Renewed == nil || c.Renewed.Wallet != q.Wallet:
		return noEntitlement(q.Renews)
	}
	return checkRenewal(*c.Renewed, q.Policy, q.Buyer, c.Held+c.Reserved, now)
}

// checkRenewal says whether another term can be added to e, which counts towards
// the limit of its wallet again if it has expired.
func checkRenewal(e Entitlement, p PolicyDocument, b Buyer, held int, now time.Time) error {
	e.State = e.StateAt(now)
	if err := renewable(&e, p.TermSeconds, b); err != nil || e.State == EntitlementActive {
		return err
	}
	return checkLimit(p.Policies, held)
}

// errRepeated ends a checkout that was done before, by the same payment.
var errRepeated = errors.New("done before")

// checkOut gives what a quote is for, if check allows it. The money has moved:
// it is finished even if the caller leaves.
func (s *Service) checkOut(ctx context.Context, id string, claim TransactionClaim, check func(*Checkout) error) (Confirmation, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmTimeout)
	defer cancel()
	c, err := s.store.CheckOut(ctx, id, s.now(), func(c *Checkout) (Trail, error) {
		if c.Quote.State == QuoteConsumed {
			if c.Quote.TxHash == claim.Hash {
				return Trail{}, errRepeated
			}
			return Trail{}, errQuoteState(QuoteConsumed)
		}
		if err := check(c); err != nil {
			return Trail{}, err
		}
		c.Use = &claim
		return s.give(c, claim.Hash), nil
	})
	switch {
	case errors.Is(err, errRepeated):
		q, err := s.store.CheckoutQuote(ctx, id)
		if err != nil {
			return Confirmation{}, refusal(err, noQuote(id), "look for a quote")
		}
		return s.confirmation(ctx, q)
	case errors.Is(err, ErrTransactionUsed):
		return Confirmation{}, errTxUsed()
	case err != nil:
		return Confirmation{}, refusal(err, noQuote(id), "check out")
	}
	return s.bought(&c), nil
}

// give alters c to what a paid quote buys.
func (s *Service) give(c *Checkout, hash string) Trail {
	q, now := &c.Quote, s.now()
	q.State, q.ConsumedAt, q.TxHash = QuoteConsumed, now, hash
	var events []store.Event
	if q.Bundled() && c.Membership.Status == MembershipNone {
		c.Membership = Membership{
			Wallet: q.Wallet, Status: MembershipActive, QuoteID: q.ID, TxHash: hash, ChainID: q.ChainID, ActivatedAt: now, UpdatedAt: now,
		}
		events = append(events, membershipEvent(EventMembershipActivated, &c.Membership, now))
	}
	switch {
	case q.OfferID == "":
	case c.Renewed != nil:
		renew(c.Renewed, q.Policy.TermSeconds, now)
		q.EntitlementID = c.Renewed.ID
		events = append(events, entitlementEvent(EventEntitlementRenewed, c.Renewed, now))
	default:
		e := issued(c, now)
		c.Issue, q.EntitlementID = &e, e.ID
		events = append(events, entitlementEvent(EventEntitlementActivated, &e, now))
	}
	events = append(events, quoteEvent(EventQuoteConsumed, q, now))
	return s.audited(Actor{Wallet: q.PayerWallet}, "quote.confirm", "quote:"+q.ID,
		map[string]any{"tx_hash": hash, "entitlement_id": q.EntitlementID, "total_amount_atomic": q.Total}, events...)
}

// issued is the entitlement that a paid quote buys.
func issued(c *Checkout, now time.Time) Entitlement {
	q := &c.Quote
	e := Entitlement{
		ID: EntitlementID(q.ChainID, q.Wallet, c.Number), OfferID: q.OfferID, IssuerID: q.IssuerID, Wallet: q.Wallet, PayerWallet: q.PayerWallet,
		OrgRootID: q.OrgRootID, PrincipalID: q.PrincipalID, PrincipalRole: q.PrincipalRole, WorkspaceID: q.WorkspaceID,
		Type: q.Policy.Type, Scope: q.Policy.Scope, State: EntitlementActive, AccessClass: q.Policy.AccessClass, Availability: q.Availability,
		PolicyHash: q.PolicyHash, Transferable: q.Policy.Policies.Transferable, MaxPerWallet: q.Policy.Policies.MaxPerWallet,
		WorkspaceBound: q.Policy.Policies.WorkspaceBound, Seats: q.Policy.Seats, TermSeconds: q.Policy.TermSeconds,
		ChainID: q.ChainID, TxHash: q.TxHash, QuoteID: q.ID, IssuedAt: now, UpdatedAt: now,
	}
	if e.TermSeconds > 0 {
		e.ExpiresAt = now.Add(time.Duration(e.TermSeconds) * time.Second)
	}
	return e
}

// latest is the last moment that JSON can tell.
var latest = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// renew adds a term to e, from its end or, if that has passed, from now.
func renew(e *Entitlement, term int64, now time.Time) {
	if e.ExpiresAt.IsZero() {
		return // made to last for good since the quote
	}
	from := e.ExpiresAt
	if from.Before(now) {
		from = now
	}
	e.ExpiresAt, e.UpdatedAt = from.Add(time.Duration(term)*time.Second), now
	if e.ExpiresAt.After(latest) {
		e.ExpiresAt = latest
	}
	if e.State == EntitlementExpired {
		e.State = EntitlementActive
	}
	e.Availability = AvailabilityActive
}

// bought is the answer to a payment, the same again as [Service.confirmation].
func (s *Service) bought(c *Checkout) Confirmation {
	out := Confirmation{Quote: c.Quote, Membership: c.Membership, ConfirmedAt: c.Quote.ConsumedAt}
	switch {
	case c.Issue != nil:
		out.Entitlement = *c.Issue
	case c.Renewed != nil:
		out.Entitlement = *c.Renewed
	}
	if e := &out.Entitlement; e.ID != "" {
		s.cache.forget(e.ID, e.OfferID, e.Wallet)
	}
	return out
}

// confirmation is what a consumed quote has bought, as it was then. Only a renewed
// entitlement is as it is now.
func (s *Service) confirmation(ctx context.Context, q CheckoutQuote) (Confirmation, error) {
	out := Confirmation{Quote: q, ConfirmedAt: q.ConsumedAt}
	m, err := s.store.Membership(ctx, q.Wallet)
	if err != nil {
		return out, refusal(err, nil, "look for a membership")
	}
	out.Membership = m
	switch {
	case q.EntitlementID == "":
	case q.Renews != "":
		out.Entitlement, err = s.store.Entitlement(ctx, q.EntitlementID)
	default:
		out.Entitlement = issued(&Checkout{Quote: q}, q.ConsumedAt)
		out.Entitlement.ID = q.EntitlementID
	}
	return out, refusal(err, noEntitlement(q.EntitlementID), "look for an entitlement")
}
