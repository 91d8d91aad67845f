package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
)

var _ marketplace.Store = (*DB)(nil)

// recordMarket saves a trail with a change. It comes last: all who do hold one
// row.
func (s *DB) recordMarket(ctx context.Context, tx querier, t marketplace.Trail) error {
	if n := int64(len(t.Audit)); n > 0 {
		newest, err := one(ctx, tx, column[int64], "UPDATE v402_marketplace_numbers SET newest = newest + $1 WHERE chain_id = 0 AND wallet = 'audit' RETURNING newest", n)
		if err != nil {
			return err
		}
		rows := make([][]any, n)
		for i, e := range t.Audit {
			rows[i] = []any{newest - n + 1 + int64(i), micros(e.At), e.Actor, e.Action, e.Subject, nullable(e.Detail)}
		}
		if err := insert(ctx, tx, "v402_marketplace_audit", "id, at, actor, action, subject, detail", rows); err != nil {
			return err
		}
	}
	return s.saveEvents(ctx, tx, t.Events)
}

// listed reads a page of a list in the order of key, a text.
func listed[T any](ctx context.Context, q querier, s selection[T], f filter, p store.Page, key func(*T) string) (marketplace.List[T], error) {
	if p.Cursor != "" {
		f.add(s.id+" > ?", p.Cursor)
	}
	size, n := marketplace.PageSize(p.Limit), len(f.args)
	query := "SELECT " + s.columns + " FROM " + s.counted + f.String() + " ORDER BY " + s.id + " LIMIT $" + strconv.Itoa(n+1)
	items, err := all(ctx, q, s.scan, query, append(f.args[:n:n], size+1)...)
	out := marketplace.List[T]{Items: items}
	if len(items) > size {
		out.Items, out.Next = items[:size], key(&items[size-1])
	}
	return out, err
}

// locked reads the only one and holds its row, or returns store.ErrNotFound.
func locked[T any](ctx context.Context, s *DB, tx querier, of selection[T], id string) (T, error) {
	v, err := one(ctx, tx, of.scan, "SELECT "+of.columns+" FROM "+of.counted+" WHERE "+of.id+" = $1"+s.lock, id)
	return v, found(err)
}

var issuers = selection[marketplace.Issuer]{
	columns: "id, name, url, status, owner_id, created_at, updated_at", counted: "v402_marketplace_issuers", id: "id",
	scan: func(rows *sql.Rows) (i marketplace.Issuer, err error) {
		var created, updated int64
		err = rows.Scan(&i.ID, &i.Name, &i.URL, &i.Status, &i.OwnerID, &created, &updated)
		i.CreatedAt, i.UpdatedAt = moment(created), moment(updated)
		return i, err
	},
}

// PutIssuer implements [marketplace.IssuerStore].
func (s *DB) PutIssuer(ctx context.Context, id string, change func(*marketplace.Issuer, bool) (marketplace.Trail, error)) (marketplace.Issuer, error) {
	var i marketplace.Issuer
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		// A row that is there from the start can be held.
		result, err := tx.ExecContext(ctx, "INSERT INTO v402_marketplace_issuers ("+issuers.columns+") VALUES ($1, '', '', '', '', 0, 0) ON CONFLICT (id) DO NOTHING", id)
		if err != nil {
			return err
		}
		inserted, err := result.RowsAffected()
		if err != nil {
			return err
		}
		if i, err = locked(ctx, s, tx, issuers, id); err != nil {
			return err
		}
		if inserted > 0 {
			i = marketplace.Issuer{ID: id}
		}
		trail, err := change(&i, inserted == 0)
		if err != nil {
			return err
		}
		if err := update(ctx, tx, "v402_marketplace_issuers", "name, url, status, owner_id, created_at, updated_at",
			i.Name, i.URL, string(i.Status), i.OwnerID, micros(i.CreatedAt), micros(i.UpdatedAt), id); err != nil {
			return err
		}
		if i, err = single(ctx, tx, issuers, "id = $1", id); err != nil {
			return err
		}
		return s.recordMarket(ctx, tx, trail)
	})
	if err != nil {
		return marketplace.Issuer{}, s.errorf("put issuer %s: %w", id, err)
	}
	return i, nil
}

// Issuer implements [marketplace.IssuerStore].
func (s *DB) Issuer(ctx context.Context, id string) (marketplace.Issuer, error) {
	i, err := single(ctx, s.read, issuers, "id = $1", id)
	if err != nil {
		return i, s.errorf("issuer %s: %w", id, err)
	}
	return i, nil
}

