package registry

import (
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/v402/v402/internal/till"
	"github.com/v402/v402/x402"
)

// settlementOf reads the ID in the last segment but one.
func settlementOf(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(path.Base(path.Dir(strings.TrimRight(r.URL.Path, "/"))), 10, 64)
	if err != nil || id <= 0 {
		return 0, ErrSettlementUnknown
	}
	return id, nil
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
	message, d, err := t.serve(w.Header(), r)
	var open *unsettled
	switch {
	case errors.As(err, &open):
		till.Unsettled(w, r, open.resp)
	case err != nil:
		a.refuse(w, r, err)
	default:
		_ = a.succeed(w, http.StatusOK, message, d)
	}
}

// unsettled is what the facilitator says of a payment that came once more.
type unsettled struct{ resp x402.SettleResponse }

func (u *unsettled) Error() string { return string(u.resp.ErrorReason) }

var errUnguarded = errors.New("registry: the till needs a guard before it, with mode SettleBefore")

const settlementPaid = "Settlement paid successfully"

func (t *Till) serve(h http.Header, r *http.Request) (message string, d Settlement, err error) {
	if paid, ok := t.Paid(r.Context()); ok {
		if !paid.Settled {
			return "", d, errUnguarded
		}
		id, err := settlementOf(r)
		if err != nil {
			return "", d, err
		}
		d, err = t.close(r.Context(), id, paid)
		return settlementPaid, d, err
	}
	if d, err = t.payable(r); err != nil {
		return "", d, err
	}
	if till.Repeats(r, d.Payment, d.PaymentKey) {
		return t.again(h, r, d)
	}
	if d.PaymentKey != "" && d.Status != SettlementConfirmed {
		d, err = t.Check(r.Context(), d.ID)
		if err == nil && d.Status == SettlementIssued {
			err = ErrPaymentUnderWay // until just now: there was no price yet
		}
		if err != nil {
			return "", d, err
		}
	}
	switch closed := d.Status == SettlementPaid || d.Status == SettlementConfirmed; {
	case closed && till.Carries(r): // a payment that was not taken
		return "", d, ErrSettlementState
	case closed:
		return "Settlement is already paid", d, nil
	case d.Status != SettlementIssued || d.Net == 0:
		return "", d, ErrSettlementState
	}
	if _, err := t.payee(r.Context(), d); err != nil {
		return "", d, err
	}
	return "", d, errUnguarded
}

// again answers the payment that d is reserved for or was paid with, which comes
// once more: its answer was lost, or the server stopped before it gave one.
func (t *Till) again(h http.Header, r *http.Request, d Settlement) (message string, _ Settlement, err error) {
	d, resp, err := t.check(r.Context(), d.ID)
	switch {
	case d.Status == SettlementConfirmed && till.Repeats(r, d.Payment, d.PaymentKey):
	case err == nil && d.Status == SettlementConfirmed: // another payment was faster
		return "", d, ErrSettlementState
	case err != nil && !errors.Is(err, ErrPaymentUnderWay):
		return "", d, err
	default:
		return "", d, &unsettled{resp}
	}
	var payment x402.Payment
	if err := json.Unmarshal(d.Payment, &payment); err != nil {
		return "", d, err
	}
	identity, err := payment.Identity()
	if err != nil {
		return "", d, err
	}
	till.Receipt(h, r, x402.SettleResponse{
		Success: true, Payer: identity.Payer, Transaction: d.Reference, Network: identity.Network,
	})
	return settlementPaid, d, nil
}
