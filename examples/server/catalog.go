package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/facilitator/catalog/content"
	"github.com/v402/v402/x402"
)

// openCatalog returns what is for sale under /api/v1. Without a secret of its own
// the access tokens that it gives are good until the process ends. In dev mode it
// has one that everybody knows, as all keys are there.
func openCatalog(c config, dev bool, f x402.Facilitator, chains []facilitator.Chain, accounts *account.Service, limits *account.Limits, s catalog.Store, log *slog.Logger) (*catalog.Service, error) {
	config := catalog.Config{
		Store: s, Authenticate: accounts.Authenticate, Providers: providersOf(accounts), Facilitator: f, Limits: limits, Logger: log,
		Payments: catalog.PaymentConfig{Secret: c.catalogKey, PublicURL: c.publicURL, Buyer: accounts.Caller, AllowLoopback: dev, Guarded: demoResources(c)},
	}
	if config.Payments.Secret == nil && dev {
		config.Payments.Secret = bytes.Repeat([]byte("dev!"), keySize/4)
	}
	for _, chain := range chains {
		config.Networks = append(config.Networks, chain.Network())
		if proofs, ok := chain.(catalog.Chain); ok {
			config.Chains = append(config.Chains, proofs)
		}
	}
	config.Payments.WellKnown.Features = features(c, dev)
	return catalog.New(config)
}

// features are what /.well-known/x402 says that this server can do.
func features(c config, dev bool) []string {
	list := []string{"payment_verification", "multi_chain_support", "batch_payments"}
	if dev || c.webhookKey != nil {
		list = append(list, "webhooks")
	}
	return append(list, "analytics")
}

// providersOf tells buyers who sells.
func providersOf(accounts *account.Service) func(context.Context, []string) (map[string]catalog.Provider, error) {
	return func(ctx context.Context, ids []string) (map[string]catalog.Provider, error) {
		users, err := accounts.UsersByID(ctx, ids)
		if err != nil {
			return nil, err
		}
		list := make(map[string]catalog.Provider, len(users))
		for id, u := range users {
			list[id] = catalog.Provider{ID: id, Name: u.Name, Website: u.Website, Verified: u.Verified}
		}
		return list, nil
	}
}

// librarian sells the articles of dev mode.
var librarian = account.User{ID: "dev-library", Role: account.RoleContentProvider, Status: account.StatusActive, Name: "The library"}

// articles are for sale in dev mode, in millionths of a test USDC.
var articles = []struct{ slug, title, description, price, text string }{
	{"dev-tutorial", "Premium AI Tutorial Series", "Comprehensive guide to modern AI development", "10000", "Learn by building. Begin with the data."},
	{"dev-weather", "Weather of the day", "What to expect outside", "1000", "Sunny, with a chance of packets."},
	{"dev-poem", "A poem about payments", "Fourteen lines, none of them rhyme", "5000", "A request came, and it was asked to pay."},
}

const libraryPath = "/library/"

// stock puts the articles on sale, which the server keeps itself, at url. It
// returns what serves them.
func stock(ctx context.Context, s *catalog.Service, network x402.Network, payTo, url string) (http.Handler, error) {
	if _, err := s.SetWallet(ctx, librarian, network, payTo); err != nil {
		return nil, err
	}
	known := map[string]catalog.Product{}
	err := s.EachProduct(ctx, catalog.ProductFilter{OwnerID: librarian.ID}, func(p catalog.Product) error {
		known[p.Slug] = p
		return nil
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for _, a := range articles {
		contentURL := url + libraryPath + a.slug
		p, ok := known[a.slug]
		if ok {
			p, err = s.UpdateProduct(ctx, librarian, p.ID, catalog.ProductUpdate{ContentURL: &contentURL}) // the port may be another one
		} else if p, err = s.CreateProduct(ctx, librarian, catalog.Draft{
			Title: a.title, Description: a.description, ContentURL: contentURL, Category: "education", Tags: []string{"demo"}, Price: catalog.Price(a.price),
			Currency: "USDC", Preview: a.text[:8] + "...", AccessDuration: 86400, Slug: a.slug, ContentType: "text/plain",
		}); err == nil {
			p, err = s.Publish(ctx, librarian, p.ID)
		}
		if err != nil {
			return nil, fmt.Errorf("put %q on sale: %w", a.title, err)
		}
		mux.HandleFunc("GET "+libraryPath+a.slug, keep(s.ContentKey(librarian.ID), p.ID, a.text))
	}
	return mux, nil
}

// keep gives text to those who show that they paid for product.
func keep(key, product, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := content.Verify(key, product, r); err != nil {
			http.Error(w, err.Error(), http.StatusPaymentRequired)
			return
		}
		_, _ = io.WriteString(w, text+"\n") // an error means that the client has gone
	}
}

// welcomeCatalog says where to buy.
func welcomeCatalog(out io.Writer, dev bool, url string) {
	fmt.Fprintf(out, "  catalog of what users sell on %s/api/v1/clients/discover; see %s/api/v1/catalog/openapi.yaml\n", url, url)
	if dev {
		fmt.Fprintf(out, "  %d articles are on sale there\n", len(articles))
	}
}
