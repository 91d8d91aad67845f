package registry_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Parts of the curl commands of the documentation, and of an approval.
var (
	curl   = regexp.MustCompile(`(?s)^curl -X (\w+) http://localhost:8000(\S+)(.*)$`)
	dashH  = regexp.MustCompile(`-H "([^:"]+): ([^"]*)"`)
	dashD  = regexp.MustCompile(`(?s)-d '(.*)'`)
	apiKey = regexp.MustCompile(`"api_key":"[^"]{40,}"`)
)

// run sends a command as it is, with the member's key for <your-api-key>.
func (m *member) run(c string) (status int, body string) {
	m.t.Helper()
	parts := curl.FindStringSubmatch(c)
	require.NotNil(m.t, parts, c)
	var headers []string
	for _, h := range dashH.FindAllStringSubmatch(parts[3], -1) {
		headers = append(headers, h[1], strings.ReplaceAll(h[2], "<your-api-key>", m.key))
	}
	sent := ""
	if d := dashD.FindStringSubmatch(parts[3]); d != nil {
		sent = d[1]
	}
	w := m.api.do(parts[1], parts[2], sent, headers...)
	return w.Code, strings.TrimSuffix(w.Body.String(), "\n")
}

func TestTheDocumentedCommandsAreAnsweredAsDocumented(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		file, err := os.ReadFile("testdata/curl.sh")
		require.NoError(t, err)
		commands := strings.Split(strings.TrimSpace(string(file)), "\n\n")
		require.Len(t, commands, 6)
		owner := a.join("Platform A")
		owner.publish("0x1234567890abcdef")

		for i, want := range []struct {
			status int
			body   string
		}{
			{201, `{"success":true,"message":"Contracts registered successfully","data":{"registered_count":2,"ipfs_hash":"QmTest123","metadata_cid":"QmMeta456","contract_hashes":["hash1","hash2"]}}`},
			{200, `{"success":true,"message":"Contract found","data":{"contract_hash":"hash1","status":"active","ipfs_hash":"QmTest123","metadata_cid":"QmMeta456","originating_platform_id":1,"originating_platform_name":"Platform A","registered_at":"2024-01-20T12:00:00Z"}}`},
			{200, `{"success":true,"message":"Contract revoked successfully","data":{"contract_hash":"hash1","status":"revoked","revoked_at":"2024-01-20T12:00:00Z","reason":"No longer valid"}}`},
			{201, `{"success":true,"message":"Sale reported successfully","data":{"transaction_id":1,"royalty_id":1,"contract_hash":"0x1234567890abcdef","sale_amount":29.99,"royalty_amount":2.99,"sold_at":"2024-01-20T12:00:00Z"}}`},
			{201, `{"success":true,"message":"Content mirror created successfully","data":{"mirror_id":1,"contract_hash":"0x1234567890abcdef","ipfs_hash":"QmOriginalContent","mirrored_ipfs_hash":"QmMirroredContent123","mirror_location":null,"access_count":0,"mirrored_at":"2024-01-20T12:00:00Z","action":"created"}}`},
			{200, `{"success":true,"message":"Mirrors retrieved successfully","data":{"ipfs_hash":"QmOriginalContent","mirrors":[{"mirror_id":1,"mirrored_ipfs_hash":"QmMirroredContent123","mirror_location":null,"platform_name":"Platform A","access_count":0,"last_accessed_at":null,"mirrored_at":"2024-01-20T12:00:00Z"}],"total_mirrors":1}}`},
		} {
			status, body := owner.run(commands[i])
			require.Equal(t, want.status, status, "%s%s", body, a.log)
			require.Equal(t, want.body, body)
		}

		// Once more: what was stored stands in the way as documented.
		status, body := owner.run(commands[0])
		require.Equal(t, 422, status)
		require.Equal(t, `{"success":false,"message":"Validation failed","errors":{"contract_hashes":["Contract hashes already exist: hash1, hash2"]}}`, body)
		status, body = owner.run(commands[1])
		require.Equal(t, 404, status)
		require.Equal(t, `{"success":false,"message":"Contract not found","data":null}`, body)
		status, body = owner.run(commands[2])
		require.Equal(t, 400, status)
		require.Equal(t, `{"success":false,"message":"Contract is already revoked","data":null}`, body)
		status, body = a.join("Platform B").run(commands[2])
		require.Equal(t, 403, status)
		require.Equal(t, `{"success":false,"message":"Only the publishing platform can revoke this contract","data":null}`, body)
	})
}

