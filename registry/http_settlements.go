package registry

import (
	"net/http"

	"github.com/v402/v402/internal/web"
)

func (a *api) routeSettlements(rt *web.Router) {
	rt.Handle("GET /api/settlements", a.platform(a.getSettlements))
	rt.Handle("GET /api/settlements/{id}.csv", a.platform(a.getStatementCSV))
	rt.Handle("GET /api/settlements/{id}", a.platform(a.getStatement))
	rt.Handle("POST /api/settlements/{id}/pay", a.platform(a.postPay))
	rt.Handle("POST /api/settlements/{id}/confirm", a.platform(a.postConfirm))
	rt.Handle("POST /api/settlements/{id}/dispute", a.platform(a.postDisputeSettlement))
	rt.Handle("POST /api/admin/settlements/run", a.admin(a.postRun))
	rt.Handle("GET /api/admin/settlements", a.admin(a.getAllSettlements))
	rt.Handle("GET /api/admin/settlements/{id}.csv", a.admin(a.getAnyStatementCSV))
	rt.Handle("GET /api/admin/settlements/{id}", a.admin(a.getAnyStatement))
	rt.Handle("POST /api/admin/settlements/{id}/resolve", a.admin(a.postResolveSettlement))
}

// settlementFilter is what the parameters of a list of settlements select.
func settlementFilter(q *query) SettlementFilter {
	return SettlementFilter{
		RunID: q.number("run_id"), From: q.instant("from"), To: q.instant("to"),
		Status: oneOf(q, "status", SettlementIssued, SettlementPaid, SettlementConfirmed, SettlementDisputed, SettlementCancelled),
	}
}

func viewSettlement(d Settlement) Settlement { return d } // it has a form of its own

func (a *api) getSettlements(w http.ResponseWriter, r *http.Request, p Platform) error {
	q := queryOf(r)
	f, o := settlementFilter(q), q.page()
	switch oneOf(q, "role", "payer", "payee") {
	case "payer":
		f.PayerID = p.ID
	case "payee":
		f.PayeeID = p.ID
	}
	if err := q.err(); err != nil {
		return err
	}
	l, err := a.Settlements(r.Context(), p, f, o)
	if err != nil {
		return err
	}
	return page(a, w, "Settlements retrieved successfully", l, viewSettlement)
}

func (a *api) getAllSettlements(w http.ResponseWriter, r *http.Request, _ string) error {
	q := queryOf(r)
	f, o := settlementFilter(q), q.page()
	f.PartyID, f.PayerID, f.PayeeID = q.number("platform_id"), q.number("payer_id"), q.number("payee_id")
	if err := q.err(); err != nil {
		return err
	}
	l, err := a.AllSettlements(r.Context(), f, o)
	if err != nil {
		return err
	}
	return page(a, w, "Settlements retrieved successfully", l, viewSettlement)
}

func (a *api) getStatement(w http.ResponseWriter, r *http.Request, p Platform) error {
	return a.statementPage(w, r, func(id, after int64) (Statement, error) { return a.Statement(r.Context(), p, id, after) })
}

func (a *api) getAnyStatement(w http.ResponseWriter, r *http.Request, _ string) error {
	return a.statementPage(w, r, func(id, after int64) (Statement, error) { return a.AnyStatement(r.Context(), id, after) })
}

// statementPage serves the lines of a settlement that come after the parameter
// after, which is next of the page before.
func (a *api) statementPage(w http.ResponseWriter, r *http.Request, read func(id, after int64) (Statement, error)) error {
	id, err := pathID(r, ErrSettlementUnknown)
	if err != nil {
		return err
	}
	q := queryOf(r)
	after := q.number("after")
	if err := q.err(); err != nil {
		return err
	}
	statement, err := read(id, after)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Settlement retrieved successfully", statement)
}

func (a *api) getStatementCSV(w http.ResponseWriter, r *http.Request, p Platform) error {
	return statementCSV(w, r, func(id int64, d *web.Download) error { return a.WriteStatement(r.Context(), p, id, d) })
}

func (a *api) getAnyStatementCSV(w http.ResponseWriter, r *http.Request, _ string) error {
	return statementCSV(w, r, func(id int64, d *web.Download) error { return a.WriteAnyStatement(r.Context(), id, d) })
}

// payInput is the body of POST /api/settlements/{id}/pay.
type payInput struct{ PayRequest }

func (in *payInput) UnmarshalJSON(j []byte) error {
	m, err := readMembers(j)
	if err != nil {
		return err
	}
	var f faults
	m.text(&f, "reference", &in.Reference)
	f.required("reference", in.Reference, maxReference)
	return f.err()
}

func (a *api) postPay(w http.ResponseWriter, r *http.Request, p Platform) error {
	id, err := pathID(r, ErrSettlementUnknown)
	if err != nil {
		return err
	}
	var in payInput
	if err := read(r, maxForm, &in); err != nil {
		return err
	}
	d, err := a.PaySettlement(r.Context(), p, id, in.PayRequest)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Settlement paid successfully", d)
}

func (a *api) postConfirm(w http.ResponseWriter, r *http.Request, p Platform) error {
	id, err := pathID(r, ErrSettlementUnknown)
	if err != nil {
		return err
	}
	d, err := a.ConfirmSettlement(r.Context(), p, id)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Settlement confirmed successfully", d)
}

func (a *api) postDisputeSettlement(w http.ResponseWriter, r *http.Request, p Platform) error {
	id, err := pathID(r, ErrSettlementUnknown)
	if err != nil {
		return err
	}
	var in DisputeRequest
	if err := read(r, maxForm, &in); err != nil {
		return err
	}
	if err := in.faults.err(); err != nil {
		return err
	}
	d, err := a.DisputeSettlement(r.Context(), p, id, in)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Settlement disputed successfully", d)
}

func (a *api) postResolveSettlement(w http.ResponseWriter, r *http.Request, actor string) error {
	id, err := pathID(r, ErrSettlementUnknown)
	if err != nil {
		return err
	}
	in := resolveInput[SettlementStatus]{known: []SettlementStatus{SettlementIssued, SettlementCancelled}}
	if err := read(r, maxForm, &in); err != nil {
		return err
	}
	d, err := a.ResolveSettlement(r.Context(), actor, id, Resolution{in.Status, in.Reason})
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Settlement dispute resolved successfully", d)
}
