package marketplace

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/v402/v402/x402"
)

// How long a caller should wait before it asks again.
const (
	soon  = 2 * time.Second // for a transaction that is on its way
	later = 5 * time.Second // for a chain that does not answer
)

// checkOnChain asks the chain about the transaction that is said to pay q.
func (s *Service) checkOnChain(ctx context.Context, q *CheckoutQuote, hash string) error {
	config := s.chains[q.ChainID]
	if config == nil || config.Chain == nil {
		return unavailable(q.Network(), errors.New("no chain is configured"))
	}
	t, err := config.Chain.Transaction(ctx, hash)
	switch {
	case errors.Is(err, x402.ErrTransactionNotFound):
		return Refuse(CodeTxNotFound, "The chain does not know the transaction; it may not have arrived yet.").again(soon)
	case err != nil:
		return unavailable(q.Network(), err)
	}
	return s.CheckPayment(q, t)
}

// CheckPayment says whether a transaction pays q: it is on the quote's chain,
// deep enough and not reverted; it was mined while the price stood; and it moved
// at least the total from the payer to the treasury: of the quote's token, by its
// Transfer events, or of native coin. It has no mark of another quote, and that of
// this one if another wallet pays or another account sends it; see
// [UnsignedTransaction]. If the quote is paid through a checkout contract, that was
// called as the quote says.
func (s *Service) CheckPayment(q *CheckoutQuote, t x402.Transaction) error {
	need := uint64(1)
	if c := s.chains[q.ChainID]; c != nil {
		need = c.Confirmations
	}
	switch {
	case t.Network != "" && t.Network != q.Network():
		return Refuse(CodeChainMismatch, "The transaction is on %s and the quote is to be paid on %s.", t.Network, q.Network())
	case !t.Mined():
		return Refuse(CodeTxPending, "The transaction is not mined yet.").again(soon)
	case !t.Succeeded:
		return Refuse(CodeTxFailed, "The transaction was reverted.")
	case t.Time.After(q.ExpiresAt):
		return Refuse(CodeQuoteExpired, "The transaction was mined at %s, after the quote had expired.", t.Time.UTC().Format(time.RFC3339))
	case t.Time.Before(q.CreatedAt.Add(-s.options.ClockSkew)):
		return Refuse(CodeTxTooEarly, "The transaction was mined at %s, before the quote was made.", t.Time.UTC().Format(time.RFC3339))
	}
	if err := first(checkMoved(q, t), checkMark(q, t)); err != nil {
		return err
	}
	if t.Confirmations < need {
		return Refuse(CodeTxPending, "The transaction has %d of %d confirmations.", t.Confirmations, need).again(soon)
	}
	return nil
}

// checkMoved checks who paid how much of what to whom.
func checkMoved(q *CheckoutQuote, t x402.Transaction) error {
	if q.Contract != "" {
		data, err := hex.DecodeString(strings.TrimPrefix(q.Transaction.Data, "0x"))
		if err != nil || !strings.EqualFold(t.To, q.Contract) || !slices.Equal(t.Input, data) {
			return Refuse(CodeRecipientMismatch, "The transaction does not call the checkout contract as the quote says.")
		}
	}
	if q.Asset == "" {
		return checkCoin(q, t)
	}
	sum, fromOthers, elsewhere := x402.Amount{}, false, false
	for _, move := range t.Transfers {
		if !strings.EqualFold(move.Asset, q.Asset) {
			continue
		}
		switch receives := q.receivedBy(move.To); {
		case strings.EqualFold(move.From, q.PayerWallet) && receives:
			var err error
			if sum, err = sum.Add(move.Amount); err != nil {
				return Refuse(CodeAmountMismatch, "The transaction moved more than can be counted.")
			}
		case receives:
			fromOthers = true
		case strings.EqualFold(move.From, q.PayerWallet):
			elsewhere = true
		}
	}
	switch {
	case sum.IsZero() && fromOthers:
		return Refuse(CodePayerMismatch, "The transaction was not paid by payer_wallet.")
	case sum.IsZero() && elsewhere:
		return Refuse(CodeRecipientMismatch, "The transaction did not pay %s.", q.PayTo)
	case sum.IsZero():
		return Refuse(CodeRecipientMismatch, "The transaction moved no %s to %s.", q.Currency, q.PayTo)
	}
	return enough(q, sum)
}

// checkCoin checks a payment of native coin.
func checkCoin(q *CheckoutQuote, t x402.Transaction) error {
	switch {
	case !q.receivedBy(t.To):
		return Refuse(CodeRecipientMismatch, "The transaction did not pay %s.", q.PayTo)
	case !strings.EqualFold(t.From, q.PayerWallet):
		return Refuse(CodePayerMismatch, "The transaction was not paid by payer_wallet.")
	}
	return enough(q, t.Value)
}

// receivedBy says whether an address is one that q may be paid to.
func (q *CheckoutQuote) receivedBy(address string) bool {
	return strings.EqualFold(address, q.PayTo) || q.Contract != "" && strings.EqualFold(address, q.Contract)
}

func enough(q *CheckoutQuote, paid x402.Amount) error {
	if paid.Cmp(q.Total) < 0 {
		return Refuse(CodeAmountMismatch, "The transaction paid %s %s of %s.", DisplayAmount(paid, q.Decimals), q.Currency, DisplayAmount(q.Total, q.Decimals))
	}
	return nil
}
