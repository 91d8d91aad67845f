package x402

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// TransferMethod is how an EVM token is moved on the payer's signature
// ("extra.assetTransferMethod"; EIP-3009 when absent).
type TransferMethod string

// The transfer methods of scheme exact.
const (
	EIP3009 TransferMethod = "eip3009"
	Permit2 TransferMethod = "permit2"
)

// Asset is a token that payments are made in.
type Asset struct {
	Network  Network
	Address  string // contract or mint address
	Symbol   string // for people, such as "USDC"
	Name     string // EIP-712 domain name, such as "USD Coin"; empty if it has none
	Version  string // EIP-712 domain version, such as "2"
	Decimals int
	Method   TransferMethod // EIP3009 if empty, on EVM chains
}

// ErrUnknownAsset is returned where a network has no asset on file.
var ErrUnknownAsset = errors.New("x402: unknown asset")

// defaultAssets are the stablecoins that the official SDKs use by default,
// and those of the networks for which they have none. The first of a network is
// its default. An asset of Permit2 has a name where it also has EIP-2612.
var defaultAssets = []Asset{
	{Ethereum, "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "USDC", "USD Coin", "2", 6, EIP3009},
	{Sepolia, "0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238", "USDC", "USDC", "2", 6, EIP3009},
	{Base, "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", "USDC", "USD Coin", "2", 6, EIP3009},
	{BaseSepolia, "0x036CbD53842c5426634e7929541eC2318f3dCF7e", "USDC", "USDC", "2", 6, EIP3009},
	{Polygon, "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359", "USDC", "USD Coin", "2", 6, EIP3009},
	{PolygonAmoy, "0x41E94Eb019C0762f9Bfcf9Fb1E58725BfB0e7582", "USDC", "USDC", "2", 6, EIP3009},
	{Arbitrum, "0xaf88d065e77c8cC2239327C5EDb3A432268e5831", "USDC", "USD Coin", "2", 6, EIP3009},
	{ArbitrumSepolia, "0x75faf114eafb1BDbe2F0316DF893fd58CE46AA4d", "USDC", "USD Coin", "2", 6, EIP3009},
	{Optimism, "0x0b2C639c533813f4Aa9D7837CAf62653d097Ff85", "USDC", "USD Coin", "2", 6, EIP3009},
	{OptimismSepolia, "0x5fd84259d66Cd46123540766Be93DFE6D43130D7", "USDC", "USDC", "2", 6, EIP3009},
	{BSC, "0x8AC76a51cc950d9822D68b83fE1Ad97B32Cd580d", "USDC", "", "", 18, Permit2},
	{Avalanche, "0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E", "USDC", "USD Coin", "2", 6, EIP3009},
	{AvalancheFuji, "0x5425890298aed601595a70AB815c96711a31Bc65", "USDC", "USD Coin", "2", 6, EIP3009},
	{"eip155:42220", "0xcebA9300f2b948710d2653dD7B07f33A8B32118C", "USDC", "USDC", "2", 6, EIP3009}, // Celo
	{"eip155:42220", "0x48065fbBE25f71C9282ddf5e1cD6D6A887483D5e", "USDT", "Tether USD", "1", 6, EIP3009},
	{"eip155:42220", "0xD2ab3C9A02DBBAB236BfEC45D1d755DF4267F771", "USAT", "Tether America USD", "1", 6, EIP3009},
	{"eip155:11142220", "0x01C5C0122039549AD1493B8220cABEdD739BC44E", "USDC", "USDC", "2", 6, EIP3009},         // Celo Sepolia
	{"eip155:143", "0x754704Bc059F8C67012fEd69BC8A327a5aafb603", "USDC", "USDC", "2", 6, EIP3009},              // Monad
	{"eip155:1329", "0xe15fC38F6D8c56aF07bbCBe3BAf5708A2Bf42392", "USDC", "USDC", "2", 6, EIP3009},             // Sei
	{"eip155:1328", "0x4fCF1784B31630811181f670Aea7A7bEF803eaED", "USDC", "USDC", "2", 6, EIP3009},             // Sei testnet
	{"eip155:988", "0x779Ded0c9e1022225f8E0630b35a9b54bE713736", "USDT0", "USDT0", "1", 6, EIP3009},            // Stable
	{"eip155:2201", "0x78Cf24370174180738C5B8E352B6D14c83a6c9A9", "USDT0", "USDT0", "1", 6, EIP3009},           // Stable testnet
	{"eip155:14", "0xe7cd86e13AC4309349F30B3435a9d337750fC82D", "USDT0", "USD\u20ae0", "1", 6, EIP3009},        // Flare
	{"eip155:4326", "0xFAfDdbb3FC7688494971a79cc65DCa3EF82079E7", "MegaUSD", "MegaUSD", "1", 18, Permit2},      // MegaETH
	{"eip155:31612", "0xdD468A1DDc392dcdbEf6db6e34E89AA338F9F186", "MUSD", "Mezo USD", "1", 18, Permit2},       // Mezo
	{"eip155:31611", "0x118917a40FAF1CD7a13dB0Ef56C86De7973Ac503", "MUSD", "Mezo USD", "1", 18, Permit2},       // Mezo testnet
	{"eip155:723487", "0x33ad9e4BD16B69B5BFdED37D8B5D9fF9aba014Fb", "SBC", "Stable Coin", "1", 6, Permit2},     // Radius
	{"eip155:72344", "0x33ad9e4BD16B69B5BFdED37D8B5D9fF9aba014Fb", "SBC", "Stable Coin", "1", 6, Permit2},      // Radius testnet
	{"eip155:36900", "0x9cb8142aEBBcdc60AF7c97Af897A67A8f3CA71C2", "USDC.e", "USDC.e", "2", 6, EIP3009},        // ADI
	{"eip155:190415", "0x401eCb1D350407f13ba348573E5630B83638E30D", "USDC.e", "Bridged USDC", "2", 6, EIP3009}, // HPP
	{"eip155:181228", "0x401eCb1D350407f13ba348573E5630B83638E30D", "USDC.e", "Bridged USDC", "2", 6, EIP3009}, // HPP Sepolia
	{"eip155:50", "0xfA2958CB79b0491CC627c1557F441eF849Ca8eb1", "USDC", "USDC", "2", 6, EIP3009},               // XDC
	{"eip155:51", "0xb5AB69F7bBada22B28e79C8FFAECe55eF1c771D4", "USDC", "USDC", "2", 6, EIP3009},               // XDC testnet
	{"eip155:38833", "0xA5b8BF902b2844dA17d4506cc827F7F1681735E7", "USDC", "", "", 6, Permit2},                 // Igra
	{Solana, "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "USDC", "", "", 6, ""},
	{Solana, "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB", "USDT", "", "", 6, ""},
	{Solana, "2u1tszSeqZ3qBWF3uNGPFc8TzMk2tdiwknnRMWGWjGWH", "USDG", "", "", 6, ""},
	{Solana, "2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo", "PYUSD", "", "", 6, ""},
	{Solana, "CASHx9KJUStyftLFWGvEVf59SGeG9sh5FfcnZMVPCASH", "CASH", "", "", 6, ""},
	{SolanaDevnet, "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU", "USDC", "", "", 6, ""},
	{SolanaDevnet, "4F6PM96JJxngmHnZLBh9n58RH4aTVNWvDs2nuwrT5BP7", "USDG", "", "", 6, ""},
	{SolanaDevnet, "CXk2AMBfi3TwaEL2468s6zP8xq9NxTXjp9gjMgzeUynM", "PYUSD", "", "", 6, ""},
}

// Assets is a set of known assets. The zero value is empty; [DefaultAssets]
// holds the usual ones. It is not safe to Add while others read.
type Assets struct {
	byKey    map[string]Asset
	defaults map[Network]Asset
}

// DefaultAssets returns a new set with the default stablecoin of each network.
func DefaultAssets() *Assets {
	var s Assets
	for _, a := range defaultAssets {
		if err := s.Add(a); err != nil {
			panic(err) // the table above is wrong
		}
	}
	return &s
}

// Add puts a into the set, in place of an asset with the same address. The
// first asset of a network is that network's default. It refuses what could not
// be paid in: an address or network of the wrong form, and an asset of EIP-3009
// without the name and version that its contract signs under.
func (s *Assets) Add(a Asset) error {
	switch {
	case !a.Network.valid():
		return fmt.Errorf("x402: asset %s: %q is not a CAIP-2 network", a.Address, a.Network)
	case !a.Network.validAddress(a.Address):
		return fmt.Errorf("x402: asset on %s: %q is not an address", a.Network, clip(a.Address))
	case a.Decimals < 0 || a.Decimals > 36:
		return fmt.Errorf("x402: asset %s: %d decimals", a.Address, a.Decimals)
	case a.Method != "" && a.Method != EIP3009 && a.Method != Permit2:
		return fmt.Errorf("x402: asset %s: unknown transfer method %q", a.Address, a.Method)
	case a.Network.Namespace() == "eip155" && a.Method != Permit2 && (a.Name == "" || a.Version == ""):
		return fmt.Errorf("x402: asset %s: its EIP-712 name and version are needed to pay by EIP-3009", a.Address)
	}
	if s.byKey == nil {
		s.byKey, s.defaults = map[string]Asset{}, map[Network]Asset{}
	}
	if d, ok := s.defaults[a.Network]; !ok || a.Network.SameAddress(d.Address, a.Address) {
		s.defaults[a.Network] = a
	}
	s.byKey[assetKey(a.Network, a.Address)] = a
	return nil
}

// SetDefault makes a the default of its network, adding it if need be.
func (s *Assets) SetDefault(a Asset) error {
	if err := s.Add(a); err != nil {
		return err
	}
	s.defaults[a.Network] = a
	return nil
}

// Default is the asset that prices in dollars are paid in on n.
func (s *Assets) Default(n Network) (Asset, error) {
	if a, ok := s.defaults[n]; ok {
		return a, nil
	}
	return Asset{}, fmt.Errorf("%w: no default asset on %s; name one or add it to the Assets", ErrUnknownAsset, n)
}

// Lookup finds an asset by address.
func (s *Assets) Lookup(n Network, address string) (Asset, error) {
	if a, ok := s.byKey[assetKey(n, address)]; ok {
		return a, nil
	}
	return Asset{}, fmt.Errorf("%w: %s on %s", ErrUnknownAsset, clip(address), n)
}

func assetKey(n Network, address string) string {
	if n.Namespace() == "eip155" {
		address = strings.ToLower(address)
	}
	return string(n) + "/" + address
}

// Price reads a price in units of the asset: "$0.01" and "0.01" are decimals;
// it refuses to round and to guess, as [ParseAmount] does. The dollar sign is
// for people; it does not convert currencies.
func (a Asset) Price(s string) (Amount, error) {
	return ParseAmount(strings.TrimPrefix(s, "$"), a.Decimals)
}

// Requirements returns the requirement to pay amount of a to payTo by scheme
// exact, with the EIP-712 domain in Extra and [DefaultTimeout].
func (a Asset) Requirements(amount Amount, payTo string) PaymentRequirements {
	return PaymentRequirements{
		Scheme: SchemeExact, Network: a.Network, Amount: amount, Asset: a.Address,
		PayTo: payTo, MaxTimeoutSeconds: DefaultTimeout, Extra: a.extra(),
	}
}

// extra is the scheme's part of a requirement: name and version for EIP-3009,
// the method and, where the token has them, name and version for Permit2.
func (a Asset) extra() json.RawMessage {
	v := struct {
		Name    string         `json:"name,omitempty"`
		Version string         `json:"version,omitempty"`
		Method  TransferMethod `json:"assetTransferMethod,omitempty"`
	}{Name: a.Name, Version: a.Version}
	if a.Method == Permit2 {
		v.Method = Permit2
	}
	if v.Name == "" && v.Method == "" {
		return nil
	}
	j, err := json.Marshal(v)
	if err != nil {
		panic(err) // three strings
	}
	return j
}
