package evm_test

import (
	"encoding/hex"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

func TestTheDomainSeparatorsAreThoseOfTheContracts(t *testing.T) {
	t.Parallel()
	const permit2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3"
	for want, d := range map[string]struct {
		name, version string
		chain         uint64
		contract      string
	}{
		"0x02fa7265e7c5d81118673727957699e4d68f74cd74b7db77da710fe8a2c7834f": {"USD Coin", "2", 8453, "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"},
		"0x71f17a3b2ff373b803d70a5a07c046c1a2bc8e89c09ef722fcb047abe94c9818": {"USDC", "2", 84532, "0x036CbD53842c5426634e7929541eC2318f3dCF7e"},
		"0x06c37168a7db5138defc7866392bb87a741f9b3d104deb5094588ce041cae335": {"USD Coin", "2", 1, "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"},
		"0xcaa2ce1a5703ccbe253a34eb3166df60a705c561b44b192061e28f2a985be2ca": {"USD Coin", "2", 137, "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359"},
		"0x24d572659a76447474603b09f801bdc9b9b58f4805b1f4b40bfac1395fa350d1": {"USDC", "2", 137, "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359"},
		"0x3b6f35e4fce979ef8eac3bcdc8c3fc38fe7911bb0c69c8fe72bf1fd1a17e6f07": {"Permit2", "", 8453, permit2},
		"0x866a5aba21966af95d6c7ab78eb2b2fc913915c28be3b9aa07cc04ff903e3f28": {"Permit2", "", 1, permit2},
		"0x5dc92544087ab60aa57c539b9543f9282416b0dcf2c2ae0d4d0051052a9e61b6": {"x402 offer", "1", 1, ""},
		"0xfd7f8c81cdd24b25c99ba22e191cee41d8809abbc12e8fdbd42fddfa5bb9e406": {"x402 receipt", "1", 1, ""},
	} {
		domain := evm.Domain{Name: d.name, Version: d.version, ChainID: d.chain}
		if d.contract != "" {
			domain.Contract = address(t, d.contract)
		}
		assert.Equal(t, want, domain.Separator().String(), "%s on %d", d.name, d.chain)
	}
}

func TestEveryDefaultAssetOfEIP3009HasASeparatorOfItsOwn(t *testing.T) {
	t.Parallel()
	seen := map[evm.Hash]x402.Asset{}
	for _, network := range []x402.Network{x402.Ethereum, x402.Base, x402.BaseSepolia, x402.Polygon, x402.Arbitrum, x402.Optimism, x402.Avalanche} {
		a, err := x402.DefaultAssets().Default(network)
		assert.NoError(t, err)
		id, _ := network.ChainID()
		s := evm.Domain{Name: a.Name, Version: a.Version, ChainID: id, Contract: address(t, a.Address)}.Separator()
		assert.NotContains(t, seen, s)
		seen[s] = a
	}
}

func TestKeccakIsThatOfEthereum(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
		"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)":                                                "0x8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f",
		"EIP712Domain(string name,uint256 chainId,address verifyingContract)":                                                               "0x8cad95687ba82c2ce50e74f7b754645e5117c3a5bec8151c0726d5857980a866",
		"EIP712Domain(string name,string version,uint256 chainId)":                                                                          "0xc2f8787176b8ac6bf7215b4adcc1e069bf4ab82d9ab1df05a57a91d425935b6e",
		"TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)":             "0x7c7c6cdb67a18743f49ec6fa9b35f50d52ed05cbed4cc592e13b44501c1a2267",
		"ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)":              "0xd099cc98ef71107a616c4f0f941f04c322d8e254fe26b3c6668db87aae413de8",
		"Offer(uint256 version,string resourceUrl,string scheme,string network,string asset,string payTo,string amount,uint256 validUntil)": "0x85143d3249b5e62ed5edd3d59a352d4e1181c775ff4f762f9c8a617f6bf1e97d",
		"Receipt(uint256 version,string network,string resourceUrl,string payer,uint256 issuedAt,string transaction)":                       "0x616944bc4bb51b3d5fcbba8c559f76d57a93ac1e0d6659f1abbe95f92300c06f",
	} {
		assert.Equal(t, want, evm.Keccak256([]byte(text)).String(), text)
		assert.Equal(t, evm.Keccak256([]byte(text)), evm.Keccak256([]byte(text[:len(text)/2]), nil, []byte(text[len(text)/2:])), "in parts")
	}
}

