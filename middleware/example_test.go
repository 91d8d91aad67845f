package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/v402/v402/middleware"
	"github.com/v402/v402/x402"
)

func ExampleNew() {
	guard, err := middleware.New(middleware.Config{
		Facilitator: &fake{}, // an x402.Client, or a facilitator in process
		Routes: []middleware.Route{{
			Pattern: "GET /quote",
			Offers: []middleware.Offer{
				{Network: x402.Base, Price: "$0.01", PayTo: payTo},
				{Network: x402.Polygon, Price: "$0.01", PayTo: payTo},
			},
			Resource: x402.ResourceInfo{Description: "A quote of the day", MimeType: "text/plain"},
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /quote", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "Less is more.") })

	w := httptest.NewRecorder()
	guard.Wrap(mux).ServeHTTP(w, httptest.NewRequest("GET", "https://shop.example/quote", nil))
	var c x402.PaymentRequired
	if err := x402.DecodeHeader(w.Header().Get(x402.HeaderPaymentRequired), &c); err != nil {
		fmt.Println(err)
	}
	fmt.Println(w.Code, c.Error, c.Resource.URL)
	for _, offer := range c.Accepts {
		fmt.Println(offer.Network, offer.Amount)
	}
	// Output:
	// 402 Payment required https://shop.example/quote
	// eip155:8453 10000
	// eip155:137 10000
}

func ExampleProtect() {
	protect, err := middleware.Protect(middleware.Config{Facilitator: &fake{}},
		middleware.Offer{Network: x402.Base, Price: "$0.01", PayTo: payTo})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "paid for") }))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("POST", "/anything", nil))
	fmt.Println(w.Code)
	// Output: 402
}

func ExamplePaymentFrom() {
	handler := func(w http.ResponseWriter, r *http.Request) {
		if paid, ok := middleware.PaymentFrom(r.Context()); ok {
			fmt.Fprintln(w, "thank you,", paid.Payer)
		}
	}
	protect, err := middleware.Protect(middleware.Config{Facilitator: &fake{}},
		middleware.Offer{Network: x402.BaseSepolia, Price: "$0.01", PayTo: payTo})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := httptest.NewRequest("GET", "http://example.com/paid", nil)
	r.Header.Set(x402.HeaderPaymentSignature, b64(wellFormed))
	w := httptest.NewRecorder()
	protect(http.HandlerFunc(handler)).ServeHTTP(w, r)
	fmt.Print(w.Body)
	// Output: thank you, 0x1111111111111111111111111111111111111111
}

func ExampleGuard_Check() {
	guard, err := middleware.New(middleware.Config{
		Facilitator: &fake{supports: x402.Supported{Kinds: []x402.Kind{{Version: 2, Scheme: "exact", Network: x402.Base}}}},
		Routes: []middleware.Route{{Pattern: "/quote", Offers: []middleware.Offer{
			{Network: x402.Base, Price: "$0.01", PayTo: payTo},
			{Network: x402.Avalanche, Price: "$0.01", PayTo: payTo},
		}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(guard.Check(httptest.NewRequest("GET", "/", nil).Context()))
	// Output: middleware: route "/quote", offer 1: the facilitator does not serve scheme "exact" on eip155:43114
}
