package registry_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

func TestASaleIsToldAllThatIsWrongAtOnce(t *testing.T) {
	t.Parallel()
	r := newRoom(t, func(c *registry.Config) { c.USDOnly = true })
	r.register(t, nil, "h1", "h2")
	_, err := r.RevokeContract(t.Context(), r.publisher, "h2", registry.Revocation{})
	require.NoError(t, err)
	const missing, number = "The sale amount field is required.", "The sale amount must be a number."
	for body, want := range map[string]map[string][]string{
		`{}`: {
			"contract_hash": {"The contract hash field is required."}, "sale_amount": {missing},
			"royalty_amount": {"The royalty amount field is required."},
		},
		`{"contract_hash":"h9","sale_amount":29.99,"royalty_amount":30}`: {
			"contract_hash": {"Contract hash is not registered."}, "royalty_amount": {"Royalty amount cannot exceed sale amount."},
		},
		`{"contract_hash":"h2","sale_amount":0.009,"royalty_amount":-0.001}`: {
			"contract_hash": {"Contract is not active."}, "sale_amount": {"Sale amount must be at least $0.01."},
			"royalty_amount": {"Royalty amount cannot be negative."},
		},
		`{"contract_hash":"h1","sale_amount":1,"royalty_amount":1.0001}`:           {"royalty_amount": {"Royalty amount cannot exceed sale amount."}},
		`{"contract_hash":"h1","sale_amount":1e400,"royalty_amount":"NaN"}`:        {"sale_amount": {number}, "royalty_amount": {"The royalty amount must be a number."}},
		`{"contract_hash":"h1","sale_amount":true,"royalty_amount":0}`:             {"sale_amount": {number}},
		`{"contract_hash":"h1","sale_amount":"","royalty_amount":0}`:               {"sale_amount": {missing}},
		`{"contract_hash":"h1","sale_amount":100000000,"royalty_amount":0}`:        {"sale_amount": {"The sale amount must not be greater than 99999999.99."}},
		`{"contract_hash":["h1"],"sale_amount":1,"royalty_amount":0}`:              {"contract_hash": {"The contract hash must be a string."}},
		`{"contract_hash":"a\u0000","sale_amount":1,"royalty_amount":0}`:           {"contract_hash": {"The contract hash has characters that are not text."}},
		`{"contract_hash":"h1","sale_amount":1,"royalty_amount":0,"metadata":[1]}`: {"metadata": {"The metadata must be an object."}},
		`{"contract_hash":"h1","sale_amount":1,"royalty_amount":0,"metadata":{"currency":"EUR"}}`: {
			"metadata.currency": {"The metadata.currency must be USD."},
		},
		`{"contract_hash":"h1","sale_amount":1,"royalty_amount":0,"metadata":{"x":"` + strings.Repeat("x", 16<<10) + `"}}`: {
			"metadata": {"The metadata must not be greater than 16 kilobytes."},
		},
		`{"contract_hash":"h1","sale_amount":1,"royalty_amount":0,"sold_at":"yesterday"}`: {"sold_at": {"The sold at is not a valid date."}},
		`{"contract_hash":"h1","sale_amount":1,"royalty_amount":0,"sold_at":"2024-01-22T12:00:00Z"}`: {
			"sold_at": {"The sold at must not be more than 24 hours in the future."},
		},
		`{"contract_hash":"h1","sale_amount":1,"royalty_amount":0,"sold_at":"1969-12-31T23:59:59Z"}`: {"sold_at": {"The sold at must not be before 1970."}},
		`{"contract_hash":"h1","sale_amount":1,"royalty_amount":0,"buyer_wallet_address":"` + strings.Repeat("a", 43) + `"}`: {
			"buyer_wallet_address": {"The buyer wallet address must not be greater than 42 characters."},
		},
	} {
		_, err := r.ReportSale(t.Context(), r.seller, decode[registry.SaleReport](t, body))
		invalid(t, err, want)
	}
	list, err := r.Sales(t.Context(), r.seller, registry.SaleFilter{}, registry.PageOptions{})
	require.NoError(t, err)
	require.Empty(t, list.Items)
}

