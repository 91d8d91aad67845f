package sqlstore

import (
	"context"
	"database/sql"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/store"
)

// recordTrail saves a trail with a change. It comes last in a transaction: the
// row that gives IDs is held until the end.
func (s *DB) recordTrail(ctx context.Context, tx querier, t account.Trail) error {
	if err := s.saveEvents(ctx, tx, t.Events); err != nil || len(t.Audit) == 0 {
		return err
	}
	n := int64(len(t.Audit))
	newest, err := one(ctx, tx, column[int64], "UPDATE v402_audit_ids SET newest = newest + $1 RETURNING newest", n)
	if err != nil {
		return err
	}
	rows := make([][]any, n)
	for i, e := range t.Audit {
		rows[i] = []any{newest - n + 1 + int64(i), micros(e.At), e.Actor, e.Action, e.Subject, nullable(e.Detail)}
	}
	return insert(ctx, tx, "v402_audit", "id, at, actor, action, subject, detail", rows)
}

var auditLog = selection[account.AuditEntry]{
	columns: "id, at, actor, action, subject, detail", counted: "v402_audit", id: "id",
	scan: func(rows *sql.Rows) (e account.AuditEntry, err error) {
		var at int64
		var detail sql.NullString
		err = rows.Scan(&e.ID, &at, &e.Actor, &e.Action, &e.Subject, &detail)
		e.At, e.Detail = moment(at), rawJSON(detail)
		return e, err
	},
}

// AuditLog implements [account.AuditStore].
func (s *DB) AuditLog(ctx context.Context, of account.AuditFilter, p store.PageNumber) (store.List[account.AuditEntry], error) {
	var f filter
	f.text("actor = ?", of.Actor)
	f.text("action = ?", of.Action)
	f.text("subject = ?", of.Subject)
	f.within("at", of.From, of.Before)
	l, err := numbered(ctx, s.read, auditLog, f, p)
	if err != nil {
		return l, s.errorf("list the audit log: %w", err)
	}
	return l, nil
}
