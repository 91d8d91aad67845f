package catalog

import (
	"math/big"
	"strings"

	"github.com/v402/v402/x402"
)

// Coin is what a price can be paid in: a currency on one network.
type Coin struct {
	Network  x402.Network
	Currency string      // such as "ETH" or "USDC", in capitals
	Decimals int         // on that network
	Token    *x402.Asset // nil for the network's native coin
}

// Native says whether c is the network's own coin, which is paid by a plain
// transaction and not through x402.
func (c Coin) Native() bool { return c.Token == nil }

// nativeCoins are the coins that fees are paid in, with 18 decimals on EVM
// networks and 9 on Solana. EVM networks that are not listed use ETH.
var nativeCoins = map[x402.Network]string{
	x402.Polygon: "POL", x402.PolygonAmoy: "POL",
	x402.BSC: "BNB", x402.BSCTestnet: "BNB",
	x402.Avalanche: "AVAX", x402.AvalancheFuji: "AVAX",
	x402.Solana: "SOL", x402.SolanaDevnet: "SOL", x402.SolanaTestnet: "SOL",
	"eip155:42220": "CELO", "eip155:143": "MON", "eip155:1329": "SEI", "eip155:14": "FLR",
}

// nativeCoin is the native coin of n.
func nativeCoin(n x402.Network) Coin {
	c := Coin{Network: n, Currency: nativeCoins[n], Decimals: 18}
	switch {
	case n.Namespace() == "solana":
		c.Currency, c.Decimals = "SOL", 9
	case c.Currency == "":
		c.Currency = "ETH"
	}
	return c
}

// coins is what can be paid in, in the order of the networks: the native coin of
// each, and its tokens.
type coins []Coin

// coinsOf are those of networks, with the tokens that networks have by default
// and more.
func coinsOf(networks []x402.Network, assets *x402.Assets, more []x402.Asset) coins {
	var list coins
	for _, n := range networks {
		list = append(list, nativeCoin(n))
		if a, err := assets.Default(n); err == nil {
			list = list.with(a)
		}
		for _, a := range more {
			if a.Network == n {
				list = list.with(a)
			}
		}
	}
	return list
}

// with adds a, unless the network has a coin of that name.
func (list coins) with(a x402.Asset) coins {
	symbol := strings.ToUpper(a.Symbol)
	if _, ok := list.find(a.Network, symbol); ok {
		return list
	}
	return append(list, Coin{Network: a.Network, Currency: symbol, Decimals: a.Decimals, Token: &a})
}

// find is the coin of a currency on n.
func (list coins) find(n x402.Network, currency string) (Coin, bool) {
	for _, c := range list {
		if c.Network == n && c.Currency == currency {
			return c, true
		}
	}
	return Coin{}, false
}

// unit is the first coin of a currency: prices are in its smallest unit.
func (list coins) unit(currency string) (Coin, bool) {
	for _, c := range list {
		if c.Currency == currency {
			return c, true
		}
	}
	return Coin{}, false
}

// on are the currencies of n.
func (list coins) on(n x402.Network) []string {
	var names []string
	for _, c := range list {
		if c.Network == n {
			names = append(names, c.Currency)
		}
	}
	return names
}

// Amount converts a price with so many decimals into the smallest unit of c; ok
// is false if that would round or is too much.
func (c Coin) Amount(price x402.Amount, decimals int) (amount x402.Amount, ok bool) {
	factor := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(c.Decimals-decimals, decimals-c.Decimals))), nil)
	n, rest := price.Big(), new(big.Int)
	if c.Decimals >= decimals {
		n.Mul(n, factor)
	} else if n.QuoRem(n, factor, rest); rest.Sign() != 0 {
		return x402.Amount{}, false
	}
	amount, err := x402.AmountFromBig(n)
	return amount, err == nil
}
