// Command guard sells GET /quote for one cent on http://127.0.0.1:8080.
//
// FACILITATOR_URL is who verifies and settles (default http://127.0.0.1:4020,
// as examples/server), PAY_TO the address that is paid.
package main

import (
	"cmp"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/v402/v402/middleware"
	"github.com/v402/v402/x402"
)

func main() {
	facilitator, err := x402.NewClient(x402.ClientConfig{URL: cmp.Or(os.Getenv("FACILITATOR_URL"), "http://127.0.0.1:4020")})
	check(err)
	payTo := cmp.Or(os.Getenv("PAY_TO"), "0x209693Bc6afc0C5328bA36FaF03C514EF312287C")

	guard, err := middleware.New(middleware.Config{Facilitator: facilitator, Routes: []middleware.Route{{
		Pattern: "GET /quote",
		Offers:  []middleware.Offer{{Network: x402.BaseSepolia, Price: "$0.01", PayTo: payTo}},
	}}})
	check(err)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /quote", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "Simplicity is the ultimate sophistication.")
	})
	check(http.ListenAndServe("127.0.0.1:8080", guard.Wrap(mux)))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
