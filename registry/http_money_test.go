package registry_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAmountsAreReadExactlyAndWrittenShortly(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		owner, seller := a.join("Platform A"), a.join("Platform B")
		owner.publish("hash1")
		for _, c := range []struct{ sale, royalty, saleOut, royaltyOut string }{
			{`29.99`, `2.99`, `29.99`, `2.99`},
			{`"29.99"`, `"2.99"`, `29.99`, `2.99`},
			{`29.999`, `29.999`, `30`, `30`},
			{`29.99`, `2.9989999999999997`, `29.99`, `3`}, // 29.99*0.1 of a client with floats
			{`30`, `2.5`, `30`, `2.5`},
			{`30.00`, `2.50`, `30`, `2.5`},
			{`3e1`, `25E-1`, `30`, `2.5`},
			{`0.01`, `0`, `0.01`, `0`},
			{`0.014999`, `0.004999`, `0.01`, `0`},
			{`0.015`, `0.005`, `0.02`, `0.01`},
			{`1.005`, `1.0049999999999999`, `1.01`, `1`},
			{`99999999.99`, `99999999.99`, `99999999.99`, `99999999.99`},
			{`1`, `-0`, `1`, `0`},
			{`1`, `-0.0`, `1`, `0`},
		} {
			w := seller.do("POST", "/api/sales", fmt.Sprintf(`{"contract_hash":"hash1","sale_amount":%s,"royalty_amount":%s}`, c.sale, c.royalty))
			a.want(w, 201)
			require.Contains(t, w.Body.String(), fmt.Sprintf(`"sale_amount":%s,"royalty_amount":%s,`, c.saleOut, c.royaltyOut), "%+v", c)
		}
	})
}

func TestARepeatedReportNeverCountsTwice(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		owner, seller := a.join("Platform A"), a.join("Platform B")
		owner.publish("hash1", "hash2")
		const first = `{"contract_hash":"hash1","sale_amount":10,"royalty_amount":1}`
		const withHash = `{"contract_hash":"hash1","sale_amount":10,"royalty_amount":1,"transaction_hash":"0xab"}`

		a.want(seller.do("POST", "/api/sales", first, "Idempotency-Key", "k1"), 201)
		a.same(seller.do("POST", "/api/sales", first, "Idempotency-Key", "k1"), 200,
			`{"success":true,"message":"Sale already reported","data":{"transaction_id":1,"royalty_id":1,"contract_hash":"hash1","sale_amount":10,"royalty_amount":1,"sold_at":"2024-01-20T12:00:00Z"}}`)
		a.same(seller.do("POST", "/api/sales", strings.Replace(first, "10", "11", 1), "Idempotency-Key", "k1"), 422,
			`{"success":false,"message":"Validation failed","errors":{"idempotency_key":["The idempotency key was used for another sale."]}}`)
		a.want(owner.do("POST", "/api/sales", first, "Idempotency-Key", "k1"), 201) // the key is each platform's own
		a.want(seller.do("POST", "/api/sales", first), 201)                         // without either it is another sale
		a.want(seller.do("POST", "/api/sales", first, "Idempotency-Key", strings.Repeat("k", 256)), 422)

		a.want(seller.do("POST", "/api/sales", withHash), 201)
		a.want(seller.do("POST", "/api/sales", withHash), 200)
		a.same(seller.do("POST", "/api/sales", strings.Replace(withHash, `"royalty_amount":1`, `"royalty_amount":2`, 1)), 422,
			`{"success":false,"message":"Validation failed","errors":{"transaction_hash":["The transaction hash was reported with other amounts."]}}`)
		a.want(seller.do("POST", "/api/sales", strings.Replace(withHash, "hash1", "hash2", 1)), 201) // one transaction may buy two works
		require.EqualValues(t, 5, a.stats().Sales["reported"])

		batch := `{"sales":[` + first + `,` + withHash + `,` + first + `]}`
		var got struct {
			Reported int               `json:"reported_count"`
			Already  int               `json:"already_reported_count"`
			Sales    []json.RawMessage `json:"sales"`
		}
		w := seller.do("POST", "/api/sales/batch", batch, "Idempotency-Key", "b1")
		a.want(w, 201)
		a.data(w, &got)
		require.Equal(t, []int{2, 1, 3}, []int{got.Reported, got.Already, len(got.Sales)})
		w = seller.do("POST", "/api/sales/batch", batch, "Idempotency-Key", "b1")
		a.want(w, 200)
		a.data(w, &got)
		require.Equal(t, []int{0, 3, 3}, []int{got.Reported, got.Already, len(got.Sales)})
		require.EqualValues(t, 7, a.stats().Sales["reported"])
	})
}

