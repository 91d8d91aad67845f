package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/v402/v402/store"
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
// confirms it. One payment confirms one settlement, whatever the guard remembers. If the server stops between the two, the same request with the
// same payment closes the settlement, and so does [Till.Check]. It stays reserved
// until the payment can no longer move: a request that was cut off may still be on
// its way, and a payment that failed has been signed all the same.
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

// closeTimeout bounds what is done for a payment that has moved, whatever
// becomes of its request.
const closeTimeout = 30 * time.Second

// payMargin is for clocks that differ and blocks that are late: a payment is taken
// for expired so long after it is.
const payMargin = 2 * time.Minute

// Price is what a request must pay, in dollars: "0" if there is nothing to pay
// or the caller may not. The handler then says so.
func (t *Till) Price(r *http.Request) (string, error) {
	d, err := t.payable(r)
	if err == nil {
		_, err = t.payee(r.Context(), d)
	}
	var refused *Error
	switch {
	case errors.As(err, &refused):
		return "0", nil
	case err != nil:
		return "", err
	case d.Status == SettlementIssued && d.Net > 0:
		return d.Net.String(), nil
	case d.PaymentKey != "" && carriesPayment(r): // a repeated request; Reserve admits no other payment
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

// settlementOf reads the ID in the last segment but one.
func settlementOf(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(path.Base(path.Dir(strings.TrimRight(r.URL.Path, "/"))), 10, 64)
	if err != nil || id <= 0 {
		return 0, ErrSettlementUnknown
	}
	return id, nil
}

func carriesPayment(r *http.Request) bool {
	return r.Header.Get(x402.HeaderPaymentSignature) != "" || r.Header.Get(x402.HeaderPaymentV1) != ""
}

// Reserve ties the settlement of a request to its payment, before that moves.
// It is for middleware.Hooks.BeforeSettle. An error means that the payment must
// not move: another one has paid, or may yet.
func (t *Till) Reserve(ctx context.Context, r *http.Request, p x402.Payment) error {
	id, err := settlementOf(r)
	if err != nil {
		return err
	}
	identity, err := p.Identity()
	if err != nil {
		return err
	}
	payment, err := json.Marshal(p)
	if err != nil {
		return err
	}
	until := p.Expires(t.s.now()).Add(payMargin)
	if err = t.reserve(ctx, id, identity.String(), payment, until); !errors.Is(err, ErrPaymentUnderWay) {
		return err
	}
	if _, err := t.Check(ctx, id); err != nil {
		return err
	}
	return t.reserve(ctx, id, identity.String(), payment, until)
}

func (t *Till) reserve(ctx context.Context, id int64, key string, payment json.RawMessage, until time.Time) error {
	_, err := t.s.store.UpdateSettlement(ctx, id, func(d *Settlement) (Trail, error) {
		switch {
		case d.PaymentKey == key:
			return Trail{}, errUnchanged
		case d.Status != SettlementIssued:
			return Trail{}, ErrSettlementState
		case d.PaymentKey != "":
			return Trail{}, ErrPaymentUnderWay
		}
		d.PaymentKey, d.Payment, d.PaymentUntil = key, payment, until
		return t.audit("settlement.payment", d), nil
	})
	var refused *Error
	switch {
	case errors.Is(err, errUnchanged):
		return nil
	case errors.Is(err, store.ErrConflict) && !errors.As(err, &refused):
		return ErrPaymentUsed
	default:
		return settlementError(err)
	}
}

// tillActor is who acts in the audit log.
const tillActor = "till"

func (t *Till) audit(action string, d *Settlement) Trail {
	detail, err := json.Marshal(map[string]string{"payment": d.PaymentKey, "transaction": d.Reference})
	if err != nil {
		panic(err) // strings
	}
	return Trail{Audit: []AuditEntry{{
		At: t.s.now(), Actor: tillActor, Action: action, Subject: "settlement:" + strconv.FormatInt(d.ID, 10), Detail: detail,
	}}}
}

// Check asks the facilitator what became of the payment that a settlement is
// reserved for, and closes the settlement, or frees it if the payment can not
// move any more; [ErrPaymentUnderWay] if it may. The payment may move by that:
// its payer has signed it for this settlement. Without such a payment nothing
// happens.
func (t *Till) Check(ctx context.Context, id int64) (Settlement, error) {
	d, err := t.s.AnySettlement(ctx, id)
	if err != nil || d.PaymentKey == "" || d.Status == SettlementConfirmed {
		return d, err
	}
	var payment x402.Payment
	if err := json.Unmarshal(d.Payment, &payment); err != nil {
		return d, fmt.Errorf("registry: the payment of settlement %d: %w", id, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	asked := t.s.now()
	resp, err := t.Facilitator.Settle(ctx, payment)
	switch {
	case err != nil:
		t.s.log.ErrorContext(ctx, "registry: ask about the payment of a settlement", "settlement", id, "error", err)
		return d, ErrPaymentUnderWay
	case resp.Success:
		return t.close(ctx, id, TillPayment{Key: d.PaymentKey, Settled: true, Transaction: resp.Transaction})
	case resp.ErrorReason.Is(x402.ReasonSettlementPending):
		return d, ErrPaymentUnderWay
	case !d.PaymentUntil.IsZero() && !asked.Before(d.PaymentUntil):
		return t.free(ctx, id, d.PaymentKey)
	default:
		return d, ErrPaymentUnderWay
	}
}

// free lets another payment pay after the one with key has failed and expired.
func (t *Till) free(ctx context.Context, id int64, key string) (Settlement, error) {
	d, err := t.s.store.UpdateSettlement(ctx, id, func(d *Settlement) (Trail, error) {
		if d.PaymentKey != key || d.Status == SettlementConfirmed {
			return Trail{}, errUnchanged
		}
		trail := t.audit("settlement.payment_failed", d)
		d.PaymentKey, d.Payment, d.PaymentUntil = "", nil, time.Time{}
		return trail, nil
	})
	if errors.Is(err, errUnchanged) {
		return t.s.AnySettlement(ctx, id)
	}
	return d, settlementError(err)
}

// close confirms the settlement that a payment has paid: the chain has said that
// the payee got the money. Repeated it changes nothing.
func (t *Till) close(ctx context.Context, id int64, p TillPayment) (Settlement, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	d, err := t.s.store.UpdateSettlement(ctx, id, func(d *Settlement) (Trail, error) {
		switch {
		case d.PaymentKey == p.Key && d.Status == SettlementConfirmed:
			return Trail{}, errUnchanged
		case d.PaymentKey != p.Key:
			return Trail{}, ErrPaymentUnderWay // the guard lacks the hook Reserve
		}
		now := t.s.now()
		d.Status, d.Reference, d.PaidAt, d.ConfirmedAt, d.UpdatedAt = SettlementConfirmed, p.Transaction, now, now, now
		trail := settlementTrail(tillActor, EventSettlementPaid, d)
		trail.add(settlementTrail(tillActor, EventSettlementConfirmed, d))
		return trail, nil
	})
	if errors.Is(err, errUnchanged) {
		return t.s.AnySettlement(ctx, id)
	}
	return d, settlementError(err)
}

// Handler serves the API of the Service with POST /api/settlements/{id}/x402, which
// is the Till and needs its guard, and POST /api/admin/settlements/{id}/check,
// which is [Till.Check] for an admin.
func (t *Till) Handler() http.Handler {
	a, rt := t.s.routes()
	rt.Handle("POST /api/settlements/{id}/x402", t.ServeHTTP)
	rt.Handle("POST /api/admin/settlements/{id}/check", a.admin(func(w http.ResponseWriter, r *http.Request, _ string) error {
		id, err := pathID(r, ErrSettlementUnknown)
		if err != nil {
			return err
		}
		d, err := t.Check(r.Context(), id)
		if err != nil {
			return err
		}
		return a.succeed(w, http.StatusOK, "Settlement checked successfully", d)
	}))
	return rt
}

// ServeHTTP answers what the guard let through: it closes the settlement that
// was paid, or says why there was nothing to pay.
func (t *Till) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &api{Service: t.s}
	message, d, err := t.serve(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	_ = a.succeed(w, http.StatusOK, message, d)
}

var errUnguarded = errors.New("registry: the till needs a guard before it, with mode SettleBefore")

func (t *Till) serve(r *http.Request) (message string, d Settlement, err error) {
	if paid, ok := t.Paid(r.Context()); ok {
		if !paid.Settled {
			return "", d, errUnguarded
		}
		id, err := settlementOf(r)
		if err != nil {
			return "", d, err
		}
		d, err = t.close(r.Context(), id, paid)
		return "Settlement paid successfully", d, err
	}
	if d, err = t.payable(r); err != nil {
		return "", d, err
	}
	switch {
	case d.Status == SettlementPaid || d.Status == SettlementConfirmed:
		return "Settlement is already paid", d, nil
	case d.Status != SettlementIssued || d.Net == 0:
		return "", d, ErrSettlementState
	}
	if _, err := t.payee(r.Context(), d); err != nil {
		return "", d, err
	}
	return "", d, errUnguarded
}
