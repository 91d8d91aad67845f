package marketplace

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/v402/v402/internal/till"
	"github.com/v402/v402/x402"
)

// ReserveQuote ties a quote to a payment by x402 before that moves, if everything
// is as a confirmation would ask for, so that the money buys something once it
// has moved. It is for middleware.Hooks.BeforeSettle. The same payment again
// changes nothing; another one is refused, until [Service.ReleaseQuote].
func (s *Service) ReserveQuote(ctx context.Context, id string, p x402.Payment) (CheckoutQuote, error) {
	identity, err := p.Identity()
	if err != nil {
		return CheckoutQuote{}, err
	}
	payment, err := json.Marshal(p)
	if err != nil {
		return CheckoutQuote{}, err
	}
	q, err := s.store.CheckoutQuote(ctx, id)
	if err != nil {
		return q, refusal(err, noQuote(id), "look for a quote")
	}
	if err := s.checkPolicy(ctx, &q); err != nil {
		return q, err
	}
	now, key := s.now(), identity.String()
	c, err := s.store.CheckOut(ctx, id, now, func(c *Checkout) (Trail, error) {
		q := &c.Quote
		if q.PaymentKey == key {
			return Trail{}, errRepeated
		}
		switch state := q.StateAt(now); {
		case state != QuoteOpen:
			return Trail{}, errQuoteState(state)
		case q.PaymentKey != "":
			return Trail{}, errUnderWay()
		}
		if err := checkTerms(q, identity, p.Requirements); err != nil {
			return Trail{}, err
		}
		if err := s.checkPurchase(c); err != nil {
			return Trail{}, err
		}
		if q.Bundled() && c.Membership.Status == MembershipActive {
			return Trail{}, Refuse(CodeMembershipActive, "The wallet has become a member; ask for a new quote, without the fee.")
		}
		q.PaymentKey, q.Payment, q.PaymentUntil = key, payment, p.Expires(now).Add(till.Margin)
		return s.audited(Actor{Wallet: q.PayerWallet}, "quote.reserve", "quote:"+id, map[string]any{"payment": key}), nil
	})
	switch {
	case errors.Is(err, errRepeated):
		return s.CheckoutQuote(ctx, id)
	case errors.Is(err, ErrPaymentUsed):
		return q, Refuse(CodeTxAlreadyUsed, "The payment is for another quote.")
	}
	return c.Quote, refusal(err, noQuote(id), "reserve a quote")
}

// checkTerms checks that a payment is the one that the quote asks for.
func checkTerms(q *CheckoutQuote, identity x402.Identity, r x402.PaymentRequirements) error {
	network := q.Network()
	switch {
	case identity.Network != network || r.Network != network:
		return Refuse(CodeChainMismatch, "The quote is to be paid on chain %d.", q.ChainID)
	case !network.SameAddress(identity.Payer, q.PayerWallet):
		return Refuse(CodePayerMismatch, "The payment is not by payer_wallet.")
	case q.Asset == "" || q.Contract != "" || !network.SameAddress(r.Asset, q.Asset) || !network.SameAddress(r.PayTo, q.PayTo):
		return Refuse(CodeRecipientMismatch, "The quote cannot be paid like this.")
	case r.Amount.Cmp(q.Total) < 0:
		return enough(q, r.Amount)
	}
	return nil
}

// ReleaseQuote lets another payment pay a quote, after the one with the key has
// failed for good: who has seen a payment may send it until it has expired.
func (s *Service) ReleaseQuote(ctx context.Context, id, paymentKey string) (CheckoutQuote, error) {
	q, err := s.store.UpdateCheckoutQuote(ctx, id, func(q *CheckoutQuote) (Trail, error) {
		if q.PaymentKey != paymentKey || q.State == QuoteConsumed {
			return Trail{}, errRepeated
		}
		q.PaymentKey, q.Payment, q.PaymentUntil = "", nil, time.Time{}
		return s.audited(Actor{Wallet: q.PayerWallet}, "quote.release", "quote:"+id, map[string]any{"payment": paymentKey}), nil
	})
	if errors.Is(err, errRepeated) {
		return s.CheckoutQuote(ctx, id)
	}
	return q, refusal(err, noQuote(id), "release a quote")
}

// ConfirmPaid gives what a payment by x402 has paid for: it has moved, and the
// quote is reserved for it. However late, it buys: what a plain transaction would
// be refused for was checked by [Service.ReserveQuote]. Repeated it gives the
// same. It is finished even if the caller leaves.
func (s *Service) ConfirmPaid(ctx context.Context, id string, p PaidQuote) (Confirmation, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmTimeout)
	defer cancel()
	q, err := s.store.CheckoutQuote(ctx, id)
	switch {
	case err != nil:
		return Confirmation{}, refusal(err, noQuote(id), "look for a quote")
	case !hashForm.MatchString(p.Transaction):
		return Confirmation{}, Invalid("tx_hash", "The payment has no transaction hash.")
	}
	hash := strings.ToLower(p.Transaction)
	claim := TransactionClaim{Network: q.Network(), Hash: hash, Payer: q.PayerWallet, Shared: true}
	return s.checkOut(ctx, id, claim, func(c *Checkout) error {
		if p.PaymentKey == "" || c.Quote.PaymentKey != p.PaymentKey {
			return errUnderWay()
		}
		if c.Quote.Renews != "" && c.Renewed == nil {
			return noEntitlement(c.Quote.Renews)
		}
		return nil
	})
}
