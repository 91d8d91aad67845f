package memory_test

import (
	"context"
	"fmt"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

func ExampleNew() {
	ctx := context.Background()
	s := memory.New()
	payment := x402.Payment{Payload: x402.PaymentPayload{Version: x402.V2, Payload: []byte(`{"signature":"0x"}`)}}
	list := []facilitator.Settlement{{ID: "1", Key: "eip155:8453|usdc|payer|nonce", Network: x402.Base, Payment: payment}}
	for range 2 {
		stored, created, err := s.ReserveSettlements(ctx, list, facilitator.Lease{Owner: "me"})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(stored[0].State, created[0])
	}
	// Output:
	// reserved true
	// reserved false
}
