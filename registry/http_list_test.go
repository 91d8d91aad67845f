package registry_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// listed is a page of a list.
type listed struct {
	Data []map[string]any
	Meta struct {
		CurrentPage int   `json:"current_page"`
		LastPage    int   `json:"last_page"`
		PerPage     int   `json:"per_page"`
		Total       int64 `json:"total"`
	}
}

// list reads a page, and one field of its entries.
func (a *api) list(w *httptest.ResponseRecorder, field string) (page listed, values []string) {
	a.t.Helper()
	a.want(w, 200)
	require.NoError(a.t, json.Unmarshal(w.Body.Bytes(), &page))
	values = []string{}
	for _, entry := range page.Data {
		require.Contains(a.t, entry, field)
		values = append(values, fmt.Sprint(entry[field]))
	}
	return page, values
}

func TestContractsAreListedInPages(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		owner, other := a.join("Platform A"), a.join("Platform B")
		owner.publish("a1", "a2", "a3", "b1", "50%", "5_0")
		other.publish("c1")
		a.want(other.do("POST", "/api/contracts/register", `{"ipfs_hash":"QmOther","metadata_cid":"Qm","contract_hashes":["c2"]}`), 201)
		a.want(owner.do("PUT", "/api/contracts/a2/revoke", `{"reason":"error"}`), 200)

		page, hashes := a.list(owner.do("GET", "/api/contracts", ""), "contract_hash")
		require.ElementsMatch(t, []string{"a1", "a2", "a3", "b1", "50%", "5_0"}, hashes)
		require.EqualValues(t, 6, page.Meta.Total)
		require.Equal(t, 25, page.Meta.PerPage)

		var all []string
		for n := 1; n <= 3; n++ {
			page, hashes = a.list(owner.do("GET", fmt.Sprintf("/api/contracts?per_page=2&page=%d", n), ""), "contract_hash")
			require.Equal(t, []int{n, 3, 2}, []int{page.Meta.CurrentPage, page.Meta.LastPage, page.Meta.PerPage})
			all = append(all, hashes...)
		}
		require.ElementsMatch(t, []string{"a1", "a2", "a3", "b1", "50%", "5_0"}, all)
		_, hashes = a.list(owner.do("GET", "/api/contracts?page=99", ""), "contract_hash")
		require.Empty(t, hashes)
		page, _ = a.list(owner.do("GET", "/api/contracts?per_page=100000", ""), "contract_hash")
		require.Equal(t, 250, page.Meta.PerPage)

		for query, want := range map[string][]string{
			"status=revoked": {"a2"}, "status=active&q=a": {"a1", "a3"}, "q=b": {"b1"}, "q=50%25": {"50%"}, "q=5_": {"5_0"}, "q=%25": {}, "ipfs_hash=QmOther": {}, "ipfs_hash=QmOriginalContent&q=b1": {"b1"}, "q=": {"a1", "a2", "a3", "b1", "50%", "5_0"},
		} {
			_, hashes = a.list(owner.do("GET", "/api/contracts?"+query, ""), "contract_hash")
			require.ElementsMatch(t, want, hashes, query)
		}
		a.same(owner.do("GET", "/api/contracts?status=lost&page=0&per_page=x", ""), 422,
			`{"success":false,"message":"Validation failed","errors":{"page":["The page must be an integer of at least 1."],"per_page":["The per page must be an integer of at least 1."],"status":["The selected status is invalid."]}}`)

		// A revoked contract is its owner's business alone.
		a.want(owner.do("GET", "/api/contracts/a2", ""), 200)
		a.want(other.do("GET", "/api/contracts/a1", ""), 200)
		a.same(other.do("GET", "/api/contracts/a2", ""), 404, `{"success":false,"message":"Contract not found","data":null}`)

		a.same(other.do("GET", "/api/publications/QmOther", ""), 200,
			`{"success":true,"message":"Publication retrieved successfully","data":{"ipfs_hash":"QmOther","total_contracts":1,"active_contracts":1,"revoked_contracts":0,"total_platforms":1,"first_registered_at":"2024-01-20T12:00:00Z","last_registered_at":"2024-01-20T12:00:00Z",`+
				`"contracts":[{"contract_hash":"c2","status":"active","ipfs_hash":"QmOther","metadata_cid":"Qm","originating_platform_id":2,"originating_platform_name":"Platform B","registered_at":"2024-01-20T12:00:00Z"}]},"meta":{"current_page":1,"last_page":1,"per_page":25,"total":1}}`)
		w := other.do("GET", "/api/publications/QmOriginalContent?per_page=3", "")
		require.Contains(t, w.Body.String(), `"total_contracts":7,"active_contracts":6,"revoked_contracts":1,"total_platforms":2,`)
		a.same(other.do("GET", "/api/publications/QmNone", ""), 404, `{"success":false,"message":"Publication not found","data":null}`)
	})
}

