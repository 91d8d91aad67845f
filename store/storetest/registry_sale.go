package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

// newSale is the nth sale of a contract by a platform.
func newSale(seller registry.Platform, c registry.Contract, n int) registry.NewSale {
	when := at.Add(time.Duration(n) * time.Second)
	return registry.NewSale{
		Sale: registry.Sale{
			ContractID: c.ID, ContractHash: c.Hash, SellerID: seller.ID, SellerName: seller.PlatformName, OriginID: c.PlatformID,
			OriginName: c.PlatformName, BuyerWalletAddress: "0xabcdef", Amount: 2999, RoyaltyAmount: 299,
			TransactionHash: fmt.Sprintf("0xTX%d", n), TransactionKey: fmt.Sprintf("0xtx%d", n), IdempotencyKey: fmt.Sprintf("request %d", n), Metadata: []byte(`{"currency":"USD"}`),
			Status: registry.SaleReported, SoldAt: when, ReportedAt: when.Add(time.Minute),
		},
		Royalty: registry.Royalty{
			ContractHash: c.Hash, SellerID: seller.ID, SellerName: seller.PlatformName, OriginID: c.PlatformID, OriginName: c.PlatformName,
			Amount: 299, Status: registry.RoyaltyPending, Underreported: true, DueAt: when, CreatedAt: when, UpdatedAt: when,
		},
	}
}

func report(t *testing.T, s RegistryStore, n registry.NewSale) (registry.Reported, error) {
	reports, err := s.AddSales(t.Context(), []registry.NewSale{n}, anyReports, func(created []registry.Reported) registry.Trail {
		return trailOf(fmt.Sprint("sale ", created[0].Sale.ID, " royalty ", created[0].Royalty.ID))
	})
	if err != nil {
		return registry.Reported{}, err
	}
	return reports[0], nil
}

func addSale(t *testing.T, s RegistryStore, n registry.NewSale) registry.Reported {
	t.Helper()
	r, err := report(t, s, n)
	require.NoError(t, err)
	return r
}

// anyReports lets a batch pass, whatever it repeats.
func anyReports([]registry.Reported) error { return nil }

func onlyReported(sale registry.Sale) error {
	if sale.Status != registry.SaleReported {
		return errRefused
	}
	return nil
}

func voidSale(t *testing.T, s RegistryStore, id int64) registry.Voided {
	t.Helper()
	v, err := s.VoidSale(t.Context(), id, "returned", at.Add(time.Hour), onlyReported, noTrail)
	require.NoError(t, err)
	return v
}

// sellers is a store with two platforms and a contract of the first.
func sellers(t *testing.T, s RegistryStore) (origin, seller registry.Platform, c registry.Contract) {
	t.Helper()
	origin, seller = addPlatform(t, s, newPlatform(1)), addPlatform(t, s, newPlatform(2))
	return origin, seller, addContracts(t, s, origin, "h1")[0]
}

