package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/middleware"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

// offerID is what is sold.
const offerID = "example.reports"

// newShop is a website: it sells a licence, and has a page for those who have it.
func newShop(ctx context.Context, w *world) (http.Handler, error) {
	db := memory.New() // or sqlite.Open, postgres.Open
	market, err := marketplace.New(marketplace.Config{
		Store: db,
		Chains: []marketplace.ChainConfig{{
			Network: w.network, Chain: w.reader, Treasury: w.chain.PayTo.Address.Hex(),
			Currencies: []marketplace.Currency{{Code: "USDC", Address: w.usdc, Decimals: 6}},
		}},
	})
	if err != nil {
		return nil, err
	}
	if err := publish(ctx, market, w); err != nil {
		return nil, err
	}
	pay, err := newTill(market, db, w)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/marketplace/", market.Handler())
	mux.Handle("/secret/", market.Handler()) // wallets sign in here
	mux.Handle("/marketplace/checkout/pay/", pay)
	mux.Handle("GET /report", market.Require(offerID)(http.HandlerFunc(getReport)))
	return mux, nil
}

func getReport(w http.ResponseWriter, r *http.Request) {
	e, _ := marketplace.EntitlementFrom(r.Context())
	fmt.Fprintf(w, "the report for %s", e.OrgRootID)
}

// publish puts the licence up for sale: 25 dollars a year.
func publish(ctx context.Context, market *marketplace.Service, w *world) error {
	admin := marketplace.Actor{Name: "admin:setup", Admin: true}
	if _, err := market.PutIssuer(ctx, admin, "example.shop", marketplace.IssuerUpdate{Name: "Example"}); err != nil {
		return err
	}
	if _, err := market.CreateOffer(ctx, admin, marketplace.OfferInput{
		ID: offerID, IssuerID: "example.shop", Title: "Reports", TermSeconds: 365 * 24 * 60 * 60,
		Pricing: marketplace.Pricing{Currency: "USDC", Amount: x402.NewAmount(25_000_000), Decimals: 6, ChainID: w.chain.ChainID},
	}); err != nil {
		return err
	}
	_, err := market.SetOfferStatus(ctx, admin, offerID, marketplace.OfferActive)
	return err
}

// newTill takes payments by x402.
func newTill(market *marketplace.Service, claims middleware.Claims, w *world) (http.Handler, error) {
	till, err := market.NewTill(marketplace.TillConfig{Facilitator: w.facilitator, Paid: func(ctx context.Context) (marketplace.TillPayment, bool) {
		p, ok := middleware.PaymentFrom(ctx)
		if !ok {
			return marketplace.TillPayment{}, false
		}
		return marketplace.TillPayment{Key: p.Key, Settled: p.Settled, Transaction: p.Transaction}, true
	}})
	if err != nil {
		return nil, err
	}
	guard, err := middleware.New(middleware.Config{
		Facilitator: w.facilitator, Claims: claims,
		Hooks: middleware.Hooks{BeforeSettle: func(ctx context.Context, a middleware.Attempt) error {
			return till.Reserve(ctx, a.Request, a.Payment)
		}},
		Routes: []middleware.Route{{
			Pattern: "POST /marketplace/checkout/pay/{quote_id}", Mode: middleware.SettleBefore,
			Offers: []middleware.Offer{{Network: w.network, Asset: w.usdc, PriceFunc: till.Price(w.network, w.usdc), PayToFunc: till.PayTo}},
		}},
	})
	if err != nil {
		return nil, err
	}
	return guard.Wrap(till), nil
}
