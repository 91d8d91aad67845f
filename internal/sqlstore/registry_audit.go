package sqlstore

import (
	"context"
	"database/sql"

	"github.com/v402/v402/registry"
)

// AddAudit implements [registry.AuditStore].
func (s *DB) AddAudit(ctx context.Context, entries ...registry.AuditEntry) error {
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		return s.record(ctx, tx, registry.Trail{Audit: entries})
	})
	if err != nil {
		return s.errorf("add to the audit log: %w", err)
	}
	return nil
}

var auditEntries = selection[registry.AuditEntry]{
	columns: "id, at, actor, action, subject, detail", counted: "v402_registry_audit", id: "id",
	scan: func(rows *sql.Rows) (e registry.AuditEntry, err error) {
		var at int64
		var detail sql.NullString
		err = rows.Scan(&e.ID, &at, &e.Actor, &e.Action, &e.Subject, &detail)
		e.At, e.Detail = moment(at), rawJSON(detail)
		return e, err
	},
}

// AuditEntries implements [registry.AuditStore].
func (s *DB) AuditEntries(ctx context.Context, of registry.AuditFilter, o registry.PageOptions) (registry.List[registry.AuditEntry], error) {
	var f filter
	f.text("actor = ?", of.Actor)
	f.text("action = ?", of.Action)
	f.text("subject = ?", of.Subject)
	f.within("at", of.From, of.To)
	list, err := page(ctx, s.read, auditEntries, f, o, false)
	if err != nil {
		return list, s.errorf("list the audit log: %w", err)
	}
	return list, nil
}

// countOf is a row of what is counted by status.
type countOf struct {
	status     string
	count, sum int64
}

// Stats implements [registry.AuditStore].
func (s *DB) Stats(ctx context.Context) (registry.Stats, error) {
	stats := registry.NewStats()
	for _, of := range []struct {
		table, sum string
		add        func(countOf)
	}{
		{"registry_platforms", "0", func(c countOf) { stats.Platforms[registry.PlatformStatus(c.status)] = c.count }},
		{"registry_contracts", "0", func(c countOf) { stats.Contracts[registry.ContractStatus(c.status)] = c.count }},
		{"registry_sales", "amount", func(c countOf) {
			stats.Sales[registry.SaleStatus(c.status)] = c.count
			if c.status != string(registry.SaleVoided) {
				stats.SaleAmount += registry.Money(c.sum)
			}
		}},
		{"registry_royalties", "amount", func(c countOf) {
			stats.Royalties[registry.RoyaltyStatus(c.status)] = c.count
			stats.RoyaltyAmount[registry.RoyaltyStatus(c.status)] = registry.Money(c.sum)
		}},
		{"registry_settlements", "net", func(c countOf) {
			stats.Settlements[registry.SettlementStatus(c.status)] = c.count
			stats.SettlementAmount[registry.SettlementStatus(c.status)] = registry.Money(c.sum)
		}},
	} {
		query := "SELECT status, COUNT(*), CAST(COALESCE(SUM(" + of.sum + "), 0) AS BIGINT) FROM v402_" + of.table + " GROUP BY status"
		counts, err := all(ctx, s.read, scanCount, query)
		if err != nil {
			return registry.Stats{}, s.errorf("count %s: %w", of.table, err)
		}
		for _, c := range counts {
			of.add(c)
		}
	}
	mirrors, err := one(ctx, s.read, column[int64], "SELECT COUNT(*) FROM v402_registry_mirrors")
	if err != nil {
		return registry.Stats{}, s.errorf("count mirrors: %w", err)
	}
	stats.Mirrors = mirrors
	return stats, nil
}

func scanCount(rows *sql.Rows) (c countOf, err error) {
	err = rows.Scan(&c.status, &c.count, &c.sum)
	return c, err
}
