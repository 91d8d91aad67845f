package facilitator_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/facilitator/evm"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

func ExampleNew() {
	journal := memory.New() // sqlite.Open or postgres.Open outlive the process
	chain, err := evm.New(evm.Config{
		Network: x402.BaseSepolia,
		URLs:    []string{"https://sepolia.base.org"},
		Keys:    []string{"0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"},
		Journal: journal,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	service, err := facilitator.New(facilitator.Config{
		Chains:  []facilitator.Chain{chain},
		Journal: journal,
		Policy:  facilitator.Policy{PayTo: []string{"0x209693Bc6afc0C5328bA36FaF03C514EF312287C"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// go service.Run(ctx) follows the chain; it is needed to settle.
	w := httptest.NewRecorder()
	service.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/supported", nil))
	fmt.Print(w.Body)
	// Output:
	// {"kinds":[{"x402Version":2,"scheme":"exact","network":"eip155:84532"},{"x402Version":1,"scheme":"exact","network":"base-sepolia"}],"extensions":[],"signers":{"eip155:*":["0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"]}}
}

func ExampleBearerToken() {
	authorize := facilitator.BearerToken("s3cret")
	r := httptest.NewRequest(http.MethodPost, "/settle", nil)
	fmt.Println(authorize(r))
	r.Header.Set("Authorization", "Bearer s3cret")
	fmt.Println(authorize(r))
	// Output:
	// the header Authorization: Bearer with a valid token is needed
	// <nil>
}
