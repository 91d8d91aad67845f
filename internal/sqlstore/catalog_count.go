package sqlstore

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
)

// activityKept is how long it is known what happened in which hour.
const activityKept = 31 * 24 * time.Hour

// CountViews implements [catalog.ProductStore].
func (s *DB) CountViews(ctx context.Context, views map[string]int64, at time.Time, event func(p catalog.Product, views int64) store.Event) error {
	ids := slices.Sorted(maps.Keys(views))
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		for run := range pieces(ids, s.names) {
			if err := s.countViews(ctx, tx, run, views, at, event); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM v402_catalog_activity WHERE hour < $1", hourOf(at.Add(-activityKept))); err != nil {
			return err
		}
		return purgeReportViews(ctx, tx, at)
	})
	if err != nil {
		return s.errorf("count views: %w", err)
	}
	return nil
}

func (s *DB) countViews(ctx context.Context, tx querier, ids []string, views map[string]int64, at time.Time, event func(p catalog.Product, views int64) store.Event) error {
	// In the order of their IDs, so that no two transactions wait for each other.
	query := "SELECT " + products.columns + " FROM " + products.counted + " WHERE p.id IN " + list(1, len(ids)) + " ORDER BY p.id" + s.lock
	found, err := all(ctx, tx, bareProduct, query, anys(ids)...)
	if err != nil {
		return err
	}
	events := make([]store.Event, 0, len(found))
	for _, p := range found {
		p.Views += views[p.ID]
		if e := event(p, views[p.ID]); e.ID != "" {
			events = append(events, e)
		}
	}
	for run := range pieces(found, s.rows) {
		if err := addViews(ctx, tx, run, views, at); err != nil {
			return err
		}
	}
	return s.saveEvents(ctx, tx, events)
}

// addViews adds views to products, with one statement for each of the three tables.
func addViews(ctx context.Context, tx querier, run []catalog.Product, views map[string]int64, at time.Time) error {
	var added, active, reported []any
	for _, p := range run {
		n := views[p.ID]
		added, active, reported = append(added, p.ID, n), append(active, hourOf(at), p.ID, n, 0), append(reported, hourOf(at), p.ID, p.OwnerID, n)
	}
	query := fromValues(1, len(run), value{"v_id", "TEXT"}, value{"v_views", "BIGINT"}) +
		"UPDATE v402_catalog_products SET views = views + v_views FROM v WHERE id = v_id"
	if _, err := tx.ExecContext(ctx, query, added...); err != nil {
		return err
	}
	if err := addActivity(ctx, tx, active); err != nil {
		return err
	}
	return addReportViews(ctx, tx, reported)
}

// countPurchase adds a purchase to a product, with the payment that confirms it.
func (s *DB) countPurchase(ctx context.Context, tx querier, productID string, at time.Time) error {
	result, err := tx.ExecContext(ctx, "UPDATE v402_catalog_products SET purchases = purchases + 1 WHERE id = $1", productID)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return err // it was erased meanwhile
	}
	return addActivity(ctx, tx, []any{hourOf(at), productID, 0, 1})
}

// addActivity adds rows of hour, product ID, views and purchases.
func addActivity(ctx context.Context, tx querier, rows []any) error {
	const width = 4
	_, err := tx.ExecContext(ctx, "INSERT INTO v402_catalog_activity (hour, product_id, views, purchases) VALUES "+
		tuples(1, len(rows)/width, make([]string, width)...)+` ON CONFLICT (hour, product_id) DO UPDATE
			SET views = v402_catalog_activity.views + EXCLUDED.views, purchases = v402_catalog_activity.purchases + EXCLUDED.purchases`, rows...)
	return err
}

// SuspendOwner implements [catalog.ProductStore].
func (s *DB) SuspendOwner(ctx context.Context, ownerID string, suspended bool, at time.Time) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		result, err := tx.ExecContext(ctx, `INSERT INTO v402_catalog_owners (owner_id, suspended, at) VALUES ($1, $2, $3)
			ON CONFLICT (owner_id) DO UPDATE SET suspended = EXCLUDED.suspended, at = EXCLUDED.at WHERE v402_catalog_owners.at <= EXCLUDED.at`,
			ownerID, suspended, micros(at))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return s.suspendProducts(ctx, tx, ownerID, suspended)
	})
	if err != nil {
		return s.errorf("suspend owner %s: %w", ownerID, err)
	}
	return nil
}

func (s *DB) suspendProducts(ctx context.Context, tx querier, ownerID string, suspended bool) error {
	_, err := tx.ExecContext(ctx, `UPDATE v402_catalog_products SET suspended = $1, on_sale = (status = 'active' AND NOT flagged AND NOT $1)
		WHERE owner_id = $2`, suspended, ownerID)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM v402_catalog_text WHERE "+s.text.key()+" IN (SELECT seq FROM v402_catalog_products WHERE owner_id = $1)", ownerID)
	if err != nil || suspended {
		return err
	}
	const some = 500
	for last := int64(0); ; {
		list, err := all(ctx, tx, scanProduct, "SELECT "+products.columns+" FROM "+products.counted+
			" WHERE p.owner_id = $1 AND p.on_sale AND p.seq > $2 ORDER BY p.seq LIMIT $3", ownerID, last, some)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, p := range list {
			if err := s.text.put(ctx, tx, p.seq, p.SearchText()); err != nil {
				return err
			}
			last = p.seq
		}
	}
}
