package registry_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/webtest"
)

// strange are hashes that a path must carry whole.
var strange = []string{
	"a/b", "/", "//", "a//b/", "..", "../../etc/passwd", ".", "a/../b", "ipfs://bafy/1?x=1#y", "50%", "%2F", "a b", "+", "a&b=c",
	"ключ", "鍵/値", "é", "e\u0301", "🔑", `"quoted"`, `back\slash`, "<script>", "tab\there", "line\nbreak", "revoke", "royalty", "x/royalty", "x/revoke",
	strings.Repeat("x", 255), strings.Repeat("鍵", 255), strings.Repeat("/", 255),
}

func TestAStrangeHashIsOneHashEverywhere(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		owner := a.join("Platform A")
		owner.publish(strange...)
		for _, hash := range strange {
			quoted, err := json.Marshal(hash)
			require.NoError(t, err)
			var got struct {
				Hash   string `json:"contract_hash"`
				Status string `json:"status"`
			}
			escaped := "/api/contracts/" + url.PathEscape(hash)
			switch hash { // which kin-openapi's router takes for parts of the path
			case ".", "..":
				escaped = "/api/contracts/" + strings.ReplaceAll(hash, ".", "%2E")
			}
			for _, w := range []*httptest.ResponseRecorder{
				owner.do("POST", "/api/contracts/validate", `{"contract_hash":`+string(quoted)+`}`),
				owner.do("GET", escaped, ""),
				owner.do("PUT", escaped+"/revoke", ""),
				owner.do("GET", escaped, ""),
			} {
				got.Hash = ""
				a.data(w, &got)
				require.Equal(t, hash, got.Hash)
			}
			require.Equal(t, "revoked", got.Status)
		}
	})
}

func TestSlashesInAPathNeedNotBeEscaped(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		owner := a.join("Platform A")
		list := []string{"a/b", "a//b", "ipfs://x/y", "../up", "a/./b"}
		owner.publish(list...)
		for _, hash := range list {
			a.want(owner.do("GET", "/api/contracts/"+hash, "", webtest.Unspecified, "yes"), 200)
			a.want(owner.do("PUT", "/api/contracts/"+hash+"/revoke", "", webtest.Unspecified, "yes"), 200)
			a.want(owner.do("PUT", "/api/contracts/"+hash+"/revoke", "", webtest.Unspecified, "yes"), 400)
		}
		a.want(owner.do("GET", "/api/mirrors/a/b", "", webtest.Unspecified, "yes"), 200)
	})
}

func TestAHexadecimalHashIsOneInWhateverCase(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		owner := a.join("Platform A")
		owner.publish("0xABcd", "ABcd")
		a.want(owner.do("GET", "/api/contracts/0xabCD", ""), 200)
		require.Contains(t, owner.do("GET", "/api/contracts/0xabCD", "").Body.String(), `"contract_hash":"0xABcd"`, "as it was given")
		a.want(owner.do("GET", "/api/contracts/abCD", ""), 404)
		a.want(owner.do("POST", "/api/contracts/register", `{"ipfs_hash":"Qm","metadata_cid":"Qm","contract_hashes":["abcd"]}`), 201)
		a.same(owner.do("POST", "/api/contracts/register", `{"ipfs_hash":"Qm","metadata_cid":"Qm","contract_hashes":["0XABCD"]}`), 422,
			`{"success":false,"message":"Validation failed","errors":{"contract_hashes":["Contract hashes already exist: 0XABCD"]}}`)
	})
}

func TestWhatIsNoTextInAPathNamesNothing(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		owner := a.join("Platform A")
		for _, request := range []string{
			"GET /api/contracts/%FF", "GET /api/contracts/%00", "PUT /api/contracts/a%00b/revoke", "GET /api/mirrors/%FF%FE", "GET /api/publications/%00",
			"GET /api/sales/9223372036854775808", "GET /api/sales/-1", "GET /api/sales/0", "GET /api/sales/one", "GET /api/royalties/1e3", "POST /api/mirrors/1.5/access",
			"GET /api/settlements/1;drop", "GET /api/settlements/x.csv", "GET /api/sales/9223372036854775807", "DELETE /api/mirrors/7",
		} {
			method, path, _ := strings.Cut(request, " ")
			a.want(owner.do(method, path, ""), 404)
		}
		for _, path := range []string{"/api/contracts?q=%FF", "/api/contracts?ipfs_hash=%00", "/api/sales?contract_hash=a%00", "/api/platforms?q=%C3%28", "/api/contracts?q=%zz"} {
			a.want(owner.do("GET", path, ""), 422)
		}
		require.Empty(t, a.log.String())
	})
}

func TestAnEmailIsFoundInWhateverCaseAndForm(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		a.want(a.do("POST", "/api/platforms/register", application("Ann.O'Neil+books@Example.COM", "Books")), 201)
		for i, path := range []string{
			"Ann.O'Neil+books@Example.COM", "ann.o'neil+books@example.com", "ANN.O%27NEIL%2BBOOKS%40EXAMPLE.COM", "ann.o%27neil%2bbooks@example.com",
		} {
			a.pass(60 * 1e9) // and not too often
			w := a.do("GET", "/api/platforms/status/"+path, "")
			require.Equal(t, 200, w.Code, "%d: %s", i, w.Body)
			require.Contains(t, w.Body.String(), `"platform_name":"Books"`)
		}
		a.pass(60 * 1e9)
		a.same(a.do("GET", "/api/platforms/status/nobody@example.com", ""), 404, `{"success":false,"message":"Application not found","data":null}`)
		a.same(a.do("GET", "/api/platforms/status/%F0%9F%94%91", ""), 404, `{"success":false,"message":"Application not found","data":null}`)
	})
}
