package marketplace

import (
	"context"
	"slices"
	"strings"
)

// Confirm gives what a transaction has paid for. The chain is asked whether it
// has: see [Service.CheckPayment]. The same request again gets the same answer;
// a transaction pays one quote. Errors with RetryAfter leave the quote open.
func (s *Service) Confirm(ctx context.Context, r ConfirmRequest) (Confirmation, error) {
	q, err := s.echoed(ctx, &r)
	if err != nil {
		return Confirmation{}, err
	}
	if q.State == QuoteConsumed {
		if q.TxHash != r.TxHash {
			return Confirmation{}, errQuoteState(QuoteConsumed)
		}
		return s.confirmation(ctx, q)
	}
	if err := s.confirmable(ctx, &q); err != nil {
		return Confirmation{}, err
	}
	claim := TransactionClaim{Network: q.Network(), Hash: r.TxHash, Payer: q.PayerWallet}
	switch used, err := s.store.TransactionUsed(ctx, claim, q.ID); {
	case err != nil:
		return Confirmation{}, refusal(err, nil, "look for a transaction")
	case used:
		return Confirmation{}, errTxUsed()
	}
	if err := s.checkOnChain(ctx, &q, r.TxHash); err != nil {
		return Confirmation{}, err
	}
	return s.checkOut(ctx, q.ID, claim, func(c *Checkout) error {
		switch {
		case c.Quote.PaymentKey != "":
			return errUnderWay()
		case c.Quote.State == QuoteVoid:
			return errQuoteState(QuoteVoid)
		}
		return s.checkPurchase(c)
	})
}

func errTxUsed() *Error { return Refuse(CodeTxAlreadyUsed, "The transaction has paid another quote.") }

// echoed is the quote of a request that repeats what it says. The request's hash
// becomes lower-case.
func (s *Service) echoed(ctx context.Context, r *ConfirmRequest) (CheckoutQuote, error) {
	if !hashForm.MatchString(r.TxHash) {
		return CheckoutQuote{}, Invalid("tx_hash", "tx_hash must be 0x and 64 hexadecimal digits.")
	}
	r.TxHash = strings.ToLower(r.TxHash)
	if err := text("quote_id", r.QuoteID, 1, maxText); err != nil {
		return CheckoutQuote{}, err
	}
	if !ValidWallet(r.Wallet) {
		return CheckoutQuote{}, Invalid("wallet", "wallet must be 0x and 40 hexadecimal digits.")
	}
	q, err := s.store.CheckoutQuote(ctx, r.QuoteID)
	if err != nil {
		return q, refusal(err, noQuote(r.QuoteID), "look for a quote")
	}
	if r.PayerWallet == "" {
		r.PayerWallet = q.PayerWallet
	}
	for _, field := range []struct {
		name, sent, quoted string
		optional           bool
	}{
		{"wallet", strings.ToLower(r.Wallet), q.Wallet, false},
		{"payer_wallet", strings.ToLower(r.PayerWallet), q.PayerWallet, false},
		{"offer_id", r.OfferID, q.OfferID, false},
		{"org_root_id", r.OrgRootID, q.OrgRootID, true},
		{"principal_id", r.PrincipalID, q.PrincipalID, true},
		{"principal_role", r.PrincipalRole, q.PrincipalRole, true},
		{"workspace_id", r.WorkspaceID, q.WorkspaceID, true},
	} {
		if field.sent != field.quoted && (field.sent != "" || !field.optional) {
			e := Refuse(CodeQuoteMismatch, "%s is not the one of the quote.", field.name)
			e.Field = field.name
			return q, e
		}
	}
	switch {
	case r.ChainID != q.ChainID:
		e := Refuse(CodeChainMismatch, "The quote is to be paid on chain %d.", q.ChainID)
		e.Field = "chain_id"
		return q, e
	case r.PolicyHash != "" && r.PolicyHash != q.PolicyHash:
		e := Refuse(CodePolicyMismatch, "policy_hash is not the one of the quote.")
		e.Field = "policy_hash"
		return q, e
	}
	return q, nil
}

// confirmable says whether a quote that is not consumed can still be.
func (s *Service) confirmable(ctx context.Context, q *CheckoutQuote) error {
	switch {
	case q.State == QuoteVoid:
		return errQuoteState(QuoteVoid)
	case q.PaymentKey != "":
		return errUnderWay()
	case !s.now().Before(q.ExpiresAt.Add(s.options.ConfirmGrace)):
		return errQuoteState(QuoteExpired)
	}
	return s.checkPolicy(ctx, q)
}

// checkPolicy refuses a quote whose policy was revoked since.
func (s *Service) checkPolicy(ctx context.Context, q *CheckoutQuote) error {
	if q.OfferID == "" {
		return nil
	}
	o, err := s.Offer(ctx, q.OfferID)
	switch {
	case err != nil:
		return err
	case slices.Contains(o.RevokedPolicies, q.PolicyHash):
		return Refuse(CodePolicyMismatch, "The policy of the quote was revoked.")
	}
	return nil
}
