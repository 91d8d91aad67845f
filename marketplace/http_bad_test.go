package marketplace_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// edited is a body with one member replaced, or removed if value is empty.
func edited(t testing.TB, body, name, value string) string {
	t.Helper()
	var m map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(body), &m))
	if m[name] = json.RawMessage(value); value == "" {
		delete(m, name)
	}
	j, err := json.Marshal(m)
	require.NoError(t, err)
	return string(j)
}

// bad is a request that is refused, with the code and the field that are told.
type bad struct {
	name, request, body string
	status              int
	code, field         string
}

func badInputs(t testing.TB, d *desk) []bad {
	const (
		quote   = "POST /marketplace/checkout/quote"
		confirm = "POST /marketplace/checkout/confirm"
		offers  = "POST /marketplace/offers"
		verify  = "POST /marketplace/entitlements/verify"
		intent  = "POST /secret/wallet/intent"
		invalid = "invalid_request"
	)
	q := d.quote(buyer)
	ask, done, offer := quoteBody(buyer), confirmBody(q, buyer, 1), newOffer("new.offer", "1000000")
	at := func(body, name, value string) string { return edited(t, body, name, value) }
	long := `"` + strings.Repeat("x", 129) + `"`
	return []bad{
		{"a cursor of offers that no list gave", "GET /marketplace/offers?cursor=zzz", ``, 400, invalid, "cursor"},
		{"a cursor of issuers that no list gave", "GET /marketplace/issuers?cursor=zzz", ``, 400, invalid, "cursor"},
		{"a cursor of entitlements that no list gave", "GET /marketplace/entitlements?cursor=" + offerID, ``, 400, invalid, "cursor"},
		{"a cursor of quotes that no list gave", "GET /marketplace/checkout/quotes?cursor=cq_", ``, 400, invalid, "cursor"},
		{"a cursor of approvals that no list gave", "GET /marketplace/offers/" + offerID + "/approvals?cursor=" + sponsor, ``, 400, invalid, "cursor"},
		{"an ID in place of a wallet", verify, `{"wallet":"ent:8453:` + buyer + `:000001"}`, 400, invalid, "wallet"},
		{"seats beyond counting", offers, at(offer, "seats", `9007199254740993`), 400, invalid, "seats"},
		{"nothing", quote, ``, 400, invalid, "wallet"},
		{"a brace", quote, `{`, 400, invalid, ""},
		{"a list", quote, `[]`, 400, invalid, ""},
		{"null", confirm, `null`, 400, invalid, ""},
		{"two documents", quote, ask + `{}`, 400, invalid, ""},
		{"a comma at the end", quote, strings.TrimSuffix(ask, "}") + `,}`, 400, invalid, ""},
		{"bytes that are no text", quote, "{\"wallet\":\"\xff\"}", 400, invalid, ""},
		{"depth", quote, strings.Repeat(`{"wallet":`, 12000), 413, "request_too_large", ""},
		{"a large body", quote, at(ask, "principal_id", `"`+strings.Repeat("x", 70_000)+`"`), 413, "request_too_large", ""},
		{"a member that is not known", quote, at(ask, "workspaceId", `"x"`), 400, invalid, "workspaceId"},
		{"a name in other case", quote, strings.Replace(ask, "offer_id", "Offer_ID", 1), 400, invalid, "Offer_ID"},
		{"a member twice", quote, strings.TrimSuffix(ask, "}") + `,"wallet":"` + sponsor + `"}`, 400, invalid, "wallet"},
		{"a wallet that is a number", quote, at(ask, "wallet", `12`), 400, invalid, "wallet"},
		{"no wallet", quote, at(ask, "wallet", ``), 400, invalid, "wallet"},
		{"an empty wallet", quote, at(ask, "wallet", `""`), 400, invalid, "wallet"},
		{"a short wallet", quote, at(ask, "wallet", `"0x12"`), 400, invalid, "wallet"},
		{"a long wallet", quote, at(ask, "wallet", `"`+buyer+`0"`), 400, invalid, "wallet"},
		{"a wallet without 0x", quote, at(ask, "wallet", `"`+buyer[2:]+`00"`), 400, invalid, "wallet"},
		{"a wallet with 0X", quote, at(ask, "wallet", `"0X`+buyer[2:]+`"`), 400, invalid, "wallet"},
		{"a wallet and a line", quote, at(ask, "wallet", `"`+buyer+`\n"`), 400, invalid, "wallet"},
		{"a payer that is none", quote, at(ask, "payer_wallet", `"alice.eth"`), 400, invalid, "payer_wallet"},
		{"no offer", quote, at(ask, "offer_id", ``), 400, invalid, "offer_id"},
		{"an offer that does not exist", quote, at(ask, "offer_id", `"edut.nothing"`), 404, "offer_not_found", ""},
		{"no organisation", quote, at(ask, "org_root_id", ``), 400, invalid, "org_root_id"},
		{"no principal", quote, at(ask, "principal_id", `""`), 400, invalid, "principal_id"},
		{"a long principal", quote, at(ask, "principal_id", long), 400, invalid, "principal_id"},
		{"a principal with a NUL", quote, at(ask, "principal_id", `"a\u0000"`), 400, invalid, "principal_id"},
		{"an unknown role", quote, at(ask, "principal_role", `"king"`), 400, invalid, "principal_role"},
		{"no role", quote, at(ask, "principal_role", ``), 400, invalid, "principal_role"},
		{"no workspace", quote, at(ask, "workspace_id", ``), 400, "workspace_required", "workspace_id"},
		{"another payer without proof", quote, at(ask, "payer_wallet", `"`+sponsor+`"`), 400, "ownership_proof_required", "ownership_proof"},
		{"a proof that is none", quote, at(at(ask, "payer_wallet", `"`+sponsor+`"`), "ownership_proof", `"0x9f20..."`), 403, "ownership_proof_invalid", "ownership_proof"},
		{"a renewal of nothing", quote, at(ask, "renews", `"ent:8453:`+buyer+`:000009"`), 404, "entitlement_not_found", ""},

		{"a confirmation of nothing", confirm, `{}`, 400, invalid, "tx_hash"},
		{"an unknown quote", confirm, at(done, "quote_id", `"cq_nothing"`), 404, "quote_not_found", ""},
		{"no quote", confirm, at(done, "quote_id", ``), 400, invalid, "quote_id"},
		{"another wallet", confirm, at(done, "wallet", `"`+sponsor+`"`), 400, "quote_mismatch", "wallet"},
		{"another payer", confirm, at(done, "payer_wallet", `"`+sponsor+`"`), 400, "quote_mismatch", "payer_wallet"},
		{"another offer", confirm, at(done, "offer_id", `"edut.other"`), 400, "quote_mismatch", "offer_id"},
		{"another organisation", confirm, at(done, "org_root_id", `"org.other"`), 400, "quote_mismatch", "org_root_id"},
		{"another workspace", confirm, at(done, "workspace_id", `"other"`), 400, "quote_mismatch", "workspace_id"},
		{"another chain", confirm, at(done, "chain_id", `84532`), 400, "chain_mismatch", "chain_id"},
		{"no chain", confirm, at(done, "chain_id", ``), 400, "chain_mismatch", "chain_id"},
		{"half a chain", confirm, at(done, "chain_id", `8453.5`), 400, invalid, "chain_id"},
		{"a chain in quotes", confirm, at(done, "chain_id", `"8453"`), 400, invalid, "chain_id"},
		{"a negative chain", confirm, at(done, "chain_id", `-1`), 400, invalid, "chain_id"},
		{"a chain beyond numbers", confirm, at(done, "chain_id", `1e30`), 400, invalid, "chain_id"},
		{"a short hash", confirm, at(done, "tx_hash", `"0x12"`), 400, invalid, "tx_hash"},
		{"a hash of other digits", confirm, at(done, "tx_hash", `"0x`+strings.Repeat("g", 64)+`"`), 400, invalid, "tx_hash"},
		{"another policy", confirm, at(done, "policy_hash", `"`+samplePolicy+`"`), 409, "policy_mismatch", "policy_hash"},
		{"a transaction that nobody knows", confirm, done, 409, "tx_not_found", ""},

		{"an offer of nothing", offers, `{}`, 400, invalid, "pricing"},
		{"an offer with a bad ID", offers, at(offer, "offer_id", `"New Offer"`), 400, invalid, "offer_id"},
		{"an offer of another issuer", offers, at(offer, "issuer_id", `"other.party"`), 403, "forbidden", ""},
		{"an offer that exists", offers, at(offer, "offer_id", `"`+offerID+`"`), 409, "offer_exists", ""},
		{"an offer without a title", offers, at(offer, "title", ``), 400, invalid, "title"},
		{"a long title", offers, at(offer, "title", `"`+strings.Repeat("é", 161)+`"`), 400, invalid, "title"},
		{"a long summary", offers, at(offer, "summary", `"`+strings.Repeat("é", 401)+`"`), 400, invalid, "summary"},
		{"an amount that is a number", offers, strings.Replace(offer, `"1000000"`, `1000000`, 1), 400, invalid, "pricing.amount_atomic"},
		{"an amount with a point", offers, strings.Replace(offer, `"1000000"`, `"1.5"`, 1), 400, invalid, "pricing.amount_atomic"},
		{"a negative amount", offers, strings.Replace(offer, `"1000000"`, `"-1"`, 1), 400, invalid, "pricing.amount_atomic"},
		{"no amount", offers, strings.Replace(offer, `"amount_atomic":"1000000",`, ``, 1), 400, invalid, "pricing.amount_atomic"},
		{"nothing to pay", offers, strings.Replace(offer, `"1000000"`, `"0"`, 1), 400, invalid, "pricing.amount_atomic"},
		{"an amount beyond 256 bits", offers, strings.Replace(offer, `"1000000"`, `"1`+strings.Repeat("0", 78)+`"`, 1), 400, invalid, "pricing.amount_atomic"},
		{"other decimals", offers, strings.Replace(offer, `"decimals":6`, `"decimals":18`, 1), 400, invalid, "pricing.decimals"},
		{"no decimals", offers, strings.Replace(offer, `"decimals":6,`, ``, 1), 400, invalid, "pricing.decimals"},
		{"another currency", offers, strings.Replace(offer, `"USDC"`, `"DOGE"`, 1), 400, invalid, "pricing.currency"},
		{"a chain that is not served", offers, strings.Replace(offer, `8453`, `1`, 1), 400, invalid, "pricing.chain_id"},
		{"a policy that is missing", offers, strings.Replace(offer, `"transferable":false,`, ``, 1), 400, invalid, "policies.transferable"},
		{"a policy that is not known", offers, strings.Replace(offer, `"multi_tenant"`, `"multitenant":true,"multi_tenant"`, 1), 400, invalid, "policies.multitenant"},
		{"a policy in words", offers, strings.Replace(offer, `"transferable":false`, `"transferable":"no"`, 1), 400, invalid, "policies.transferable"},
		{"negative seats", offers, at(offer, "seats", `-1`), 400, invalid, "seats"},
		{"an access class that is none", offers, at(offer, "access_class", `"offline"`), 400, invalid, "access_class"},

		{"nothing to verify", verify, `{}`, 400, invalid, "wallet"},
		{"a wallet without an offer", verify, `{"wallet":"` + buyer + `"}`, 400, invalid, "offer_id"},
		{"an intent of nobody", intent, `{"wallet":"bob"}`, 400, invalid, "wallet"},
		{"an intent for another chain", intent, `{"wallet":"` + buyer + `","chain_id":1}`, 400, invalid, "chain_id"},
		{"an intent with a strange origin", intent, `{"wallet":"` + buyer + `","origin":"a\u0007"}`, 400, invalid, "origin"},
		{"a signature of nothing", "POST /secret/wallet/verify", `{"intent_id":"wi_1","wallet":"` + buyer + `","signature":"0x9f20"}`, 403, "signature_not_verified", ""},
		{"an unknown member of an empty body", "POST /secret/wallet/session/refresh", `{"token":"x"}`, 400, invalid, "token"},
		{"a state that is none", "GET /marketplace/entitlements?wallet=" + buyer + "&state=sold", ``, 400, invalid, "state"},
		{"a limit of nothing", "GET /marketplace/offers?limit=0", ``, 400, invalid, "limit"},
		{"a limit in words", "GET /marketplace/offers?limit=many", ``, 400, invalid, "limit"},
		{"a parameter that is no wallet", "GET /marketplace/entitlements?wallet=0x12", ``, 400, invalid, "wallet"},
		{"a parameter twice", "GET /marketplace/offers?q=a&q=b", ``, 400, invalid, "q"},
		{"a parameter with a NUL", "GET /marketplace/offers?q=%00", ``, 400, invalid, "q"},
		{"a query that is none", "GET /marketplace/offers?q=%zz", ``, 400, invalid, ""},
		{"an entitlement that does not exist", "GET /marketplace/entitlements/ent:1", ``, 404, "entitlement_not_found", ""},
		{"a path that does not exist", "GET /marketplace/nothing", ``, 404, "not_found", ""},
		{"another method", "DELETE /marketplace/offers", ``, 405, "method_not_allowed", ""},
	}
}

func TestBadInputIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	inputs := badInputs(t, d)
	before := d.everything()
	for _, c := range inputs {
		method, path, _ := strings.Cut(c.request, " ")
		w := d.issuer(method, path, c.body)
		d.refused(w, c.status, c.code)
		var got struct {
			Message string
			Details struct{ Field string }
		}
		d.read(w, &got)
		require.Equal(t, c.field, got.Details.Field, "%s: %s", c.name, w.Body)
		require.Equal(t, before, d.everything(), c.name)
	}
	require.NotContains(t, d.log.String(), "level=ERROR")
}

// everything is what an admin sees of all there is.
func (d *desk) everything() string {
	d.t.Helper()
	var b strings.Builder
	for _, path := range []string{"offers", "issuers", "checkout/quotes", "entitlements", "memberships", "audit"} {
		w := d.admin("GET", "/marketplace/"+path, "")
		d.want(w, 200)
		b.WriteString(w.Body.String())
	}
	return b.String()
}
