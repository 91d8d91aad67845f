package payer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/payer"
)

func ExampleNew() {
	seller := httptest.NewServer(newShop(x402.V2)) // asks $0.01
	defer seller.Close()

	p, err := payer.New(payer.Config{
		Signers: []payer.Signer{&fakeSigner{}}, // such as evm.ParseSigner returns
		Limits: payer.Limits{
			PerRequest: "$0.10",
			Budgets:    []payer.Budget{{Max: "$0.02", Period: time.Hour}},
		},
	})
	if err != nil {
		panic(err)
	}
	client := p.Client()
	for range 3 {
		resp, err := client.Get(seller.URL)
		if errors.Is(err, payer.ErrOverBudget) {
			fmt.Println("enough for this hour")
			break
		}
		if err != nil {
			panic(err)
		}
		goods, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		s, _ := payer.SpendingFrom(resp)
		fmt.Printf("%s for %s %s\n", goods, s.Value.Decimal(6), s.Currency)
	}
	// Output:
	// goods for 0.01 USD
	// goods for 0.01 USD
	// enough for this hour
}

func ExampleWithKey() {
	shop := newShop(x402.V2, takesMoneyThen(status(502)), serve) // settles, then fails to say so
	seller := httptest.NewServer(shop)
	defer seller.Close()

	p, err := payer.New(payer.Config{Signers: []payer.Signer{&fakeSigner{}}, Resends: -1})
	if err != nil {
		panic(err)
	}
	ctx := payer.WithKey(context.Background(), "report of 1 March")
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, seller.URL, nil)
		if err != nil {
			panic(err)
		}
		resp, err := p.Client().Do(req)
		var unknown *payer.UnknownOutcomeError
		if errors.As(err, &unknown) {
			fmt.Println("may be paid:", unknown.Spending.ID)
			continue // with the same key, so with the same payment
		}
		if err != nil {
			panic(err)
		}
		goods, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		fmt.Printf("%s, paid %d time\n", goods, shop.movedCount())
		break
	}
	// Output:
	// may be paid: report of 1 March
	// goods, paid 1 time
}

func ExampleOpenFile() {
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ledger, err := payer.OpenFile(filepath.Join(dir, "spendings.jsonl"))
	if err != nil {
		panic(err)
	}
	defer ledger.Close()
	_, err = payer.OpenFile(filepath.Join(dir, "spendings.jsonl"))
	fmt.Println(errors.Is(err, payer.ErrLocked))
	// Output: true
}
