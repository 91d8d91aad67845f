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
// and those of the networks for which they have none.
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
	{"eip155:42220", "0xcebA9300f2b948710d2653dD7B07f33A8B32118C", "USDC", "USDC", "2", 6, EIP3009},
	{"eip155:11142220", "0x01C5C0122039549AD1493B8220cABEdD739BC44E", "USDC", "USDC", "2", 6, EIP3009},
	{"eip155:143", "0x754704Bc059F8C67012fEd69BC8A327a5aafb603", "USDC", "USDC", "2", 6, EIP3009},
	{"eip155:1329", "0xe15fC38F6D8c56aF07bbCBe3BAf5708A2Bf42392", "USDC", "USDC", "2", 6, EIP3009},
	{"eip155:1328", "0x4fCF1784B31630811181f670Aea7A7bEF803eaED", "USDC", "USDC", "2", 6, EIP3009},
	{Solana, "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "USDC", "", "", 6, ""},
	{SolanaDevnet, "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU", "USDC", "", "", 6, ""},
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
// first asset of a network is that network's default.
func (s *Assets) Add(a Asset) error {
	switch {
	case !a.Network.valid():
		return fmt.Errorf("x402: asset %s: %q is not a CAIP-2 network", a.Address, a.Network)
	case a.Address == "":
		return fmt.Errorf("x402: asset on %s has no address", a.Network)
	case a.Decimals < 0 || a.Decimals > 36:
		return fmt.Errorf("x402: asset %s: %d decimals", a.Address, a.Decimals)
	case a.Method != "" && a.Method != EIP3009 && a.Method != Permit2:
		return fmt.Errorf("x402: asset %s: unknown transfer method %q", a.Address, a.Method)
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
