package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

var _ catalog.AccessStore = (*DB)(nil)

const paymentColumns = "id, product_id, owner_id, user_id, method, status, scheme, chain, network, currency, asset, payer, payee, amount, fee, refunded, " +
	"external_reference, payment_key, digest, payload, tx_hash, log_index, block, confirmations, failure_code, failure_reason, " +
	"access_duration, max_accesses, created_at, expires_at, confirmed_at, updated_at, payer_signed"

func scanPayment(rows *sql.Rows) (p catalog.Payment, err error) {
	var amount, fee, refunded string
	var payload sql.NullString
	var block, confirmations, duration, created, expires, confirmed, updated int64
	err = rows.Scan(&p.ID, &p.ProductID, &p.OwnerID, &p.UserID, &p.Method, &p.Status, &p.Scheme, &p.Chain, &p.Network, &p.Currency, &p.Asset,
		&p.Payer, &p.Payee, &amount, &fee, &refunded, &p.ExternalReference, &p.Key, &p.Digest, &payload, &p.Transaction, &p.LogIndex, &block,
		&confirmations, &p.FailureCode, &p.FailureReason, &duration, &p.MaxAccesses, &created, &expires, &confirmed, &updated, &p.Signed)
	if err != nil {
		return p, err
	}
	p.Payload, p.Block, p.Confirmations = rawJSON(payload), uint64(block), uint64(confirmations)
	p.AccessDuration = time.Duration(duration) * time.Microsecond
	p.CreatedAt, p.ExpiresAt, p.ConfirmedAt, p.UpdatedAt = moment(created), moment(expires), optionalMoment(confirmed), moment(updated)
	for _, a := range []struct {
		text string
		into *x402.Amount
	}{{amount, &p.Amount}, {fee, &p.Fee}, {refunded, &p.Refunded}} {
		if *a.into, err = x402.ParseAtomic(a.text); err != nil {
			return p, fmt.Errorf("payment %s: %w", p.ID, err)
		}
	}
	return p, nil
}

// amountKey sorts as the amount does.
func amountKey(a x402.Amount) string {
	const digits = 78
	s := a.String()
	return strings.Repeat("0", max(digits-len(s), 0)) + s
}

// addressKey is the one spelling of an address on n.
func addressKey(n x402.Network, address string) string {
	if n.Namespace() == "eip155" {
		return strings.ToLower(address)
	}
	return address
}

// termsKey is what two payments share that the same transfer could pay.
func termsKey(p *catalog.Payment) string {
	return strings.Join([]string{
		string(p.Network), addressKey(p.Network, p.Asset), addressKey(p.Network, p.Payer), addressKey(p.Network, p.Payee),
	}, "|")
}

// AddProductPayment implements [catalog.PaymentStore].
func (s *DB) AddProductPayment(ctx context.Context, p catalog.Payment, owner string, until time.Time, events ...store.Event) (catalog.Payment, bool, error) {
	columns := paymentColumns + ", payer_key, terms_key, amount_key, lease_owner, leased_until"
	args := []any{
		p.ID, p.ProductID, p.OwnerID, p.UserID, string(p.Method), string(p.Status), string(p.Scheme), p.Chain, string(p.Network), p.Currency, p.Asset,
		p.Payer, p.Payee, p.Amount.String(), p.Fee.String(), p.Refunded.String(), p.ExternalReference, p.Key, p.Digest, nullable(p.Payload),
		p.Transaction, p.LogIndex, int64(p.Block), int64(p.Confirmations), p.FailureCode, p.FailureReason, p.AccessDuration.Microseconds(), p.MaxAccesses,
		micros(p.CreatedAt), micros(p.ExpiresAt), optional(p.ConfirmedAt), micros(p.UpdatedAt), p.Signed,
		addressKey(p.Network, p.Payer), termsKey(&p), amountKey(p.Amount), owner, micros(until),
	}
	query := "INSERT INTO v402_catalog_payments (" + columns + ") VALUES " + list(1, len(args)) +
		" ON CONFLICT (payment_key) WHERE payment_key <> '' DO NOTHING RETURNING " + paymentColumns
	var out catalog.Payment
	created := false
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		// Held until the payment is stored, so that it is not erased meanwhile.
		if _, err := one(ctx, tx, column[string], "SELECT id FROM v402_catalog_products WHERE id = $1"+s.share, p.ProductID); err != nil {
			return found(err)
		}
		stored, err := all(ctx, tx, scanPayment, query, slices.Clone(args)...)
		if err != nil {
			return err
		}
		if created = len(stored) > 0; created {
			out = stored[0]
			return s.saveEvents(ctx, tx, events)
		}
		out, err = one(ctx, tx, scanPayment, "SELECT "+paymentColumns+" FROM v402_catalog_payments WHERE payment_key = $1 AND payment_key <> ''", p.Key)
		return err
	})
	if err != nil {
		return catalog.Payment{}, false, s.errorf("add payment %s: %w", p.ID, err)
	}
	return out, created, nil
}

