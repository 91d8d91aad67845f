package registry_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

func TestAnErrorOfTheStoreSaysWhatWasTried(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	d := r.issued(t)
	ended, end := context.WithCancel(t.Context())
	end()
	var page registry.PageOptions
	p, run := r.seller, registry.RunRequest{From: r.now.AddDate(0, -1, 0), To: r.now}
	dry := run
	dry.DryRun = true
	for what, call := range map[string]func(ctx context.Context) error{
		"Settlement":    func(ctx context.Context) error { _, err := r.Settlement(ctx, p, d.ID); return err },
		"AnySettlement": func(ctx context.Context) error { _, err := r.AnySettlement(ctx, d.ID); return err },
		"Settlements": func(ctx context.Context) error {
			_, err := r.Settlements(ctx, p, registry.SettlementFilter{}, page)
			return err
		},
		"AllSettlements": func(ctx context.Context) error {
			_, err := r.AllSettlements(ctx, registry.SettlementFilter{}, page)
			return err
		},
		"RunSettlements":    func(ctx context.Context) error { _, err := r.RunSettlements(ctx, "admin:ada", run); return err },
		"a dry run":         func(ctx context.Context) error { _, err := r.RunSettlements(ctx, "admin:ada", dry); return err },
		"Statement":         func(ctx context.Context) error { _, err := r.Statement(ctx, p, d.ID, 0); return err },
		"AnyStatement":      func(ctx context.Context) error { _, err := r.AnyStatement(ctx, d.ID, 0); return err },
		"WriteStatement":    func(ctx context.Context) error { return r.WriteStatement(ctx, p, d.ID, io.Discard) },
		"WriteAnyStatement": func(ctx context.Context) error { return r.WriteAnyStatement(ctx, d.ID, io.Discard) },
		"EachLine": func(ctx context.Context) error {
			return r.EachLine(ctx, p, d.ID, func(registry.StatementLine) error { return nil })
		},
		"EachSale": func(ctx context.Context) error {
			return r.EachSale(ctx, p, registry.SaleFilter{}, func(registry.Sale) error { return nil })
		},
		"PaySettlement": func(ctx context.Context) error {
			_, err := r.PaySettlement(ctx, p, d.ID, registry.PayRequest{Reference: "wire 7"})
			return err
		},
		"Royalties": func(ctx context.Context) error {
			_, err := r.Royalties(ctx, p, registry.RoyaltyFilter{}, page)
			return err
		},
		"Sales":      func(ctx context.Context) error { _, err := r.Sales(ctx, p, registry.SaleFilter{}, page); return err },
		"ReportSale": func(ctx context.Context) error { _, err := r.ReportSale(ctx, p, sale("h")); return err },
		"Platforms": func(ctx context.Context) error {
			_, err := r.Platforms(ctx, registry.PlatformFilter{}, page)
			return err
		},
		"Contract":           func(ctx context.Context) error { _, err := r.Contract(ctx, "h"); return err },
		"Publication":        func(ctx context.Context) error { _, err := r.Publication(ctx, "QmWork"); return err },
		"PublicationMirrors": func(ctx context.Context) error { _, _, err := r.PublicationMirrors(ctx, "QmWork"); return err },
		"CountAccess":        func(ctx context.Context) error { _, err := r.CountAccess(ctx, 1); return err },
		"DeleteMirror":       func(ctx context.Context) error { return r.DeleteMirror(ctx, p, 1) },
		"Secrets":            func(ctx context.Context) error { _, err := r.Secrets(ctx, "admin:ada", p.ID, "test"); return err },
		"Authenticate":       func(ctx context.Context) error { _, err := r.Authenticate(ctx, "bcccr_key"); return err },
		"RotateOwnKey":       func(ctx context.Context) error { _, err := r.RotateOwnKey(ctx, p); return err },
		"Audience": func(ctx context.Context) error {
			_, err := r.Audience(ctx, store.Event{ID: "1", Type: registry.EventContractRevoked, Data: []byte(`{"platform_ids":[1],"contract_hash":"h"}`)})
			return err
		},
		"Callback": func(ctx context.Context) error { _, err := r.Callback(ctx, p.ID); return err },
		"Audit":    func(ctx context.Context) error { _, err := r.Audit(ctx, registry.AuditFilter{}, page); return err },
		"Stats":    func(ctx context.Context) error { _, err := r.Stats(ctx); return err },
	} {
		err := call(ended)
		require.ErrorIs(t, err, context.Canceled, what)
		require.True(t, strings.HasPrefix(err.Error(), "registry: ") && strings.Count(err.Error(), "registry: ") == 1, "%s: %v", what, err)
	}
}
