package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
)

const entitlementColumns = "id, offer_id, issuer_id, wallet, payer_wallet, org_root_id, principal_id, principal_role, workspace_id, type, scope, " +
	"state, access_class, availability, policy_hash, transferable, max_per_wallet, workspace_bound, seats, term_seconds, chain_id, tx_hash, " +
	"quote_id, reason, issued_at, expires_at, updated_at"

var entitlements = selection[marketplace.Entitlement]{
	columns: entitlementColumns, counted: "v402_marketplace_entitlements", id: "id",
	scan: func(rows *sql.Rows) (e marketplace.Entitlement, err error) {
		var chain, issued, expires, updated int64
		err = rows.Scan(&e.ID, &e.OfferID, &e.IssuerID, &e.Wallet, &e.PayerWallet, &e.OrgRootID, &e.PrincipalID, &e.PrincipalRole, &e.WorkspaceID,
			&e.Type, &e.Scope, &e.State, &e.AccessClass, &e.Availability, &e.PolicyHash, &e.Transferable, &e.MaxPerWallet, &e.WorkspaceBound,
			&e.Seats, &e.TermSeconds, &chain, &e.TxHash, &e.QuoteID, &e.Reason, &issued, &expires, &updated)
		e.ChainID, e.IssuedAt, e.ExpiresAt, e.UpdatedAt = uint64(chain), moment(issued), optionalMoment(expires), moment(updated)
		return e, err
	},
}

func addEntitlement(ctx context.Context, tx querier, e *marketplace.Entitlement) (marketplace.Entitlement, error) {
	row := []any{e.ID, e.OfferID, e.IssuerID, e.Wallet, e.PayerWallet, e.OrgRootID, e.PrincipalID, e.PrincipalRole, e.WorkspaceID,
		string(e.Type), string(e.Scope), string(e.State), string(e.AccessClass), string(e.Availability), e.PolicyHash, e.Transferable,
		int64(e.MaxPerWallet), e.WorkspaceBound, int64(e.Seats), e.TermSeconds, int64(e.ChainID), e.TxHash, e.QuoteID, e.Reason,
		micros(e.IssuedAt), optional(e.ExpiresAt), micros(e.UpdatedAt)}
	if err := insertNew(ctx, tx, "v402_marketplace_entitlements", entitlementColumns, row); err != nil {
		return *e, err
	}
	return single(ctx, tx, entitlements, "id = $1", e.ID)
}

// putEntitlement stores what may change of one.
func putEntitlement(ctx context.Context, tx querier, e *marketplace.Entitlement) (marketplace.Entitlement, error) {
	if err := update(ctx, tx, "v402_marketplace_entitlements", "state, availability, reason, expires_at, updated_at",
		string(e.State), string(e.Availability), e.Reason, optional(e.ExpiresAt), micros(e.UpdatedAt), e.ID); err != nil {
		return *e, err
	}
	return single(ctx, tx, entitlements, "id = $1", e.ID)
}

// Entitlement implements [marketplace.EntitlementStore].
func (s *DB) Entitlement(ctx context.Context, id string) (marketplace.Entitlement, error) {
	e, err := single(ctx, s.read, entitlements, "id = $1", id)
	if err != nil {
		return e, s.errorf("entitlement %s: %w", id, err)
	}
	return e, nil
}

// Entitlements implements [marketplace.EntitlementStore].
func (s *DB) Entitlements(ctx context.Context, of marketplace.EntitlementFilter, p store.Page) (marketplace.List[marketplace.Entitlement], error) {
	var f filter
	f.text("wallet = ?", of.Wallet)
	f.text("offer_id = ?", of.OfferID)
	f.text("issuer_id = ?", of.IssuerID)
	f.text("org_root_id = ?", of.OrgRootID)
	f.text("workspace_id = ?", of.WorkspaceID)
	switch of.State {
	case "":
	case marketplace.EntitlementActive:
		f.add("state = 'active' AND (expires_at = 0 OR expires_at > ?)", micros(of.Now))
	case marketplace.EntitlementExpired:
		f.add("(state = 'expired' OR state = 'active' AND expires_at <> 0 AND expires_at <= ?)", micros(of.Now))
	default:
		f.add("state = ?", string(of.State))
	}
	list, err := listed(ctx, s.read, entitlements, f, p, func(e *marketplace.Entitlement) string { return e.ID })
	if err != nil {
		return list, s.errorf("list entitlements: %w", err)
	}
	return list, nil
}

