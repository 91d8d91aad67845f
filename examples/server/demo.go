package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/v402/v402/middleware"
	"github.com/v402/v402/x402"
)

// newDemo serves what is for sale: GET /demo/quote, settled after the answer is
// ready, and GET /demo/stream, settled before the first byte.
func newDemo(c config, f x402.Facilitator, claims middleware.Claims, log *slog.Logger) (http.Handler, error) {
	var offers []middleware.Offer
	for _, chain := range c.chains {
		offers = append(offers, middleware.Offer{Network: chain.network, Price: "$0.01", PayTo: c.payTo})
	}
	guard, err := middleware.New(middleware.Config{
		Facilitator: f, Claims: claims, PublicURL: c.publicURL, Logger: log, CORS: &middleware.CORS{AllowOrigins: []string{"*"}},
		Routes: []middleware.Route{
			{Pattern: "GET /demo/quote", Offers: offers, Resource: x402.ResourceInfo{Description: "A quote of the day", MimeType: "application/json"}},
			{Pattern: "GET /demo/stream", Offers: offers, Mode: middleware.SettleBefore, Resource: x402.ResourceInfo{Description: "A countdown, as it happens", MimeType: "text/event-stream"}},
		},
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /demo/quote", getQuote)
	mux.HandleFunc("GET /demo/stream", getStream)
	return guard.Wrap(mux), nil
}

// demoResources are the demo routes as discovery lists them.
func demoResources(c config) []x402.DiscoveredResource {
	if c.payTo == "" {
		return nil
	}
	var accepts []x402.PaymentRequirements
	for _, chain := range c.chains {
		asset, err := x402.DefaultAssets().Default(chain.network)
		if err != nil {
			continue // newDemo says so
		}
		if amount, err := asset.Price("$0.01"); err == nil {
			r := asset.Requirements(amount, c.payTo)
			r.MaxTimeoutSeconds = x402.DefaultTimeout
			accepts = append(accepts, r)
		}
	}
	return []x402.DiscoveredResource{
		{Resource: "/demo/quote", Type: "http", Accepts: accepts, Description: "A quote of the day", MimeType: "application/json"},
		{Resource: "/demo/stream", Type: "http", Accepts: accepts, Description: "A countdown, as it happens", MimeType: "text/event-stream"},
	}
}

func getQuote(w http.ResponseWriter, r *http.Request) {
	answer := struct {
		Quote string `json:"quote"`
		By    string `json:"by"`
		Payer string `json:"payer"`
	}{Quote: "The best way to predict the future is to invent it.", By: "Alan Kay"}
	if paid, ok := middleware.PaymentFrom(r.Context()); ok {
		answer.Payer = paid.Payer
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // an error means that the client has gone
}

func getStream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	for n := 5; n > 0; n-- {
		if _, err := fmt.Fprintf(w, "data: %d\n\n", n); err != nil {
			return
		}
		if err := out.Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
	fmt.Fprint(w, "data: lift-off\n\n")
}