func TestASaleIsStoredWithWhatItOwes(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	r.register(t, &registry.Terms{BasisPoints: 1000}, "h1")
	ctx := t.Context()
	for _, test := range []struct {
		seller  registry.Platform
		royalty registry.Money
		status  registry.RoyaltyStatus
		under   bool
	}{
		{r.seller, 300, registry.RoyaltyPending, false},
		{r.seller, 299, registry.RoyaltyPending, true},
		{r.seller, 0, registry.RoyaltyPaid, true},
		{r.publisher, 300, registry.RoyaltyInternal, false},
		{r.publisher, 0, registry.RoyaltyInternal, true},
	} {
		report := sale("h1")
		report.RoyaltyAmount = registry.Dollars(test.royalty)
		got, err := r.ReportSale(ctx, test.seller, report)
		require.NoError(t, err)
		require.Equal(t, test.status, got.Royalty.Status)
		require.Equal(t, test.under, got.Royalty.Underreported)
		require.Equal(t, test.royalty, got.Royalty.Amount)
		require.Equal(t, today, got.Sale.SoldAt)
		require.Equal(t, []int64{test.seller.ID, r.publisher.ID}, []int64{got.Royalty.SellerID, got.Royalty.OriginID})
	}
	strict := newRoom(t, func(c *registry.Config) { c.RefuseUnderreported = true })
	strict.register(t, &registry.Terms{BasisPoints: 1000}, "h1")
	_, err := strict.ReportSale(ctx, strict.seller, sale("h1"))
	invalid(t, err, map[string][]string{"royalty_amount": {"Royalty amount is below the 3.00 that the contract asks for."}})
}

func TestALateOrPreciseTimeIsKept(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	r.register(t, nil, "h1")
	for text, want := range map[string]time.Time{
		"2024-01-15T10:30:00Z":                time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC),
		"2024-01-15T10:30:00.123456789+02:00": time.Date(2024, 1, 15, 8, 30, 0, 123456000, time.UTC),
		"2024-01-15 10:30:00":                 time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC),
		"2024-01-15":                          time.Date(2024, 1, 15, 0, 0, 0, 0, time.UTC),
	} {
		got, err := r.ReportSale(t.Context(), r.seller, decode[registry.SaleReport](t, `{"contract_hash":"h1","sale_amount":1,"royalty_amount":0,"sold_at":"`+text+`"}`))
		require.NoError(t, err)
		require.Equal(t, want, got.Sale.SoldAt)
	}
}

func TestARepeatedReportCountsOnceOrIsRefused(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	ctx := t.Context()
	r.register(t, nil, "0xAB", "h2")
	report := sale("0xAB")
	report.TransactionHash, report.IdempotencyKey = "0xTX", "key 1"
	first, err := r.ReportSale(ctx, r.seller, report)
	require.NoError(t, err)
	require.True(t, first.Created)
	again := report
	again.ContractHash, again.IdempotencyKey = "0xab", ""
	for _, same := range []registry.SaleReport{report, again} {
		got, err := r.ReportSale(ctx, r.seller, same)
		require.NoError(t, err)
		require.Equal(t, registry.Reported{Sale: first.Sale, Royalty: first.Royalty}, got)
	}
	again.RoyaltyAmount = registry.Dollars(300)
	_, err = r.ReportSale(ctx, r.seller, again)
	invalid(t, err, map[string][]string{"transaction_hash": {"The transaction hash was reported with other amounts."}})
	for _, change := range []func(*registry.SaleReport){
		func(s *registry.SaleReport) { s.SaleAmount = registry.Dollars(3000) },
		func(s *registry.SaleReport) { s.ContractHash = "h2" },
		func(s *registry.SaleReport) { s.BuyerWalletAddress = "0x2" },
		func(s *registry.SaleReport) { s.SoldAt = today.Add(-time.Hour) },
		func(s *registry.SaleReport) { s.TransactionHash = "0xOther" },
	} {
		other := report
		change(&other)
		_, err := r.ReportSale(ctx, r.seller, other)
		invalid(t, err, map[string][]string{"idempotency_key": {"The idempotency key was used for another sale."}})
	}
	_, err = r.RevokeContract(ctx, r.publisher, "0xAB", registry.Revocation{})
	require.NoError(t, err)
	got, err := r.ReportSale(ctx, r.seller, report)
	require.NoError(t, err, "an answer that was lost can be had after the contract was revoked")
	require.False(t, got.Created)
	fresh := report
	fresh.TransactionHash, fresh.IdempotencyKey = "0xNew", "key 2"
	_, err = r.ReportSale(ctx, r.seller, fresh)
	invalid(t, err, map[string][]string{"contract_hash": {"Contract is not active."}})
	list, err := r.Sales(ctx, r.seller, registry.SaleFilter{}, registry.PageOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 1, list.Total)
}

