package registry

import (
	"errors"
	"net/http"
	"path"
	"strconv"
	"strings"

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

func carriesPayment(r *http.Request) bool {
	return r.Header.Get(x402.HeaderPaymentSignature) != "" || r.Header.Get(x402.HeaderPaymentV1) != ""
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
	if d.PaymentKey != "" && d.Status != SettlementConfirmed {
		d, err = t.Check(r.Context(), d.ID)
		if err == nil && d.Status == SettlementIssued {
			err = ErrPaymentUnderWay // until just now: there was no price yet
		}
		if err != nil {
			return "", d, err
		}
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
