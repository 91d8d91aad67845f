package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/v402/v402/registry"
)

// owedQuery sums up the royalties that a condition selects. The sums with 0 keep
// SQLite from reading all that ever was in the order of an index on the pairs.
func owedQuery(condition string) string {
	return `SELECT seller, origin, CAST(SUM(amount) AS BIGINT), COUNT(*) FROM (
			SELECT seller_id + 0 AS seller, origin_id + 0 AS origin, amount FROM v402_registry_royalties WHERE ` + condition + `) AS owed
		GROUP BY seller, origin ORDER BY seller, origin`
}

// OwedSums implements [registry.SettlementStore].
func (s *DB) OwedSums(ctx context.Context, run registry.Run) ([]registry.Owed, []registry.Settlement, error) {
	owed, err := all(ctx, s.read, scanOwed, owedQuery("status = 'pending' AND due_at < $1"), micros(run.To))
	if err != nil {
		return nil, nil, s.errorf("sum up what is owed: %w", err)
	}
	live, err := liveDocuments(ctx, s.read, run)
	if err != nil {
		return nil, nil, s.errorf("find the documents of a period: %w", err)
	}
	return owed, live, nil
}

func scanOwed(rows *sql.Rows) (o registry.Owed, err error) {
	err = rows.Scan(&o.SellerID, &o.OriginID, &o.Amount, &o.Count)
	return o, err
}

// liveDocuments are those of the period of run that are not cancelled.
func liveDocuments(ctx context.Context, q querier, run registry.Run) ([]registry.Settlement, error) {
	return all(ctx, q, scanPlatformSettlement, selectDocuments+` WHERE n.from_at = $1 AND n.to_at = $2 AND n.currency = $3
		AND d.status <> 'cancelled' ORDER BY d.id`, micros(run.From), micros(run.To), run.Currency)
}

// errNothing undoes a run that has nothing to settle.
var errNothing = errors.New("there is nothing to settle")

// IssueSettlements implements [registry.SettlementStore]. Whoever takes the ID
// of a run holds it until the end, so that runs take turns. To mark first, and
// to sum up what is marked, keeps reports and voids of the same moment either
// in the run or out of it.
func (s *DB) IssueSettlements(ctx context.Context, run registry.Run, net func([]registry.Owed, []registry.Settlement) (registry.Netting, error),
	trail func(registry.Run, []registry.Settlement) registry.Trail) (registry.Run, []registry.Settlement, error) {
	var stored registry.Run
	var issued []registry.Settlement
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		stored, issued = run, nil
		var err error
		if stored.ID, err = newIDs(ctx, tx, "run", 1); err != nil {
			return err
		}
		live, err := liveDocuments(ctx, tx, run)
		if err != nil {
			return err
		}
		owed, first, err := markPending(ctx, tx, stored)
		if err != nil {
			return err
		}
		plan, err := net(owed, live)
		if err != nil {
			return err
		}
		left, err := giveBack(ctx, tx, stored.ID, first, owed, plan.Carried)
		if err != nil {
			return err
		}
		if left == 0 && len(plan.Settlements) == 0 {
			return errNothing
		}
		if issued, err = addDocuments(ctx, tx, stored, first, plan.Settlements); err != nil {
			return err
		}
		if err := payBorn(ctx, tx, stored, issued); err != nil {
			return err
		}
		return s.record(ctx, tx, trail(stored, issued))
	})
	switch {
	case errors.Is(err, errNothing):
		run.ID = 0
		return run, nil, nil
	case err != nil:
		return registry.Run{}, nil, s.errorf("issue settlements: %w", err)
	}
	return stored, issued, nil
}