var salePromises = promises[RegistryStore]{
	"a sale is stored with its royalty and trail": func(t *testing.T, s RegistryStore) {
		_, seller, c := sellers(t, s)
		n := newSale(seller, c, 1)
		r := addSale(t, s, n)
		require.True(t, r.Created)
		require.Positive(t, r.Sale.ID)
		require.Positive(t, r.Royalty.ID)
		n.Sale.ID, n.Sale.RoyaltyID, n.Royalty.ID, n.Royalty.SaleID = r.Sale.ID, r.Royalty.ID, r.Royalty.ID, r.Sale.ID
		require.Equal(t, n.Sale, r.Sale)
		require.Equal(t, n.Royalty, r.Royalty)
		sale, err := s.Sale(t.Context(), r.Sale.ID)
		require.NoError(t, err)
		require.Equal(t, n.Sale, sale)
		royalty, err := s.Royalty(t.Context(), r.Royalty.ID)
		require.NoError(t, err)
		require.Equal(t, n.Royalty, royalty)
		actions, types := trails(t, s)
		require.Equal(t, []string{fmt.Sprint("sale ", r.Sale.ID, " royalty ", r.Royalty.ID)}, actions)
		require.Equal(t, actions, types)
	},
	"a sale without anything optional is stored as often as it is reported": func(t *testing.T, s RegistryStore) {
		_, seller, c := sellers(t, s)
		n := newSale(seller, c, 1)
		n.Sale.TransactionHash, n.Sale.TransactionKey, n.Sale.IdempotencyKey, n.Sale.BuyerWalletAddress, n.Sale.Metadata = "", "", "", "", nil
		first, second := addSale(t, s, n), addSale(t, s, n)
		require.True(t, second.Created)
		require.Greater(t, second.Sale.ID, first.Sale.ID)
		require.Greater(t, second.Royalty.ID, first.Royalty.ID)
		require.Nil(t, second.Sale.Metadata)
	},
	"a sale of a contract that is not active is not stored, nor what was reported with it": func(t *testing.T, s RegistryStore) {
		origin, seller, c := sellers(t, s)
		other := addContracts(t, s, origin, "h2")[0]
		before := addSale(t, s, newSale(seller, c, 1))
		require.NoError(t, revoke(t, s, c))
		_, err := s.AddSales(t.Context(), []registry.NewSale{newSale(seller, other, 2), newSale(seller, c, 3)}, anyReports, func([]registry.Reported) registry.Trail {
			return trailOf("never")
		})
		var inactive *registry.ContractInactiveError
		require.ErrorAs(t, err, &inactive)
		require.Equal(t, 1, inactive.Index)
		require.ErrorIs(t, err, store.ErrConflict)
		list, err := s.Sales(t.Context(), registry.SaleFilter{}, registry.PageOptions{})
		require.NoError(t, err)
		require.Equal(t, []registry.Sale{before.Sale}, list.Items)

		again := addSale(t, s, newSale(seller, c, 1))
		require.False(t, again.Created, "a repetition is one still")
		require.Equal(t, before.Sale, again.Sale)
	},
	"a report that is repeated returns what is stored, until the sale is voided": func(t *testing.T, s RegistryStore) {
		origin, seller, c := sellers(t, s)
		first := addSale(t, s, newSale(seller, c, 1))
		byTransaction := newSale(seller, c, 1)
		byTransaction.Sale.IdempotencyKey, byTransaction.Sale.TransactionHash, byTransaction.Sale.Amount = "another request", "0xtX1", 1
		byRequest := newSale(seller, c, 1)
		byRequest.Sale.TransactionHash, byRequest.Sale.TransactionKey, byRequest.Royalty.Amount = "0xOther", "0xother", 1
		for _, n := range []registry.NewSale{byTransaction, byRequest} {
			again := addSale(t, s, n)
			require.Equal(t, registry.Reported{Sale: first.Sale, Royalty: first.Royalty}, again)
		}
		require.True(t, addSale(t, s, newSale(origin, c, 1)).Created, "of another seller it is another sale")
		other := newSale(seller, addContracts(t, s, origin, "h2")[0], 1)
		other.Sale.IdempotencyKey = "for the other contract"
		require.True(t, addSale(t, s, other).Created, "one transaction may sell several contracts")

		voidSale(t, s, first.Sale.ID)
		require.Equal(t, registry.SaleVoided, addSale(t, s, newSale(seller, c, 1)).Sale.Status, "the request is the same")
		corrected := addSale(t, s, byTransaction)
		require.True(t, corrected.Created, "the transaction may be reported anew")
		require.EqualValues(t, 1, corrected.Sale.Amount)
	},
	"a batch may repeat itself": func(t *testing.T, s RegistryStore) {
		_, seller, c := sellers(t, s)
		reports, err := s.AddSales(t.Context(), []registry.NewSale{newSale(seller, c, 1), newSale(seller, c, 2), newSale(seller, c, 1)}, anyReports,
			func(created []registry.Reported) registry.Trail { return trailOf(fmt.Sprint(len(created))) })
		require.NoError(t, err)
		require.True(t, reports[0].Created && reports[1].Created && !reports[2].Created)
		require.Equal(t, reports[0].Sale, reports[2].Sale)
		require.Equal(t, reports[0].Royalty, reports[2].Royalty)
		actions, _ := trails(t, s)
		require.Equal(t, []string{"2"}, actions)
	},
	"a batch that is refused for what it repeats leaves nothing": func(t *testing.T, s RegistryStore) {
		_, seller, c := sellers(t, s)
		before := addSale(t, s, newSale(seller, c, 1))
		noRepetition := func(reports []registry.Reported) error {
			require.True(t, reports[0].Created && !reports[1].Created)
			require.Equal(t, before.Sale, reports[1].Sale)
			return errRefused
		}
		_, err := s.AddSales(t.Context(), []registry.NewSale{newSale(seller, c, 2), newSale(seller, c, 1)}, noRepetition,
			func([]registry.Reported) registry.Trail { return trailOf("never") })
		require.ErrorIs(t, err, errRefused)
		list, err := s.Sales(t.Context(), registry.SaleFilter{}, registry.PageOptions{})
		require.NoError(t, err)
		require.Equal(t, []registry.Sale{before.Sale}, list.Items)
		royalties, err := s.Royalties(t.Context(), registry.RoyaltyFilter{}, registry.PageOptions{})
		require.NoError(t, err)
		require.Equal(t, []registry.Royalty{before.Royalty}, royalties.Items)
		require.True(t, addSale(t, s, newSale(seller, c, 2)).Created, "its keys are free")
	},
	"voiding a sale voids its royalty, once, or nothing": func(t *testing.T, s RegistryStore) {
		_, seller, c := sellers(t, s)
		r := addSale(t, s, newSale(seller, c, 1))
		_, err := s.VoidSale(t.Context(), r.Sale.ID, "no", at, func(registry.Sale) error { return errRefused }, noTrail)
		require.ErrorIs(t, err, errRefused)
		sale, err := s.Sale(t.Context(), r.Sale.ID)
		require.NoError(t, err)
		require.Equal(t, r.Sale, sale)

		v, err := s.VoidSale(t.Context(), r.Sale.ID, "returned", at.Add(time.Hour), onlyReported, func(v registry.Voided) registry.Trail {
			return trailOf(fmt.Sprint("void ", v.Sale.ID))
		})
		require.NoError(t, err)
		r.Sale.Status, r.Sale.VoidedAt, r.Sale.VoidReason = registry.SaleVoided, at.Add(time.Hour), "returned"
		r.Royalty.Status, r.Royalty.UpdatedAt = registry.RoyaltyVoided, at.Add(time.Hour)
		require.Equal(t, registry.Voided{Sale: r.Sale, Royalty: r.Royalty}, v)
		_, err = s.VoidSale(t.Context(), r.Sale.ID, "again", at, onlyReported, noTrail)
		require.ErrorIs(t, err, errRefused)
		actions, _ := trails(t, s)
		require.Equal(t, fmt.Sprint("void ", r.Sale.ID), actions[len(actions)-1])
	},
	"a royalty changes its status with a trail, or not at all": func(t *testing.T, s RegistryStore) {
		_, seller, c := sellers(t, s)
		r := addSale(t, s, newSale(seller, c, 1)).Royalty
		_, err := s.UpdateRoyalty(t.Context(), r.ID, func(r *registry.Royalty) (registry.Trail, error) {
			r.Status = registry.RoyaltyDisputed
			return trailOf("refused"), errRefused
		})
		require.ErrorIs(t, err, errRefused)
		got, err := s.UpdateRoyalty(t.Context(), r.ID, func(r *registry.Royalty) (registry.Trail, error) {
			r.Status, r.Reason, r.UpdatedAt, r.Amount = registry.RoyaltyDisputed, "wrong", at.Add(time.Hour), 1
			return trailOf("dispute"), nil
		})
		require.NoError(t, err)
		r.Status, r.Reason, r.UpdatedAt = registry.RoyaltyDisputed, "wrong", at.Add(time.Hour)
		require.Equal(t, r, got)
		actions, types := trails(t, s)
		require.Equal(t, "dispute", actions[len(actions)-1])
		require.Len(t, types, 2)
	},
	"sales and royalties are listed by party, contract, status and time": func(t *testing.T, s RegistryStore) {
		checkSaleLists(t, s)
	},
	"lists have what a plain filter selects": func(t *testing.T, s RegistryStore) {
		checkSaleFilters(t, s)
	},
}