// HeldEntitlements implements [marketplace.EntitlementStore].
func (s *DB) HeldEntitlements(ctx context.Context, wallet, offerID string, limit int) ([]marketplace.Entitlement, error) {
	list, err := all(ctx, s.read, entitlements.scan, "SELECT "+entitlementColumns+` FROM v402_marketplace_entitlements
		WHERE wallet = $1 AND offer_id = $2 ORDER BY issued_at DESC, id DESC LIMIT $3`, wallet, offerID, limit)
	if err != nil {
		return nil, s.errorf("entitlements of %s: %w", wallet, err)
	}
	return list, nil
}

// UpdateEntitlement implements [marketplace.EntitlementStore].
func (s *DB) UpdateEntitlement(ctx context.Context, id string, change func(*marketplace.Entitlement) (marketplace.Trail, error)) (marketplace.Entitlement, error) {
	var e marketplace.Entitlement
	err := s.change(ctx, func(ctx context.Context, tx querier) (err error) {
		if e, err = locked(ctx, s, tx, entitlements, id); err != nil {
			return err
		}
		trail, err := change(&e)
		if err != nil {
			return err
		}
		e.ID = id
		if e, err = putEntitlement(ctx, tx, &e); err != nil {
			return err
		}
		return s.recordMarket(ctx, tx, trail)
	})
	if err != nil {
		return marketplace.Entitlement{}, s.errorf("update entitlement %s: %w", id, err)
	}
	return e, nil
}

// TransferEntitlement implements [marketplace.EntitlementStore].
func (s *DB) TransferEntitlement(ctx context.Context, id, to string, now time.Time, change func(*marketplace.Entitlement, int) (marketplace.Trail, error)) (marketplace.Entitlement, error) {
	var e marketplace.Entitlement
	err := s.change(ctx, func(ctx context.Context, tx querier) (err error) {
		if _, err := holdWallet(ctx, tx, to); err != nil {
			return err
		}
		if e, err = locked(ctx, s, tx, entitlements, id); err != nil {
			return err
		}
		held, err := countHeld(ctx, tx, to, e.OfferID, now)
		if err != nil {
			return err
		}
		c := marketplace.Checkout{Quote: marketplace.CheckoutQuote{Buyer: marketplace.Buyer{OfferID: e.OfferID}}}
		if err := await(ctx, tx, &c, to, now); err != nil {
			return err
		}
		trail, err := change(&e, held+c.Reserved)
		if err != nil {
			return err
		}
		if err := update(ctx, tx, "v402_marketplace_entitlements", "wallet, org_root_id, principal_id, principal_role, workspace_id",
			to, e.OrgRootID, e.PrincipalID, e.PrincipalRole, e.WorkspaceID, id); err != nil {
			return err
		}
		e.ID = id
		if e, err = putEntitlement(ctx, tx, &e); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM v402_marketplace_seats WHERE entitlement_id = $1", id); err != nil {
			return err
		}
		return s.recordMarket(ctx, tx, trail)
	})
	if err != nil {
		return marketplace.Entitlement{}, s.errorf("transfer entitlement %s: %w", id, err)
	}
	return e, nil
}

// ExpireEntitlements implements [marketplace.EntitlementStore].
func (s *DB) ExpireEntitlements(ctx context.Context, now time.Time, limit int, trail func(marketplace.Entitlement) marketplace.Trail) ([]marketplace.Entitlement, error) {
	var expired []marketplace.Entitlement
	err := s.change(ctx, func(ctx context.Context, tx querier) (err error) {
		expired, err = all(ctx, tx, entitlements.scan, "SELECT "+entitlementColumns+` FROM v402_marketplace_entitlements
			WHERE state = 'active' AND expires_at <> 0 AND expires_at <= $1 ORDER BY expires_at LIMIT $2`+s.skipLocked, micros(now), limit)
		if err != nil {
			return err
		}
		var whole marketplace.Trail
		for i := range expired {
			e := &expired[i]
			e.State, e.UpdatedAt = marketplace.EntitlementExpired, moment(micros(now))
			if *e, err = putEntitlement(ctx, tx, e); err != nil {
				return err
			}
			t := trail(*e)
			whole.Audit, whole.Events = append(whole.Audit, t.Audit...), append(whole.Events, t.Events...)
		}
		return s.recordMarket(ctx, tx, whole)
	})
	if err != nil {
		return nil, s.errorf("expire entitlements: %w", err)
	}
	return expired, nil
}

var seats = selection[marketplace.Activation]{
	columns: "entitlement_id, instance_id, name, activated_at, last_seen_at", counted: "v402_marketplace_seats", id: "instance_id",
	scan: func(rows *sql.Rows) (a marketplace.Activation, err error) {
		var activated, seen int64
		err = rows.Scan(&a.EntitlementID, &a.InstanceID, &a.Name, &activated, &seen)
		a.ActivatedAt, a.LastSeenAt = moment(activated), moment(seen)
		return a, err
	},
}