func TestSalesAndRoyaltiesAreListedForTheirParties(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		owner, seller, third := a.join("Platform A"), a.join("Platform B"), a.join("=Platform C")
		owner.publish("hash1", "=cmd()")
		third.publish("hash3")
		first, royalty := seller.sell("hash1", "10", "1")
		seller.sell("=cmd()", "20.5", "2")
		own, internal := owner.sell("hash1", "30", "3")
		third.sell("hash1", "40", "0")
		seller.sell("hash3", "50", "5")
		a.want(seller.do("POST", "/api/sales", `{"contract_hash":"hash1","sale_amount":60,"royalty_amount":6,"sold_at":"2023-12-31T23:59:59Z","buyer_wallet_address":"@x","metadata":{"a":[1,{"b":null}]}}`), 201)

		for query, want := range map[string][]string{
			"": {"10", "20.5", "50", "60"}, "role=seller": {"10", "20.5", "50", "60"}, "role=origin": {}, "contract_hash=hash1": {"10", "60"},
			"from=2024-01-01": {"10", "20.5", "50"}, "to=2024-01-01": {"60"}, "from=2023-12-31T23:59:59Z&to=2024-01-01T00:00:00Z": {"60"}, "from=2023-12-31T18:59:59-05:00&to=2024-01-01": {"60"},
			"status=voided": {}, "contract_hash=nothing": {},
		} {
			_, amounts := a.list(seller.do("GET", "/api/sales?"+strings.ReplaceAll(query, "+", "%2B"), ""), "sale_amount")
			require.ElementsMatch(t, want, amounts, query)
		}
		_, amounts := a.list(owner.do("GET", "/api/sales?role=origin&per_page=2", ""), "sale_amount")
		require.Len(t, amounts, 2)
		_, amounts = a.list(owner.do("GET", "/api/sales", ""), "sale_amount")
		require.ElementsMatch(t, []string{"10", "20.5", "30", "40", "60"}, amounts)
		a.same(seller.do("GET", "/api/sales?role=buyer&from=yesterday", ""), 422,
			`{"success":false,"message":"Validation failed","errors":{"from":["The from must be an RFC 3339 time or a date."],"role":["The selected role is invalid."]}}`)

		sale := fmt.Sprintf(`"data":{"transaction_id":%d,"royalty_id":%d,"contract_hash":"hash1","status":"reported","sale_amount":10,"royalty_amount":1,"buyer_wallet_address":null,"transaction_hash":null,"metadata":null,`+
			`"selling_platform_id":2,"selling_platform_name":"Platform B","originating_platform_id":1,"originating_platform_name":"Platform A","sold_at":"2024-01-20T12:00:00Z","reported_at":"2024-01-20T12:00:00Z","voided_at":null,"void_reason":null}`, first, royalty)
		path := fmt.Sprintf("/api/sales/%d", first)
		a.same(seller.do("GET", path, ""), 200, `{"success":true,"message":"Sale retrieved successfully",`+sale+`}`)
		a.want(owner.do("GET", path, ""), 200)
		a.same(third.do("GET", path, ""), 404, `{"success":false,"message":"Sale not found","data":null}`)

		for query, want := range map[string][]string{
			"": {"1", "2", "5", "6"}, "direction=owed": {"1", "2", "5", "6"}, "direction=due": {}, "direction=owed&counterparty=3": {"5"}, "counterparty=1": {"1", "2", "6"},
			"status=paid": {}, "status=pending&to=2024-01-01": {"6"}, "counterparty=7": {},
		} {
			_, amounts := a.list(seller.do("GET", "/api/royalties?"+query, ""), "amount")
			require.ElementsMatch(t, want, amounts, query)
		}
		_, statuses := a.list(owner.do("GET", "/api/royalties?direction=due", ""), "status")
		require.ElementsMatch(t, []string{"pending", "pending", "internal", "paid", "pending"}, statuses)
		_, due := a.list(owner.do("GET", "/api/royalties?direction=due&counterparty=2", ""), "amount")
		require.ElementsMatch(t, []string{"1", "2", "6"}, due)
		a.same(seller.do("GET", "/api/royalties?direction=up&status=none&counterparty=me", ""), 422,
			`{"success":false,"message":"Validation failed","errors":{"counterparty":["The counterparty must be an integer of at least 1."],"direction":["The selected direction is invalid."],"status":["The selected status is invalid."]}}`)
		a.want(owner.do("GET", fmt.Sprintf("/api/royalties/%d", royalty), ""), 200)
		a.want(third.do("GET", fmt.Sprintf("/api/royalties/%d", royalty), ""), 404)

		// Disputes.
		dispute := fmt.Sprintf("/api/royalties/%d/dispute", royalty)
		a.same(owner.do("POST", dispute, ``), 422, `{"success":false,"message":"Validation failed","errors":{"reason":["The reason field is required."]}}`)
		a.want(third.do("POST", dispute, `{"reason":"mine"}`), 404)
		a.want(owner.do("POST", dispute, `{"reason":"too little"}`), 200)
		a.same(owner.do("POST", dispute, `{"reason":"too little"}`), 400, `{"success":false,"message":"Royalty status does not allow this","data":null}`)
		a.want(owner.do("POST", fmt.Sprintf("/api/royalties/%d/dispute", internal), `{"reason":"x"}`), 400)
		resolve := fmt.Sprintf("/api/admin/royalties/%d/resolve", royalty)
		a.same(a.admin("POST", resolve, `{"status":"paid"}`), 422, `{"success":false,"message":"Validation failed","errors":{"reason":["The reason field is required."],"status":["The selected status is invalid."]}}`)
		a.want(a.admin("POST", resolve, `{"status":"pending","reason":"as agreed"}`), 200)
		a.want(a.admin("POST", resolve, `{"status":"pending","reason":"as agreed"}`), 400)
		a.want(a.admin("POST", "/api/admin/royalties/99/resolve", `{"status":"pending","reason":"x"}`), 404)

		// Voids.
		void := fmt.Sprintf("/api/sales/%d/void", first)
		a.want(third.do("POST", void, ``), 404)
		a.same(owner.do("POST", void, ``), 403, `{"success":false,"message":"Only the selling platform can void this sale","data":null}`)
		w := seller.do("POST", void, `{"reason":"returned"}`)
		a.want(w, 200)
		require.Contains(t, w.Body.String(), `"status":"voided"`)
		require.Contains(t, w.Body.String(), `"void_reason":"returned","adjustment_royalty_id":null}`)
		a.same(seller.do("POST", void, ``), 400, `{"success":false,"message":"Sale is already voided","data":null}`)
		a.pass(31 * 24 * 60 * 60 * 1e9)
		a.same(owner.do("POST", fmt.Sprintf("/api/sales/%d/void", own), ``), 400, `{"success":false,"message":"Sale is too old to be voided","data":null}`)

		// The same list as a spreadsheet.
		w = seller.do("GET", "/api/sales/export.csv?from=2023-12-01", "")
		a.want(w, 200)
		require.Equal(t, "text/csv; charset=utf-8", w.Header().Get("Content-Type"))
		require.Equal(t, `attachment; filename="sales.csv"`, w.Header().Get("Content-Disposition"))
		rows, err := csv.NewReader(w.Body).ReadAll()
		require.NoError(t, err)
		require.Len(t, rows, 5)
		require.Equal(t, []string{"transaction_id", "royalty_id", "contract_hash", "status", "sale_amount", "royalty_amount", "buyer_wallet_address", "transaction_hash",
			"selling_platform_id", "selling_platform_name", "originating_platform_id", "originating_platform_name", "sold_at", "reported_at", "voided_at", "void_reason"}, rows[0])
		require.Equal(t, []string{"hash1", "voided", "10.00", "1.00", "", ""}, rows[1][2:8])
		require.Equal(t, "returned", rows[1][15])
		require.Equal(t, []string{"'=cmd()", "reported", "20.50", "2.00"}, rows[2][2:6], "no spreadsheet runs it")
		require.Equal(t, "'=Platform C", rows[3][11])
		require.Equal(t, "'@x", rows[4][6])
		require.Equal(t, "2023-12-31T23:59:59Z", rows[4][12])
		a.want(seller.do("GET", "/api/sales/export.csv?role=x", ""), 422)
	})
}

