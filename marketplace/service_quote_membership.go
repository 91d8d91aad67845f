package marketplace

import (
	"context"
	"slices"
)

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