func TestEveryMemberOfAnAuthorizationAndOfItsDomainIsSigned(t *testing.T) {
	t.Parallel()
	domain := evm.Domain{Name: "USDC", Version: "2", ChainID: 84532, Contract: address(t, payTo)}
	seen := map[evm.Hash]int{vectorAuthorization(t).Digest(domain.Separator()): -1}
	for i, change := range []func(*evm.Authorization, *evm.Domain){
		func(a *evm.Authorization, _ *evm.Domain) { a.From[0]++ },
		func(a *evm.Authorization, _ *evm.Domain) { a.To[19]++ },
		func(a *evm.Authorization, _ *evm.Domain) { a.Value = x402.NewAmount(10001) },
		func(a *evm.Authorization, _ *evm.Domain) { a.ValidAfter++ },
		func(a *evm.Authorization, _ *evm.Domain) { a.ValidBefore++ },
		func(a *evm.Authorization, _ *evm.Domain) { a.Nonce[31]++ },
		func(_ *evm.Authorization, d *evm.Domain) { d.Name = "USD Coin" },
		func(_ *evm.Authorization, d *evm.Domain) { d.Version = "1" },
		func(_ *evm.Authorization, d *evm.Domain) { d.ChainID++ },
		func(_ *evm.Authorization, d *evm.Domain) { d.Contract[5]++ },
	} {
		a, d := vectorAuthorization(t), domain
		change(&a, &d)
		digest := a.Digest(d.Separator())
		assert.NotContains(t, seen, digest, "change %d", i)
		seen[digest] = i
	}
}

func TestSelectorsAndTopicsAreTheHashesOfTheirSignatures(t *testing.T) {
	t.Parallel()
	for signature, got := range map[string][4]byte{
		"transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)": evm.TransferWithAuthorizationSelector,
		"authorizationState(address,bytes32)": evm.AuthorizationStateSelector,
		"balanceOf(address)":                  evm.BalanceOfSelector,
		"name()":                              evm.NameSelector,
		"version()":                           evm.VersionSelector,
		"DOMAIN_SEPARATOR()":                  evm.DomainSeparatorSelector,
		"aggregate3((address,bool,bytes)[])":  evm.Aggregate3Selector,
	} {
		h := evm.Keccak256([]byte(signature))
		assert.Equal(t, h[:4], got[:], signature)
	}
	assert.Equal(t, "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef", evm.TransferTopic.String())
	assert.Equal(t, "0x98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5", evm.AuthorizationUsedTopic.String())
}

func TestTheCalldataOfATransferIsItsABIEncoding(t *testing.T) {
	t.Parallel()
	e := evm.Exact{Authorization: vectorAuthorization(t)}
	e.Authorization.ValidAfter = 7
	for i := range 64 {
		e.Signature[i] = byte(i + 1)
	}
	e.Signature[64] = 28
	data := e.Calldata()
	assert.Equal(t, "e3ee160e", hex.EncodeToString(data[:4]))
	words := data[4:]
	assert.Len(t, words, 9*32)
	for i, want := range []*big.Int{
		new(big.Int).SetBytes(e.Authorization.From[:]), new(big.Int).SetBytes(e.Authorization.To[:]), big.NewInt(10000), big.NewInt(7),
		big.NewInt(1740672154), new(big.Int).SetBytes(e.Authorization.Nonce[:]), big.NewInt(28),
		new(big.Int).SetBytes(e.Signature[:32]), new(big.Int).SetBytes(e.Signature[32:64]),
	} {
		assert.Zero(t, want.Cmp(new(big.Int).SetBytes(words[i*32:(i+1)*32])), "word %d", i)
	}
}
