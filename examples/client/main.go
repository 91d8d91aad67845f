// Client pays for a URL and prints what it paid and what it got.
//
//	go run ./examples/client [-key HEX] [-rpc URL] [-ledger FILE] [-max $0.10] [-X METHOD] [-d BODY] URL
//
// The key is the hexadecimal private key of an account on an EVM chain, and may
// stand in V402_PAYER_KEY instead. With -rpc, the JSON-RPC endpoint of the
// chain, it prints the balances of payer and recipient after the payment. With
// -ledger the daily limit of ten times -max holds across runs, and a request
// whose outcome stayed unknown is repeated with -resume ID without paying again.
//
// The exit status is 0 for an answer below 400, 1 for anything else, and 2 for
// a wrong command line.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
	"github.com/v402/v402/x402/payer"
)

// timeout bounds the whole call; sellers may take a minute and more to settle.
const timeout = 3 * time.Minute

type options struct {
	key, rpc, ledger, max, method, body, resume, url string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program; it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if err != nil {
		if !errors.Is(err, errUsage) {
			fmt.Fprintln(stderr, "client:", err)
		}
		return 2
	}
	if err := pay(ctx, o, stdout); err != nil {
		fmt.Fprintln(stderr, "client:", err)
		return 1
	}
	return 0
}

var errUsage = errors.New("usage") // explained already

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("client", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprintln(stderr, "usage: client [flags] URL")
		f.PrintDefaults()
	}
	f.StringVar(&o.key, "key", "", "private key to pay with, `HEX` (default $V402_PAYER_KEY)")
	f.StringVar(&o.rpc, "rpc", "", "JSON-RPC `URL` of the chain, to print balances")
	f.StringVar(&o.ledger, "ledger", "", "`FILE` that remembers what was spent (default: none)")
	f.StringVar(&o.max, "max", "$0.10", "highest `price`; ten times as much a day")
	f.StringVar(&o.method, "X", "", "`METHOD` (default GET, or POST with -d)")
	f.StringVar(&o.body, "d", "", "`BODY` of the request")
	f.StringVar(&o.resume, "resume", "", "`ID` of a spending in the ledger whose outcome is unknown")
	if err := f.Parse(args); err != nil {
		return options{}, errUsage
	}
	if f.NArg() != 1 {
		f.Usage()
		return options{}, errUsage
	}
	o.url = f.Arg(0)
	if o.key == "" {
		o.key = os.Getenv("V402_PAYER_KEY")
	}
	if o.key == "" {
		return options{}, errors.New("no key: use -key or set V402_PAYER_KEY")
	}
	if o.resume != "" && o.ledger == "" {
		return options{}, errors.New("-resume needs the -ledger that has the spending")
	}
	if o.method == "" {
		o.method = http.MethodGet
		if o.body != "" {
			o.method = http.MethodPost
		}
	}
	return o, nil
}

// pay sends the request, pays if need be, and prints what came of it.
func pay(ctx context.Context, o options, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	signer, err := evm.ParseSigner(o.key)
	if err != nil {
		return err
	}
	cfg := payer.Config{Signers: []payer.Signer{signer}}
	if cfg.Limits, err = limits(o.max); err != nil {
		return err
	}
	if o.ledger != "" {
		file, err := payer.OpenFile(o.ledger)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		cfg.Ledger = file
	}
	p, err := payer.New(cfg)
	if err != nil {
		return err
	}
	if o.resume != "" {
		ctx = payer.WithKey(ctx, o.resume)
	}
	req, err := http.NewRequestWithContext(ctx, o.method, o.url, strings.NewReader(o.body))
	if err != nil {
		return err
	}
	resp, err := p.Client().Do(req)
	var unknown *payer.UnknownOutcomeError
	if errors.As(err, &unknown) && o.ledger != "" {
		return fmt.Errorf("%w; repeat it with -resume %s", err, unknown.Spending.ID)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := report(ctx, o, signer.Address().String(), resp, out); err != nil {
		return err
	}
	if resp.StatusCode >= 400 {
		return fmt.Errorf("the answer is %s", resp.Status)
	}
	return nil
}

// limits allow max for one request and ten times that for a day.
func limits(max string) (payer.Limits, error) {
	price, err := x402.ParseAmount(strings.TrimPrefix(max, "$"), 6)
	if err != nil {
		return payer.Limits{}, fmt.Errorf("-max: %w", err)
	}
	day := x402.Amount{}
	for range 10 {
		if day, err = day.Add(price); err != nil {
			return payer.Limits{}, fmt.Errorf("-max: %w", err)
		}
	}
	return payer.Limits{PerRequest: max, Budgets: []payer.Budget{{Max: day.Decimal(6), Period: 24 * time.Hour}}}, nil
}

// report prints the status, the payment, the balances and the body.
func report(ctx context.Context, o options, from string, resp *http.Response, out io.Writer) error {
	fmt.Fprintln(out, "status:      ", resp.Status)
	s, paid := payer.SpendingFrom(resp)
	if !paid {
		fmt.Fprintln(out, "paid:         nothing")
	} else {
		asset, err := x402.DefaultAssets().Lookup(s.Network, s.Asset)
		if err != nil {
			return err
		}
		what := "paid:"
		if s.State != payer.Paid {
			what = "perhaps paid:"
		}
		fmt.Fprintf(out, "%-13s %s %s on %s to %s\n", what, s.Amount.Decimal(asset.Decimals), asset.Symbol, s.Network, s.PayTo)
		fmt.Fprintln(out, "transaction: ", orNone(s.Transaction))
		if s.State != payer.Paid {
			fmt.Fprintln(out, "outcome:      unknown; the ledger counts it as", s.ID)
		}
		if o.rpc != "" {
			for _, who := range []struct{ name, address string }{{"payer", from}, {"recipient", s.PayTo}} {
				balance, err := balanceOf(ctx, o.rpc, s.Asset, who.address)
				if err != nil {
					return err
				}
				fmt.Fprintf(out, "%-13s %s has %s %s\n", who.name+":", who.address, balance.Decimal(asset.Decimals), asset.Symbol)
			}
		}
	}
	fmt.Fprintln(out)
	if _, err := io.Copy(out, resp.Body); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	fmt.Fprintln(out)
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "none reported"
	}
	return s
}
