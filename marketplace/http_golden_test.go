package marketplace_test

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
)

// sample is a body of the documentation. Edits are pairs of what is replaced and
// by what: what stands there for something else, such as "0xdeadbeef".
func sample(t testing.TB, name string, edits ...string) string {
	t.Helper()
	file, err := os.ReadFile("testdata/" + name + ".json")
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, json.Compact(&b, file))
	return strings.NewReplacer(edits...).Replace(b.String())
}

// begins requires that an answer is the sample to the byte, as far as that goes:
// members that were added stand behind those of the sample.
func begins(t testing.TB, sample, got string) {
	t.Helper()
	sample = strings.TrimRight(sample, "}]")
	require.Equal(t, sample, got[:min(len(sample), len(got))])
}

const (
	sampleQuote  = "cq_01HZZXFQ27ZP6MP0V2R9M6V3KX"
	samplePolicy = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	sampleHash   = "0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func TestTheOffersAreListedAsDocumented(t *testing.T) {
	overEachStore(t, func(t *testing.T, d *desk) {
		w := d.do("GET", "/marketplace/offers", "")
		d.want(w, 200)
		require.Equal(t, sample(t, "offers"), strings.TrimSuffix(w.Body.String(), "\n"))
	})
}

func TestACheckoutIsAnsweredAsDocumented(t *testing.T) {
	overEachStore(t, func(t *testing.T, d *desk) {
		d.want(d.issuer("PUT", "/marketplace/offers/"+offerID, newOffer(offerID, "500000000")), 200) // the price of the sample
		request := sample(t, "quote_request", "0x9f20...", proofOfIt)
		w := d.do("POST", "/marketplace/checkout/quote", request)
		d.want(w, 200)
		var q quoted
		d.read(w, &q)
		const pays505ToTheTreasury = "0xa9059cbb" +
			"0000000000000000000000002222222222222222222222222222222222222222" +
			"000000000000000000000000000000000000000000000000000000001e19b040"
		begins(t, sample(t, "quote", sampleQuote, q.QuoteID, samplePolicy, q.PolicyHash,
			`{"to":"0x2222222222222222222222222222222222222222","data":"0xdeadbeef"`, `{"to":"`+strings.ToLower(usdc)+`","data":"`+pays505ToTheTreasury+q.Tx.Data[len(pays505ToTheTreasury):]+`"`,
		), w.Body.String())
		require.Regexp(t, `^cq_[0-9A-HJKMNP-TV-Z]{26}$`, q.QuoteID)
		require.Len(t, q.Tx.Data, len(pays505ToTheTreasury)+64, "the mark of the quote")

		paid := d.paid(q, 0)
		paid.Hash, paid.Time = sampleHash, time.Date(2026, 2, 17, 7, 44, 29, 0, time.UTC)
		d.chain.mine(paid)
		d.at(time.Date(2026, 2, 17, 7, 46, 2, 999999000, time.UTC)) // after the price has expired: it was paid in time
		for range 2 {
			w = d.do("POST", "/marketplace/checkout/confirm", sample(t, "confirm_request", sampleQuote, q.QuoteID))
			d.want(w, 200)
			begins(t, sample(t, "confirm", samplePolicy, q.PolicyHash), w.Body.String())
			d.pass(time.Hour)
		}
		w = d.do("GET", "/marketplace/memberships/"+buyer, "")
		d.want(w, 200)
		require.Contains(t, w.Body.String(), `"status":"active"`, "the quote activated it")
	})
}

func TestWithoutMembershipNothingIsSoldIfItIsNotBundled(t *testing.T) {
	overEachStore(t, func(t *testing.T, d *desk) {
		w := d.do("POST", "/marketplace/checkout/quote", sample(t, "quote_request", "0x9f20...", proofOfIt))
		d.want(w, 403)
		begins(t, sample(t, "membership_required"), w.Body.String())
		require.Regexp(t, `,"code":"membership_required","correlation_id":"req_[0-9A-Z]{26}"}`, w.Body.String())
		d.want(d.admin("POST", "/marketplace/memberships/"+buyer+"/reinstate", ``), 200)
		d.want(d.do("POST", "/marketplace/checkout/quote", sample(t, "quote_request", "0x9f20...", proofOfIt)), 200)
		d.want(d.admin("POST", "/marketplace/memberships/"+buyer+"/suspend", `{"reason":"late"}`), 200)
		d.refused(d.do("POST", "/marketplace/checkout/quote", sample(t, "quote_request", "0x9f20...", proofOfIt)), 403, "membership_required")
	}, notBundled)
}

