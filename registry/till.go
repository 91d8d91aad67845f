package registry

import (
	"context"
	"errors"
	"net/http"

	"github.com/v402/v402/internal/till"
	"github.com/v402/v402/x402"
)

// TillConfig says how settlements are paid in stablecoin. Paid and Facilitator are
// required.
type TillConfig struct {
	// PayTo is the address on the network of the offer at which a platform is paid;
	// its PayoutAddress if nil. [ErrNoPayout] if it is not paid in stablecoin.
	PayTo func(context.Context, Platform) (string, error)

	// Paid returns the payment of a request that the guard let through, such as
	// the one of middleware.PaymentFrom; ok is false where nothing was paid for.
	Paid func(context.Context) (p TillPayment, ok bool)

	// Facilitator is the one that the guard uses. It must remember what it
	// settled, as package facilitator does: it is asked what became of a payment
	// whose request broke off. Its answer that a payment failed is not the last word
	// before the payment has expired: who has seen the signature on the chain may
	// send it again.
	Facilitator x402.Facilitator
}

// TillPayment is what a guard knows about the payment of a request.
type TillPayment struct {
	Key         string // identity of the payment, as [x402.Identity] writes it
	Settled     bool   // the money has moved
	Transaction string
}

// Till lets platforms pay settlements in stablecoin, at a guarded URL that ends
// with the settlement's ID and one more segment: "/api/settlements/12/x402". It
// is a handler behind a guard of package middleware, and the functions that tell
// the guard what a request costs. The route needs the mode SettleBefore:
//
//	const pattern = "POST /api/settlements/{id}/x402"
//	guard, err := middleware.New(middleware.Config{
//		Facilitator: facilitator,
//		Hooks: middleware.Hooks{BeforeSettle: func(ctx context.Context, a middleware.Attempt) error {
//			if a.Pattern != pattern {
//				return nil // something else that the guard sells
//			}
//			return till.Reserve(ctx, a.Request, a.Payment)
//		}},
//		Routes: []middleware.Route{{
//			Pattern: pattern,
//			Mode:    middleware.SettleBefore,
//			Offers:  []middleware.Offer{{Network: x402.Base, PriceFunc: till.Price, PayToFunc: till.PayTo}},
//		}},
//	})
//
// [Till.Handler] is the API of the Service with that route and one for admins.
//
// The payer shows its API key in X-API-Key. A settlement is reserved for one
// payment before that moves, so that no second one can; the payment then
// confirms it. One payment confirms one settlement, whatever the guard remembers.
// If the server stops between the two, or the answer is lost, the same request with
// the same payment closes the settlement and tells so, also where the guard has
// forgotten it; so does [Till.Check]. It stays reserved until the payment can no
// longer move: a request that was cut off may still be on its way, and a payment
// that failed has been signed all the same. To ask without a payment is to ask what
// became of the one that is under way.
//
// Requests with one payment at the same time are told apart by the guard's Claims:
// give it those of the store, so that all processes, and those after a restart,
// know which are the same.
type Till struct {
	*TillConfig
	s *Service
}

// NewTill returns the till of s.
func (s *Service) NewTill(c TillConfig) (*Till, error) {
	if c.Paid == nil || c.Facilitator == nil {
		return nil, errors.New("registry: TillConfig needs Paid and Facilitator")
	}
	if c.PayTo == nil {
		c.PayTo = func(_ context.Context, p Platform) (string, error) {
			if p.PayoutAddress == "" {
				return "", ErrNoPayout
			}
			return p.PayoutAddress, nil
		}
	}
	return &Till{&c, s}, nil
}

// Price is what a request must pay, in dollars: "0" if there is nothing to pay, if
// the caller may not, or while a payment is under way, so that nobody signs a second
// one. The handler then says so, or what became of the payment that the request
// carries if that is the one, whatever the guard remembers of it.
func (t *Till) Price(r *http.Request) (string, error) {
	d, err := t.payable(r)
	if err == nil && d.PaymentKey != "" && d.Status == SettlementIssued && !till.Carries(r) && !d.paymentAlive(t.s.now()) {
		d, err = t.Check(r.Context(), d.ID) // which may have moved
	}
	if err == nil {
		_, err = t.payee(r.Context(), d)
	}
	var refused *Error
	switch {
	case errors.As(err, &refused):
		return "0", nil
	case err != nil:
		return "", err
	case d.Status != SettlementIssued, d.Net <= 0, till.Repeats(r, d.Payment, d.PaymentKey):
		return "0", nil
	case d.PaymentKey == "", till.Carries(r): // Reserve admits no other payment
		return d.Net.String(), nil
	default:
		return "0", nil
	}
}

// PayTo is the address of the payee.
func (t *Till) PayTo(r *http.Request) (string, error) {
	d, err := t.payable(r)
	if err != nil {
		return "", err
	}
	return t.payee(r.Context(), d)
}

// payee is the address at which d is paid.
func (t *Till) payee(ctx context.Context, d Settlement) (string, error) {
	payee, err := t.s.store.Platform(ctx, d.PayeeID)
	if err != nil {
		return "", refusal(err, ErrPlatformUnknown, "look for the payee of a settlement")
	}
	return t.TillConfig.PayTo(ctx, payee)
}

// payable is the settlement of a request by its payer.
func (t *Till) payable(r *http.Request) (Settlement, error) {
	p, err := t.s.Authenticate(r.Context(), r.Header.Get("X-API-Key"))
	if err != nil {
		return Settlement{}, err
	}
	id, err := settlementOf(r)
	if err != nil {
		return Settlement{}, err
	}
	d, err := t.s.Settlement(r.Context(), p, id)
	if err == nil && d.PayerID != p.ID {
		err = ErrNotPayer
	}
	return d, err
}
