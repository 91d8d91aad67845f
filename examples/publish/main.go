// Publish puts an article up for sale, and then buys and reads it as an agent
// would that has never heard of it:
//
//	go run ./examples/server                        # in another terminal
//	go run ./examples/publish -key HEX [-url http://127.0.0.1:4020]
//
// The key is that of the payer, which the server prints in dev mode. The provider
// keeps the article on a web server of its own, in this process: nobody reads it
// there without the proof of payment that the catalog gives.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

// timeout bounds the whole of it; settling may take a minute and more.
const timeout = 3 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "publish:", err)
		os.Exit(1)
	}
}

// run is the program.
func run(ctx context.Context, args []string, out, usage io.Writer) error {
	f := flag.NewFlagSet("publish", flag.ContinueOnError)
	f.SetOutput(usage)
	url := f.String("url", "http://127.0.0.1:4020", "`URL` of the server")
	key := f.String("key", os.Getenv("V402_PAYER_KEY"), "private key to pay with, `HEX` (default $V402_PAYER_KEY)")
	wallet := f.String("wallet", "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC", "`ADDRESS` that the provider is paid at")
	chain := f.String("chain", "eip155:84532", "`NETWORK` that it is paid on")
	price := f.String("price", "10000", "in millionths of a USDC")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *key == "" {
		return errors.New("no key: use -key or set V402_PAYER_KEY")
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	p, err := newProvider(ctx, *url, *chain, *wallet)
	if err != nil {
		return fmt.Errorf("the provider: %w", err)
	}
	defer p.close()
	fmt.Fprintf(out, "provider:  %s, with an API key of its own, paid at %s\n", p.id, *wallet)
	title, err := p.publish(ctx, *price)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	fmt.Fprintf(out, "published: %q\n", title)

	a, err := newAgent(*url, *key)
	if err != nil {
		return fmt.Errorf("the agent: %w", err)
	}
	found, err := a.discover(ctx, title)
	if err != nil {
		return fmt.Errorf("discover: %w", err)
	}
	fmt.Fprintf(out, "found:     %q for %s of the smallest unit of %s\n", found.Title, found.Price, found.Currency)
	bought, err := a.buy(ctx, found.ID)
	if err != nil {
		return fmt.Errorf("buy: %w", err)
	}
	fmt.Fprintf(out, "paid:      %s\n", bought.Paid.Transaction)
	text, err := a.read(ctx, bought.ContentURL)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	fmt.Fprintf(out, "read:      %s\n", text)
	return nil
}
