package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

// RegistryStore is a registry's store with the outbox that its events go to.
type RegistryStore interface {
	registry.Store
	store.Outbox
}

// TestSettlements shows that open returns empty stores that net royalties as
// [registry.SettlementStore] promises, on so many replicas as are asked for.
func TestSettlements(t *testing.T, open func(t *testing.T, replicas int) []RegistryStore) {
	settlementPromises.run(t, func(t *testing.T) *ledgerRoom { return newLedgerRoom(t, open(t, 1)...) })
	t.Run("Model", func(t *testing.T) {
		t.Parallel()
		checkSettlementModel(t, newLedgerRoom(t, open(t, 1)...))
	})
	t.Run("concurrent runs, reports and voids leave every royalty in one document", func(t *testing.T) {
		t.Parallel()
		checkConcurrentRuns(t, newLedgerRoom(t, open(t, 2)...))
	})
}

// ledgerRoom is a registry with some platforms that sell each other's works.
type ledgerRoom struct {
	stores    []RegistryStore
	services  []*registry.Service
	platforms []registry.Platform
	contracts []registry.Contract // one of each platform's
	sales     int
}

const admin = "admin:test"

// month is the nth period that is netted, from 0.
func month(n int) (from, to time.Time) {
	first := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	return first.AddDate(0, n, 0), first.AddDate(0, n+1, 0)
}

// today is after all periods.
var today = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)

func newLedgerRoom(t *testing.T, stores ...RegistryStore) *ledgerRoom {
	t.Helper()
	room := &ledgerRoom{stores: stores}
	for _, s := range stores {
		service, err := registry.New(registry.Config{Store: s, Now: func() time.Time { return today }})
		require.NoError(t, err)
		room.services = append(room.services, service)
	}
	room.addPlatforms(t, t.Context(), 3)
	return room
}

// addPlatforms replaces the platforms of the room by n new ones.
func (l *ledgerRoom) addPlatforms(t require.TestingT, ctx context.Context, n int) {
	l.platforms, l.contracts = nil, nil
	for range n {
		l.sales++
		name := fmt.Sprint("platform ", l.sales)
		p, err := l.stores[0].AddPlatform(ctx, registry.Platform{
			Status: registry.PlatformActive, Name: name, PlatformName: name, Email: fmt.Sprintf("p%d@example.com", l.sales),
			CreatedAt: epoch, ApprovedAt: epoch, UpdatedAt: epoch,
		}, func(registry.Platform) registry.Trail { return registry.Trail{} })
		require.NoError(t, err)
		c := registry.Contract{
			Hash: "0x" + fmt.Sprint(p.ID), Key: "0x" + fmt.Sprint(p.ID), IPFSHash: "Qm" + fmt.Sprint(p.ID), MetadataCID: "QmMeta",
			PlatformID: p.ID, Status: registry.ContractActive, RegisteredAt: epoch,
		}
		require.NoError(t, l.stores[0].RegisterContracts(ctx, []registry.Contract{c}, registry.Trail{}))
		c, err = l.stores[0].Contract(ctx, c.Key)
		require.NoError(t, err)
		l.platforms, l.contracts = append(l.platforms, p), append(l.contracts, c)
	}
}

// report stores a sale by one platform of another's work, and returns it with
// its royalty.
func (l *ledgerRoom) report(ctx context.Context, s registry.Store, seller, origin int, royalty registry.Money, due time.Time) (registry.Reported, error) {
	c, p := l.contracts[origin], l.platforms[seller]
	reports, err := s.AddSales(ctx, []registry.NewSale{{
		Sale: registry.Sale{
			ContractID: c.ID, ContractHash: c.Hash, SellerID: p.ID, OriginID: c.PlatformID, Amount: 100_00, RoyaltyAmount: royalty,
			Status: registry.SaleReported, SoldAt: due, ReportedAt: due,
		},
		Royalty: registry.Royalty{
			ContractHash: c.Hash, SellerID: p.ID, OriginID: c.PlatformID, Amount: royalty,
			Status: registry.RoyaltyPending, DueAt: due, CreatedAt: due, UpdatedAt: due,
		},
	}}, anyReports, func([]registry.Reported) registry.Trail { return registry.Trail{} })
	if err != nil {
		return registry.Reported{}, err
	}
	return reports[0], nil
}