func checkSaleLists(t *testing.T, s RegistryStore) {
	origin, seller, c := sellers(t, s)
	third := addPlatform(t, s, newPlatform(3))
	d := addContracts(t, s, seller, "H2")[0]
	var sales []registry.Sale
	for n, of := range []struct {
		seller   registry.Platform
		contract registry.Contract
	}{{seller, c}, {third, c}, {third, d}, {origin, d}} {
		sales = append(sales, addSale(t, s, newSale(of.seller, of.contract, n)).Sale)
	}
	sales[1] = voidSale(t, s, sales[1].ID).Sale
	for want, f := range map[string]registry.SaleFilter{
		"3210": {}, "21": {SellerID: third.ID}, "10": {OriginID: origin.ID}, "310": {PartyID: origin.ID},
		"32": {ContractKey: d.Key}, "1": {Status: registry.SaleVoided}, "21 ": {From: at.Add(time.Second), To: at.Add(3 * time.Second)},
		"": {ContractKey: "unknown"}, "3": {PartyID: origin.ID, ContractKey: d.Key},
	} {
		var wanted []registry.Sale
		for _, digit := range want {
			if digit != ' ' {
				wanted = append(wanted, sales[digit-'0'])
			}
		}
		list, err := s.Sales(t.Context(), f, registry.PageOptions{})
		require.NoError(t, err)
		require.Equal(t, wanted, list.Items, "%+v", f)
		require.EqualValues(t, len(wanted), list.Total)
		royalties, err := s.Royalties(t.Context(), registry.RoyaltyFilter{SellerID: f.SellerID, OriginID: f.OriginID, PartyID: f.PartyID, From: f.From, To: f.To}, registry.PageOptions{})
		require.NoError(t, err)
		if f.ContractKey == "" && f.Status == "" {
			require.Len(t, royalties.Items, len(wanted))
			for i, r := range royalties.Items {
				require.Equal(t, wanted[i].RoyaltyID, r.ID)
			}
		}
	}
	list, err := s.Royalties(t.Context(), registry.RoyaltyFilter{Between: [2]int64{origin.ID, seller.ID}}, registry.PageOptions{})
	require.NoError(t, err)
	require.Len(t, list.Items, 2, "in both directions")
	after, err := s.SalesAfter(t.Context(), registry.SaleFilter{PartyID: origin.ID}, sales[0].ID, 1)
	require.NoError(t, err)
	require.Equal(t, sales[1:2], after)
	royalties, err := s.RoyaltiesAfter(t.Context(), registry.RoyaltyFilter{Status: registry.RoyaltyPending}, sales[0].RoyaltyID, 10)
	require.NoError(t, err)
	require.Len(t, royalties, 2)
	require.Equal(t, sales[2].RoyaltyID, royalties[0].ID)
}

