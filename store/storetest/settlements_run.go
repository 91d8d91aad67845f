package storetest

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

// runPromises are about what a run takes and what it leaves.
var runPromises = promises[*ledgerRoom]{
	"A owes B 10.00 and 2.99, B owes A 4.50: A pays 8.49": func(t *testing.T, l *ledgerRoom) {
		first, second, back := l.owe(t, 0, 0, 1, 10_00), l.owe(t, 0, 0, 1, 2_99), l.owe(t, 0, 1, 0, 4_50)
		r := l.run(t, 0, registry.Bilateral, 0)
		require.Len(t, r.Settlements, 1)
		d := r.Settlements[0]
		a, b := l.platforms[0], l.platforms[1]
		require.Equal(t, []any{a.ID, a.PlatformName, b.ID, b.PlatformName}, []any{d.PayerID, d.PayerName, d.PayeeID, d.PayeeName})
		require.Equal(t, []registry.Money{12_99, 4_50, 8_49}, []registry.Money{d.Gross, d.Counter, d.Net})
		require.EqualValues(t, 3, d.Lines)
		require.Equal(t, registry.SettlementIssued, d.Status)
		var ids []int64
		for _, line := range l.linesOf(t, t.Context(), d.ID, b.ID) {
			ids = append(ids, line.ID)
			require.Equal(t, registry.RoyaltySettling, line.Status)
			require.Equal(t, r.Run.ID, line.RunID)
		}
		require.Equal(t, []int64{first.Royalty.ID, second.Royalty.ID, back.Royalty.ID}, ids)
		l.finish(t, t.Context(), d)
		require.Equal(t, registry.RoyaltyPaid, l.royalty(t, t.Context(), first.Royalty.ID).Status)
		require.Equal(t, registry.RoyaltyPaid, l.royalty(t, t.Context(), back.Royalty.ID).Status)
	},
	"a dry run shows the documents and changes nothing": func(t *testing.T, l *ledgerRoom) {
		owed := l.owe(t, 0, 0, 1, 5_00)
		from, to := month(0)
		r, err := l.services[0].RunSettlements(t.Context(), admin, registry.RunRequest{From: from, To: to, DryRun: true})
		require.NoError(t, err)
		require.Len(t, r.Settlements, 1)
		require.Equal(t, registry.SettlementDraft, r.Settlements[0].Status)
		require.Equal(t, registry.Money(5_00), r.Settlements[0].Net)
		require.Zero(t, r.Settlements[0].ID)
		require.Equal(t, registry.RoyaltyPending, l.royalty(t, t.Context(), owed.Royalty.ID).Status)
		list, err := l.services[0].AllSettlements(t.Context(), registry.SettlementFilter{}, registry.PageOptions{})
		require.NoError(t, err)
		require.Empty(t, list.Items)
		require.NotZero(t, l.run(t, 0, registry.Bilateral, 0).Run.ID)
	},
	"a second run of a period issues nothing, also for what is reported late": func(t *testing.T, l *ledgerRoom) {
		l.owe(t, 0, 0, 1, 5_00)
		first := l.run(t, 0, registry.Bilateral, 0)
		late := l.owe(t, 0, 0, 1, 1_00)
		again := l.run(t, 0, registry.Bilateral, 0)
		require.Empty(t, again.Settlements)
		require.Equal(t, first.Settlements, again.Earlier)
		require.Equal(t, registry.RoyaltyPending, l.royalty(t, t.Context(), late.Royalty.ID).Status)
		next := l.run(t, 1, registry.Bilateral, 0)
		require.Len(t, next.Settlements, 1)
		require.Equal(t, registry.Money(1_00), next.Settlements[0].Net)
	},
	"a period is netted in one mode": func(t *testing.T, l *ledgerRoom) {
		l.owe(t, 0, 0, 1, 5_00)
		l.run(t, 0, registry.Bilateral, 0)
		from, to := month(0)
		_, err := l.services[0].RunSettlements(t.Context(), admin, registry.RunRequest{From: from, To: to, Mode: registry.Multilateral})
		require.ErrorIs(t, err, store.ErrConflict)
	},
	"what is due at the end of the period or later waits": func(t *testing.T, l *ledgerRoom) {
		later := l.owe(t, 1, 0, 1, 5_00)
		require.Zero(t, l.run(t, 0, registry.Bilateral, 0).Run.ID)
		require.Equal(t, registry.RoyaltyPending, l.royalty(t, t.Context(), later.Royalty.ID).Status)
	},
	"what is below the minimum is carried forward until it is enough": func(t *testing.T, l *ledgerRoom) {
		for n, mode := range []registry.SettlementMode{registry.Bilateral, registry.Multilateral} {
			l.addPlatforms(t, t.Context(), 3)
			small := l.owe(t, 2*n, 0, 1, 6_00)
			l.owe(t, 2*n, 2, 0, 50_00) // whom the first platform owes less than it is owed
			l.owe(t, 2*n, 0, 2, 50_00)
			r := l.run(t, 2*n, mode, 10_00)
			require.Len(t, r.Carried, map[registry.SettlementMode]int{registry.Bilateral: 1, registry.Multilateral: 2}[mode], mode)
			require.Equal(t, registry.RoyaltyPending, l.royalty(t, t.Context(), small.Royalty.ID).Status)
			require.Zero(t, l.royalty(t, t.Context(), small.Royalty.ID).RunID)
			looked := small.Royalty.UpdatedAt
			if r.Run.ID != 0 { // it issued something else
				looked = today
			}
			require.Equal(t, looked, l.royalty(t, t.Context(), small.Royalty.ID).UpdatedAt)
			l.owe(t, 2*n+1, 0, 1, 4_00)
			r = l.run(t, 2*n+1, mode, 10_00)
			require.Len(t, r.Settlements, 1)
			require.Equal(t, registry.Money(10_00), r.Settlements[0].Net)
			require.Equal(t, registry.RoyaltySettling, l.royalty(t, t.Context(), small.Royalty.ID).Status)
			l.drain(t, t.Context())
		}
	},
	"sums that cancel out are confirmed at once": func(t *testing.T, l *ledgerRoom) {
		one, other := l.owe(t, 0, 0, 1, 5_00), l.owe(t, 0, 1, 0, 5_00)
		r := l.run(t, 0, registry.Bilateral, 10_00)
		require.Len(t, r.Settlements, 1)
		require.Equal(t, registry.SettlementConfirmed, r.Settlements[0].Status)
		require.Equal(t, registry.RoyaltyPaid, l.royalty(t, t.Context(), one.Royalty.ID).Status)
		require.Equal(t, registry.RoyaltyPaid, l.royalty(t, t.Context(), other.Royalty.ID).Status)
	},
	"a ring of debts is paid without a document": func(t *testing.T, l *ledgerRoom) {
		var ring []int64
		for i := range 3 {
			ring = append(ring, l.owe(t, 0, i, (i+1)%3, 5_00).Royalty.ID)
		}
		r := l.run(t, 0, registry.Multilateral, 10_00)
		require.NotZero(t, r.Run.ID)
		require.Empty(t, r.Settlements)
		for _, id := range ring {
			require.Equal(t, registry.RoyaltyPaid, l.royalty(t, t.Context(), id).Status)
		}
		run, err := l.stores[0].SettlementRun(t.Context(), r.Run.ID)
		require.NoError(t, err)
		require.Equal(t, r.Run, run)
	},
	"an error undoes a run, and a change": func(t *testing.T, l *ledgerRoom) {
		owed := l.owe(t, 0, 0, 1, 4_00)
		broken := errors.New("broken")
		from, to := month(0)
		run := registry.Run{Mode: registry.Bilateral, Currency: "USD", From: from, To: to, IssuedAt: today, IssuedBy: admin}
		_, _, err := l.stores[0].IssueSettlements(t.Context(), run, func([]registry.Owed, []registry.Settlement) (registry.Netting, error) {
			return registry.Netting{}, broken
		}, nil)
		require.ErrorIs(t, err, broken)
		require.Equal(t, registry.RoyaltyPending, l.royalty(t, t.Context(), owed.Royalty.ID).Status)
		d := l.run(t, 0, registry.Bilateral, 0).Settlements[0]
		_, err = l.stores[0].UpdateSettlement(t.Context(), d.ID, func(d *registry.Settlement) (registry.Trail, error) {
			d.Status = registry.SettlementConfirmed
			return registry.Trail{}, broken
		})
		require.ErrorIs(t, err, broken)
		require.Equal(t, registry.RoyaltySettling, l.royalty(t, t.Context(), owed.Royalty.ID).Status)
	},
}
