package x402

import (
	"fmt"
	"strconv"
	"strings"
)

// Network is a chain in CAIP-2 form, such as "eip155:8453" or
// "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp". Protocol v1 names, such as
// "base", are translated where they cross the wire: see [ParseNetwork] and
// [Network.V1Name].
type Network string

// Networks that have a default asset; see [DefaultAssets].
const (
	Ethereum        Network = "eip155:1"
	Sepolia         Network = "eip155:11155111"
	Base            Network = "eip155:8453"
	BaseSepolia     Network = "eip155:84532"
	Polygon         Network = "eip155:137"
	PolygonAmoy     Network = "eip155:80002"
	Arbitrum        Network = "eip155:42161"
	ArbitrumSepolia Network = "eip155:421614"
	Optimism        Network = "eip155:10"
	OptimismSepolia Network = "eip155:11155420"
	BSC             Network = "eip155:56"
	BSCTestnet      Network = "eip155:97"
	Avalanche       Network = "eip155:43114"
	AvalancheFuji   Network = "eip155:43113"
	Solana          Network = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
	SolanaDevnet    Network = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"
	SolanaTestnet   Network = "solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z"
)

// v1Names are the names of protocol v1 (official SDK, evm/constants.ts and
// svm/constants.ts). Networks without one are offered in v2 only.
var v1Names = map[string]Network{
	"ethereum": Ethereum, "sepolia": Sepolia,
	"base": Base, "base-sepolia": BaseSepolia,
	"polygon": Polygon, "polygon-amoy": PolygonAmoy,
	"avalanche": Avalanche, "avalanche-fuji": AvalancheFuji,
	"abstract": "eip155:2741", "abstract-testnet": "eip155:11124",
	"iotex": "eip155:4689", "sei": "eip155:1329", "sei-testnet": "eip155:1328",
	"peaq": "eip155:3338", "story": "eip155:1514", "educhain": "eip155:41923",
	"skale-base-sepolia": "eip155:324705682", "megaeth": "eip155:4326",
	"monad": "eip155:143", "monad-testnet": "eip155:10143",
	"stable": "eip155:988", "stable-testnet": "eip155:2201",
	"celo": "eip155:42220", "flare": "eip155:14",
	"solana": Solana, "solana-devnet": SolanaDevnet, "solana-testnet": SolanaTestnet,
}

var v1NameOf = func() map[Network]string {
	m := make(map[Network]string, len(v1Names))
	for name, n := range v1Names {
		m[n] = name
	}
	return m
}()

// EVM returns the network of an EVM chain ID.
func EVM(chainID uint64) Network {
	return Network("eip155:" + strconv.FormatUint(chainID, 10))
}

// ParseNetwork reads a CAIP-2 identifier or a protocol v1 name.
func ParseNetwork(s string) (Network, error) {
	if n, ok := v1Names[s]; ok {
		return n, nil
	}
	n := Network(s)
	if !n.valid() {
		return "", fmt.Errorf("x402: %q is neither a CAIP-2 network such as %q nor a v1 network name", clip(s), BaseSepolia)
	}
	return n, nil
}

// valid checks the CAIP-2 grammar: [-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}, and for
// eip155 a canonical chain ID.
func (n Network) valid() bool {
	space, ref, ok := strings.Cut(string(n), ":")
	if !ok || len(space) < 3 || len(space) > 8 || len(ref) < 1 || len(ref) > 32 {
		return false
	}
	for _, c := range space {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
			return false
		}
	}
	for _, c := range ref {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	if space == "eip155" {
		id, err := strconv.ParseUint(ref, 10, 64)
		return err == nil && id > 0 && ref[0] != '0' && ref[0] != '+'
	}
	return true
}

// Namespace is the part before the colon: "eip155" or "solana".
func (n Network) Namespace() string {
	space, _, _ := strings.Cut(string(n), ":")
	return space
}

// ChainID is the EVM chain ID; ok is false on other namespaces and for what is
// not the usual form of a number.
func (n Network) ChainID() (id uint64, ok bool) {
	ref, ok := strings.CutPrefix(string(n), "eip155:")
	if !ok || !n.valid() {
		return 0, false
	}
	id, err := strconv.ParseUint(ref, 10, 64)
	return id, err == nil
}

// V1Name is the protocol v1 name; ok is false where v1 has none.
func (n Network) V1Name() (name string, ok bool) {
	name, ok = v1NameOf[n]
	return name, ok
}

// SameAddress says whether a and b are the same account or contract on n. EVM
// addresses are compared without case, all others to the letter.
func (n Network) SameAddress(a, b string) bool {
	if n.Namespace() == "eip155" {
		return strings.EqualFold(a, b)
	}
	return a == b
}
