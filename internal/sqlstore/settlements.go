package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

var platformSettlements = selection[registry.Settlement]{
	columns: `d.id, d.payer_id, a.platform_name, d.payee_id, b.platform_name, d.gross, d.counter, d.net, d.lines, d.payee_lines,
		d.status, d.reference, d.reason, d.payment_key, d.payment, d.payment_until, d.paid_at, d.confirmed_at, d.disputed_at, d.cancelled_at, d.updated_at,
		n.id, n.mode, n.currency, n.from_at, n.to_at, n.issued_at, n.issued_by`,
	counted: "v402_registry_settlements d JOIN v402_registry_runs n ON n.id = d.run_id",
	joined:  " JOIN v402_registry_platforms a ON a.id = d.payer_id JOIN v402_registry_platforms b ON b.id = d.payee_id",
	id:      "d.id", scan: scanPlatformSettlement,
}

// selectDocuments reads documents d of runs n, for scanPlatformSettlement.
var selectDocuments = "SELECT " + platformSettlements.columns + " FROM " + platformSettlements.counted + platformSettlements.joined

func scanPlatformSettlement(rows *sql.Rows) (d registry.Settlement, err error) {
	var payment sql.NullString
	var until, paid, confirmed, disputed, cancelled, updated, from, to, issued int64
	err = rows.Scan(&d.ID, &d.PayerID, &d.PayerName, &d.PayeeID, &d.PayeeName, &d.Gross, &d.Counter, &d.Net, &d.Lines, &d.PayeeLines,
		&d.Status, &d.Reference, &d.Reason, &d.PaymentKey, &payment, &until, &paid, &confirmed, &disputed, &cancelled, &updated,
		&d.Run.ID, &d.Run.Mode, &d.Run.Currency, &from, &to, &issued, &d.Run.IssuedBy)
	d.Payment, d.PaymentUntil = rawJSON(payment), optionalMoment(until)
	d.PaidAt, d.ConfirmedAt, d.DisputedAt = optionalMoment(paid), optionalMoment(confirmed), optionalMoment(disputed)
	d.CancelledAt, d.UpdatedAt = optionalMoment(cancelled), optionalMoment(updated)
	d.Run.From, d.Run.To, d.Run.IssuedAt = moment(from), moment(to), moment(issued)
	return d, err
}

// PlatformSettlement implements [registry.SettlementStore].
func (s *DB) PlatformSettlement(ctx context.Context, id int64) (registry.Settlement, error) {
	d, err := single(ctx, s.read, platformSettlements, "d.id = $1", id)
	if err != nil {
		return registry.Settlement{}, s.errorf("settlement %d: %w", id, err)
	}
	return d, nil
}

// PlatformSettlements implements [registry.SettlementStore].
func (s *DB) PlatformSettlements(ctx context.Context, of registry.SettlementFilter, o registry.PageOptions) (registry.List[registry.Settlement], error) {
	var f filter
	f.id("(d.payer_id = ? OR d.payee_id = ?)", of.PartyID)
	f.id("d.payer_id = ?", of.PayerID)
	f.id("d.payee_id = ?", of.PayeeID)
	f.id("d.run_id = ?", of.RunID)
	f.text("d.status = ?", string(of.Status))
	f.within("n.issued_at", of.From, of.To)
	list, err := page(ctx, s.read, platformSettlements, f, o, false)
	if err != nil {
		return list, s.errorf("list settlements: %w", err)
	}
	return list, nil
}

var settlementRuns = selection[registry.Run]{
	columns: "id, mode, currency, from_at, to_at, issued_at, issued_by", counted: "v402_registry_runs", id: "id",
	scan: func(rows *sql.Rows) (r registry.Run, err error) {
		var from, to, issued int64
		err = rows.Scan(&r.ID, &r.Mode, &r.Currency, &from, &to, &issued, &r.IssuedBy)
		r.From, r.To, r.IssuedAt = moment(from), moment(to), moment(issued)
		return r, err
	},
}