func TestABatchOfSalesIsStoredWholeOrNotAtAll(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		owner, seller := a.join("Platform A"), a.join("Platform B")
		owner.publish("hash1")
		good := `{"contract_hash":"hash1","sale_amount":1,"royalty_amount":0.1}`
		a.want(seller.do("POST", "/api/sales/batch", `{"sales":[`+strings.Repeat(good+",", 249)+`{}]}`), 422)
		require.Zero(t, a.stats().Sales["reported"])
		a.want(seller.do("POST", "/api/sales/batch", `{"sales":[`+strings.Repeat(good+",", 249)+good+`]}`), 201)
		require.EqualValues(t, 250, a.stats().Sales["reported"])
		require.EqualValues(t, 250_00, a.stats().SaleAmount)

		sale := `{"contract_hash":"hash1","sale_amount":2,"royalty_amount":%d,"transaction_hash":"0x1"}`
		a.want(seller.do("POST", "/api/sales", fmt.Sprintf(sale, 1)), 201)
		a.same(seller.do("POST", "/api/sales/batch", `{"sales":[`+good+`,`+fmt.Sprintf(sale, 2)+`]}`), 422,
			`{"success":false,"message":"Validation failed","errors":{"sales.1.transaction_hash":["The transaction hash was reported with other amounts."]}}`)
		require.EqualValues(t, 251, a.stats().Sales["reported"], "nothing of the batch is stored")
	})
}

func TestARoyaltyIsQuotedAndItsPartsAddUp(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		owner, seller := a.join("Platform A"), a.join("Platform B")
		owner.publish("a/b", "plain")
		const path = "/api/contracts/a%2Fb/royalty"
		a.same(seller.do("GET", path+"?sale_amount=10", ""), 404, `{"success":false,"message":"Contract has no royalty terms","data":null}`)
		terms := `{"basis_points":1000,"payees":[{"name":"Ann","wallet":"0x1","share":3333},{"name":"Bob","share":3333},{"name":"Cy","share":3334}]}`
		a.same(seller.do("PUT", path, terms), 403, `{"success":false,"message":"Only the publishing platform can change this contract","data":null}`)
		a.want(owner.do("PUT", path, strings.Replace(terms, "3334", "3335", 1)), 422)
		a.want(owner.do("PUT", path, terms), 200)
		a.same(seller.do("GET", path+"?sale_amount=10.01", ""), 200,
			`{"success":true,"message":"Royalty calculated successfully","data":{"contract_hash":"a/b","originating_platform_id":1,"originating_platform_name":"Platform A","sale_amount":10.01,"royalty_amount":1,"basis_points":1000,`+
				`"payees":[{"name":"Ann","wallet":"0x1","share":3333,"amount":0.33},{"name":"Bob","share":3333,"amount":0.33},{"name":"Cy","share":3334,"amount":0.34}]}}`)
		for query, message := range map[string]string{
			"":                    "The sale amount field is required.",
			"?sale_amount=":       "The sale amount must be a number.",
			"?sale_amount=NaN":    "The sale amount must be a number.",
			"?sale_amount=1e400":  "The sale amount must be a number.",
			"?sale_amount=0.001":  "Sale amount must be at least $0.01.",
			"?sale_amount=-5":     "Sale amount must be at least $0.01.",
			"?sale_amount=1e9":    "The sale amount must not be greater than 99999999.99.",
			"?sale_amount=0x10":   "The sale amount must be a number.",
			"?sale_amount=ten":    "The sale amount must be a number.",
			"?sale_amount=%2B1.5": "The sale amount must be a number.",
		} {
			a.same(seller.do("GET", path+query, ""), 422, `{"success":false,"message":"Validation failed","errors":{"sale_amount":["`+message+`"]}}`)
		}
		a.want(owner.do("DELETE", path, ""), 200)
		a.want(seller.do("GET", path+"?sale_amount=10", ""), 404)
		a.want(seller.do("GET", "/api/contracts/nothing/royalty?sale_amount=10", ""), 404)
	})
}
