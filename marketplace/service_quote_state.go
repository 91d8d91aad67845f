package marketplace

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/v402/v402/store"
)

// CheckoutQuote returns one, in the state that it has now.
func (s *Service) CheckoutQuote(ctx context.Context, id string) (CheckoutQuote, error) {
	q, err := s.store.CheckoutQuote(ctx, id)
	q.State = q.StateAt(s.now())
	return q, refusal(err, noQuote(id), "look for a quote")
}

// CheckoutQuotes lists quotes: an issuer its own, an admin all.
func (s *Service) CheckoutQuotes(ctx context.Context, actor Actor, f QuoteFilter, page store.Page) (List[CheckoutQuote], error) {
	switch {
	case actor.Admin:
	case actor.IssuerID != "":
		f.IssuerID = actor.IssuerID
	default:
		return List[CheckoutQuote]{}, errForbidden(actor)
	}
	f.Wallet, f.PayerWallet = strings.ToLower(f.Wallet), strings.ToLower(f.PayerWallet)
	if err := checkQuoteCursor(page.Cursor); err != nil {
		return List[CheckoutQuote]{}, err
	}
	list, err := s.store.CheckoutQuotes(ctx, f, page)
	now := s.now()
	for i := range list.Items {
		list.Items[i].State = list.Items[i].StateAt(now)
	}
	return list, refusal(err, nil, "list quotes")
}

// CancelQuote makes an open quote void, for whoever knows its ID and wallet. One
// that is reserved for a payment cannot be cancelled.
func (s *Service) CancelQuote(ctx context.Context, id, owner string) (CheckoutQuote, error) {
	now := s.now()
	q, err := s.store.UpdateCheckoutQuote(ctx, id, func(q *CheckoutQuote) (Trail, error) {
		switch state := q.StateAt(now); {
		case !strings.EqualFold(q.Wallet, owner):
			return Trail{}, noQuote(id)
		case state == QuoteVoid:
			return Trail{}, errRepeated
		case state != QuoteOpen:
			return Trail{}, errQuoteState(state)
		case q.PaymentKey != "":
			return Trail{}, errUnderWay()
		}
		q.State = QuoteVoid
		return s.audited(Actor{Wallet: q.Wallet}, "quote.cancel", "quote:"+id, nil, quoteEvent(EventQuoteCancelled, q, now)), nil
	})
	if errors.Is(err, errRepeated) {
		return s.CheckoutQuote(ctx, id)
	}
	return q, refusal(err, noQuote(id), "cancel a quote")
}

func errQuoteState(state QuoteState) *Error {
	switch state {
	case QuoteConsumed:
		return Refuse(CodeQuoteConsumed, "The quote is paid already.")
	case QuoteVoid:
		return Refuse(CodeQuoteVoid, "The quote was cancelled.")
	default:
		return Refuse(CodeQuoteExpired, "The quote has expired; ask for a new one.")
	}
}

func errUnderWay() *Error {
	return Refuse(CodePaymentUnderWay, "Another payment of the quote is under way.").again(5 * time.Second)
}
