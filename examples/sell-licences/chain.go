package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/facilitator/evm"
	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

// world is what a shop finds in the world: a chain, and a facilitator that
// settles on it.
type world struct {
	chain       *devchain.Chain
	network     x402.Network
	usdc        string
	reader      *evm.Chain // looks at the chain
	facilitator x402.Facilitator

	stop    context.CancelFunc
	running sync.WaitGroup
	ended   error
}

func startWorld(ctx context.Context) (*world, error) {
	chain, err := devchain.Start(ctx, devchain.Config{Addr: "127.0.0.1:0"})
	if err != nil {
		return nil, err
	}
	w := &world{chain: chain, network: x402.Network(chain.Network()), usdc: chain.Token.Hex()}
	journal, quiet := memory.New(), slog.New(slog.DiscardHandler)
	w.reader, err = evm.New(evm.Config{
		Network: w.network, URLs: []string{chain.URL()}, Keys: []string{chain.Relayer.Key}, Journal: journal, Logger: quiet,
	})
	if err != nil {
		return nil, errors.Join(err, chain.Close())
	}
	service, err := facilitator.New(facilitator.Config{Chains: []facilitator.Chain{w.reader}, Journal: journal, Logger: quiet})
	if err != nil {
		return nil, errors.Join(err, chain.Close())
	}
	w.facilitator = service
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	w.stop = stop
	w.running.Go(func() { w.ended = service.Run(running) })
	return w, nil
}

// close ends what startWorld began.
func (w *world) close() error {
	w.stop()
	w.running.Wait()
	return errors.Join(w.ended, w.chain.Close())
}