// SettlementRun implements [registry.SettlementStore].
func (s *DB) SettlementRun(ctx context.Context, id int64) (registry.Run, error) {
	run, err := single(ctx, s.read, settlementRuns, "id = $1", id)
	if err != nil {
		return registry.Run{}, s.errorf("settlement run %d: %w", id, err)
	}
	return run, nil
}

// document is what its lines are found by.
type document struct {
	runID, payerID, payeeID, firstID int64
	mode                             registry.SettlementMode
	status                           registry.SettlementStatus
}

func scanDocument(rows *sql.Rows) (d document, err error) {
	err = rows.Scan(&d.runID, &d.payerID, &d.payeeID, &d.firstID, &d.mode, &d.status)
	return d, err
}

// SettlementLines implements [registry.SettlementStore]. Each branch reads one
// index in its order and stops at the limit.
func (s *DB) SettlementLines(ctx context.Context, id, partyID, after int64, limit int) ([]registry.Royalty, error) {
	d, err := one(ctx, s.read, scanDocument, `SELECT d.run_id, d.payer_id, d.payee_id, n.first_id, n.mode, d.status
		FROM v402_registry_settlements d JOIN v402_registry_runs n ON n.id = d.run_id WHERE d.id = $1`, id)
	if err != nil {
		return nil, s.errorf("lines of settlement %d: %w", id, found(err))
	}
	if partyID != d.payerID && partyID != d.payeeID {
		return nil, nil
	}
	if d.mode == registry.Multilateral {
		d.payerID, d.payeeID = partyID, partyID
	}
	lines, err := all(ctx, s.read, royaltyRows.scan, "SELECT "+royaltyRows.columns+" FROM "+royaltyRows.counted+royaltyRows.joined+
		" WHERE r.id IN ("+d.lineIDs()+") ORDER BY r.id", d.runID, d.payerID, d.payeeID, max(after, d.firstID-1), limit)
	if err != nil {
		return nil, s.errorf("lines of settlement %d: %w", id, err)
	}
	return lines, nil
}

// lineIDs selects the IDs of up to $5 lines above $4 of the document of run $1,
// payer $2 and payee $3; in a multilateral run both are the party.
func (d *document) lineIDs() string {
	between := []string{"l.seller_id = $2 AND l.origin_id = $3", "l.seller_id = $3 AND l.origin_id = $2"}
	if d.mode == registry.Multilateral {
		between = []string{"l.seller_id = $2", "l.origin_id = $3"}
	}
	from := " FROM v402_registry_royalties l WHERE l.run_id = $1 AND l.id > $4 AND "
	if d.status == registry.SettlementCancelled {
		from = " FROM v402_registry_withdrawn w JOIN v402_registry_royalties l ON l.id = w.royalty_id WHERE w.run_id = $1 AND w.royalty_id > $4 AND "
	}
	union := ""
	for i, which := range between {
		if i > 0 {
			union += " UNION "
		}
		union += fmt.Sprintf("SELECT id FROM (SELECT l.id AS id%s%s ORDER BY l.id LIMIT $5) AS branch%d", from, which, i)
	}
	return "SELECT id FROM (" + union + ") AS lines ORDER BY id LIMIT $5"
}

// lockDocuments reads the documents that a condition on $1 selects, and holds
// their rows where rows are locked.
func (s *DB) lockDocuments(ctx context.Context, tx querier, condition string, value int64) ([]registry.Settlement, error) {
	lock := ""
	if s.lock != "" {
		lock = s.lock + " OF d"
	}
	list, err := all(ctx, tx, scanPlatformSettlement, selectDocuments+" WHERE "+condition+" ORDER BY d.id"+lock, value)
	if err == nil && len(list) == 0 {
		err = store.ErrNotFound
	}
	return list, err
}