// UpdateProductPayment implements [catalog.PaymentStore].
func (s *DB) UpdateProductPayment(ctx context.Context, id string, change func(*catalog.Payment) ([]store.Event, error)) (catalog.Payment, error) {
	var out catalog.Payment
	err := s.change(ctx, func(ctx context.Context, tx querier) (err error) {
		out, err = s.updatePayment(ctx, tx, id, change)
		return err
	})
	if err != nil {
		return catalog.Payment{}, s.errorf("update payment %s: %w", id, err)
	}
	return out, nil
}

func (s *DB) updatePayment(ctx context.Context, tx querier, id string, change func(*catalog.Payment) ([]store.Event, error)) (catalog.Payment, error) {
	p, err := s.lockPayment(ctx, tx, id)
	if err != nil {
		return p, err
	}
	changed := p
	events, err := change(&changed)
	if err != nil {
		return p, err
	}
	return s.savePayment(ctx, tx, p, changed, events)
}

// lockPayment reads a payment and holds its row, where rows are locked.
func (s *DB) lockPayment(ctx context.Context, tx querier, id string) (catalog.Payment, error) {
	p, err := one(ctx, tx, scanPayment, "SELECT "+paymentColumns+" FROM v402_catalog_payments WHERE id = $1"+s.lock, id)
	return p, found(err)
}

// savePayment stores what may change of a payment, and revokes what it bought if
// it bought nothing any more.
func (s *DB) savePayment(ctx context.Context, tx querier, was, changed catalog.Payment, events []store.Event) (catalog.Payment, error) {
	p := catalog.MergePayment(was, changed)
	p.ConfirmedAt, p.UpdatedAt = optionalMoment(optional(p.ConfirmedAt)), moment(micros(p.UpdatedAt))
	err := update(ctx, tx, "v402_catalog_payments",
		"status, refunded, tx_hash, log_index, block, confirmations, failure_code, failure_reason, confirmed_at, updated_at, payer_signed",
		string(p.Status), p.Refunded.String(), p.Transaction, p.LogIndex, int64(p.Block), int64(p.Confirmations), p.FailureCode, p.FailureReason,
		optional(p.ConfirmedAt), micros(p.UpdatedAt), p.Signed, p.ID)
	if err != nil {
		return p, err
	}
	if p.Status == catalog.PaymentRefunded || p.Status == catalog.PaymentDisputed {
		_, err := tx.ExecContext(ctx, "UPDATE v402_catalog_grants SET revoked_at = $1, revoked_reason = $2 WHERE payment_id = $3 AND revoked_at = 0",
			micros(p.UpdatedAt), string(p.Status), p.ID)
		if err != nil {
			return p, err
		}
	}
	return p, s.saveEvents(ctx, tx, events)
}

// ConfirmProductPayment implements [catalog.PaymentStore].
func (s *DB) ConfirmProductPayment(ctx context.Context, id string, proof catalog.Proof,
	change func(*catalog.Payment) (*catalog.Grant, []store.Event, error)) (catalog.Payment, *catalog.Grant, error) {
	var out catalog.Payment
	var grant *catalog.Grant
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		p, err := s.lockPayment(ctx, tx, id)
		if err != nil {
			return err
		}
		changed := p
		g, events, err := change(&changed)
		if err != nil {
			return err
		}
		if err := prove(ctx, tx, &p, proof); err != nil {
			return err
		}
		if out, err = s.savePayment(ctx, tx, p, changed, events); err != nil || g == nil {
			grant = nil
			return err
		}
		kept, added, err := addGrant(ctx, tx, keptGrant(*g))
		grant = &kept
		if err != nil || !added {
			return err
		}
		return s.countPurchase(ctx, tx, p.ProductID, kept.CreatedAt)
	})
	if err != nil {
		return catalog.Payment{}, nil, s.errorf("confirm payment %s: %w", id, err)
	}
	return out, grant, nil
}

