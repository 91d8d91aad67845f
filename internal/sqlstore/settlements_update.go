package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

// UpdateSettlement implements [registry.SettlementStore].
func (s *DB) UpdateSettlement(ctx context.Context, id int64, change func(*registry.Settlement) (registry.Trail, error)) (registry.Settlement, error) {
	var d registry.Settlement
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		documents, err := s.lockTogether(ctx, tx, id)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(documents, func(d registry.Settlement) bool { return d.ID == id })
		was := slices.Clone(documents)
		trail, err := change(&documents[i])
		if err != nil {
			return err
		}
		err = s.saveDocuments(ctx, tx, was, documents, trail)
		d = documents[i]
		return err
	})
	if err != nil {
		return registry.Settlement{}, s.errorf("update settlement %d: %w", id, err)
	}
	return d, nil
}

// UpdateRun implements [registry.SettlementStore].
func (s *DB) UpdateRun(ctx context.Context, runID int64, change func([]registry.Settlement) (registry.Trail, error)) ([]registry.Settlement, error) {
	var documents []registry.Settlement
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		var err error
		if documents, err = s.lockRun(ctx, tx, runID); err != nil {
			return err
		}
		was := slices.Clone(documents)
		trail, err := change(documents)
		if err != nil {
			return err
		}
		return s.saveDocuments(ctx, tx, was, documents, trail)
	})
	if err != nil {
		return nil, s.errorf("update settlement run %d: %w", runID, err)
	}
	return documents, nil
}

// lockTogether returns the document with the ID and those that share its
// royalties: in multilateral mode all of the run.
func (s *DB) lockTogether(ctx context.Context, tx querier, id int64) ([]registry.Settlement, error) {
	documents, err := all(ctx, tx, scanPlatformSettlement, selectDocuments+" WHERE d.id = $1", id)
	switch {
	case err != nil:
		return nil, err
	case len(documents) == 0:
		return nil, store.ErrNotFound
	case documents[0].Run.Mode == registry.Multilateral:
		return s.lockRun(ctx, tx, documents[0].Run.ID)
	default:
		return s.lockDocuments(ctx, tx, "d.id = $1", id)
	}
}

// lockRun returns all documents of a run. Its row is held first, so that who
// changes one of them knows the state of the others.
func (s *DB) lockRun(ctx context.Context, tx querier, runID int64) ([]registry.Settlement, error) {
	if err := s.lockRow(ctx, tx, "v402_registry_runs", "id", runID); err != nil {
		return nil, err
	}
	return s.lockDocuments(ctx, tx, "d.run_id = $1", runID)
}

// saveDocuments stores what may change of documents, and moves their royalties
// along.
func (s *DB) saveDocuments(ctx context.Context, tx querier, was, documents []registry.Settlement, trail registry.Trail) error {
	for i := range documents {
		documents[i] = fixed(was[i], documents[i])
		d := &documents[i]
		if d.PaymentKey != was[i].PaymentKey {
			if err := freePayment(ctx, tx, d); err != nil {
				return err
			}
		}
		if err := update(ctx, tx, "v402_registry_settlements",
			"status, reference, reason, payment_key, payment, payment_until, paid_at, confirmed_at, disputed_at, cancelled_at, updated_at",
			string(d.Status), d.Reference, d.Reason, d.PaymentKey, nullable(d.Payment),
			optional(d.PaymentUntil), optional(d.PaidAt), optional(d.ConfirmedAt), optional(d.DisputedAt), optional(d.CancelledAt), optional(d.UpdatedAt), d.ID); err != nil {
			return takenMeanwhile(err)
		}
	}
	for i := range documents {
		if documents[i].Status != was[i].Status {
			if err := moveRoyalties(ctx, tx, documents, &documents[i]); err != nil {
				return err
			}
		}
	}
	return s.record(ctx, tx, trail)
}

// freePayment refuses a payment that pays another document.
func freePayment(ctx context.Context, tx querier, d *registry.Settlement) error {
	others, err := all(ctx, tx, column[int64], `SELECT id FROM v402_registry_settlements
		WHERE payment_key = $1 AND payment_key <> '' AND id <> $2`, d.PaymentKey, d.ID)
	if err == nil && len(others) > 0 {
		err = fmt.Errorf("%w: the payment is that of settlement %d", store.ErrConflict, others[0])
	}
	return err
}

