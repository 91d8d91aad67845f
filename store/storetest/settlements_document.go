package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

// documentPromises are about documents that were issued.
var documentPromises = promises[*ledgerRoom]{
	"royalties of a multilateral run are paid with its last document": func(t *testing.T, l *ledgerRoom) {
		owed := l.owe(t, 0, 0, 1, 30_00)
		l.owe(t, 0, 0, 2, 20_00)
		r := l.run(t, 0, registry.Multilateral, 0)
		require.Len(t, r.Settlements, 2)
		l.finish(t, t.Context(), r.Settlements[0])
		require.Equal(t, registry.RoyaltySettling, l.royalty(t, t.Context(), owed.Royalty.ID).Status)
		l.finish(t, t.Context(), r.Settlements[1])
		require.Equal(t, registry.RoyaltyPaid, l.royalty(t, t.Context(), owed.Royalty.ID).Status)
	},
	"a void after the issue leaves the document and is taken back in the next": func(t *testing.T, l *ledgerRoom) {
		l.owe(t, 0, 0, 1, 9_00)
		returned := l.owe(t, 0, 0, 1, 4_00)
		before := l.run(t, 0, registry.Bilateral, 0).Settlements[0]
		_, next := month(0)
		v, err := l.void(t.Context(), l.stores[0], returned.Sale.ID, next)
		require.NoError(t, err)
		require.NotNil(t, v.Adjustment)
		require.Equal(t, registry.Money(-4_00), v.Adjustment.Amount)
		after, err := l.stores[0].PlatformSettlement(t.Context(), before.ID)
		require.NoError(t, err)
		require.Equal(t, before, after)
		require.Len(t, l.linesOf(t, t.Context(), before.ID, before.PayerID), 2)
		l.owe(t, 1, 0, 1, 10_00)
		d := l.run(t, 1, registry.Bilateral, 0).Settlements[0]
		require.Equal(t, registry.Money(6_00), d.Net)
		require.EqualValues(t, 2, d.Lines)
	},
	"adjustments alone turn the payment round": func(t *testing.T, l *ledgerRoom) {
		returned := l.owe(t, 0, 0, 1, 4_00)
		l.run(t, 0, registry.Bilateral, 0)
		from, _ := month(1)
		_, err := l.void(t.Context(), l.stores[0], returned.Sale.ID, from)
		require.NoError(t, err)
		d := l.run(t, 1, registry.Bilateral, 0).Settlements[0]
		require.Equal(t, []int64{l.platforms[1].ID, l.platforms[0].ID}, []int64{d.PayerID, d.PayeeID})
		require.Equal(t, []registry.Money{0, -4_00, 4_00}, []registry.Money{d.Gross, d.Counter, d.Net})
	},
	"a void before the run leaves nothing to settle": func(t *testing.T, l *ledgerRoom) {
		returned := l.owe(t, 0, 0, 1, 4_00)
		_, err := l.void(t.Context(), l.stores[0], returned.Sale.ID, epoch)
		require.NoError(t, err)
		r := l.run(t, 0, registry.Bilateral, 0)
		require.Zero(t, r.Run.ID)
		require.Empty(t, r.Settlements)
	},
	"what a cancelled document had is pending again, and still listed": func(t *testing.T, l *ledgerRoom) {
		for n, mode := range []registry.SettlementMode{registry.Bilateral, registry.Multilateral} {
			owed := l.owe(t, 2*n, 0, 1, 4_00)
			other := l.owe(t, 2*n, 0, 2, 4_00)
			first := l.run(t, 2*n, mode, 0)
			require.Len(t, first.Settlements, 2)
			l.cancel(t, t.Context(), first.Settlements[0])
			require.Equal(t, registry.RoyaltyPending, l.royalty(t, t.Context(), owed.Royalty.ID).Status)
			require.Zero(t, l.royalty(t, t.Context(), owed.Royalty.ID).RunID)
			require.Equal(t, owed.Royalty.ID, l.linesOf(t, t.Context(), first.Settlements[0].ID, first.Settlements[0].PayerID)[0].ID)
			want := map[registry.SettlementMode]registry.RoyaltyStatus{
				registry.Bilateral: registry.RoyaltySettling, registry.Multilateral: registry.RoyaltyPending,
			}
			require.Equal(t, want[mode], l.royalty(t, t.Context(), other.Royalty.ID).Status)
			again := l.run(t, 2*n, mode, 0)
			require.NotEmpty(t, again.Settlements, "it may be netted anew in its period")
			require.Equal(t, registry.RoyaltySettling, l.royalty(t, t.Context(), owed.Royalty.ID).Status)
			require.Len(t, l.linesOf(t, t.Context(), first.Settlements[0].ID, first.Settlements[0].PayerID), int(first.Settlements[0].Lines))
		}
	},
	"a multilateral document is not cancelled alone, nor once another is paid": func(t *testing.T, l *ledgerRoom) {
		l.owe(t, 0, 0, 1, 4_00)
		l.owe(t, 0, 0, 2, 3_00)
		r := l.run(t, 0, registry.Multilateral, 0)
		d := r.Settlements[0]
		_, err := l.stores[0].UpdateSettlement(t.Context(), d.ID, func(d *registry.Settlement) (registry.Trail, error) {
			d.Status = registry.SettlementCancelled
			return registry.Trail{}, nil
		})
		require.ErrorIs(t, err, store.ErrConflict)
		l.finish(t, t.Context(), r.Settlements[1])
		_, err = l.services[0].DisputeSettlement(t.Context(), registry.Platform{ID: d.PayerID}, d.ID, registry.DisputeRequest{Reason: "wrong"})
		require.NoError(t, err)
		_, err = l.services[0].ResolveSettlement(t.Context(), admin, d.ID, registry.Resolution{Status: registry.SettlementCancelled, Reason: "no"})
		require.ErrorIs(t, err, registry.ErrSettlementState)
		_, err = l.services[0].ResolveSettlement(t.Context(), admin, d.ID, registry.Resolution{Status: registry.SettlementIssued, Reason: "pay"})
		require.NoError(t, err)
		l.finish(t, t.Context(), d)
	},
	"what an issued document says never changes, whatever a change tries": func(t *testing.T, l *ledgerRoom) {
		l.owe(t, 0, 0, 1, 4_00)
		d := l.run(t, 0, registry.Bilateral, 0).Settlements[0]
		changed, err := l.stores[0].UpdateSettlement(t.Context(), d.ID, func(d *registry.Settlement) (registry.Trail, error) {
			d.ID, d.PayerID, d.PayeeID, d.Gross, d.Counter, d.Net, d.Lines, d.PayeeLines, d.Run = 99, 98, 97, 1, 2, 3, 4, 5, registry.Run{}
			d.Reason = "a reason"
			return registry.Trail{}, nil
		})
		require.NoError(t, err)
		d.Reason = "a reason"
		require.Equal(t, d, changed)
		stored, err := l.stores[0].PlatformSettlement(t.Context(), d.ID)
		require.NoError(t, err)
		require.Equal(t, d, stored)
	},
	"one payment pays one document": func(t *testing.T, l *ledgerRoom) {
		l.owe(t, 0, 0, 1, 4_00)
		l.owe(t, 0, 0, 2, 4_00)
		documents := l.run(t, 0, registry.Bilateral, 0).Settlements
		require.Len(t, documents, 2)
		reserve := func(id int64, key string) error {
			_, err := l.stores[0].UpdateSettlement(t.Context(), id, func(d *registry.Settlement) (registry.Trail, error) {
				d.PaymentKey = key
				return registry.Trail{}, nil
			})
			return err
		}
		_, errs := together(6, func(i int) (struct{}, error) { return struct{}{}, reserve(documents[i%2].ID, "payment 1") })
		var taken int
		for _, d := range documents {
			d, err := l.stores[0].PlatformSettlement(t.Context(), d.ID)
			require.NoError(t, err)
			if d.PaymentKey != "" {
				taken++
			}
		}
		require.Equal(t, 1, taken)
		for _, err := range errs {
			require.True(t, err == nil || errors.Is(err, store.ErrConflict), "%v", err)
		}
		for i := range documents {
			require.NoError(t, reserve(documents[i].ID, ""), "many have none")
		}
		require.NoError(t, reserve(documents[0].ID, "payment 1"), "once it is free")
	},
	"documents and steps are saved with their events": func(t *testing.T, l *ledgerRoom) {
		l.owe(t, 0, 0, 1, 4_00)
		d := l.finish(t, t.Context(), l.run(t, 0, registry.Bilateral, 0).Settlements[0])
		events, err := l.stores[0].LeaseEvents(t.Context(), owner, today, today.Add(time.Hour), 100)
		require.NoError(t, err)
		var types []string
		for _, e := range events {
			require.Equal(t, fmt.Sprint(d.ID), e.Subject)
			types = append(types, e.Type)
		}
		require.Equal(t, []string{registry.EventSettlementIssued, registry.EventSettlementPaid, registry.EventSettlementConfirmed}, types)
	},
	"lists are filtered, the newest first": func(t *testing.T, l *ledgerRoom) {
		l.owe(t, 0, 0, 1, 4_00)
		l.owe(t, 0, 1, 2, 4_00)
		r := l.run(t, 0, registry.Bilateral, 0)
		require.Len(t, r.Settlements, 2)
		ids := func(f registry.SettlementFilter, page registry.PageOptions) (ids []int64, total int64) {
			list, err := l.stores[0].PlatformSettlements(t.Context(), f, page)
			require.NoError(t, err)
			for _, d := range list.Items {
				ids = append(ids, d.ID)
			}
			return ids, list.Total
		}
		first, second := r.Settlements[0].ID, r.Settlements[1].ID
		for _, c := range []struct {
			filter registry.SettlementFilter
			want   []int64
		}{
			{registry.SettlementFilter{}, []int64{second, first}},
			{registry.SettlementFilter{PartyID: l.platforms[0].ID}, []int64{first}},
			{registry.SettlementFilter{PartyID: l.platforms[1].ID}, []int64{second, first}},
			{registry.SettlementFilter{PayerID: l.platforms[1].ID}, []int64{second}},
			{registry.SettlementFilter{PayeeID: l.platforms[1].ID}, []int64{first}},
			{registry.SettlementFilter{RunID: r.Run.ID}, []int64{second, first}},
			{registry.SettlementFilter{RunID: r.Run.ID + 1}, nil},
			{registry.SettlementFilter{Status: registry.SettlementIssued}, []int64{second, first}},
			{registry.SettlementFilter{Status: registry.SettlementPaid}, nil},
			{registry.SettlementFilter{From: today}, []int64{second, first}},
			{registry.SettlementFilter{To: today}, nil},
		} {
			got, total := ids(c.filter, registry.PageOptions{})
			require.Equal(t, c.want, got, "%+v", c.filter)
			require.EqualValues(t, len(c.want), total)
		}
		got, total := ids(registry.SettlementFilter{}, registry.PageOptions{Page: 2, PerPage: 1})
		require.Equal(t, []int64{first}, got)
		require.EqualValues(t, 2, total)
	},
	"what is not there is not found": func(t *testing.T, l *ledgerRoom) {
		s := l.stores[0]
		_, err := s.PlatformSettlement(t.Context(), 99)
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.SettlementRun(t.Context(), 99)
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.SettlementLines(t.Context(), 99, 1, 0, 10)
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.UpdateSettlement(t.Context(), 99, nil)
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.UpdateRun(t.Context(), 99, nil)
		require.ErrorIs(t, err, store.ErrNotFound)
	},
}