// prove ties a transfer to a payment. The row of the transaction is held by
// whoever ties one of its transfers, so that no two methods do at once.
func prove(ctx context.Context, tx querier, p *catalog.Payment, proof catalog.Proof) error {
	method, err := one(ctx, tx, column[string], `INSERT INTO v402_catalog_transactions (network, tx_hash, method) VALUES ($1, $2, $3)
		ON CONFLICT (network, tx_hash) DO UPDATE SET method = v402_catalog_transactions.method RETURNING method`,
		string(proof.Network), proof.Transaction, string(proof.Method))
	switch {
	case err != nil:
		return err
	case method != string(proof.Method):
		return catalog.ErrProofUsed
	case proof.Method != catalog.MethodTransaction:
		return nil
	}
	tied, err := one(ctx, tx, column[string], `INSERT INTO v402_catalog_proofs (network, tx_hash, log_index, payment_id) VALUES ($1, $2, $3, $4)
		ON CONFLICT (network, tx_hash, log_index) DO UPDATE SET payment_id = v402_catalog_proofs.payment_id RETURNING payment_id`, string(proof.Network), proof.Transaction, proof.LogIndex, p.ID)
	switch {
	case err != nil:
		return err
	case tied != p.ID:
		return catalog.ErrProofUsed
	case proof.Signed:
		return nil
	}
	better, err := all(ctx, tx, column[string], `SELECT id FROM v402_catalog_payments
		WHERE terms_key = $1 AND status IN ('pending', 'processing') AND method = $2 AND id <> $3
			AND (amount_key = $4 AND created_at < $5 OR amount_key > $4 AND amount_key <= $6) LIMIT 1`,
		termsKey(p), string(catalog.MethodTransaction), p.ID, amountKey(p.Amount), micros(p.CreatedAt), amountKey(proof.Amount))
	if err == nil && len(better) > 0 {
		err = catalog.ErrEarlierPayment
	}
	return err
}

// LeaseProductPayments implements [catalog.PaymentStore].
func (s *DB) LeaseProductPayments(ctx context.Context, owner string, now, until time.Time, limit int) ([]catalog.Payment, error) {
	if limit <= 0 {
		return nil, nil
	}
	const due = "status IN ('pending', 'processing') AND (status = 'processing' OR expires_at <= $1) AND leased_until <= $1"
	query := "WITH due AS MATERIALIZED (SELECT id FROM v402_catalog_payments WHERE " + due + " ORDER BY created_at, id LIMIT $2" + s.skipLocked + `)
		UPDATE v402_catalog_payments SET lease_owner = $3, leased_until = $4 WHERE id IN (SELECT id FROM due) AND leased_until <= $1
		RETURNING ` + paymentColumns
	var leased []catalog.Payment
	err := s.change(ctx, func(ctx context.Context, tx querier) (err error) {
		leased, err = all(ctx, tx, scanPayment, query, micros(now), limit, owner, micros(until))
		return err
	})
	if err != nil {
		return nil, s.errorf("lease payments: %w", err)
	}
	slices.SortFunc(leased, func(a, b catalog.Payment) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return leased, nil
}

// TakeProductPayment implements [catalog.PaymentStore].
func (s *DB) TakeProductPayment(ctx context.Context, id, owner string, now, until time.Time) (p catalog.Payment, ok bool, err error) {
	const query = "UPDATE v402_catalog_payments SET lease_owner = $1, leased_until = $2 WHERE id = $3 AND status IN ('pending', 'processing')" +
		" AND (lease_owner = $1 OR leased_until <= $4) RETURNING " + paymentColumns
	err = s.change(ctx, func(ctx context.Context, tx querier) error {
		taken, err := all(ctx, tx, scanPayment, query, owner, micros(until), id, micros(now))
		if err != nil {
			return err
		}
		if ok = len(taken) > 0; ok {
			p = taken[0]
			return nil
		}
		p, err = one(ctx, tx, scanPayment, "SELECT "+paymentColumns+" FROM v402_catalog_payments WHERE id = $1", id)
		return found(err)
	})
	if err != nil {
		return catalog.Payment{}, false, s.errorf("take payment %s: %w", id, err)
	}
	return p, ok, nil
}

// FreeProductPayment implements [catalog.PaymentStore].
func (s *DB) FreeProductPayment(ctx context.Context, id, owner string) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		_, err := tx.ExecContext(ctx, "UPDATE v402_catalog_payments SET lease_owner = '', leased_until = 0 WHERE id = $1 AND lease_owner = $2", id, owner)
		return err
	})
	if err != nil {
		return s.errorf("free payment %s: %w", id, err)
	}
	return nil
}

