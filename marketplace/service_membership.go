package marketplace

import (
	"context"
	"errors"
	"slices"

	"github.com/v402/v402/store"
)

// Membership of a wallet; its status is none for a wallet that never had one.
func (s *Service) Membership(ctx context.Context, address string) (Membership, error) {
	owner, err := wallet("wallet", address)
	if err != nil {
		return Membership{}, err
	}
	m, err := s.store.Membership(ctx, owner)
	return m, refusal(err, nil, "look for a membership")
}

// Memberships lists memberships, for admins.
func (s *Service) Memberships(ctx context.Context, actor Actor, f MembershipFilter, page store.Page) (List[Membership], error) {
	if !actor.Admin {
		return List[Membership]{}, errForbidden(actor)
	}
	if err := checkCursor(ctx, page.Cursor, s.known); err != nil {
		return List[Membership]{}, err
	}
	list, err := s.store.Memberships(ctx, f, page)
	return list, refusal(err, nil, "list memberships")
}

// SetMembership moves a membership along, for admins: none → active as a gift,
// active ↔ suspended, and both → revoked. The same status again changes nothing.
func (s *Service) SetMembership(ctx context.Context, actor Actor, address string, to MembershipStatus, reason string) (Membership, error) {
	owner, err := wallet("wallet", address)
	switch {
	case !actor.Admin:
		err = errForbidden(actor)
	case err == nil:
		err = first(oneOf("status", to, MembershipActive, MembershipSuspended, MembershipRevoked), text("reason", reason, 0, maxReason))
	}
	if err != nil {
		return Membership{}, err
	}
	now := s.now()
	m, err := s.store.UpdateMembership(ctx, owner, func(m *Membership) (Trail, error) {
		from := m.Status
		switch {
		case from == to:
			return Trail{}, errRepeated
		case !slices.Contains(membershipMoves[from], to):
			return Trail{}, Refuse(CodeMembershipState, "A membership cannot go from %s to %s.", from, to)
		}
		m.Status, m.Reason, m.UpdatedAt = to, reason, now
		kind := map[MembershipStatus]string{
			MembershipActive: EventMembershipActivated, MembershipSuspended: EventMembershipSuspended, MembershipRevoked: EventMembershipRevoked,
		}[to]
		switch {
		case from == MembershipNone:
			m.ActivatedAt = now
		case to == MembershipActive:
			kind = EventMembershipReinstated
		}
		return s.audited(actor, "membership."+string(to), "membership:"+owner, map[string]any{"reason": reason}, membershipEvent(kind, m, now)), nil
	})
	if errors.Is(err, errRepeated) {
		return s.Membership(ctx, owner)
	}
	return m, refusal(err, nil, "change a membership")
}

// QuoteMembership says what membership costs a wallet that has none, and how to
// pay. It is paid in the first currency of the chain that has a fee.
func (s *Service) QuoteMembership(ctx context.Context, r MembershipRequest) (CheckoutQuote, error) {
	b, err := membershipBuyer(r)
	if err != nil {
		return CheckoutQuote{}, err
	}
	if r.ChainID == 0 {
		r.ChainID = s.first
	}
	chain := s.chains[r.ChainID]
	if chain == nil {
		return CheckoutQuote{}, Invalid("chain_id", "Chain %d is not served here.", r.ChainID)
	}
	i := slices.IndexFunc(chain.Currencies, func(c Currency) bool { return !c.MembershipFee.IsZero() })
	if i < 0 {
		return CheckoutQuote{}, Invalid("chain_id", "Membership is not sold on chain %d.", r.ChainID)
	}
	m, err := s.Membership(ctx, b.Wallet)
	switch {
	case err != nil:
		return CheckoutQuote{}, err
	case m.Status == MembershipActive:
		return CheckoutQuote{}, Refuse(CodeMembershipActive, "The wallet is a member already.")
	case m.Status != MembershipNone:
		return CheckoutQuote{}, Refuse(CodeMembershipState, "The membership of the wallet is %s.", m.Status)
	}
	nonce, err := s.checkPayer(ctx, b, Proof{DesignationCode: r.DesignationCode, ChainID: r.ChainID}, r.OwnershipProof, r.ProofNonce)
	if err != nil {
		return CheckoutQuote{}, err
	}
	q, err := s.newMembershipQuote(b, r, chain.Currencies[i])
	if err != nil {
		return CheckoutQuote{}, err
	}
	return s.addQuote(ctx, q, nonce)
}

func membershipBuyer(r MembershipRequest) (b Buyer, err error) {
	if b.Wallet, err = wallet("wallet", r.Wallet); err != nil {
		return b, err
	}
	b.PayerWallet = b.Wallet
	if r.PayerWallet != "" {
		if b.PayerWallet, err = wallet("payer_wallet", r.PayerWallet); err != nil {
			return b, err
		}
	}
	return b, text("designation_code", r.DesignationCode, 0, maxText)
}

func (s *Service) newMembershipQuote(b Buyer, r MembershipRequest, c Currency) (q CheckoutQuote, err error) {
	q, err = s.newQuote(b, Buyer{Wallet: r.Wallet, PayerWallet: r.PayerWallet}, r.ChainID, c.Code)
	if err != nil {
		return q, err
	}
	q.Total, q.DesignationCode = c.MembershipFee, r.DesignationCode
	q.Lines = []LineItem{{LineMembership, membershipLabel, q.Total}}
	q.Transaction, err = unsigned(&q)
	return q, err
}