func TestTheEntitlementsAreListedAsDocumented(t *testing.T) {
	overEachStore(t, func(t *testing.T, d *desk) {
		d.sell("edut.crm.pro.annual")
		w := d.do("POST", "/marketplace/checkout/quote", strings.NewReplacer(offerID, "edut.crm.pro.annual", ".acme.exec", ".acme").Replace(quoteBody(buyer)))
		d.want(w, 200)
		var q quoted
		d.read(w, &q)
		d.chain.mine(d.paid(q, 1))
		d.at(time.Date(2026, 2, 17, 7, 44, 0, 0, time.UTC))
		d.pass(2*time.Minute + 2*time.Second)
		d.want(d.do("POST", "/marketplace/checkout/confirm", strings.Replace(confirmBody(q, buyer, 1), offerID, "edut.crm.pro.annual", 1)), 200)
		const id = "ent:8453:0x3ea6cbf98d23e2cf7b6f4f9bb1fb4f50b710f2d5:000001"
		d.want(d.admin("POST", "/marketplace/entitlements/"+id+"/availability", `{"state":"grace"}`), 200)

		for _, wallet := range []string{buyer, "0x" + strings.ToUpper(buyer[2:])} {
			w = d.do("GET", "/marketplace/entitlements?wallet="+wallet, "")
			d.want(w, 200)
			begins(t, sample(t, "entitlements", samplePolicy, q.PolicyHash), w.Body.String())
		}
		w = d.do("GET", "/marketplace/entitlements?wallet="+treasury, "")
		d.want(w, 200)
		require.Equal(t, "{\"entitlements\":[]}\n", w.Body.String())
		d.refused(d.do("GET", "/marketplace/entitlements", ""), 400, "invalid_request")
		d.refused(d.do("GET", "/marketplace/entitlements?wallet=0x12", ""), 400, "invalid_request")
	})
}

func TestThePolicyHashIsThatOfTheCanonicalPolicy(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	w := d.do("GET", "/marketplace/offers/"+offerID+"/policy", "")
	d.want(w, 200)
	require.Equal(t, `{"access_class":"connected","entitlement_type":"module_license","issuer_id":"edut.firstparty","offer_id":"edut.governance.core",`+
		`"policies":{"internal_use_only":true,"member_only":true,"multi_tenant":false,"transferable":false,"workspace_bound":true},`+
		`"pricing":{"amount_atomic":"499000000","chain_id":8453,"currency":"USDC","decimals":6},"scope":"workspace","version":1}`, w.Body.String())
	const want = "1415861593074b24879a36d7653d37ec1237be225c175f7431434d595d460026"
	require.Equal(t, want, w.Header().Get("X-Policy-Hash"))
	require.Equal(t, want, d.quote(buyer).PolicyHash)
	d.want(d.issuer("PUT", "/marketplace/offers/"+offerID, strings.Replace(newOffer(offerID, "499000000"), "First paid", "The first paid", 1)), 200)
	require.Equal(t, want, d.quote(buyer).PolicyHash, "the summary is not part of it")
}

var stamps = regexp.MustCompile(`"[0-9-]{10}T[0-9:]{8}Z"`)

func TestTimesAreInWholeSecondsOfUTC(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.buy(buyer, 1)
	for _, path := range []string{"/marketplace/offers/" + offerID, "/marketplace/entitlements?wallet=" + buyer, "/marketplace/audit", "/marketplace/checkout/quotes"} {
		w := d.admin("GET", path, "")
		d.want(w, 200)
		require.NotEmpty(t, stamps.FindString(w.Body.String()), path)
		require.NotRegexp(t, `T[0-9:]{8}[^Z]`, w.Body.String(), path)
	}
}

func TestAmountsAreExact(t *testing.T) {
	t.Parallel()
	for amount, want := range map[string]string{
		"1": "0.000001", "10000": "0.01", "500000000": "500.00", "500100000": "500.10", "123456789": "123.456789",
		"115792089237316195423570985008687907853269984665640564039457": "115792089237316195423570985008687907853269984665640564.039457",
	} {
		d := openDesk(t, func(c *config) { c.BundleMembership = false })
		d.sell("priced", "1000000", amount, `"member_only":true`, `"member_only":false`)
		w := d.do("POST", "/marketplace/checkout/quote", strings.Replace(quoteBody(buyer), offerID, "priced", 1))
		d.want(w, 200)
		require.Contains(t, w.Body.String(), `"amount":"`+want+`","amount_atomic":"`+amount+`","total_amount":"`+want+`","total_amount_atomic":"`+amount+`"`)
		total, err := x402.ParseAmount(want, 6)
		require.NoError(t, err)
		require.Equal(t, amount, total.String())
	}
}