// ActivateSeat implements [marketplace.SeatStore]. It holds the row of the
// entitlement.
func (s *DB) ActivateSeat(ctx context.Context, a marketplace.Activation, stale time.Time, decide func(marketplace.Entitlement, int, bool) (marketplace.Trail, error)) (marketplace.Activation, error) {
	var out marketplace.Activation
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		e, err := locked(ctx, s, tx, entitlements, a.EntitlementID)
		if err != nil {
			return err
		}
		taken, err := one(ctx, tx, column[int64], `SELECT COUNT(*) FROM v402_marketplace_seats
			WHERE entitlement_id = $1 AND instance_id <> $2 AND last_seen_at >= $3`, a.EntitlementID, a.InstanceID, micros(stale))
		if err != nil {
			return err
		}
		has, err := all(ctx, tx, column[string], "SELECT instance_id FROM v402_marketplace_seats WHERE entitlement_id = $1 AND instance_id = $2",
			a.EntitlementID, a.InstanceID)
		if err != nil {
			return err
		}
		trail, err := decide(e, int(taken), len(has) > 0)
		if err != nil {
			return err
		}
		if out, err = putSeat(ctx, tx, a, stale); err != nil {
			return err
		}
		return s.recordMarket(ctx, tx, trail)
	})
	if err != nil {
		return marketplace.Activation{}, s.errorf("activate a seat of %s: %w", a.EntitlementID, err)
	}
	return out, nil
}

// putSeat takes seats from those that were not seen since stale, and gives one.
func putSeat(ctx context.Context, tx querier, a marketplace.Activation, stale time.Time) (marketplace.Activation, error) {
	if _, err := tx.ExecContext(ctx, "DELETE FROM v402_marketplace_seats WHERE entitlement_id = $1 AND instance_id <> $2 AND last_seen_at < $3",
		a.EntitlementID, a.InstanceID, micros(stale)); err != nil {
		return a, err
	}
	return one(ctx, tx, seats.scan, "INSERT INTO v402_marketplace_seats ("+seats.columns+`) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (entitlement_id, instance_id) DO UPDATE SET name = excluded.name,
			last_seen_at = CASE WHEN excluded.last_seen_at > v402_marketplace_seats.last_seen_at THEN excluded.last_seen_at ELSE v402_marketplace_seats.last_seen_at END
		RETURNING `+seats.columns, a.EntitlementID, a.InstanceID, a.Name, micros(a.ActivatedAt), micros(a.LastSeenAt))
}

// TouchSeat implements [marketplace.SeatStore].
func (s *DB) TouchSeat(ctx context.Context, entitlementID, instanceID string, at time.Time) (marketplace.Activation, error) {
	var a marketplace.Activation
	err := s.change(ctx, func(ctx context.Context, tx querier) (err error) {
		a, err = one(ctx, tx, seats.scan, `UPDATE v402_marketplace_seats
			SET last_seen_at = CASE WHEN last_seen_at < $1 THEN $1 ELSE last_seen_at END WHERE entitlement_id = $2 AND instance_id = $3
			RETURNING `+seats.columns, micros(at), entitlementID, instanceID)
		return found(err)
	})
	if err != nil {
		return marketplace.Activation{}, s.errorf("keep a seat of %s: %w", entitlementID, err)
	}
	return a, nil
}

// ReleaseSeat implements [marketplace.SeatStore].
func (s *DB) ReleaseSeat(ctx context.Context, entitlementID, instanceID string, trail marketplace.Trail) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		if err := deleteOne(ctx, tx, "DELETE FROM v402_marketplace_seats WHERE entitlement_id = $1 AND instance_id = $2", entitlementID, instanceID); err != nil {
			return err
		}
		return s.recordMarket(ctx, tx, trail)
	})
	if err != nil {
		return s.errorf("release a seat of %s: %w", entitlementID, err)
	}
	return nil
}

// Seats implements [marketplace.SeatStore].
func (s *DB) Seats(ctx context.Context, entitlementID string) ([]marketplace.Activation, error) {
	var f filter
	f.add("entitlement_id = ?", entitlementID)
	list, err := listed(ctx, s.read, seats, f, store.Page{}, func(a *marketplace.Activation) string { return a.InstanceID })
	if err != nil {
		return nil, s.errorf("list seats of %s: %w", entitlementID, err)
	}
	return list.Items, nil
}