func TestTheDocumentedBodiesAreAnsweredAsDocumented(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		read := func(name string) string {
			b, err := os.ReadFile("testdata/" + name + ".json")
			require.NoError(t, err)
			return string(b)
		}
		owner, seller := a.join("Platform A"), a.join("Platform B")
		owner.publish("0x1234567890abcdef...")

		a.same(seller.do("POST", "/api/sales", read("sale")), 201,
			`{"success":true,"message":"Sale reported successfully","data":{"transaction_id":1,"royalty_id":1,"contract_hash":"0x1234567890abcdef...","sale_amount":29.99,"royalty_amount":2.99,"sold_at":"2024-01-15T10:30:00Z"}}`)
		a.same(seller.do("POST", "/api/sales", read("sale")), 200,
			`{"success":true,"message":"Sale already reported","data":{"transaction_id":1,"royalty_id":1,"contract_hash":"0x1234567890abcdef...","sale_amount":29.99,"royalty_amount":2.99,"sold_at":"2024-01-15T10:30:00Z"}}`)
		a.same(seller.do("POST", "/api/mirrors", read("mirror")), 201,
			`{"success":true,"message":"Content mirror created successfully","data":{"mirror_id":1,"contract_hash":"0x1234567890abcdef...","ipfs_hash":"QmOriginalContent","mirrored_ipfs_hash":"QmMirroredContent123","mirror_location":"ipfs-node-1","access_count":0,"mirrored_at":"2024-01-15T10:30:00Z","action":"created"}}`)

		a.pass(24 * 60 * 60 * 1e9)
		a.same(seller.do("POST", "/api/mirrors", strings.Replace(read("mirror"), `"access_count": 0`, `"access_count": 5`, 1)), 201,
			`{"success":true,"message":"Content mirror updated successfully","data":{"mirror_id":1,"contract_hash":"0x1234567890abcdef...","ipfs_hash":"QmOriginalContent","mirrored_ipfs_hash":"QmMirroredContent123","mirror_location":"ipfs-node-1","access_count":5,"mirrored_at":"2024-01-15T10:30:00Z","action":"updated"}}`)
		a.same(owner.do("GET", "/api/mirrors/QmOriginalContent", ""), 200,
			`{"success":true,"message":"Mirrors retrieved successfully","data":{"ipfs_hash":"QmOriginalContent","mirrors":[{"mirror_id":1,"mirrored_ipfs_hash":"QmMirroredContent123","mirror_location":"ipfs-node-1","platform_name":"Platform B","access_count":5,"last_accessed_at":"2024-01-21T12:00:00Z","mirrored_at":"2024-01-15T10:30:00Z"}],"total_mirrors":1}}`)
		a.same(owner.do("GET", "/api/mirrors/QmUnknown", ""), 200,
			`{"success":true,"message":"Mirrors retrieved successfully","data":{"ipfs_hash":"QmUnknown","mirrors":[],"total_mirrors":0}}`)
		a.same(seller.do("POST", "/api/sales", `{"contract_hash":"unknown","sale_amount":1,"royalty_amount":2}`), 422,
			`{"success":false,"message":"Validation failed","errors":{"contract_hash":["Contract hash is not registered."],"royalty_amount":["Royalty amount cannot exceed sale amount."]}}`)
	})
}

func TestAnApplicationGoesItsWayAsDocumented(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		body, err := os.ReadFile("testdata/register.json")
		require.NoError(t, err)
		a.same(a.do("POST", "/api/platforms/register", string(body)), 201,
			`{"success":true,"message":"Platform registration submitted successfully. Your application will be reviewed by BCCCR administrators.","data":{"platform_name":"Lee Books","status":"pending","registration_date":"2024-01-20T12:00:00Z"}}`)
		a.same(a.do("GET", "/api/platforms/status/ANN%40lee.example.com", ""), 200,
			`{"success":true,"message":"Registration status retrieved","data":{"platform_name":"Lee Books","status":"pending","registration_date":"2024-01-20T12:00:00Z","approved_at":null,"admin_notes":null}}`)
		a.same(a.admin("GET", "/api/admin/applications/pending", ""), 200,
			`{"success":true,"message":"Pending applications retrieved","data":[{"id":1,"name":"Ann Lee","email":"Ann@Lee.example.com","platform_name":"Lee Books","platform_address":"1 Main St","tin_number":"12-3456789","platform_phone":"+1 555 0100","platform_email":"office@lee.example.com","bank_name":"First Bank","created_at":"2024-01-20T12:00:00Z","admin_notes":null}]}`)
		a.pass(3600 * 1e9)
		w := a.admin("POST", "/api/admin/applications/1/approve", `{"notes":"welcome"}`)
		a.want(w, 200)
		require.Equal(t, `{"success":true,"message":"Platform application approved successfully","data":{"platform_name":"Lee Books","status":"active","approved_at":"2024-01-20T13:00:00Z","api_key":"KEY"}}`,
			strings.TrimSpace(apiKey.ReplaceAllString(w.Body.String(), `"api_key":"KEY"`)))
		a.same(a.do("GET", "/api/platforms/status/ann@lee.example.com", ""), 200,
			`{"success":true,"message":"Registration status retrieved","data":{"platform_name":"Lee Books","status":"active","registration_date":"2024-01-20T12:00:00Z","approved_at":"2024-01-20T13:00:00Z","admin_notes":"welcome"}}`)
		for _, step := range []string{"approve", "reject"} {
			a.same(a.admin("POST", "/api/admin/applications/1/"+step, `{}`), 400, `{"success":false,"message":"Application is not pending","data":null}`)
		}
		a.same(a.admin("GET", "/api/admin/applications/pending", ""), 200, `{"success":true,"message":"Pending applications retrieved","data":[]}`)

		// Another one is rejected, and may apply again.
		second := strings.ReplaceAll(string(body), "Ann@Lee.example.com", "bob@example.com")
		a.want(a.do("POST", "/api/platforms/register", second), 201)
		a.same(a.do("POST", "/api/platforms/register", strings.ReplaceAll(second, "bob@", "BOB@")), 422,
			`{"success":false,"message":"Validation failed","errors":{"email":["The email has already been taken."]}}`)
		a.same(a.admin("POST", "/api/admin/applications/2/reject", `{"notes":"no such address"}`), 200,
			`{"success":true,"message":"Platform application rejected","data":{"platform_name":"Lee Books","status":"inactive"}}`)
		a.same(a.do("GET", "/api/platforms/status/bob@example.com", ""), 200,
			`{"success":true,"message":"Registration status retrieved","data":{"platform_name":"Lee Books","status":"inactive","registration_date":"2024-01-20T13:00:00Z","approved_at":null,"admin_notes":"no such address"}}`)
		a.want(a.do("POST", "/api/platforms/register", second), 201)
		a.same(a.admin("POST", "/api/admin/applications/9/approve", ``), 404, `{"success":false,"message":"Application not found","data":null}`)
		a.same(a.admin("POST", "/api/admin/applications/x/approve", ``), 404, `{"success":false,"message":"Application not found","data":null}`)
	})
}