func TestATransactionIsOneWhateverTheCaseOfItsHash(t *testing.T) {
	t.Parallel()
	for hash, same := range map[string]string{"0xABcd12": "0Xabcd12", "5Kj": "5Kj"} {
		for _, sensitive := range []bool{false, true} {
			r := newRoom(t, func(c *registry.Config) { c.CaseSensitiveHex = sensitive })
			r.register(t, nil, "h1")
			report := sale("h1")
			report.TransactionHash = hash
			first, err := r.ReportSale(t.Context(), r.seller, report)
			require.NoError(t, err)
			report.TransactionHash = same
			again, err := r.ReportSale(t.Context(), r.seller, report)
			require.NoError(t, err)
			require.Equal(t, sensitive && hash != same, again.Created, hash)
			require.Equal(t, hash, first.Sale.TransactionHash, "it is shown as it was given")
			report.TransactionHash = "5kJ" // base58 is not hex
			other, err := r.ReportSale(t.Context(), r.seller, report)
			require.NoError(t, err)
			require.True(t, other.Created)
		}
	}
}

func TestTheIdempotencyKeyOfAVoidedSaleIsUsedUp(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	r.register(t, nil, "h1")
	report := sale("h1")
	report.IdempotencyKey, report.TransactionHash = "key 1", "0xab"
	first, err := r.ReportSale(t.Context(), r.seller, report)
	require.NoError(t, err)
	_, err = r.VoidSale(t.Context(), r.seller, first.Sale.ID, registry.VoidRequest{})
	require.NoError(t, err)
	_, err = r.ReportSale(t.Context(), r.seller, report)
	invalid(t, err, map[string][]string{"idempotency_key": {"The sale with this idempotency key was voided; use another key to report it anew."}})
	_, err = r.ReportSales(t.Context(), r.seller, []registry.SaleReport{sale("h1"), report})
	invalid(t, err, map[string][]string{"sales.1.idempotency_key": {"The sale with this idempotency key was voided; use another key to report it anew."}})
	report.IdempotencyKey = "key 2"
	again, err := r.ReportSale(t.Context(), r.seller, report)
	require.NoError(t, err)
	require.True(t, again.Created, "with another key the transaction may be reported anew")
}

func TestABatchNamesTheSalesThatAreWrong(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	ctx := t.Context()
	r.register(t, nil, "h1")
	_, err := r.ReportSales(ctx, r.seller, []registry.SaleReport{sale("h1"), sale("h9"), {ContractHash: "h1", SaleAmount: registry.Dollars(1)}})
	invalid(t, err, map[string][]string{
		"sales.1.contract_hash": {"Contract hash is not registered."}, "sales.2.royalty_amount": {"The royalty amount field is required."},
	})
	_, err = r.ReportSales(ctx, r.seller, nil)
	invalid(t, err, map[string][]string{"sales": {"The sales field is required."}})
	many := make([]registry.SaleReport, registry.MaxBatch+1)
	for i := range many {
		many[i] = sale("h1")
	}
	_, err = r.ReportSales(ctx, r.seller, many)
	invalid(t, err, map[string][]string{"sales": {"The sales must not have more than 250 items."}})
	got, err := r.ReportSales(ctx, r.seller, many[1:])
	require.NoError(t, err)
	require.Len(t, got, registry.MaxBatch)
	seen := 0
	require.NoError(t, r.EachSale(ctx, r.publisher, registry.SaleFilter{OriginID: r.publisher.ID}, func(registry.Sale) error { seen++; return nil }))
	require.Equal(t, registry.MaxBatch, seen)
	stop := errors.New("enough")
	require.ErrorIs(t, r.EachSale(ctx, r.publisher, registry.SaleFilter{}, func(registry.Sale) error { return stop }), stop)
}

