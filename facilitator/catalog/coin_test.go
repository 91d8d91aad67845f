package catalog_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

func TestEveryChainHasANameThatMeansIt(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]x402.Network{
		"ethereum": x402.Ethereum, "base": x402.Base, "polygon": x402.Polygon, "arbitrum": x402.Arbitrum, "optimism": x402.Optimism, "bsc": x402.BSC,
		"solana": x402.Solana, "base-sepolia": x402.BaseSepolia, "eip155:31337": "eip155:31337",
	} {
		n, err := catalog.ParseChain(name)
		require.NoError(t, err)
		require.Equal(t, want, n)
		require.Equal(t, name, catalog.ChainName(n))
	}
	n, err := catalog.ParseChain("Ethereum")
	require.NoError(t, err)
	require.Equal(t, x402.Ethereum, n)
	for _, name := range []string{"", "narnia", "eip155:", "eip155:01"} {
		_, err := catalog.ParseChain(name)
		require.Error(t, err, name)
	}
}

// coinOf finds a coin of a service.
func coinOf(t testing.TB, s *catalog.Service, n x402.Network, currency string) catalog.Coin {
	t.Helper()
	for _, c := range s.Coins() {
		if c.Network == n && c.Currency == currency {
			return c
		}
	}
	require.Fail(t, "no coin", "%s on %s", currency, n)
	return catalog.Coin{}
}

func TestCoinsAreThoseOfTheNetworksThatAreSoldOn(t *testing.T) {
	t.Parallel()
	token := x402.Asset{Network: "eip155:31337", Address: "0x00000000000000000000000000000000000000aa", Symbol: "test", Decimals: 2, Method: x402.Permit2}
	s, err := catalog.New(catalog.Config{
		Store: &backend{shelves: memory.New()}, Networks: []x402.Network{x402.BaseSepolia, "eip155:31337"}, Tokens: []x402.Asset{token},
	})
	require.NoError(t, err)
	require.True(t, coinOf(t, s, x402.Ethereum, "ETH").Native())
	require.Equal(t, 9, coinOf(t, s, x402.Solana, "SOL").Decimals)
	require.Equal(t, 18, coinOf(t, s, x402.Polygon, "POL").Decimals)
	require.Equal(t, "0x036CbD53842c5426634e7929541eC2318f3dCF7e", coinOf(t, s, x402.BaseSepolia, "USDC").Token.Address)
	require.Equal(t, 2, coinOf(t, s, "eip155:31337", "TEST").Decimals)
	require.Equal(t, 18, coinOf(t, s, x402.BSC, "USDC").Decimals)
}

func TestAConvertedPriceIsExactOrThereIsNone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		price := x402.NewAmount(rapid.Uint64().Draw(t, "price"))
		from, to := rapid.IntRange(0, 18).Draw(t, "from"), rapid.IntRange(0, 36).Draw(t, "to")
		amount, ok := catalog.Coin{Decimals: to}.Amount(price, from)
		if !ok {
			require.Less(t, to, from)
			require.NotEqual(t, 0, strings.Compare(strings.Repeat("0", from-to), price.String()[max(0, len(price.String())-(from-to)):]))
			return
		}
		require.Equal(t, price.Decimal(from), amount.Decimal(to))
	})
	most, err := x402.ParseAtomic("115792089237316195423570985008687907853269984665640564039457584007913129639935")
	require.NoError(t, err)
	_, ok := catalog.Coin{Decimals: 18}.Amount(most, 6)
	require.False(t, ok, "it is more than fits")
}
