// Command sell-licences sells a licence twice on a chain of its own, once for a
// plain transaction of a wallet and once by x402, and opens a guarded handler
// with each:
//
//	go run ./examples/sell-licences
//
// The shop is in shop.go: what a website needs to sell and to ask for licences.
// The buyers are in buyer.go, and the chain and the facilitator in chain.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run opens the shop, buys and uses the two licences, and closes it.
func run(ctx context.Context, out io.Writer) (err error) {
	world, err := startWorld(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, world.close()) }()
	shop, err := newShop(ctx, world)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: shop, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends by Close
	defer func() { err = errors.Join(err, server.Close()) }()
	url := "http://" + listener.Addr().String()

	alice, bob := buyer{url: url, rpc: world.chain.URL(), account: world.chain.Accounts[6]}, buyer{url: url, account: world.chain.Accounts[7]}
	if _, err := alice.report(ctx); err == nil {
		return errors.New("the report is open to everybody")
	}
	for _, b := range []struct {
		name string
		buyer
		buy func(context.Context, quote) (entitlement, error)
	}{{"alice, by a transaction", alice, alice.payByTransaction}, {"bob, by x402", bob, bob.payByX402}} {
		q, err := b.quote(ctx)
		if err != nil {
			return err
		}
		bought, err := b.buy(ctx, q)
		if err != nil {
			return err
		}
		if err := b.signIn(ctx); err != nil {
			return err
		}
		report, err := b.report(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: paid %s %s, got %s, reads %q\n", b.name, q.Total, q.Currency, bought.Status, report)
	}
	return nil
}