// ProductPayment implements [catalog.PaymentStore].
func (s *DB) ProductPayment(ctx context.Context, id string) (catalog.Payment, error) {
	return s.payment(ctx, "id = $1", id)
}

// ProductPaymentByKey implements [catalog.PaymentStore].
func (s *DB) ProductPaymentByKey(ctx context.Context, key string) (catalog.Payment, error) {
	return s.payment(ctx, "payment_key = $1 AND payment_key <> ''", key)
}

func (s *DB) payment(ctx context.Context, condition, value string) (catalog.Payment, error) {
	p, err := one(ctx, s.read, scanPayment, "SELECT "+paymentColumns+" FROM v402_catalog_payments WHERE "+condition, value)
	if err != nil {
		return catalog.Payment{}, s.errorf("payment %s: %w", value, found(err))
	}
	return p, nil
}

// AddPaymentRefund implements [catalog.PaymentStore].
func (s *DB) AddPaymentRefund(ctx context.Context, r catalog.Refund, change func(*catalog.Payment) ([]store.Event, error)) (catalog.Payment, error) {
	var out catalog.Payment
	err := s.change(ctx, func(ctx context.Context, tx querier) (err error) {
		if out, err = s.updatePayment(ctx, tx, r.PaymentID, change); err != nil {
			return err
		}
		return insert(ctx, tx, "v402_catalog_refunds", "id, payment_id, amount, reason, actor, tx_hash, created_at, settled_at", [][]any{{
			r.ID, r.PaymentID, r.Amount.String(), r.Reason, r.Actor, r.Transaction, micros(r.CreatedAt), optional(r.SettledAt),
		}})
	})
	if err != nil {
		return catalog.Payment{}, s.errorf("refund payment %s: %w", r.PaymentID, err)
	}
	return out, nil
}

// SettlePaymentRefund implements [catalog.PaymentStore].
func (s *DB) SettlePaymentRefund(ctx context.Context, id, transaction string, at time.Time) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		_, err := one(ctx, tx, column[string], "UPDATE v402_catalog_refunds SET tx_hash = $1, settled_at = $2 WHERE id = $3 RETURNING id", transaction, micros(at), id)
		return found(err)
	})
	if err != nil {
		return s.errorf("settle refund %s: %w", id, err)
	}
	return nil
}

// PaymentRefunds implements [catalog.PaymentStore].
func (s *DB) PaymentRefunds(ctx context.Context, paymentID string) ([]catalog.Refund, error) {
	scan := func(rows *sql.Rows) (r catalog.Refund, err error) {
		var amount string
		var created, settled int64
		if err = rows.Scan(&r.ID, &r.PaymentID, &amount, &r.Reason, &r.Actor, &r.Transaction, &created, &settled); err != nil {
			return r, err
		}
		r.CreatedAt, r.SettledAt = moment(created), optionalMoment(settled)
		r.Amount, err = x402.ParseAtomic(amount)
		return r, err
	}
	list, err := all(ctx, s.read, scan, `SELECT id, payment_id, amount, reason, actor, tx_hash, created_at, settled_at
		FROM v402_catalog_refunds WHERE payment_id = $1 ORDER BY created_at, id`, paymentID)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, s.errorf("refunds of payment %s: %w", paymentID, err)
	}
	return list, nil
}