// owe reports a sale on the first day of the nth month.
func (l *ledgerRoom) owe(t *testing.T, n, seller, origin int, royalty registry.Money) registry.Reported {
	t.Helper()
	from, _ := month(n)
	r, err := l.report(t.Context(), l.stores[0], seller, origin, royalty, from)
	require.NoError(t, err)
	return r
}

func (l *ledgerRoom) void(ctx context.Context, s registry.Store, saleID int64, at time.Time) (registry.Voided, error) {
	return s.VoidSale(ctx, saleID, "returned", at, func(sale registry.Sale) error {
		if sale.Status == registry.SaleVoided {
			return registry.ErrSaleVoided
		}
		return nil
	}, func(registry.Voided) registry.Trail { return registry.Trail{} })
}

// run nets the nth month.
func (l *ledgerRoom) run(t *testing.T, n int, mode registry.SettlementMode, minimum registry.Money) registry.RunResult {
	t.Helper()
	from, to := month(n)
	r, err := l.services[0].RunSettlements(t.Context(), admin, registry.RunRequest{From: from, To: to, Mode: mode, Minimum: &minimum})
	require.NoError(t, err)
	return r
}

func (l *ledgerRoom) royalty(t require.TestingT, ctx context.Context, id int64) registry.Royalty {
	r, err := l.stores[0].Royalty(ctx, id)
	require.NoError(t, err)
	return r
}

// linesOf are the royalties that the statement of a party lists.
func (l *ledgerRoom) linesOf(t require.TestingT, ctx context.Context, id, partyID int64) []registry.Royalty {
	var lines []registry.Royalty
	for after := int64(0); ; {
		part, err := l.stores[0].SettlementLines(ctx, id, partyID, after, 3)
		require.NoError(t, err)
		lines = append(lines, part...)
		if len(part) < 3 {
			return lines
		}
		after = part[2].ID
	}
}

// drain leaves nothing pending.
func (l *ledgerRoom) drain(t require.TestingT, ctx context.Context) registry.RunResult {
	l.sales++
	var none registry.Money
	r, err := l.services[0].RunSettlements(ctx, admin, registry.RunRequest{
		From: epoch.Add(time.Duration(l.sales) * time.Millisecond), To: today, Minimum: &none,
	})
	require.NoError(t, err)
	return r
}

// finish has both parties finish a document.
func (l *ledgerRoom) finish(t require.TestingT, ctx context.Context, d registry.Settlement) registry.Settlement {
	_, err := l.services[0].PaySettlement(ctx, registry.Platform{ID: d.PayerID}, d.ID, registry.PayRequest{Reference: "wire 7"})
	require.NoError(t, err)
	d, err = l.services[0].ConfirmSettlement(ctx, registry.Platform{ID: d.PayeeID}, d.ID)
	require.NoError(t, err)
	return d
}

// cancel has the payer dispute a document and an admin cancel it.
func (l *ledgerRoom) cancel(t require.TestingT, ctx context.Context, d registry.Settlement) {
	_, err := l.services[0].DisputeSettlement(ctx, registry.Platform{ID: d.PayerID}, d.ID, registry.DisputeRequest{Reason: "wrong"})
	require.NoError(t, err)
	_, err = l.services[0].ResolveSettlement(ctx, admin, d.ID, registry.Resolution{Status: registry.SettlementCancelled, Reason: "indeed"})
	require.NoError(t, err)
}

var settlementPromises = promises[*ledgerRoom]{
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