// Issuers implements [marketplace.IssuerStore].
func (s *DB) Issuers(ctx context.Context, of marketplace.IssuerFilter, p store.Page) (marketplace.List[marketplace.Issuer], error) {
	var f filter
	f.text("status = ?", string(of.Status))
	f.text("owner_id = ?", of.OwnerID)
	list, err := listed(ctx, s.read, issuers, f, p, func(i *marketplace.Issuer) string { return i.ID })
	if err != nil {
		return list, s.errorf("list issuers: %w", err)
	}
	return list, nil
}

var offers = selection[marketplace.Offer]{
	columns: "data", counted: "v402_marketplace_offers", id: "id",
	scan: func(rows *sql.Rows) (o marketplace.Offer, err error) {
		var data string
		if err = rows.Scan(&data); err == nil {
			err = json.Unmarshal([]byte(data), &o)
		}
		return o, err
	},
}

const offerColumns = "issuer_id, status, currency, chain_id, search, data"

// offerRow is what is stored of o, and its ID.
func offerRow(o *marketplace.Offer) ([]any, error) {
	o.CreatedAt, o.UpdatedAt = moment(micros(o.CreatedAt)), moment(micros(o.UpdatedAt))
	data, err := json.Marshal(o)
	search := strings.ToLower(o.ID + "\n" + o.Title + "\n" + o.Summary)
	return []any{o.IssuerID, string(o.Status), o.Pricing.Currency, int64(o.Pricing.ChainID), search, string(data), o.ID}, err
}

// AddOffer implements [marketplace.OfferStore].
func (s *DB) AddOffer(ctx context.Context, o marketplace.Offer, trail marketplace.Trail) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		row, err := offerRow(&o)
		if err != nil {
			return err
		}
		if err := insertNew(ctx, tx, "v402_marketplace_offers", offerColumns+", id", row); err != nil {
			return err
		}
		return s.recordMarket(ctx, tx, trail)
	})
	if err != nil {
		return s.errorf("add offer %s: %w", o.ID, err)
	}
	return nil
}

// insertNew inserts one row, or returns store.ErrConflict if it is there already.
func insertNew(ctx context.Context, tx querier, table, columns string, row []any) error {
	query := "INSERT INTO " + table + " (" + columns + ") VALUES " + tuples(1, 1, make([]string, len(row))...) + " ON CONFLICT DO NOTHING"
	result, err := tx.ExecContext(ctx, query, row...)
	if err != nil {
		return err
	}
	switch n, err := result.RowsAffected(); {
	case err != nil:
		return err
	case n == 0:
		return store.ErrConflict
	}
	return nil
}

// UpdateOffer implements [marketplace.OfferStore].
func (s *DB) UpdateOffer(ctx context.Context, id string, change func(*marketplace.Offer) (marketplace.Trail, error)) (marketplace.Offer, error) {
	var o marketplace.Offer
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		old, err := locked(ctx, s, tx, offers, id)
		if err != nil {
			return err
		}
		o = old
		trail, err := change(&o)
		if err != nil {
			return err
		}
		o.ID, o.IssuerID, o.CreatedAt = id, old.IssuerID, old.CreatedAt
		row, err := offerRow(&o)
		if err != nil {
			return err
		}
		if err := update(ctx, tx, "v402_marketplace_offers", offerColumns, row...); err != nil {
			return err
		}
		return s.recordMarket(ctx, tx, trail)
	})
	if err != nil {
		return marketplace.Offer{}, s.errorf("update offer %s: %w", id, err)
	}
	return o, nil
}

// Offer implements [marketplace.OfferStore].
func (s *DB) Offer(ctx context.Context, id string) (marketplace.Offer, error) {
	o, err := single(ctx, s.read, offers, "id = $1", id)
	if err != nil {
		return o, s.errorf("offer %s: %w", id, err)
	}
	return o, nil
}

// Offers implements [marketplace.OfferStore].
func (s *DB) Offers(ctx context.Context, of marketplace.OfferFilter, p store.Page) (marketplace.List[marketplace.Offer], error) {
	var f filter
	f.text("issuer_id = ?", of.IssuerID)
	f.text("status = ?", string(of.Status))
	f.text("currency = ?", of.Currency)
	f.id("chain_id = ?", int64(of.ChainID))
	if of.Search != "" {
		like := strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(strings.ToLower(of.Search))
		f.add(`search LIKE ? ESCAPE '\'`, "%"+like+"%")
	}
	list, err := listed(ctx, s.read, offers, f, p, func(o *marketplace.Offer) string { return o.ID })
	if err != nil {
		return list, s.errorf("list offers: %w", err)
	}
	return list, nil
}

