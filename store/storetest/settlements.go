package storetest

import (
	"context"
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
func TestSettlements(t *testing.T, open Open[RegistryStore]) {
	one := func(t *testing.T) *ledgerRoom { return newLedgerRoom(t, open(t, 1)...) }
	runPromises.run(t, one)
	documentPromises.run(t, one)
	promises[*ledgerRoom]{"netting does what a simple model does": checkSettlementModel}.run(t, one)
	promises[*ledgerRoom]{
		"concurrent runs, reports and voids leave every royalty in one document":             checkConcurrentRuns,
		"documents of one run that are confirmed or disputed at once agree on its royalties": checkConcurrentSteps,
	}.run(t, func(t *testing.T) *ledgerRoom { return newLedgerRoom(t, open(t, 2)...) })
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
