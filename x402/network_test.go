package x402_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
)

// namesV1 are the network names of protocol v1, as the official SDKs have them.
var namesV1 = map[string]x402.Network{
	"ethereum": "eip155:1", "sepolia": "eip155:11155111", "abstract": "eip155:2741", "abstract-testnet": "eip155:11124", "base": "eip155:8453",
	"base-sepolia": "eip155:84532", "avalanche": "eip155:43114", "avalanche-fuji": "eip155:43113", "iotex": "eip155:4689", "sei": "eip155:1329",
	"sei-testnet": "eip155:1328", "polygon": "eip155:137", "polygon-amoy": "eip155:80002", "peaq": "eip155:3338", "story": "eip155:1514",
	"educhain": "eip155:41923", "skale-base-sepolia": "eip155:324705682", "megaeth": "eip155:4326", "monad": "eip155:143", "monad-testnet": "eip155:10143",
	"stable": "eip155:988", "stable-testnet": "eip155:2201", "celo": "eip155:42220", "flare": "eip155:14",
	"solana": "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "solana-devnet": "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1", "solana-testnet": "solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z",
}

func TestTheNamesOfV1AreTranslatedBothWays(t *testing.T) {
	t.Parallel()
	for name, want := range namesV1 {
		n, err := x402.ParseNetwork(name)
		require.NoError(t, err, name)
		assert.Equal(t, want, n)
		got, ok := n.V1Name()
		assert.True(t, ok)
		assert.Equal(t, name, got)
	}
	for _, n := range []x402.Network{x402.Arbitrum, x402.ArbitrumSepolia, x402.Optimism, x402.OptimismSepolia, x402.BSC, x402.BSCTestnet, "eip155:31337"} {
		_, ok := n.V1Name()
		assert.False(t, ok, n)
		parsed, err := x402.ParseNetwork(string(n))
		require.NoError(t, err)
		assert.Equal(t, n, parsed)
	}
}

func TestWhatIsNotANetworkIsRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "Base", "base ", "arbitrum", "optimism", "bsc", "eip155", "eip155:", ":1", "eip155:*", "eip155:0", "eip155:01", "eip155:-1", "eip155:+1", "eip155:1e3",
		"eip155:0x1", "eip155:1:2", "eip155:18446744073709551616", "EIP155:1", "ab:1", "abcdefghi:1", "solana:" + strings.Repeat("a", 33), "sol ana:1", "solana:a b",
		"solana:é", "eip155:1\n", "eip155: 1",
	} {
		_, err := x402.ParseNetwork(s)
		assert.Error(t, err, s)
		_, ok := x402.Network(s).ChainID()
		assert.False(t, ok, s)
	}
}

func TestChainIDsAreThoseOfEVMNetworks(t *testing.T) {
	t.Parallel()
	id, ok := x402.BaseSepolia.ChainID()
	assert.True(t, ok)
	assert.EqualValues(t, 84532, id)
	assert.Equal(t, x402.BaseSepolia, x402.EVM(84532))
	assert.Equal(t, "eip155", x402.Base.Namespace())
	assert.Equal(t, "solana", x402.Solana.Namespace())
	_, ok = x402.Solana.ChainID()
	assert.False(t, ok)
}

func TestOnlyEVMAddressesAreComparedWithoutCase(t *testing.T) {
	t.Parallel()
	assert.True(t, x402.Base.SameAddress("0xAB", "0xab"))
	assert.False(t, x402.Base.SameAddress("0xab", "0xac"))
	assert.True(t, x402.Solana.SameAddress("Ab", "Ab"))
	assert.False(t, x402.Solana.SameAddress("Ab", "ab"))
}

func FuzzParseNetwork(f *testing.F) {
	for name, n := range namesV1 {
		f.Add(name)
		f.Add(string(n))
	}
	f.Add("eip155:01")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := x402.ParseNetwork(s)
		if err != nil {
			return
		}
		if again, err := x402.ParseNetwork(string(n)); err != nil || again != n {
			t.Fatalf("%q gives %q, which gives %q, %v", s, n, again, err)
		}
		if id, ok := n.ChainID(); ok && x402.EVM(id) != n {
			t.Fatalf("%q has the chain ID %d", n, id)
		}
	})
}
