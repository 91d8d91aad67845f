package catalog_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

// A provider publishes a product, and a client finds it and how to pay for it.
func ExampleService() {
	ctx := context.Background()
	shop, err := catalog.New(catalog.Config{Store: memory.New()})
	if err != nil {
		panic(err)
	}
	provider := account.User{ID: "ann", Role: account.RoleContentProvider, Status: account.StatusActive}

	p, err := shop.CreateProduct(ctx, provider, catalog.Draft{
		Title: "Songs of whales", ContentURL: "https://example.com/whales", Tags: []string{"sea"}, Price: "1500000", Currency: "USDC",
	})
	if err != nil {
		panic(err)
	}
	if _, err := shop.SetWallet(ctx, provider, x402.Base, "0x742d35Cc6634C0532925a3b844Bc454e4438f44e"); err != nil {
		panic(err)
	}
	if _, err := shop.Publish(ctx, provider, p.ID); err != nil {
		panic(err)
	}

	found, err := shop.Discover(ctx, catalog.Query{Text: "whale"}, store.PageNumber{})
	if err != nil {
		panic(err)
	}
	for _, p := range found.Items {
		options, err := shop.Options(ctx, p)
		if err != nil {
			panic(err)
		}
		for _, o := range options {
			fmt.Println(p.Title, "for", o.Amount.Decimal(o.Coin.Decimals), o.Coin.Currency, "on", catalog.ChainName(o.Coin.Network))
		}
	}
	// Output: Songs of whales for 1.5 USDC on base
}

// Faults say all that is wrong with an input.
func ExampleError() {
	shop, err := catalog.New(catalog.Config{Store: memory.New()})
	if err != nil {
		panic(err)
	}
	provider := account.User{ID: "ann", Role: account.RoleContentProvider, Status: account.StatusActive}
	_, err = shop.CreateProduct(context.Background(), provider, catalog.Draft{Title: "Whales", Price: "0"})
	fmt.Println(err)
	// Output:
	// VALIDATION_ERROR: content_url is required; content_url: content_url is required; price: Invalid payment amount: price must be above 0; what is free has the payment_scheme free
}

// Words are what products are found by.
func ExampleWords() {
	fmt.Println(catalog.Words("Crème brûlée, machine-learning & 机器学习"))
	// Output: [creme brulee machine learning 机 器 学 习]
}

// A handler of the provider's own is open to those who paid. Here a buyer proves
// it by the access token of a payment by transaction.
func ExampleService_Guard() {
	ctx := context.Background()
	chain := newLedgerChain()
	shop, err := catalog.New(catalog.Config{Store: memory.New(), Chains: []catalog.Chain{chain}})
	if err != nil {
		panic(err)
	}
	provider := account.User{ID: "ann", Role: account.RoleContentProvider, Status: account.StatusActive}
	p, err := shop.CreateProduct(ctx, provider, catalog.Draft{Title: "Tides", ContentURL: "https://example.com/tides", Price: "5000000000000000000"})
	if err != nil {
		panic(err)
	}
	if _, err := shop.SetWallet(ctx, provider, x402.Ethereum, payTo); err != nil {
		panic(err)
	}
	if _, err := shop.Publish(ctx, provider, p.ID); err != nil {
		panic(err)
	}
	tides := shop.Guard(p.ID)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		access, _ := catalog.AccessFrom(r.Context())
		_, _ = fmt.Fprint(w, "high water at noon, for who paid ", access.Grant.Paid.Amount)
	}))
	get := func(token string) {
		r := httptest.NewRequest("GET", "/tides", nil)
		r.Header.Set(catalog.HeaderAccessToken, token)
		w := httptest.NewRecorder()
		tides.ServeHTTP(w, r)
		body, _ := io.ReadAll(w.Body)
		if w.Code == http.StatusOK {
			fmt.Println(w.Code, string(body))
		} else {
			fmt.Println(w.Code)
		}
	}
	get("")

	order, err := shop.CreatePayment(ctx, catalog.PaymentRequest{ProductID: p.ID, Chain: "ethereum", Payer: buyer})
	if err != nil {
		panic(err)
	}
	hash := chain.put(1, order.CreatedAt) // the buyer sends 5 ETH
	if _, _, err := shop.ConfirmPayment(ctx, account.User{}, order.ID, catalog.Confirmation{Transaction: hash}); err != nil {
		panic(err)
	}
	access, err := shop.Access(ctx, catalog.AccessRequest{ProductID: p.ID, Payer: buyer}) // who has signed the request
	if err != nil {
		panic(err)
	}
	get(access.Token)
	// Output:
	// 402
	// 200 high water at noon, for who paid 5000000000000000000
}
