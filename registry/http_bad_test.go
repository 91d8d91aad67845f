package registry_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// bad is a request that is refused with 422, and the errors that are told.
type bad struct{ name, request, body, errors string }

// hashes is a JSON list of n hashes.
func hashes(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%q", fmt.Sprint("h", i))
	}
	return "[" + strings.Join(list, ",") + "]"
}

// edit is the example body of name with one member replaced, or removed if
// value is empty.
func edit(t *testing.T, body, name, value string) string {
	t.Helper()
	var m map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(body), &m))
	require.Contains(t, m, name)
	if m[name] = json.RawMessage(value); value == "" {
		delete(m, name)
	}
	j, err := json.Marshal(m)
	require.NoError(t, err)
	return string(j)
}

func badInputs(t *testing.T) []bad {
	const (
		register = "POST /api/contracts/register"
		validate = "POST /api/contracts/validate"
		revoke   = "PUT /api/contracts/hash1/revoke"
		sales    = "POST /api/sales"
		batch    = "POST /api/sales/batch"
		mirrors  = "POST /api/mirrors"
		apply    = "POST /api/platforms/register"
		notJSON  = `{"body":["The request body must be a JSON object."]}`
	)
	contracts := `{"ipfs_hash":"Qm","metadata_cid":"Qm","contract_hashes":["new"]}`
	sale := `{"contract_hash":"hash1","sale_amount":29.99,"royalty_amount":2.99,"sold_at":"2024-01-15T10:30:00Z","metadata":{},"buyer_wallet_address":"0x","transaction_hash":"0x"}`
	mirror := `{"contract_hash":"hash1","mirrored_ipfs_hash":"Qm","access_count":0,"mirrored_at":"2024-01-15T10:30:00Z","mirror_location":"x"}`
	form := strings.Replace(application("new@example.com", "New"), "}", `,"api_endpoint":""}`, 1)
	long := `"` + strings.Repeat("x", 256) + `"`
	return []bad{
		{"nothing but a brace", sales, `{`, notJSON},
		{"null", sales, `null`, notJSON},
		{"a list", sales, `[]`, notJSON},
		{"a string", sales, `"sale"`, notJSON},
		{"a number", register, `12`, notJSON},
		{"a form", apply, `name=Ann&email=a@b.c`, notJSON},
		{"two documents", validate, `{"contract_hash":"hash1"}{}`, notJSON},
		{"a comma at the end", validate, `{"contract_hash":"hash1",}`, notJSON},
		{"single quotes", validate, `{'contract_hash':'hash1'}`, notJSON},
		{"a comment", register, "{\"ipfs_hash\":\"Qm\", // up to 250\n\"metadata_cid\":\"Qm\"}", notJSON},
		{"a byte order mark", validate, "\ufeff{\"contract_hash\":\"hash1\"}", notJSON},
		{"bytes that are no text", validate, "{\"contract_hash\":\"hash\xff\"}", notJSON},
		{"NaN", sales, `{"contract_hash":"hash1","sale_amount":NaN,"royalty_amount":0}`, notJSON},
		{"infinity", sales, `{"contract_hash":"hash1","sale_amount":Infinity,"royalty_amount":0}`, notJSON},
		{"depth", sales, strings.Repeat(`{"a":`, 12000), notJSON},

		{"an empty sale", sales, ``, `{"contract_hash":["The contract hash field is required."],"royalty_amount":["The royalty amount field is required."],"sale_amount":["The sale amount field is required."]}`},
		{"an empty object", sales, `{}`, `{"contract_hash":["The contract hash field is required."],"royalty_amount":["The royalty amount field is required."],"sale_amount":["The sale amount field is required."]}`},
		{"NaN in quotes", sales, edit(t, sale, "sale_amount", `"NaN"`), `{"sale_amount":["The sale amount must be a number."]}`},
		{"a number beyond floats", sales, edit(t, sale, "sale_amount", `1e400`), `{"sale_amount":["The sale amount must be a number."]}`},
		{"a number beyond floats, negative", sales, edit(t, sale, "royalty_amount", `-1e400`), `{"royalty_amount":["The royalty amount must be a number."]}`},
		{"too much", sales, edit(t, sale, "sale_amount", `100000000`), `{"sale_amount":["The sale amount must not be greater than 99999999.99."]}`},
		{"a hexadecimal amount", sales, edit(t, sale, "sale_amount", `"0x10"`), `{"sale_amount":["The sale amount must be a number."]}`},
		{"an amount with a dollar sign", sales, edit(t, sale, "sale_amount", `"$29.99"`), `{"sale_amount":["The sale amount must be a number."]}`},
		{"an amount with a comma", sales, edit(t, sale, "sale_amount", `"29,99"`), `{"sale_amount":["The sale amount must be a number."]}`},
		{"an amount that is true", sales, edit(t, sale, "sale_amount", `true`), `{"sale_amount":["The sale amount must be a number."]}`},
		{"an amount that is a list", sales, edit(t, sale, "royalty_amount", `[2.99]`), `{"royalty_amount":["The royalty amount must be a number."]}`},
		{"an amount that is null", sales, edit(t, sale, "royalty_amount", `null`), `{"royalty_amount":["The royalty amount field is required."]}`},
		{"no amount", sales, edit(t, sale, "sale_amount", ``), `{"sale_amount":["The sale amount field is required."]}`},
		{"nothing to pay", sales, edit(t, edit(t, sale, "sale_amount", `0`), "royalty_amount", `0`), `{"sale_amount":["Sale amount must be at least $0.01."]}`},
		{"less than a cent", sales, edit(t, edit(t, sale, "sale_amount", `0.009999`), "royalty_amount", `0`), `{"sale_amount":["Sale amount must be at least $0.01."]}`},
		{"a negative sale", sales, edit(t, edit(t, sale, "sale_amount", `-1`), "royalty_amount", `0`), `{"royalty_amount":["Royalty amount cannot exceed sale amount."],"sale_amount":["Sale amount must be at least $0.01."]}`},
		{"a negative royalty", sales, edit(t, sale, "royalty_amount", `-0.01`), `{"royalty_amount":["Royalty amount cannot be negative."]}`},
		{"more royalty than sale", sales, edit(t, sale, "royalty_amount", `29.991`), `{"royalty_amount":["Royalty amount cannot exceed sale amount."]}`},
		{"an unknown contract", sales, edit(t, sale, "contract_hash", `"nothing"`), `{"contract_hash":["Contract hash is not registered."]}`},
		{"an unknown contract and too much royalty", sales, edit(t, edit(t, sale, "contract_hash", `"nothing"`), "royalty_amount", `30`), `{"contract_hash":["Contract hash is not registered."],"royalty_amount":["Royalty amount cannot exceed sale amount."]}`},
		{"a revoked contract", sales, edit(t, sale, "contract_hash", `"hash2"`), `{"contract_hash":["Contract is not active."]}`},
		{"a hash that is a number", sales, edit(t, sale, "contract_hash", `1`), `{"contract_hash":["The contract hash must be a string."]}`},
		{"a hash with a NUL", sales, edit(t, sale, "contract_hash", `"hash1\u0000"`), `{"contract_hash":["The contract hash has characters that are not text."]}`},
		{"a long wallet", sales, edit(t, sale, "buyer_wallet_address", `"`+strings.Repeat("x", 43)+`"`), `{"buyer_wallet_address":["The buyer wallet address must not be greater than 42 characters."]}`},
		{"a long transaction", sales, edit(t, sale, "transaction_hash", long), `{"transaction_hash":["The transaction hash must not be greater than 255 characters."]}`},
		{"a day that is none", sales, edit(t, sale, "sold_at", `"2024-02-30T10:30:00Z"`), `{"sold_at":["The sold at is not a valid date."]}`},
		{"a time in words", sales, edit(t, sale, "sold_at", `"yesterday"`), `{"sold_at":["The sold at is not a valid date."]}`},
		{"a time as a number", sales, edit(t, sale, "sold_at", `1705314600`), `{"sold_at":["The sold at is not a valid date."]}`},
		{"a sale in the future", sales, edit(t, sale, "sold_at", `"2024-01-21T12:00:01Z"`), `{"sold_at":["The sold at must not be more than 24 hours in the future."]}`},
		{"metadata in a list", sales, edit(t, sale, "metadata", `[]`), `{"metadata":["The metadata must be an object."]}`},
		{"metadata in a string", sales, edit(t, sale, "metadata", `"{}"`), `{"metadata":["The metadata must be an object."]}`},
		{"metadata too large", sales, edit(t, sale, "metadata", `{"x":"`+strings.Repeat("x", 16<<10)+`"}`), `{"metadata":["The metadata must not be greater than 16 kilobytes."]}`},

		{"no sales", batch, `{}`, `{"sales":["The sales field is required."]}`},
		{"sales that are no list", batch, `{"sales":{}}`, `{"sales":["The sales must be an array."]}`},
		{"an empty batch", batch, `{"sales":[]}`, `{"sales":["The sales field is required."]}`},
		{"a batch of 251", batch, `{"sales":[` + strings.Repeat(sale+",", 250) + sale + `]}`, `{"sales":["The sales must not have more than 250 items."]}`},
		{"a batch with something else in it", batch, `{"sales":[` + sale + `,5]}`, `{"sales.1":["The sales.1 must be an object."]}`},
		{"a batch with two bad sales", batch, `{"sales":[` + edit(t, sale, "sale_amount", `0`) + `,` + sale + `,` + edit(t, sale, "contract_hash", `""`) + `]}`, `{"sales.0.royalty_amount":["Royalty amount cannot exceed sale amount."],"sales.0.sale_amount":["Sale amount must be at least $0.01."],"sales.2.contract_hash":["The contract hash field is required."]}`},

		{"contracts of nothing", register, `{}`, `{"contract_hashes":["The contract hashes field is required."],"ipfs_hash":["The ipfs hash field is required."],"metadata_cid":["The metadata cid field is required."]}`},
		{"no contracts", register, edit(t, contracts, "contract_hashes", `[]`), `{"contract_hashes":["The contract hashes field is required."]}`},
		{"contracts as a string", register, edit(t, contracts, "contract_hashes", `"new"`), `{"contract_hashes":["The contract hashes must be an array."]}`},
		{"contracts as an object", register, edit(t, contracts, "contract_hashes", `{"0":"new"}`), `{"contract_hashes":["The contract hashes must be an array."]}`},
		{"251 contracts", register, edit(t, contracts, "contract_hashes", hashes(251)), `{"contract_hashes":["The contract hashes must not have more than 250 items."]}`},
		{"a contract twice", register, edit(t, contracts, "contract_hashes", `["new","a","new"]`), `{"contract_hashes":["Contract hashes must be unique within the request"]}`},
		{"a contract twice in other case", register, edit(t, contracts, "contract_hashes", `["0xab","0xAB"]`), `{"contract_hashes":["Contract hashes must be unique within the request"]}`},
		{"contracts that exist", register, edit(t, contracts, "contract_hashes", `["hash2","new","hash1"]`), `{"contract_hashes":["Contract hashes already exist: hash2, hash1"]}`},
		{"an empty hash", register, edit(t, contracts, "contract_hashes", `["new",""]`), `{"contract_hashes.1":["The contract_hashes.1 field is required."]}`},
		{"a hash of blanks", register, edit(t, contracts, "contract_hashes", `["  "]`), `{"contract_hashes.0":["The contract_hashes.0 field is required."]}`},
		{"a hash of 256 characters", register, edit(t, contracts, "contract_hashes", `[`+long+`]`), `{"contract_hashes.0":["The contract_hashes.0 must not be greater than 255 characters."]}`},
		{"numbers for hashes", register, edit(t, contracts, "contract_hashes", `["new",1,null]`), `{"contract_hashes.1":["The contract_hashes.1 must be a string."],"contract_hashes.2":["The contract_hashes.2 field is required."]}`},
		{"no publication", register, edit(t, contracts, "ipfs_hash", `""`), `{"ipfs_hash":["The ipfs hash field is required."]}`},
		{"a publication that is a number", register, edit(t, contracts, "ipfs_hash", `1`), `{"ipfs_hash":["The ipfs hash must be a string."]}`},
		{"no metadata", register, edit(t, contracts, "metadata_cid", ``), `{"metadata_cid":["The metadata cid field is required."]}`},

		{"nothing to validate", validate, `{}`, `{"contract_hash":["The contract hash field is required."]}`},
		{"an empty hash to validate", validate, `{"contract_hash":""}`, `{"contract_hash":["The contract hash field is required."]}`},
		{"a list to validate", validate, `{"contract_hash":["hash1"]}`, `{"contract_hash":["The contract hash must be a string."]}`},
		{"a long reason", revoke, `{"reason":"` + strings.Repeat("é", 501) + `"}`, `{"reason":["The reason must not be greater than 500 characters."]}`},
		{"a reason that is a number", revoke, `{"reason":5}`, `{"reason":["The reason must be a string."]}`},

		{"a mirror of nothing", mirrors, `{}`, `{"contract_hash":["The contract hash field is required."],"mirrored_ipfs_hash":["The mirrored ipfs hash field is required."]}`},
		{"a mirrored hash of 65 characters", mirrors, edit(t, mirror, "mirrored_ipfs_hash", `"`+strings.Repeat("x", 65)+`"`), `{"mirrored_ipfs_hash":["Mirrored IPFS hash cannot exceed 64 characters."]}`},
		{"a mirror of an unknown contract", mirrors, edit(t, mirror, "contract_hash", `"nothing"`), `{"contract_hash":["Contract hash is not registered."]}`},
		{"a mirror of a revoked contract", mirrors, edit(t, mirror, "contract_hash", `"hash2"`), `{"contract_hash":["Contract is not active."]}`},
		{"a negative count", mirrors, edit(t, mirror, "access_count", `-1`), `{"access_count":["Access count cannot be negative."]}`},
		{"half an access", mirrors, edit(t, mirror, "access_count", `1.5`), `{"access_count":["The access count must be an integer."]}`},
		{"too many accesses", mirrors, edit(t, mirror, "access_count", `1e30`), `{"access_count":["The access count must be an integer."]}`},
		{"a mirror from the future", mirrors, edit(t, mirror, "mirrored_at", `"2030-01-01T00:00:00Z"`), `{"mirrored_at":["The mirrored at must not be more than 24 hours in the future."]}`},

		{"an empty application", apply, `{}`, `{"bank_account_number":["The bank account number field is required."],"bank_name":["The bank name field is required."],"bank_routing_number":["The bank routing number field is required."],"email":["The email field is required."],"name":["The name field is required."],"password":["The password field is required."],"platform_address":["The platform address field is required."],"platform_email":["The platform email field is required."],"platform_name":["The platform name field is required."],"platform_phone":["The platform phone field is required."],"tin_number":["The tin number field is required."]}`},
		{"an email without a place", apply, edit(t, form, "email", `"ann"`), `{"email":["The email must be a valid email address."]}`},
		{"an email with a name", apply, edit(t, form, "email", `"Ann <ann@example.com>"`), `{"email":["The email must be a valid email address."]}`},
		{"an email that is taken", apply, edit(t, form, "email", `"PLATFORM.A@example.com"`), `{"email":["The email has already been taken."]}`},
		{"a short password", apply, edit(t, edit(t, form, "password", `"short"`), "password_confirmation", `"short"`), `{"password":["The password must be at least 8 characters."]}`},
		{"another password", apply, edit(t, form, "password_confirmation", `"correct house"`), `{"password":["The password confirmation does not match."]}`},
		{"no password", apply, edit(t, form, "password", ``), `{"password":["The password field is required."]}`},
		{"a long name", apply, edit(t, form, "name", long), `{"name":["The name must not be greater than 255 characters."]}`},
		{"no tax number", apply, edit(t, form, "tin_number", `" "`), `{"tin_number":["The tin number field is required."]}`},
		{"an endpoint that is no URL", apply, edit(t, form, "api_endpoint", `"example.com"`), `{"api_endpoint":["The api endpoint must be a valid URL."]}`},
		{"an endpoint of another scheme", apply, edit(t, form, "api_endpoint", `"file:///etc/passwd"`), `{"api_endpoint":["The api endpoint must be a valid URL."]}`},
		{"an account that is a number", apply, edit(t, form, "bank_account_number", `123`), `{"bank_account_number":["The bank account number must be a string."]}`},
	}
}

func TestBadInputsAreRefusedInWordsAndChangeNothing(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		owner := a.join("Platform A")
		owner.publish("hash1", "hash2")
		a.want(owner.do("PUT", "/api/contracts/hash2/revoke", ""), 200)
		before := a.stats()
		cases := badInputs(t)
		require.GreaterOrEqual(t, len(cases), 40)
		for _, c := range cases {
			method, path, _ := strings.Cut(c.request, " ")
			w := owner.do(method, path, c.body)
			require.Equal(t, 422, w.Code, "%s: %s%s", c.name, w.Body, a.log)
			require.Equal(t, `{"success":false,"message":"Validation failed","errors":`+c.errors+"}\n", w.Body.String(), c.name)
		}
		require.Equal(t, before, a.stats())
		require.Empty(t, a.log.String(), "a stranger's mistakes are not ours to log")
	})
}