func TestAnExportHoldsAllPages(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		owner, seller := a.join("Platform A"), a.join("Platform B")
		owner.publish("hash1")
		for range 3 {
			a.want(seller.do("POST", "/api/sales/batch", `{"sales":[`+strings.TrimSuffix(strings.Repeat(`{"contract_hash":"hash1","sale_amount":1,"royalty_amount":0.1},`, 100), ",")+`]}`), 201)
		}
		rows, err := csv.NewReader(seller.do("GET", "/api/sales/export.csv", "").Body).ReadAll()
		require.NoError(t, err)
		require.Len(t, rows, 301)
		require.Equal(t, "1", rows[1][0])
		require.Equal(t, "300", rows[300][0], "on the second page")
	})
}

func TestMirrorsAreCountedListedAndRemoved(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		owner, keeper := a.join("Platform A"), a.join("Platform B")
		owner.publish("hash1")
		report := `{"contract_hash":"hash1","mirrored_ipfs_hash":"QmCopy"}`
		a.want(owner.do("POST", "/api/mirrors", report), 201)
		a.want(keeper.do("POST", "/api/mirrors", report), 201)
		_, ids := a.list(keeper.do("GET", "/api/mirrors?mine", ""), "mirror_id")
		require.Equal(t, []string{"2"}, ids)
		for query, want := range map[string]int{"": 2, "mine=1": 1, "mine=0": 2, "ipfs_hash=QmOriginalContent": 2, "ipfs_hash=QmNone": 0} {
			_, ids = a.list(keeper.do("GET", "/api/mirrors?"+query, ""), "mirror_id")
			require.Len(t, ids, want, query)
		}
		a.pass(3600 * 1e9)
		a.same(owner.do("POST", "/api/mirrors/2/access", ""), 200,
			`{"success":true,"message":"Mirror access recorded successfully","data":{"mirror_id":2,"mirrored_ipfs_hash":"QmCopy","mirror_location":null,"platform_name":"Platform B","access_count":1,"last_accessed_at":"2024-01-20T13:00:00Z","mirrored_at":"2024-01-20T12:00:00Z","contract_hash":"hash1","ipfs_hash":"QmOriginalContent","platform_id":2,"updated_at":"2024-01-20T12:00:00Z"}}`)
		statuses, _ := atOnce(8, func(int) *httptest.ResponseRecorder { return owner.do("POST", "/api/mirrors/2/access", "") })
		require.Equal(t, map[int]int{200: 8}, statuses)
		_, counts := a.list(keeper.do("GET", "/api/mirrors?mine", ""), "access_count")
		require.Equal(t, []string{"9"}, counts)

		a.same(owner.do("DELETE", "/api/mirrors/2", ""), 403, `{"success":false,"message":"Only the mirroring platform can remove this mirror","data":null}`)
		a.same(keeper.do("DELETE", "/api/mirrors/2", ""), 200, `{"success":true,"message":"Mirror removed successfully","data":{"mirror_id":2}}`)
		a.same(keeper.do("DELETE", "/api/mirrors/2", ""), 404, `{"success":false,"message":"Mirror not found","data":null}`)
		a.want(keeper.do("POST", "/api/mirrors/2/access", ""), 404)
	})
}
