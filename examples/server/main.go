// Server is a whole x402 facilitator, with two routes that are for sale:
//
//	go run ./examples/server
//
// Without configuration it brings a chain of its own (dev mode) and prints the
// command that pays. With V402_EVM and V402_EVM_KEYS it settles on real chains;
// -help lists everything. It serves the facilitator's API at the root, the demo
// routes under /demo, the registry of contracts and royalties under /api, users
// and what they sell under /api/v1, and the marketplace of licences under /marketplace and /secret.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/devchain"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // the heap is small: fewer collections cost little memory
	}
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// run is the program: it serves until ctx ends, and then finishes what it began.
func run(ctx context.Context, args []string, getenv func(string) string, out, errOut io.Writer) (err error) {
	c, err := readConfig(args, getenv, errOut)
	if err != nil {
		return err
	}
	c.ensureAdminToken()
	log := slog.New(slog.NewTextHandler(errOut, nil))
	store, err := openStore(ctx, c.store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	var dev *devchain.Chain
	if c.dev() {
		if dev, err = startDevChain(ctx, &c); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, dev.Close()) }()
	}
	chains, err := openChains(ctx, c, store, log)
	if err != nil {
		return err
	}
	service, err := facilitator.New(newFacilitatorConfig(c, chains, store, log))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", service.Handler())
	if c.payTo != "" {
		demo, err := newDemo(c, service, store, log)
		if err != nil {
			return err
		}
		mux.Handle("/demo/", demo)
	}
	room, err := openRegistry(c, dev != nil, service, store, log)
	if err != nil {
		return err
	}
	if room != nil {
		mux.Handle("/api/", room.handler)
	}
	limits := account.NewLimits(account.Rates{})
	accounts, err := openAccounts(c, dev != nil, chains, store, limits, log)
	if err != nil {
		return err
	}
	market, err := openMarketplace(ctx, c, dev != nil, chains, accounts, service, store, log)
	if err != nil {
		return err
	}
	to := room.hearers()
	if market != nil {
		to.audiences = append(to.audiences, market.audience)
		to.consumers = append(to.consumers, market.service.Observe)
	}
	rooms, err := openV1(c, dev != nil, service, chains, accounts, limits, store, to, log)
	if err != nil {
		return err
	}
	mux.Handle("/api/v1/", rooms.handler)
	mux.Handle("/discovery/", rooms.catalog.ResourceHandler())
	mux.Handle("/.well-known/x402", rooms.catalog.ResourceHandler())
	if market != nil {
		mux.Handle("/marketplace/", market.handler)
		mux.Handle("/secret/", market.handler)
		rooms.runs = append(rooms.runs, market.runs...)
	}
	listener, err := net.Listen("tcp", c.addr)
	if err != nil {
		return err
	}
	url := "http://" + listener.Addr().String()
	if dev != nil {
		shelves, err := stock(ctx, rooms.catalog, c.chains[0].network, c.payTo, url)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		mux.Handle(libraryPath, shelves)
	}
	welcome(out, c, dev, room, market, url)
	return serve(ctx, listener, c.proxies.showClients(mux), append(rooms.runs, service.Run)...)
}

func newFacilitatorConfig(c config, chains []facilitator.Chain, store backend, log *slog.Logger) facilitator.Config {
	f := facilitator.Config{Chains: chains, Journal: store, Logger: log, Policy: facilitator.Policy{PayTo: c.allowPayTo}}
	if c.token != "" {
		f.Authorize = facilitator.BearerToken(c.token)
	}
	if c.token == "" && len(c.allowPayTo) == 0 && !isLoopback(c.addr) {
		log.Warn("anybody can settle at your expense: name recipients in V402_ALLOW_PAY_TO, or set V402_TOKEN")
	}
	return f
}

// graceFor is how long requests that are under way may take after the end.
const graceFor = 30 * time.Second

// serve serves until ctx ends. Requests end before what runs beside them does.
func serve(ctx context.Context, l net.Listener, h http.Handler, runs ...func(context.Context) error) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	running, stopRunning := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRunning()
	g, ctx := errgroup.WithContext(ctx)
	for _, run := range runs {
		g.Go(func() error { return run(running) })
	}
	g.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		defer stopRunning()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceFor)
		defer cancel()
		if err := server.Shutdown(grace); err != nil {
			return errors.Join(fmt.Errorf("requests were cut off: %w", err), server.Close())
		}
		return nil
	})
	return g.Wait()
}

// welcome says what runs, and how to pay.
func welcome(out io.Writer, c config, dev *devchain.Chain, room *registryRoom, market *marketRoom, url string) {
	fmt.Fprintf(out, "v402 facilitator on %s\n", url)
	for _, chain := range c.chains {
		fmt.Fprintf(out, "  settles on %s\n", chain.network)
	}
	fmt.Fprintf(out, "  journal in %s\n", storeName(c.store))
	if c.payTo != "" {
		fmt.Fprintf(out, "  sells %s/demo/quote and %s/demo/stream for $0.01, paid to %s\n", url, url, c.payTo)
	}
	room.welcome(out, url)
	market.welcome(out, url)
	welcomeAdmin(out, c, url)
	welcomeCatalog(out, dev != nil, url)
	if dev != nil {
		fmt.Fprintf(out, "  chain in this process, gone when it ends: JSON-RPC on %s\n", dev.URL())
		fmt.Fprintf(out, "\nSell something, and buy it:\n\n  go run ./examples/publish -url %s -key %s\n", url, dev.Payer.Key)
		fmt.Fprintf(out, "\nPay with:\n\n  go run ./examples/client -rpc %s -key %s %s/demo/quote\n\n", dev.URL(), dev.Payer.Key, url)
	}
}
