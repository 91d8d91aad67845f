package sqlstore

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/x402"
)

// Conditions on the state, to the letter as in the indexes.
const (
	unfinished = "state IN ('reserved', 'submitted', 'unknown')"
	sent       = "state IN ('submitted', 'unknown')"
)

const settlementColumns = "id, payment_key, state, network, scheme, payer, pay_to, asset, amount, payment, " +
	"valid_before, relayer, nonce, transactions, tx_hash, block, reason, message, created_at, updated_at"

// settlementWidth is how many values insertSettlements takes for each row.
const settlementWidth = 15

// insertSettlements stores new settlements and returns their IDs.
func insertSettlements(rows int) string {
	return `INSERT INTO v402_settlements (id, payment_key, state, network, scheme, payer, pay_to, asset, amount,
			payment, valid_before, lease_owner, leased_until, created_at, updated_at)
		VALUES ` + tuples(1, rows, make([]string, settlementWidth)...) + ` ON CONFLICT DO NOTHING RETURNING id`
}

// insertable is what insertSettlements takes: the first settlement of each key,
// ordered by key, so that two calls with the same keys do not wait for each
// other.
func insertable(settlements []facilitator.Settlement, first map[string]int, lease facilitator.Lease) ([][]any, error) {
	keys := make([]string, 0, len(first))
	for key := range first {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	rows := make([][]any, len(keys))
	for i, key := range keys {
		s := &settlements[first[key]]
		payment, err := json.Marshal(s.Payment)
		if err != nil {
			return nil, fmt.Errorf("settlement %s: %w", s.ID, err)
		}
		rows[i] = []any{s.ID, s.Key, string(s.State), string(s.Network), s.Scheme, s.Payer, s.PayTo, s.Asset, s.Amount.String(),
			string(payment), micros(s.ValidBefore), lease.Owner, micros(lease.Until), micros(s.CreatedAt), micros(s.UpdatedAt)}
	}
	return rows, nil
}

// reserved is s as it is stored first.
func reserved(s *facilitator.Settlement) facilitator.Settlement {
	r := *s
	r.ID, r.Key = cleanText(r.ID), cleanText(r.Key)
	r.State = facilitator.Reserved
	r.Relayer, r.Transaction, r.Transactions, r.Block = "", "", nil, 0
	r.Reason, r.Message = "", ""
	r.UpdatedAt = now()
	if r.CreatedAt.IsZero() {
		r.CreatedAt = r.UpdatedAt
	}
	return r
}

// settlementRow is a row of the journal.
type settlementRow struct {
	facilitator.Settlement
	nonce uint64 // of the newest transaction, while there is a Relayer
}

// scanSettlement reads settlementColumns.
func scanSettlement(rows *sql.Rows) (settlementRow, error) {
	var r settlementRow
	var amount, payment, transactions string
	var nonce sql.NullInt64
	var validBefore, block, createdAt, updatedAt int64
	err := rows.Scan(&r.ID, &r.Key, &r.State, &r.Network, &r.Scheme, &r.Payer, &r.PayTo, &r.Asset, &amount, &payment,
		&validBefore, &r.Relayer, &nonce, &transactions, &r.Transaction, &block, &r.Reason, &r.Message, &createdAt, &updatedAt)
	if err != nil {
		return r, err
	}
	if r.Amount, err = x402.ParseAtomic(amount); err != nil {
		return r, fmt.Errorf("settlement %s: %w", r.ID, err)
	}
	if err := json.Unmarshal([]byte(payment), &r.Payment); err != nil {
		return r, fmt.Errorf("settlement %s: payment: %w", r.ID, err)
	}
	if transactions != "[]" {
		if err := json.Unmarshal([]byte(transactions), &r.Transactions); err != nil {
			return r, fmt.Errorf("settlement %s: transactions: %w", r.ID, err)
		}
	}
	r.nonce, r.Block = uint64(nonce.Int64), uint64(block) // never stored negative
	r.ValidBefore, r.CreatedAt, r.UpdatedAt = moment(validBefore), moment(createdAt), moment(updatedAt)
	return r, nil
}

// number is n as a column.
func number(what string, n uint64) (int64, error) {
	if n > math.MaxInt64 {
		return 0, fmt.Errorf("the %s %d is out of range", what, n)
	}
	return int64(n), nil
}

// now is the time as columns hold it.
func now() time.Time { return moment(time.Now().UnixMicro()) }

// anys returns list as arguments.
func anys[T any](list []T) []any {
	args := make([]any, len(list))
	for i, v := range list {
		args[i] = v
	}
	return args
}
