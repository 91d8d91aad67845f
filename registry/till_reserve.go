package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/v402/v402/internal/till"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// closeTimeout bounds what is done for a payment that has moved, whatever
// becomes of its request.
const closeTimeout = 30 * time.Second

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
	until := p.Expires(t.s.now()).Add(till.Margin)
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
	d, _, err := t.check(ctx, id)
	return d, err
}

// check returns also what the facilitator said, if it was asked and could answer.
func (t *Till) check(ctx context.Context, id int64) (d Settlement, resp x402.SettleResponse, err error) {
	d, err = t.s.AnySettlement(ctx, id)
	if err != nil || d.PaymentKey == "" || d.Status == SettlementConfirmed {
		return d, resp, err
	}
	var payment x402.Payment
	if err := json.Unmarshal(d.Payment, &payment); err != nil {
		return d, resp, fmt.Errorf("registry: the payment of settlement %d: %w", id, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	asked := t.s.now()
	resp, err = t.Facilitator.Settle(ctx, payment)
	switch {
	case err != nil:
		t.s.log.ErrorContext(ctx, "registry: ask about the payment of a settlement", "settlement", id, "error", err)
		return d, x402.SettleResponse{}, ErrPaymentUnderWay
	case resp.Success:
		d, err = t.close(ctx, id, TillPayment{Key: d.PaymentKey, Settled: true, Transaction: resp.Transaction})
	case till.Undecided(resp.ErrorReason), d.PaymentUntil.IsZero(), d.paymentAlive(asked):
		err = ErrPaymentUnderWay
	default:
		d, err = t.free(ctx, id, d.PaymentKey)
	}
	return d, resp, err
}

// paymentAlive says whether the payment that d is reserved for may move yet.
func (d *Settlement) paymentAlive(now time.Time) bool {
	return d.PaymentKey != "" && now.Before(d.PaymentUntil)
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
