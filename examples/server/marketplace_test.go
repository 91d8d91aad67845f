package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402/evm"
	"github.com/v402/v402/x402/payer"
)

// market sends a request to the marketplace and reads the answer.
func (p *process) market(t *testing.T, client *http.Client, method, path, body, token string, into any) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
	require.NoError(t, err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w, err := client.Do(r)
	require.NoError(t, err)
	defer w.Body.Close()
	answer, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(answer, into), "%s", answer)
	return w.StatusCode
}

func TestTheMarketplaceSellsItsOfferByX402(t *testing.T) {
	t.Parallel()
	store := "sqlite:" + filepath.Join(t.TempDir(), "v402.db")
	p := start(t, "-store", store, "-admin-token", "mine")
	require.NotContains(t, p.out, "mine")
	wallet, err := evm.ParseSigner(p.key)
	require.NoError(t, err)
	var quote struct {
		ID    string `json:"quote_id"`
		Total string `json:"total_amount"`
	}
	status := p.market(t, http.DefaultClient, "POST", "/marketplace/checkout/quote", `{"wallet":"`+wallet.Address().String()+`","offer_id":"edut.governance.core",
		"org_root_id":"org.acme.root","principal_id":"human.joshua","principal_role":"org_root_owner","workspace_id":"workspace.work.acme.exec"}`, "", &quote)
	require.Equal(t, 200, status)
	require.Equal(t, "504.00", quote.Total, "the licence and the membership")
	pays, err := payer.New(payer.Config{Signers: []payer.Signer{wallet}, Limits: payer.Limits{PerRequest: "$600"}})
	require.NoError(t, err)
	var bought struct {
		Status string
		ID     string `json:"entitlement_id"`
	}
	require.Equal(t, 200, p.market(t, pays.Client(), "POST", "/marketplace/checkout/pay/"+quote.ID, "", "", &bought))
	require.Equal(t, "entitlement_active", bought.Status)

	var file struct{ Algorithm string }
	licence := "/marketplace/entitlements/" + bought.ID + "/licence"
	require.Equal(t, 401, p.market(t, http.DefaultClient, "POST", licence, "", "", &struct{}{}))
	require.Equal(t, 401, p.market(t, http.DefaultClient, "POST", licence, "", "guess", &struct{}{}))
	require.Equal(t, 200, p.market(t, http.DefaultClient, "POST", licence, "", "mine", &file))
	require.Equal(t, "Ed25519", file.Algorithm)
	var intent struct {
		ID string `json:"intent_id"`
	}
	require.Equal(t, 200, p.market(t, http.DefaultClient, "POST", "/secret/wallet/intent", `{"wallet":"`+wallet.Address().String()+`"}`, "", &intent))
	require.NotEmpty(t, intent.ID)
	p.stop(t)

	again := start(t, "-store", store, "-admin-token", "mine") // what is for sale is there already
	var verified struct{ Valid bool }
	require.Equal(t, 200, again.market(t, http.DefaultClient, "POST", "/marketplace/entitlements/verify", `{"entitlement_id":"`+bought.ID+`"}`, "", &verified))
	require.True(t, verified.Valid)
	again.stop(t)
}

func TestAnIssuerActsByTheKeyOfItsOwner(t *testing.T) {
	t.Parallel()
	p := start(t, "-store", "memory:", "-admin-token", "mine")
	var owner, other struct {
		User   struct{ ID string }
		APIKey string `json:"api_key"`
	}
	require.Equal(t, 201, p.v1(t, "POST", "/auth/register", `{"role":"content_provider","username":"edut"}`, "", &owner))
	require.Equal(t, 201, p.v1(t, "POST", "/auth/register", `{"role":"content_provider","username":"eve"}`, "", &other))
	const issuer, status = "/marketplace/issuers/edut.firstparty", "/marketplace/offers/edut.governance.core/status"
	act := func(path, method, body, token string) int {
		return p.market(t, http.DefaultClient, method, path, body, token, &struct{}{})
	}
	require.Equal(t, 403, act(status, "POST", `{"status":"paused"}`, owner.APIKey))
	require.Equal(t, 200, act(issuer, "PUT", `{"name":"EDUT","owner_id":"`+owner.User.ID+`"}`, "mine"))
	require.Equal(t, 403, act(status, "POST", `{"status":"paused"}`, other.APIKey))
	require.Equal(t, 401, act(status, "POST", `{"status":"paused"}`, "guess"))
	require.Equal(t, 401, act(status, "POST", `{"status":"paused"}`, ""))
	require.Equal(t, 200, act(status, "POST", `{"status":"paused"}`, owner.APIKey))
	require.Equal(t, 403, act(issuer, "PUT", `{"name":"EDUT","owner_id":"`+other.User.ID+`"}`, owner.APIKey))
	require.Equal(t, 403, act("/marketplace/audit", "GET", "", owner.APIKey))
	require.Equal(t, 200, act("/marketplace/audit", "GET", "", "mine"))
	p.stop(t)
}