// fixed is the changed document with all that never changes as it was, and its
// times as they are stored.
func fixed(was, changed registry.Settlement) registry.Settlement {
	d := was
	d.Status, d.Reference, d.Reason = changed.Status, changed.Reference, changed.Reason
	d.PaymentKey, d.Payment, d.PaymentUntil = changed.PaymentKey, changed.Payment, optionalMoment(optional(changed.PaymentUntil))
	d.PaidAt, d.ConfirmedAt = optionalMoment(optional(changed.PaidAt)), optionalMoment(optional(changed.ConfirmedAt))
	d.DisputedAt, d.CancelledAt = optionalMoment(optional(changed.DisputedAt)), optionalMoment(optional(changed.CancelledAt))
	d.UpdatedAt = optionalMoment(optional(changed.UpdatedAt))
	return d
}

// moveRoyalties brings the royalties of d in line with its new status; documents
// are those that share them.
func moveRoyalties(ctx context.Context, tx querier, documents []registry.Settlement, d *registry.Settlement) error {
	together := d.Run.Mode == registry.Multilateral
	switch {
	case d.Status == registry.SettlementConfirmed && together:
		return payRun(ctx, tx, d.Run.ID, documents, d.UpdatedAt)
	case d.Status == registry.SettlementConfirmed:
		return movePair(ctx, tx, d, registry.RoyaltyPaid, d.Run.ID, d.UpdatedAt)
	case d.Status == registry.SettlementCancelled && together:
		return releaseRun(ctx, tx, documents, d.UpdatedAt)
	case d.Status == registry.SettlementCancelled:
		if err := withdraw(ctx, tx, "run_id = $1 AND "+betweenPair, d.Run.ID, d.PayerID, d.PayeeID); err != nil {
			return err
		}
		return movePair(ctx, tx, d, registry.RoyaltyPending, 0, d.UpdatedAt)
	default:
		return nil
	}
}

// betweenPair is true for what the platforms $2 and $3 owe each other.
const betweenPair = "(seller_id = $2 AND origin_id = $3 OR seller_id = $3 AND origin_id = $2)"

// movePair changes the royalties of a bilateral document.
func movePair(ctx context.Context, tx querier, d *registry.Settlement, to registry.RoyaltyStatus, runID int64, at time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE v402_registry_royalties SET status = $4, run_id = $5, updated_at = $6
		WHERE run_id = $1 AND status = 'settling' AND `+betweenPair, d.Run.ID, d.PayerID, d.PayeeID, string(to), runID, micros(at))
	return err
}

// payRun pays the royalties of a multilateral run once all its documents are
// confirmed.
func payRun(ctx context.Context, tx querier, runID int64, documents []registry.Settlement, at time.Time) error {
	for i := range documents {
		if documents[i].Status != registry.SettlementConfirmed {
			return nil
		}
	}
	_, err := tx.ExecContext(ctx, "UPDATE v402_registry_royalties SET status = 'paid', updated_at = $2 WHERE run_id = $1 AND status = 'settling' AND "+
		aboveFirst, runID, micros(at))
	return err
}

// aboveFirst leaves out royalties that are older than run $1.
const aboveFirst = "id >= (SELECT first_id FROM v402_registry_runs WHERE id = $1)"

// releaseRun makes the royalties of a multilateral run pending again.
func releaseRun(ctx context.Context, tx querier, documents []registry.Settlement, at time.Time) error {
	for i := range documents {
		if documents[i].Status != registry.SettlementCancelled {
			return fmt.Errorf("%w: the documents of the run are cancelled together", store.ErrConflict)
		}
	}
	runID := documents[0].Run.ID
	if err := withdraw(ctx, tx, "run_id = $1 AND "+aboveFirst, runID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE v402_registry_royalties SET status = 'pending', run_id = 0, updated_at = $2
		WHERE run_id = $1 AND status = 'settling' AND `+aboveFirst, runID, micros(at))
	return err
}

// withdraw remembers which royalties were in a run that they leave.
func withdraw(ctx context.Context, tx querier, which string, args ...any) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO v402_registry_withdrawn (run_id, royalty_id) SELECT run_id, id FROM v402_registry_royalties WHERE "+
		which+" ON CONFLICT DO NOTHING", args...)
	return err
}
