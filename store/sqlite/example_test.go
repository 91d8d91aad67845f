package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/v402/v402/store/sqlite"
	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/payer"
)

// A spending is still known when the program starts again.
func ExampleOpen() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "v402")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "v402.db")
	limits := []payer.Limit{{Amount: x402.NewAmount(1_000_000)}} // $1
	for _, id := range []string{"first", "second", "third"} {
		db, err := sqlite.Open(ctx, path)
		if err != nil {
			fmt.Println(err)
			return
		}
		err = db.Reserve(ctx, payer.Spending{ID: id, Currency: "USD", Value: x402.NewAmount(400_000)}, limits)
		fmt.Println(id, err)
		if err := db.Close(); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// first <nil>
	// second <nil>
	// third sqlite: reserve spending third: payer: over budget: 0.4 USD more would exceed the limit of 1, of which 0.8 are spent or may be
}