// checkSaleFilters compares lists with filtering in its simplest form.
func checkSaleFilters(t *testing.T, s RegistryStore) {
	origin, seller, c := sellers(t, s)
	d := addContracts(t, s, seller, "h2")[0]
	platforms, contracts := []registry.Platform{origin, seller}, []registry.Contract{c, d}
	var sales []registry.Sale // the newest first
	check(t, func(rt *rapid.T) {
		for range rapid.IntRange(0, 3).Draw(rt, "new") {
			if len(sales) >= 60 {
				break
			}
			n := newSale(rapid.SampledFrom(platforms).Draw(rt, "seller"), rapid.SampledFrom(contracts).Draw(rt, "contract"), len(sales))
			sales = append([]registry.Sale{addSale(t, s, n).Sale}, sales...)
		}
		f := registry.SaleFilter{
			SellerID:    rapid.SampledFrom([]int64{0, origin.ID, seller.ID}).Draw(rt, "by"),
			OriginID:    rapid.SampledFrom([]int64{0, origin.ID, seller.ID}).Draw(rt, "of"),
			PartyID:     rapid.SampledFrom([]int64{0, origin.ID, seller.ID}).Draw(rt, "party"),
			ContractKey: rapid.SampledFrom([]string{"", c.Key, d.Key}).Draw(rt, "key"),
		}
		if rapid.Bool().Draw(rt, "bounded") {
			f.From = at.Add(time.Duration(rapid.IntRange(0, 60).Draw(rt, "from")) * time.Second)
			f.To = f.From.Add(time.Duration(rapid.IntRange(0, 20).Draw(rt, "for")) * time.Second)
		}
		o := registry.PageOptions{Page: rapid.IntRange(0, 4).Draw(rt, "page"), PerPage: rapid.IntRange(1, 20).Draw(rt, "per page")}.Bounded()
		var want []registry.Sale
		for _, sale := range sales {
			if (f.SellerID == 0 || f.SellerID == sale.SellerID) && (f.OriginID == 0 || f.OriginID == sale.OriginID) &&
				(f.PartyID == 0 || f.PartyID == sale.SellerID || f.PartyID == sale.OriginID) &&
				(f.ContractKey == "" || f.ContractKey == sale.ContractHash) &&
				(f.From.IsZero() || !sale.SoldAt.Before(f.From) && sale.SoldAt.Before(f.To)) {
				want = append(want, sale)
			}
		}
		list, err := s.Sales(t.Context(), f, o)
		require.NoError(rt, err)
		require.EqualValues(rt, len(want), list.Total)
		var walked []registry.Sale // the newest first, as want is
		for last := int64(0); ; last = walked[0].ID {
			part, err := s.SalesAfter(t.Context(), f, last, o.PerPage)
			require.NoError(rt, err)
			for _, sale := range part {
				walked = append([]registry.Sale{sale}, walked...)
			}
			if len(part) < o.PerPage {
				break
			}
		}
		require.Equal(rt, len(want), len(walked))
		for i, sale := range walked {
			require.Equal(rt, want[i], sale)
		}
		want = want[min(o.Offset(), len(want)):]
		require.Equal(rt, len(want[:min(o.PerPage, len(want))]), len(list.Items))
		for i, sale := range list.Items {
			require.Equal(rt, want[i], sale)
		}
	})
}
