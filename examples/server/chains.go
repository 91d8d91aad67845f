package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/facilitator/evm"
	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/x402"
)

// checkFor bounds the questions that are asked of the chains at the start.
const checkFor = 30 * time.Second

// startDevChain starts a chain of our own and puts it into c, as if it had been
// configured.
func startDevChain(ctx context.Context, c *config) (*devchain.Chain, error) {
	chain, err := devchain.Start(ctx, devchain.Config{Addr: c.devChainAddr})
	if err != nil {
		return nil, err
	}
	c.chains = []chainConfig{{x402.Network(chain.Network()), []string{chain.URL()}}}
	c.keys = []string{chain.Relayer.Key}
	if c.payTo == "" {
		c.payTo = chain.PayTo.Address.Hex()
	}
	return chain, nil
}

// openChains makes the chains and asks them whether the configuration is true.
func openChains(ctx context.Context, c config, journal facilitator.Journal, log *slog.Logger) ([]facilitator.Chain, error) {
	ctx, cancel := context.WithTimeout(ctx, checkFor)
	defer cancel()
	var chains []facilitator.Chain
	for _, cc := range c.chains {
		chain, err := evm.New(evm.Config{
			Network: cc.network, URLs: cc.urls, Keys: c.keys, Journal: journal, Confirmations: c.confirmations, Logger: log,
			MaxGas: c.maxGas, MaxFeePerGas: c.maxFeePerGas,
		})
		if err != nil {
			return nil, err
		}
		if err := chain.Check(ctx); err != nil {
			return nil, fmt.Errorf("%s is not as configured: %w", cc.network, err)
		}
		chains = append(chains, chain)
	}
	return chains, nil
}