func TestASaleIsVoidedByItsSellerInTime(t *testing.T) {
	t.Parallel()
	r := newRoom(t, func(c *registry.Config) { c.VoidWindow = time.Hour })
	ctx := t.Context()
	r.register(t, nil, "h1")
	first, err := r.ReportSale(ctx, r.seller, sale("h1"))
	require.NoError(t, err)
	second, err := r.ReportSale(ctx, r.seller, sale("h1"))
	require.NoError(t, err)
	void := func(p registry.Platform, id int64) error {
		_, err := r.VoidSale(ctx, p, id, registry.VoidRequest{Reason: "returned"})
		return err
	}
	require.ErrorIs(t, void(r.seller, 999), registry.ErrSaleUnknown)
	require.ErrorIs(t, void(r.outsider, first.Sale.ID), registry.ErrSaleUnknown)
	require.ErrorIs(t, void(r.publisher, first.Sale.ID), registry.ErrNotSeller)
	r.now = today.Add(time.Hour)
	require.NoError(t, void(r.seller, first.Sale.ID))
	require.ErrorIs(t, void(r.seller, first.Sale.ID), registry.ErrSaleVoided)
	r.now = r.now.Add(time.Microsecond)
	require.ErrorIs(t, void(r.seller, second.Sale.ID), registry.ErrVoidTooLate)
	royalty, err := r.Royalty(ctx, r.publisher, first.Royalty.ID)
	require.NoError(t, err)
	require.Equal(t, registry.RoyaltyVoided, royalty.Status)

	events, err := r.store.LeaseEvents(ctx, "reader", today, today, 100)
	require.NoError(t, err)
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, e.Type)
		var data struct {
			PlatformIDs []int64 `json:"platform_ids"`
		}
		require.NoError(t, json.Unmarshal(e.Data, &data))
		require.Contains(t, data.PlatformIDs, r.publisher.ID)
	}
	require.Equal(t, []string{"contract.registered", "sale.reported", "sale.reported", "sale.voided"}, kinds)
	require.JSONEq(t, `{"platform_ids":[1,2],"transaction_id":1,"royalty_id":1,"contract_hash":"h1","selling_platform_id":2,"originating_platform_id":1,
		"sale_amount":29.99,"royalty_amount":2.99,"status":"voided","sold_at":"2024-01-20T12:00:00.345678Z","voided_at":"2024-01-20T13:00:00.345678Z"}`, string(events[3].Data))
}

func TestASaleIsSeenByItsPartiesAlone(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	ctx := t.Context()
	r.register(t, nil, "h1")
	reported, err := r.ReportSale(ctx, r.seller, sale("h1"))
	require.NoError(t, err)
	for _, p := range []registry.Platform{r.seller, r.publisher, r.outsider} {
		_, saleErr := r.Sale(ctx, p, reported.Sale.ID)
		_, royaltyErr := r.Royalty(ctx, p, reported.Royalty.ID)
		sales, err := r.Sales(ctx, p, registry.SaleFilter{SellerID: r.seller.ID}, registry.PageOptions{})
		require.NoError(t, err)
		royalties, err := r.Royalties(ctx, p, registry.RoyaltyFilter{OriginID: r.publisher.ID}, registry.PageOptions{})
		require.NoError(t, err)
		if p.ID == r.outsider.ID {
			require.ErrorIs(t, saleErr, registry.ErrSaleUnknown)
			require.ErrorIs(t, royaltyErr, registry.ErrRoyaltyUnknown)
			require.Empty(t, sales.Items)
			require.Empty(t, royalties.Items)
			continue
		}
		require.NoError(t, errors.Join(saleErr, royaltyErr))
		require.Len(t, sales.Items, 1)
		require.Len(t, royalties.Items, 1)
	}
}

func TestADisputedRoyaltyWaitsForAnAdmin(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	ctx := t.Context()
	r.register(t, nil, "h1")
	reported, err := r.ReportSale(ctx, r.seller, sale("h1"))
	require.NoError(t, err)
	id := reported.Royalty.ID
	_, err = r.DisputeRoyalty(ctx, r.publisher, id, registry.DisputeRequest{})
	invalid(t, err, map[string][]string{"reason": {"The reason field is required."}})
	_, err = r.DisputeRoyalty(ctx, r.outsider, id, registry.DisputeRequest{Reason: "mine"})
	require.ErrorIs(t, err, registry.ErrRoyaltyUnknown)
	royalty, err := r.DisputeRoyalty(ctx, r.publisher, id, registry.DisputeRequest{Reason: "too little"})
	require.NoError(t, err)
	require.Equal(t, registry.RoyaltyDisputed, royalty.Status)
	_, err = r.DisputeRoyalty(ctx, r.seller, id, registry.DisputeRequest{Reason: "again"})
	require.ErrorIs(t, err, registry.ErrRoyaltyState)
	require.ErrorIs(t, err, store.ErrConflict)
	_, err = r.ResolveDispute(ctx, "admin:me", id, registry.RoyaltyPaid, "")
	invalid(t, err, map[string][]string{"status": {"The selected status is invalid."}})
	royalty, err = r.ResolveDispute(ctx, "admin:me", id, registry.RoyaltyPending, "it was right")
	require.NoError(t, err)
	require.Equal(t, registry.RoyaltyPending, royalty.Status)
	_, err = r.ResolveDispute(ctx, "admin:me", id, registry.RoyaltyVoided, "")
	require.ErrorIs(t, err, registry.ErrRoyaltyState)
}
