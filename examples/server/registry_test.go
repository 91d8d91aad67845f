package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/webhook/signature"
	"github.com/v402/v402/x402/evm"
	"github.com/v402/v402/x402/payer"
)

// join registers a platform, has it approved, and returns its key.
func (p *process) join(t *testing.T, admin, name string) (key string) {
	t.Helper()
	require.Equal(t, 201, p.api(t, "POST", "/api/platforms/register", fmt.Sprintf(`{"name":"Ann","email":"%s@example.com","password":"correct horse",
		"password_confirmation":"correct horse","platform_name":%q,"platform_address":"1 Main St","tin_number":"1","platform_phone":"1",
		"platform_email":"office@example.com","bank_account_number":"1","bank_routing_number":"1","bank_name":"Bank"}`, name, name), "", "", nil))
	var pending []struct{ ID int64 }
	require.Equal(t, 200, p.api(t, "GET", "/api/admin/applications/pending", "", "Authorization", "Bearer "+admin, &pending))
	require.Len(t, pending, 1)
	var approved struct {
		Key string `json:"api_key"`
	}
	path := fmt.Sprintf("/api/admin/applications/%d/approve", pending[0].ID)
	require.Equal(t, 200, p.api(t, "POST", path, "", "Authorization", "Bearer "+admin, &approved))
	return approved.Key
}

func TestAPlatformIsToldOfSalesAndPaidInStablecoin(t *testing.T) {
	t.Parallel()
	p := start(t, "-store", "memory:", "-admin-token", "mine")
	author, seller := p.join(t, "mine", "author"), p.join(t, "mine", "seller")

	var verifier atomic.Pointer[signature.Verifier]
	heard := make(chan signature.Event, 10)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := verifier.Load().Event(r)
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		heard <- event
	}))
	defer site.Close()
	var profile struct {
		Secret string `json:"callback_secret"`
	}
	body := fmt.Sprintf(`{"api_endpoint":%q,"payout_address":%q}`, site.URL, shop)
	require.Equal(t, 200, p.api(t, "PUT", "/api/platforms/me", body, "X-API-Key", author, &profile))
	v, err := signature.NewVerifier(profile.Secret)
	require.NoError(t, err)
	verifier.Store(v)

	now := time.Now().UTC()
	require.Equal(t, 201, p.api(t, "POST", "/api/contracts/register", `{"ipfs_hash":"QmTest123","metadata_cid":"QmMeta456","contract_hashes":["hash1"]}`, "X-API-Key", author, nil))
	sale := fmt.Sprintf(`{"contract_hash":"hash1","sale_amount":29.99,"royalty_amount":2.99,"sold_at":%q}`, now.Add(-time.Hour).Format(time.RFC3339))
	require.Equal(t, 201, p.api(t, "POST", "/api/sales", sale, "X-API-Key", seller, nil))
	run := fmt.Sprintf(`{"from":%q,"to":%q}`, now.Add(-2*time.Hour).Format(time.RFC3339), now.Format(time.RFC3339))
	require.Equal(t, 201, p.api(t, "POST", "/api/admin/settlements/run", run, "Authorization", "Bearer mine", nil))

	require.Equal(t, "confirmed", p.payStatement(t, 1, seller))
	require.Equal(t, "2d9fb0", p.balance(t, shop), "2.99 dollars")
	var d struct{ Status string }
	require.Equal(t, 200, p.api(t, "POST", "/api/admin/settlements/1/check", "", "Authorization", "Bearer mine", &d))
	require.Equal(t, "confirmed", d.Status)

	missing := []string{"contract.registered", "sale.reported", "registry.settlement.issued", "registry.settlement.paid", "registry.settlement.confirmed"}
	expected := slices.Clone(missing)
	for len(missing) > 0 {
		select {
		case e := <-heard: // once more if an answer was lost
			require.Contains(t, expected, e.Type, "%s", e.Data)
			missing = slices.DeleteFunc(missing, func(kind string) bool { return kind == e.Type })
		case <-time.After(2 * time.Minute):
			require.Empty(t, missing, "%s", p.log)
		}
	}
	p.stop(t)
}

// payStatement pays a settlement as the platform with the key, and returns its
// status then.
func (p *process) payStatement(t *testing.T, id int, key string) string {
	t.Helper()
	signer, err := evm.ParseSigner(p.key)
	require.NoError(t, err)
	wallet, err := payer.New(payer.Config{Signers: []payer.Signer{signer}, Limits: payer.Limits{PerRequest: "$100"}})
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("%s/api/settlements/%d/x402", p.url, id), nil)
	require.NoError(t, err)
	r.Header.Set("X-API-Key", key)
	answer, err := wallet.Client().Do(r)
	require.NoError(t, err, "%s", p.log)
	defer answer.Body.Close()
	var got struct {
		Message string
		Data    struct{ Status string }
	}
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&got))
	require.Equal(t, 200, answer.StatusCode, got.Message)
	return got.Data.Status
}
