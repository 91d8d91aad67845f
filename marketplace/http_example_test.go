package marketplace_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

func ExampleService_Handler() {
	service, err := marketplace.New(marketplace.Config{
		Store: memory.New(),
		Chains: []marketplace.ChainConfig{{
			Network: x402.Base, Treasury: treasury, Currencies: []marketplace.Currency{{Code: "USDC", Address: usdc, Decimals: 6}},
		}},
		Authenticate: marketplace.BearerTokens(map[string]marketplace.Actor{"a long random token": {Name: "admin:ada", Admin: true}}),
	})
	if err != nil {
		panic(err)
	}
	handler := service.Handler() // serve it with net/http
	send := func(method, path, body string) string {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer a long random token")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return fmt.Sprintf("%d %.61s", w.Code, w.Body)
	}
	fmt.Println(send("PUT", "/marketplace/issuers/example.shop", `{"name":"Example"}`))
	fmt.Println(send("POST", "/marketplace/offers", `{"offer_id":"example.reports","issuer_id":"example.shop","title":"Reports",
		"pricing":{"currency":"USDC","amount_atomic":"25000000","decimals":6,"chain_id":8453},
		"policies":{"member_only":false,"workspace_bound":false,"transferable":true,"internal_use_only":false,"multi_tenant":false}}`))
	fmt.Println(send("POST", "/marketplace/offers/example.reports/status", `{"status":"active"}`))
	// Output:
	// 200 {"issuer_id":"example.shop","name":"Example","status":"active
	// 201 {"offer_id":"example.reports","issuer_id":"example.shop","tit
	// 200 {"offer_id":"example.reports","issuer_id":"example.shop","tit
}

func ExampleBearerTokens() {
	authenticate := marketplace.BearerTokens(map[string]marketplace.Actor{
		"the admin's token":  {Name: "admin:ada", Admin: true},
		"the issuer's token": {IssuerID: "edut.firstparty"},
	})
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "/marketplace/audit", nil)
	if err != nil {
		panic(err)
	}
	r.Header.Set("Authorization", "Bearer the issuer's token")
	actor, err := authenticate(r)
	fmt.Println(actor, err)
	// Output: issuer:edut.firstparty <nil>
}