func TestOrderOfRefusals(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		owner, other := a.join("Platform A"), a.join("Platform B")
		owner.publish("hash1", "hash2")
		const noKey = `{"success":false,"message":"Invalid or missing API key","data":null}`
		a.same(a.do("POST", "/api/sales", `{`), 401, noKey)
		a.same(a.do("POST", "/api/sales", `{`, "X-API-Key", "bcccr_nobody"), 401, noKey)
		a.same(a.do("POST", "/api/sales", `{`, "X-API-Key", "x"+owner.key), 401, noKey)
		a.same(a.do("POST", "/api/sales", `{`, "Authorization", "Bearer "+owner.key), 401, noKey)

		a.want(a.admin("POST", fmt.Sprintf("/api/admin/platforms/%d/suspend", other.id), `{"notes":"late"}`), 200)
		a.same(other.do("POST", "/api/sales", `{`), 403, `{"success":false,"message":"Platform is not active","data":null}`)
		a.want(a.admin("POST", fmt.Sprintf("/api/admin/platforms/%d/reinstate", other.id), ``), 200)

		a.same(other.do("POST", "/api/sales", `{`), 422, `{"success":false,"message":"Validation failed","errors":{"body":["The request body must be a JSON object."]}}`)
		a.same(other.do("PUT", "/api/contracts/nothing/revoke", ``), 404, `{"success":false,"message":"Contract not found","data":null}`)
		a.same(other.do("PUT", "/api/contracts/hash1/revoke", ``), 403, `{"success":false,"message":"Only the publishing platform can revoke this contract","data":null}`)
		a.same(owner.do("PUT", "/api/contracts/hash1/revoke", ``), 200,
			`{"success":true,"message":"Contract revoked successfully","data":{"contract_hash":"hash1","status":"revoked","revoked_at":"2024-01-20T12:00:00Z","reason":null}}`)
		a.same(other.do("PUT", "/api/contracts/hash1/revoke", ``), 403, `{"success":false,"message":"Only the publishing platform can revoke this contract","data":null}`)
		a.same(owner.do("PUT", "/api/contracts/hash1/revoke", ``), 400, `{"success":false,"message":"Contract is already revoked","data":null}`)
		a.same(other.do("POST", "/api/contracts/register", `{"ipfs_hash":"Qm","metadata_cid":"Qm","contract_hashes":["hash1"]}`), 422,
			`{"success":false,"message":"Validation failed","errors":{"contract_hashes":["Contract hashes already exist: hash1"]}}`)
		a.same(other.do("POST", "/api/sales", `{"contract_hash":"hash1","sale_amount":1,"royalty_amount":0}`), 422,
			`{"success":false,"message":"Validation failed","errors":{"contract_hash":["Contract is not active."]}}`)

		a.same(a.do("GET", "/api/admin/stats", ""), 401, `{"success":false,"message":"Admin authentication required","data":null}`)
		a.same(a.do("GET", "/api/admin/stats", "", "Authorization", "Bearer wrong"), 403, `{"success":false,"message":"Admin access denied","data":null}`)
		a.same(a.do("GET", "/api/admin/stats", "", "X-API-Key", owner.key), 401, `{"success":false,"message":"Admin authentication required","data":null}`)
	})
}
