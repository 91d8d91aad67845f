package catalog

import (
	"context"
	"slices"
	"strings"

	"github.com/v402/v402/x402"
)

// Chain tells what happened on one network. It is how native payments are
// proven. An error other than [x402.ErrTransactionNotFound] means that the chain
// does not answer.
type Chain interface {
	Network() x402.Network
	Transaction(ctx context.Context, hash string) (x402.Transaction, error)
}

// SignatureChain is a [Chain] that tells whether a wallet has signed, which may
// be a contract (ERC-1271).
type SignatureChain interface {
	Chain
	ValidSignature(ctx context.Context, wallet string, digest [32]byte, signature []byte) (bool, error)
}

// named is a network that the API has a name of its own for.
type named struct {
	name    string
	network x402.Network
	display string
}

// wellKnown are the networks that everybody can sell on: the API lists them by
// these names.
var wellKnown = []named{
	{"ethereum", x402.Ethereum, "Ethereum"},
	{"base", x402.Base, "Base"},
	{"polygon", x402.Polygon, "Polygon"},
	{"arbitrum", x402.Arbitrum, "Arbitrum One"},
	{"optimism", x402.Optimism, "OP Mainnet"},
	{"bsc", x402.BSC, "BNB Smart Chain"},
	{"solana", x402.Solana, "Solana"},
}

// ParseChain reads the name of a chain as the API writes it, such as "ethereum"
// or "bsc", a name of protocol v1 such as "base-sepolia", or a CAIP-2 network.
func ParseChain(name string) (x402.Network, error) {
	for _, c := range wellKnown {
		if strings.EqualFold(c.name, name) {
			return c.network, nil
		}
	}
	return x402.ParseNetwork(name)
}

// ChainName is how the API writes a network: the shortest name that
// [ParseChain] reads.
func ChainName(n x402.Network) string {
	for _, c := range wellKnown {
		if c.network == n {
			return c.name
		}
	}
	if name, ok := n.V1Name(); ok {
		return name
	}
	return string(n)
}

// chainNames are those of list, [] in JSON and never null.
func chainNames(list []x402.Network) []string {
	names := make([]string, len(list))
	for i, n := range list {
		names[i] = ChainName(n)
	}
	return names
}

// networksOf are the well-known networks and more, each once.
func networksOf(more []x402.Network) []x402.Network {
	var list []x402.Network
	for _, c := range wellKnown {
		list = append(list, c.network)
	}
	for _, n := range more {
		if !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}
