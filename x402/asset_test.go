package x402_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
)

func TestTheDefaultAssetOfEachNetworkIsKnown(t *testing.T) {
	t.Parallel()
	const usdCoin, usdc = "USD Coin", "USDC"
	for _, want := range []struct {
		network  x402.Network
		address  string
		name     string
		version  string
		decimals int
		method   x402.TransferMethod
	}{
		{"eip155:1", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", usdCoin, "2", 6, x402.EIP3009},
		{"eip155:11155111", "0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238", usdc, "2", 6, x402.EIP3009},
		{"eip155:8453", "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", usdCoin, "2", 6, x402.EIP3009},
		{"eip155:84532", "0x036CbD53842c5426634e7929541eC2318f3dCF7e", usdc, "2", 6, x402.EIP3009},
		{"eip155:137", "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359", usdCoin, "2", 6, x402.EIP3009},
		{"eip155:80002", "0x41E94Eb019C0762f9Bfcf9Fb1E58725BfB0e7582", usdc, "2", 6, x402.EIP3009},
		{"eip155:42161", "0xaf88d065e77c8cC2239327C5EDb3A432268e5831", usdCoin, "2", 6, x402.EIP3009},
		{"eip155:421614", "0x75faf114eafb1BDbe2F0316DF893fd58CE46AA4d", usdCoin, "2", 6, x402.EIP3009},
		{"eip155:10", "0x0b2C639c533813f4Aa9D7837CAf62653d097Ff85", usdCoin, "2", 6, x402.EIP3009},
		{"eip155:11155420", "0x5fd84259d66Cd46123540766Be93DFE6D43130D7", usdc, "2", 6, x402.EIP3009},
		{"eip155:56", "0x8AC76a51cc950d9822D68b83fE1Ad97B32Cd580d", "", "", 18, x402.Permit2},
		{"eip155:43114", "0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E", usdCoin, "2", 6, x402.EIP3009},
		{"eip155:43113", "0x5425890298aed601595a70AB815c96711a31Bc65", usdCoin, "2", 6, x402.EIP3009},
		{"solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "", "", 6, ""},
		{"solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1", "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU", "", "", 6, ""},
		{"eip155:42220", "0xcebA9300f2b948710d2653dD7B07f33A8B32118C", usdc, "2", 6, x402.EIP3009},
		{"eip155:11142220", "0x01C5C0122039549AD1493B8220cABEdD739BC44E", usdc, "2", 6, x402.EIP3009},
		{"eip155:143", "0x754704Bc059F8C67012fEd69BC8A327a5aafb603", usdc, "2", 6, x402.EIP3009},
		{"eip155:1329", "0xe15fC38F6D8c56aF07bbCBe3BAf5708A2Bf42392", usdc, "2", 6, x402.EIP3009},
		{"eip155:1328", "0x4fCF1784B31630811181f670Aea7A7bEF803eaED", usdc, "2", 6, x402.EIP3009},
		{"eip155:988", "0x779Ded0c9e1022225f8E0630b35a9b54bE713736", "USDT0", "1", 6, x402.EIP3009},
		{"eip155:2201", "0x78Cf24370174180738C5B8E352B6D14c83a6c9A9", "USDT0", "1", 6, x402.EIP3009},
		{"eip155:14", "0xe7cd86e13AC4309349F30B3435a9d337750fC82D", "USD₮0", "1", 6, x402.EIP3009},
		{"eip155:4326", "0xFAfDdbb3FC7688494971a79cc65DCa3EF82079E7", "MegaUSD", "1", 18, x402.Permit2},
		{"eip155:31612", "0xdD468A1DDc392dcdbEf6db6e34E89AA338F9F186", "Mezo USD", "1", 18, x402.Permit2},
		{"eip155:31611", "0x118917a40FAF1CD7a13dB0Ef56C86De7973Ac503", "Mezo USD", "1", 18, x402.Permit2},
		{"eip155:723487", "0x33ad9e4BD16B69B5BFdED37D8B5D9fF9aba014Fb", "Stable Coin", "1", 6, x402.Permit2},
		{"eip155:72344", "0x33ad9e4BD16B69B5BFdED37D8B5D9fF9aba014Fb", "Stable Coin", "1", 6, x402.Permit2},
		{"eip155:36900", "0x9cb8142aEBBcdc60AF7c97Af897A67A8f3CA71C2", "USDC.e", "2", 6, x402.EIP3009},
		{"eip155:190415", "0x401eCb1D350407f13ba348573E5630B83638E30D", "Bridged USDC", "2", 6, x402.EIP3009},
		{"eip155:181228", "0x401eCb1D350407f13ba348573E5630B83638E30D", "Bridged USDC", "2", 6, x402.EIP3009},
		{"eip155:50", "0xfA2958CB79b0491CC627c1557F441eF849Ca8eb1", usdc, "2", 6, x402.EIP3009},
		{"eip155:51", "0xb5AB69F7bBada22B28e79C8FFAECe55eF1c771D4", usdc, "2", 6, x402.EIP3009},
		{"eip155:38833", "0xA5b8BF902b2844dA17d4506cc827F7F1681735E7", "", "", 6, x402.Permit2},
	} {
		a, err := x402.DefaultAssets().Default(want.network)
		require.NoError(t, err, want.network)
		assert.Equal(t, want.address, a.Address)
		assert.Equal(t, []any{want.name, want.version, want.decimals, want.method}, []any{a.Name, a.Version, a.Decimals, a.Method}, want.network)
		assert.NoError(t, a.Requirements(x402.NewAmount(1), a.Address).Validate())
	}
	_, err := x402.DefaultAssets().Default(x402.BSCTestnet)
	assert.ErrorIs(t, err, x402.ErrUnknownAsset)
}

func TestFurtherAssetsAreFoundByAddress(t *testing.T) {
	t.Parallel()
	assets := x402.DefaultAssets()
	for address, want := range map[string]struct {
		network x402.Network
		symbol  string
	}{
		"0x48065fbBE25f71C9282ddf5e1cD6D6A887483D5e":   {"eip155:42220", "USDT"},
		"0xD2ab3C9A02DBBAB236BfEC45D1d755DF4267F771":   {"eip155:42220", "USAT"},
		"Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB": {x402.Solana, "USDT"},
		"2u1tszSeqZ3qBWF3uNGPFc8TzMk2tdiwknnRMWGWjGWH": {x402.Solana, "USDG"},
		"2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo": {x402.Solana, "PYUSD"},
		"CASHx9KJUStyftLFWGvEVf59SGeG9sh5FfcnZMVPCASH": {x402.Solana, "CASH"},
		"4F6PM96JJxngmHnZLBh9n58RH4aTVNWvDs2nuwrT5BP7": {x402.SolanaDevnet, "USDG"},
		"CXk2AMBfi3TwaEL2468s6zP8xq9NxTXjp9gjMgzeUynM": {x402.SolanaDevnet, "PYUSD"},
	} {
		a, err := assets.Lookup(want.network, address)
		require.NoError(t, err, address)
		assert.Equal(t, want.symbol, a.Symbol)
	}
	_, err := assets.Lookup(x402.Base, strings.ToLower("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"))
	assert.NoError(t, err, "the case of an EVM address does not matter")
	_, err = assets.Lookup(x402.Solana, strings.ToLower("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"))
	assert.ErrorIs(t, err, x402.ErrUnknownAsset, "that of a Solana address does")
	_, err = assets.Lookup(x402.BaseSepolia, "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913")
	assert.ErrorIs(t, err, x402.ErrUnknownAsset)
}

func TestOnesOwnAssetCanBeAdded(t *testing.T) {
	t.Parallel()
	own := x402.Asset{Network: "eip155:31337", Address: "0x00000000000000000000000000000000000000Aa", Symbol: "TST", Name: "Test", Version: "1", Decimals: 2}
	var assets x402.Assets
	require.NoError(t, assets.Add(own))
	got, err := assets.Default(own.Network)
	require.NoError(t, err)
	assert.Equal(t, own, got)

	second := own
	second.Address, second.Symbol = "0x00000000000000000000000000000000000000bb", "SND"
	require.NoError(t, assets.Add(second))
	got, _ = assets.Default(own.Network)
	assert.Equal(t, "TST", got.Symbol, "the first stays the default")
	require.NoError(t, assets.SetDefault(second))
	got, _ = assets.Default(own.Network)
	assert.Equal(t, "SND", got.Symbol)

	renamed := own
	renamed.Address, renamed.Name = strings.ToLower(own.Address), "Renamed"
	require.NoError(t, assets.Add(renamed))
	got, err = assets.Lookup(own.Network, own.Address)
	require.NoError(t, err)
	assert.Equal(t, "Renamed", got.Name, "the same address in another case is the same asset")

	_, err = x402.DefaultAssets().Lookup(own.Network, own.Address)
	assert.ErrorIs(t, err, x402.ErrUnknownAsset, "one set does not change another")
}

func TestAnAssetThatCouldNotBePaidInIsRefused(t *testing.T) {
	t.Parallel()
	good := x402.Asset{Network: x402.Base, Address: "0x00000000000000000000000000000000000000Aa", Name: "Test", Version: "1", Decimals: 6}
	for name, change := range map[string]func(*x402.Asset){
		"no network":         func(a *x402.Asset) { a.Network = "" },
		"a v1 name":          func(a *x402.Asset) { a.Network = "base" },
		"no address":         func(a *x402.Asset) { a.Address = "" },
		"a short address":    func(a *x402.Asset) { a.Address = "0x1" },
		"a foreign address":  func(a *x402.Asset) { a.Network = x402.Solana },
		"negative decimals":  func(a *x402.Asset) { a.Decimals = -1 },
		"too many decimals":  func(a *x402.Asset) { a.Decimals = 37 },
		"an unknown method":  func(a *x402.Asset) { a.Method = "erc7710" },
		"no EIP-712 name":    func(a *x402.Asset) { a.Name = "" },
		"no EIP-712 version": func(a *x402.Asset) { a.Version, a.Method = "", x402.EIP3009 },
	} {
		a := good
		change(&a)
		var assets x402.Assets
		assert.Error(t, assets.Add(a), name)
		assert.Error(t, assets.SetDefault(a), name)
		_, err := assets.Default(a.Network)
		assert.Error(t, err, name)
	}
}

func TestTheExtraOfARequirementIsWhatTheSchemeNeeds(t *testing.T) {
	t.Parallel()
	for network, want := range map[x402.Network]string{
		x402.Base:      `{"name":"USD Coin","version":"2"}`,
		x402.BSC:       `{"assetTransferMethod":"permit2"}`,
		"eip155:4326":  `{"name":"MegaUSD","version":"1","assetTransferMethod":"permit2"}`,
		"eip155:14":    `{"name":"USD₮0","version":"1"}`,
		"eip155:38833": `{"assetTransferMethod":"permit2"}`,
	} {
		a, err := x402.DefaultAssets().Default(network)
		require.NoError(t, err)
		assert.JSONEq(t, want, string(a.Requirements(x402.NewAmount(1), "x").Extra), network)
	}
	usdc, err := x402.DefaultAssets().Default(x402.Solana)
	require.NoError(t, err)
	r := usdc.Requirements(x402.NewAmount(10000), "payee")
	assert.Nil(t, r.Extra)
	j, err := json.Marshal(r)
	require.NoError(t, err)
	assert.JSONEq(t, `{"scheme":"exact","network":"solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp","amount":"10000",
		"asset":"EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v","payTo":"payee","maxTimeoutSeconds":300}`, string(j))
}