var approvals = selection[marketplace.Approval]{
	columns: "offer_id, wallet, approved_by, approved_at", counted: "v402_marketplace_approvals", id: "wallet",
	scan: func(rows *sql.Rows) (a marketplace.Approval, err error) {
		var at int64
		err = rows.Scan(&a.OfferID, &a.Wallet, &a.By, &at)
		a.At = moment(at)
		return a, err
	},
}

// ApproveBuyer implements [marketplace.OfferStore].
func (s *DB) ApproveBuyer(ctx context.Context, a marketplace.Approval, trail marketplace.Trail) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO v402_marketplace_approvals (offer_id, wallet, approved_by, approved_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (offer_id, wallet) DO UPDATE SET approved_by = excluded.approved_by, approved_at = excluded.approved_at`,
			a.OfferID, a.Wallet, a.By, micros(a.At)); err != nil {
			return err
		}
		return s.recordMarket(ctx, tx, trail)
	})
	if err != nil {
		return s.errorf("approve a buyer of offer %s: %w", a.OfferID, err)
	}
	return nil
}

// WithdrawApproval implements [marketplace.OfferStore].
func (s *DB) WithdrawApproval(ctx context.Context, offerID, wallet string, trail marketplace.Trail) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		if err := deleteOne(ctx, tx, "DELETE FROM v402_marketplace_approvals WHERE offer_id = $1 AND wallet = $2", offerID, wallet); err != nil {
			return err
		}
		return s.recordMarket(ctx, tx, trail)
	})
	if err != nil {
		return s.errorf("withdraw an approval of offer %s: %w", offerID, err)
	}
	return nil
}

// deleteOne returns store.ErrNotFound if nothing was deleted.
func deleteOne(ctx context.Context, tx querier, query string, args ...any) error {
	result, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	return err
}

// BuyerApproval implements [marketplace.OfferStore].
func (s *DB) BuyerApproval(ctx context.Context, offerID, wallet string) (marketplace.Approval, error) {
	a, err := one(ctx, s.read, approvals.scan, "SELECT "+approvals.columns+" FROM v402_marketplace_approvals WHERE offer_id = $1 AND wallet = $2", offerID, wallet)
	if err != nil {
		return a, s.errorf("approval of %s: %w", wallet, found(err))
	}
	return a, nil
}

// BuyerApprovals implements [marketplace.OfferStore].
func (s *DB) BuyerApprovals(ctx context.Context, offerID string, p store.Page) (marketplace.List[marketplace.Approval], error) {
	var f filter
	f.add("offer_id = ?", offerID)
	list, err := listed(ctx, s.read, approvals, f, p, func(a *marketplace.Approval) string { return a.Wallet })
	if err != nil {
		return list, s.errorf("list approvals: %w", err)
	}
	return list, nil
}

var marketAudit = selection[marketplace.AuditEntry]{
	columns: "id, at, actor, action, subject, detail", counted: "v402_marketplace_audit", id: "id",
	scan: func(rows *sql.Rows) (e marketplace.AuditEntry, err error) {
		var at int64
		var detail sql.NullString
		err = rows.Scan(&e.ID, &at, &e.Actor, &e.Action, &e.Subject, &detail)
		e.At, e.Detail = moment(at), rawJSON(detail)
		return e, err
	},
}

// MarketAudit implements [marketplace.Store].
func (s *DB) MarketAudit(ctx context.Context, of marketplace.AuditFilter, p store.Page) (marketplace.List[marketplace.AuditEntry], error) {
	var f filter
	f.text("actor = ?", of.Actor)
	f.text("action = ?", of.Action)
	f.text("subject = ?", of.Subject)
	f.within("at", of.From, of.To)
	var out marketplace.List[marketplace.AuditEntry]
	if p.Cursor != "" {
		below, err := strconv.ParseInt(p.Cursor, 10, 64)
		if err != nil {
			return out, s.errorf("list the audit log: %w", marketplace.ErrCursor)
		}
		f.add("id < ?", below)
	}
	size, n := marketplace.PageSize(p.Limit), len(f.args)
	query := fmt.Sprintf("SELECT %s FROM %s%s ORDER BY id DESC LIMIT $%d", marketAudit.columns, marketAudit.counted, f.String(), n+1)
	items, err := all(ctx, s.read, marketAudit.scan, query, append(f.args[:n:n], size+1)...)
	if err != nil {
		return out, s.errorf("list the audit log: %w", err)
	}
	if out.Items = items; len(items) > size {
		out.Items, out.Next = items[:size], strconv.FormatInt(items[size-1].ID, 10)
	}
	return out, nil
}