// markPending puts what is pending into run and returns its sums, and an ID
// below which nothing of it is.
func markPending(ctx context.Context, tx querier, run registry.Run) ([]registry.Owed, int64, error) {
	lowest, err := one(ctx, tx, column[sql.NullInt64], "SELECT MIN(id + 0) FROM v402_registry_royalties WHERE status = 'pending' AND due_at < $1", micros(run.To))
	if err != nil || !lowest.Valid {
		return nil, 0, err
	}
	// An older one that becomes pending just now waits for the next run.
	if _, err := tx.ExecContext(ctx, `UPDATE v402_registry_royalties SET status = 'settling', run_id = $1, updated_at = $2
		WHERE status = 'pending' AND due_at < $3 AND id >= $4`, run.ID, micros(run.IssuedAt), micros(run.To), lowest.Int64); err != nil {
		return nil, 0, err
	}
	owed, err := all(ctx, tx, scanOwed, owedQuery("run_id = $1 AND id >= $2"), run.ID, lowest.Int64)
	return owed, lowest.Int64, err
}

// giveBack takes what is carried out of a run, and counts the sums that are left.
func giveBack(ctx context.Context, tx querier, runID, firstID int64, owed []registry.Owed, carried [][2]int64) (left int, err error) {
	if len(carried) == 0 {
		return len(owed), nil
	}
	is := make(map[[2]int64]bool, 2*len(carried))
	rows := make([][]any, 0, 2*len(carried))
	for _, p := range carried {
		for _, way := range [][2]int64{p, {p[1], p[0]}} {
			if !is[way] {
				is[way] = true
				rows = append(rows, []any{way[0], way[1]})
			}
		}
	}
	for _, o := range owed {
		if !is[[2]int64{o.SellerID, o.OriginID}] {
			left++
		}
	}
	if err := insert(ctx, tx, "v402_registry_carried", "seller_id, origin_id", rows); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE v402_registry_royalties SET status = 'pending', run_id = 0 WHERE run_id = $1 AND id >= $2 AND EXISTS (
		SELECT 1 FROM v402_registry_carried c
		WHERE c.seller_id = v402_registry_royalties.seller_id AND c.origin_id = v402_registry_royalties.origin_id)`, runID, firstID); err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM v402_registry_carried")
	return left, err
}

// addDocuments stores a run and its documents.
func addDocuments(ctx context.Context, tx querier, run registry.Run, firstID int64, documents []registry.Settlement) ([]registry.Settlement, error) {
	if err := insert(ctx, tx, "v402_registry_runs", "id, mode, currency, from_at, to_at, issued_at, issued_by, first_id", [][]any{{
		run.ID, string(run.Mode), run.Currency, micros(run.From), micros(run.To), micros(run.IssuedAt), run.IssuedBy, firstID,
	}}); err != nil || len(documents) == 0 {
		return nil, err
	}
	first, err := newIDs(ctx, tx, "settlement", len(documents))
	if err != nil {
		return nil, err
	}
	rows := make([][]any, len(documents))
	for i := range documents {
		d := &documents[i]
		rows[i] = []any{
			first + int64(i), run.ID, d.PayerID, d.PayeeID, int64(d.Gross), int64(d.Counter), int64(d.Net), d.Lines, d.PayeeLines,
			string(d.Status), d.Reference, d.Reason, d.PaymentKey, nullable(d.Payment),
			optional(d.PaymentUntil), optional(d.PaidAt), optional(d.ConfirmedAt), optional(d.DisputedAt), optional(d.CancelledAt), optional(d.UpdatedAt),
		}
	}
	if err := insert(ctx, tx, "v402_registry_settlements", `id, run_id, payer_id, payee_id, gross, counter, net, lines, payee_lines,
		status, reference, reason, payment_key, payment, payment_until, paid_at, confirmed_at, disputed_at, cancelled_at, updated_at`, rows); err != nil {
		return nil, err
	}
	return all(ctx, tx, scanPlatformSettlement, selectDocuments+" WHERE d.run_id = $1 ORDER BY d.id", run.ID)
}

// payBorn pays the royalties of documents that were confirmed when they were
// issued.
func payBorn(ctx context.Context, tx querier, run registry.Run, issued []registry.Settlement) error {
	if run.Mode == registry.Multilateral {
		return payRun(ctx, tx, run.ID, issued, run.IssuedAt)
	}
	for i := range issued {
		if issued[i].Status == registry.SettlementConfirmed {
			if err := movePair(ctx, tx, &issued[i], registry.RoyaltyPaid, run.ID, run.IssuedAt); err != nil {
				return err
			}
		}
	}
	return nil
}
