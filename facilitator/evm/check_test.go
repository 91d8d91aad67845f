package evm_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/evm"
	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

func commonAddress(a x402.Asset) common.Address { return common.HexToAddress(a.Address) }

func TestTheSelfCheckAcceptsWhatIsTrue(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	require.NoError(t, r.chain.Check(context.Background()))
}

func TestTheSelfCheckSaysWhatToChange(t *testing.T) {
	t.Parallel()
	wrongName, wrongVersion := usdc, usdc
	wrongName.Name, wrongVersion.Version = "USD Coin", "1"
	for name, c := range map[string]struct {
		asset x402.Asset
		says  string
	}{
		"name":        {wrongName, `the token's name is "USDC" but it is configured as "USD Coin": set Asset.Name to "USDC"`},
		"version":     {wrongVersion, `the token's version is "2" but it is configured as "1": set Asset.Version to "2"`},
		"no code":     {asset(devchain.TestAccount(9).Address), "there is no contract at this address"},
		"no EIP-3009": {asset(devchain.PlainTokenAddress), "take it off the list of assets"},
		"domain":      {asset(devchain.MisnamedTokenAddress), "the token's name is"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(cfg *evm.Config, _ *devchain.Config) { cfg.Assets = []x402.Asset{c.asset} })
			require.ErrorContains(t, r.chain.Check(context.Background()), c.says)
		})
	}
}

func TestTheSelfCheckRefusesAnEndpointOfAnotherChain(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(_ *evm.Config, d *devchain.Config) { d.ChainID = 1337 })
	require.ErrorContains(t, r.chain.Check(context.Background()), "is of chain 1337, but is configured for eip155:84532")
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	good := evm.Config{Network: x402.Base, URLs: []string{"http://127.0.0.1:1"}, Keys: []string{devchain.TestAccount(0).Key}, Journal: memory.New()}
	_, err := evm.New(good)
	require.NoError(t, err)
	for says, change := range map[string]func(*evm.Config){
		"is not an EVM network":             func(c *evm.Config) { c.Network = x402.Solana },
		"has no RPC URL":                    func(c *evm.Config) { c.URLs = nil },
		"RPC URL 2 of eip155:8453 does not": func(c *evm.Config) { c.URLs = append(c.URLs[:1:1], "ht%tps://node.example/0x1234") },
		"begin with http:// or https://":    func(c *evm.Config) { c.URLs = []string{"/var/run/0x1234.ipc"} },
		"has no relayer key":                func(c *evm.Config) { c.Keys = nil },
		"no Journal":                        func(c *evm.Config) { c.Journal = nil },
		"relayer key 1: it is not 32 bytes": func(c *evm.Config) { c.Keys = []string{"0x1234"} },
		"is on eip155:84532, not on":        func(c *evm.Config) { c.Assets = []x402.Asset{usdc} },
		"name the Assets of the network":    func(c *evm.Config) { c.Network = "eip155:424242" },
		"moves by Permit2":                  func(c *evm.Config) { c.Network = x402.BSC },
	} {
		cfg := good
		change(&cfg)
		_, err := evm.New(cfg)
		require.ErrorContains(t, err, says)
		require.NotContains(t, err.Error(), "0x1234", "keys are never printed")
	}
}

func TestTheSelfCheckOnlyWarnsOfOneEndpointAmongOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	cfg := evm.Config{
		Network: x402.BaseSepolia, URLs: []string{"http://127.0.0.1:1", r.dev.URL()}, Keys: []string{r.dev.Relayer.Key},
		Journal: r.journal, Logger: slog.New(slog.DiscardHandler),
	}
	chain, err := evm.New(cfg)
	require.NoError(t, err)
	require.NoError(t, chain.Check(context.Background()))
	cfg.URLs = cfg.URLs[:1]
	chain, err = evm.New(cfg)
	require.NoError(t, err)
	require.ErrorContains(t, chain.Check(context.Background()), "does not answer")
}
