package devchain_test

import (
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

// till is a payment desk: it signs authorisations of the chain's payer for one
// token and submits them through the relayer.
type till struct {
	t      *testing.T
	chain  *devchain.Chain
	client *ethclient.Client
	token  common.Address
	signer *evm.Signer
	nonce  uint64 // of the relayer
}

func newTill(t *testing.T, token common.Address) *till {
	t.Helper()
	chain, client := start(t, devchain.Config{})
	signer, err := evm.ParseSigner(chain.Payer.Key)
	require.NoError(t, err)
	return &till{t: t, chain: chain, client: client, token: token, signer: signer}
}

// authorization lets the payee take 10,000 units now.
func (d *till) authorization() evm.Authorization {
	return evm.Authorization{
		From: d.signer.Address(), To: evm.Address(d.chain.PayTo.Address), Value: x402.NewAmount(10_000),
		ValidBefore: uint64(d.chain.Time().Unix()) + 300, Nonce: evm.Hash(crypto.Keccak256Hash([]byte(d.t.Name()))),
	}
}

func (d *till) domain() evm.Domain {
	return evm.Domain{Name: "USDC", Version: "2", ChainID: d.chain.ChainID, Contract: evm.Address(d.token)}
}

// exact is the call of a signed authorisation.
func (d *till) exact(a evm.Authorization) []byte {
	sig := d.signer.SignDigest(a.Digest(d.domain().Separator()))
	return (&evm.Exact{Authorization: a, Signature: sig, Domain: d.domain(), Asset: evm.Address(d.token)}).Calldata()
}

// try runs the call without sending it and returns why it would fail.
func (d *till) try(from common.Address, data []byte) error {
	_, err := d.client.CallContract(d.t.Context(), ethereum.CallMsg{From: from, To: &d.token, Data: data}, nil)
	return err
}

// submit sends the call through the relayer and waits for its receipt.
func (d *till) submit(data []byte) *types.Receipt {
	d.t.Helper()
	tx := send(d.t, d.client, d.chain.Relayer, d.nonce, d.token, data)
	d.nonce++
	return receipt(d.t, d.client, tx)
}

func (d *till) read(method string, args ...[]byte) []byte {
	d.t.Helper()
	answer, err := d.client.CallContract(d.t.Context(), ethereum.CallMsg{To: &d.token, Data: call(method, args...)}, nil)
	require.NoError(d.t, err)
	return answer
}

// call encodes a call whose arguments are single words.
func call(method string, args ...[]byte) []byte {
	data := crypto.Keccak256([]byte(method))[:4]
	for _, arg := range args {
		data = append(data, common.LeftPadBytes(arg, 32)...)
	}
	return data
}

// withBytes turns the call of a method that ends in (v, r, s) into that of its
// overload, which takes the signature as bytes.
func withBytes(method string, data, signature []byte) []byte {
	words := data[4 : len(data)-3*32]
	out := append(call(method), words...)
	out = append(out, word(int64(len(words)+32))...)
	out = append(out, word(int64(len(signature)))...)
	return append(out, common.RightPadBytes(signature, (len(signature)+31)/32*32)...)
}

func word(n int64) []byte { return common.LeftPadBytes(big.NewInt(n).Bytes(), 32) }

const transferWithBytes = "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)"

func TestTheTokenHasTheDomainOfUSDCOnBaseSepolia(t *testing.T) {
	t.Parallel()
	d := newTill(t, devchain.TokenAddress)
	require.Equal(t, "0x71f17a3b2ff373b803d70a5a07c046c1a2bc8e89c09ef722fcb047abe94c9818",
		common.BytesToHash(d.read("DOMAIN_SEPARATOR()")).Hex())
	require.Equal(t, d.domain().Separator().String(), common.BytesToHash(d.read("DOMAIN_SEPARATOR()")).Hex())
	require.Equal(t, "USDC", text(d.read("name()")))
	require.Equal(t, "2", text(d.read("version()")))
	require.EqualValues(t, 6, new(big.Int).SetBytes(d.read("decimals()")).Int64())
}

func text(answer []byte) string {
	length := new(big.Int).SetBytes(answer[32:64]).Int64()
	return string(answer[64 : 64+length])
}

func TestASignedAuthorizationMovesMoneyOnce(t *testing.T) {
	t.Parallel()
	d := newTill(t, devchain.TokenAddress)
	a := d.authorization()
	got := d.submit(d.exact(a))
	require.Equal(t, types.ReceiptStatusSuccessful, got.Status)
	require.Len(t, got.Logs, 2)
	require.Equal(t, evm.AuthorizationUsedTopic.String(), got.Logs[0].Topics[0].Hex())
	require.Equal(t, a.Nonce.String(), got.Logs[0].Topics[2].Hex())
	require.Equal(t, evm.TransferTopic.String(), got.Logs[1].Topics[0].Hex())
	require.EqualValues(t, 10_000, balance(t, d.chain, d.chain.PayTo.Address))
	require.EqualValues(t, 1, new(big.Int).SetBytes(d.read("authorizationState(address,bytes32)", a.From[:], a.Nonce[:])).Int64())

	require.ErrorContains(t, d.try(d.chain.Relayer.Address, d.exact(a)), "FiatTokenV2: authorization is used or canceled")
	require.Equal(t, types.ReceiptStatusFailed, d.submit(d.exact(a)).Status)
	require.EqualValues(t, 10_000, balance(t, d.chain, d.chain.PayTo.Address))
}

func TestTheTokenRefusesABadAuthorizationInTheWordsOfTheRealOne(t *testing.T) {
	t.Parallel()
	d := newTill(t, devchain.TokenAddress)
	now := uint64(d.chain.Time().Unix())
	order, _ := new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)
	cases := map[string]struct {
		change func(*evm.Authorization)
		spoil  func([]byte) // of the last three words: v, r, s
		says   string
	}{
		"expired":      {change: func(a *evm.Authorization) { a.ValidBefore = now }, says: "FiatTokenV2: authorization is expired"},
		"too early":    {change: func(a *evm.Authorization) { a.ValidAfter = now + 100 }, says: "FiatTokenV2: authorization is not yet valid"},
		"too much":     {change: func(a *evm.Authorization) { a.Value = x402.NewAmount(math.MaxInt64) }, says: "ERC20: transfer amount exceeds balance"},
		"to nobody":    {change: func(a *evm.Authorization) { a.To = evm.Address{} }, says: "ERC20: transfer to the zero address"},
		"other amount": {spoil: func(c []byte) { c[4+2*32+31]++ }, says: "FiatTokenV2: invalid signature"},
		"other payer":  {spoil: func(c []byte) { c[4+31]++ }, says: "FiatTokenV2: invalid signature"},
		"v of 0 or 1":  {spoil: func(c []byte) { c[4+6*32+31] -= 27 }, says: "ECRecover: invalid signature 'v' value"},
		"r of zero":    {spoil: func(c []byte) { clear(c[4+7*32 : 4+8*32]) }, says: "ECRecover: invalid signature"},
		"high s": {spoil: func(c []byte) {
			s := c[len(c)-32:]
			new(big.Int).Sub(order, new(big.Int).SetBytes(s)).FillBytes(s)
		}, says: "ECRecover: invalid signature 's' value"},
	}
	for name, c := range cases {
		a := d.authorization()
		if c.change != nil {
			c.change(&a)
		}
		data := d.exact(a)
		if c.spoil != nil {
			c.spoil(data)
		}
		require.ErrorContains(t, d.try(d.chain.Relayer.Address, data), c.says, name)
	}
	data := withBytes(transferWithBytes, d.exact(d.authorization()), make([]byte, 64))
	require.ErrorContains(t, d.try(d.chain.Relayer.Address, data), "ECRecover: invalid signature length")
	require.NoError(t, d.try(d.chain.Relayer.Address, d.exact(d.authorization())), "nothing was used up by the refused ones")
}

func TestAnAuthorizationEndsWithTheChainsClock(t *testing.T) {
	t.Parallel()
	d := newTill(t, devchain.TokenAddress)
	a := d.authorization()
	require.NoError(t, d.try(d.chain.Relayer.Address, d.exact(a)))
	require.NoError(t, d.chain.AdvanceTime(6*time.Minute))
	require.ErrorContains(t, d.try(d.chain.Relayer.Address, d.exact(a)), "FiatTokenV2: authorization is expired")
}

func TestTheTokenTakesSignaturesAsBytesToo(t *testing.T) {
	t.Parallel()
	d := newTill(t, devchain.TokenAddress)
	a := d.authorization()
	sig := d.signer.SignDigest(a.Digest(d.domain().Separator()))
	require.Equal(t, types.ReceiptStatusSuccessful, d.submit(withBytes(transferWithBytes, d.exact(a), sig[:])).Status)
	require.EqualValues(t, 10_000, balance(t, d.chain, d.chain.PayTo.Address))
}

func TestASmartWalletPaysWithItsOwnersSignature(t *testing.T) {
	t.Parallel()
	d := newTill(t, devchain.TokenAddress)
	require.NoError(t, d.chain.Mint(devchain.WalletAddress, big.NewInt(20_000)))
	a := d.authorization()
	a.From = evm.Address(devchain.WalletAddress)
	sig := d.signer.SignDigest(a.Digest(d.domain().Separator()))
	require.Equal(t, types.ReceiptStatusSuccessful, d.submit(withBytes(transferWithBytes, d.exact(a), sig[:])).Status)
	require.EqualValues(t, 10_000, balance(t, d.chain, d.chain.PayTo.Address))

	sig[5]++
	a.Nonce[0]++
	require.ErrorContains(t, d.try(d.chain.Relayer.Address, withBytes(transferWithBytes, d.exact(a), sig[:])), "FiatTokenV2: invalid signature")
}

// structDigest is the EIP-712 digest of a struct given by its type and words.
func (d *till) structDigest(kind string, words ...[]byte) evm.Hash {
	data := crypto.Keccak256([]byte(kind))
	for _, w := range words {
		data = append(data, common.LeftPadBytes(w, 32)...)
	}
	separator := d.domain().Separator()
	return evm.Hash(crypto.Keccak256Hash([]byte{0x19, 1}, separator[:], crypto.Keccak256(data)))
}

func TestACancelledAuthorizationIsWorthNothing(t *testing.T) {
	t.Parallel()
	d := newTill(t, devchain.TokenAddress)
	a := d.authorization()
	sig := d.signer.SignDigest(d.structDigest("CancelAuthorization(address authorizer,bytes32 nonce)", a.From[:], a.Nonce[:]))
	cancel := call("cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)", a.From[:], a.Nonce[:], sig[64:], sig[:32], sig[32:64])
	require.Equal(t, types.ReceiptStatusSuccessful, d.submit(cancel).Status)
	require.ErrorContains(t, d.try(d.chain.Relayer.Address, d.exact(a)), "FiatTokenV2: authorization is used or canceled")
}

func TestReceiveWithAuthorizationIsForThePayeeAlone(t *testing.T) {
	t.Parallel()
	d := newTill(t, devchain.TokenAddress)
	a := d.authorization()
	words := [][]byte{a.From[:], a.To[:], word(10_000), word(0), word(int64(a.ValidBefore)), a.Nonce[:]}
	sig := d.signer.SignDigest(d.structDigest("ReceiveWithAuthorization(address from,address to,uint256 value,"+
		"uint256 validAfter,uint256 validBefore,bytes32 nonce)", words...))
	data := call("receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)",
		append(words, sig[64:], sig[:32], sig[32:64])...)
	require.ErrorContains(t, d.try(d.chain.Relayer.Address, data), "FiatTokenV2: caller must be the payee")
	require.NoError(t, d.try(d.chain.PayTo.Address, data))
}

func TestAPermitSetsAnAllowanceOnce(t *testing.T) {
	t.Parallel()
	d := newTill(t, devchain.TokenAddress)
	owner, spender := d.signer.Address(), d.chain.Relayer.Address
	deadline := word(d.chain.Time().Unix() + 300)
	sig := d.signer.SignDigest(d.structDigest("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)",
		owner[:], spender[:], word(500), word(0), deadline))
	data := call("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
		owner[:], spender[:], word(500), deadline, sig[64:], sig[:32], sig[32:64])
	require.Equal(t, types.ReceiptStatusSuccessful, d.submit(data).Status)
	require.ErrorContains(t, d.try(spender, data), "EIP2612: invalid signature", "its nonce is used up")

	take := func(units int64) []byte {
		return call("transferFrom(address,address,uint256)", owner[:], d.chain.PayTo.Address[:], word(units))
	}
	require.ErrorContains(t, d.try(spender, take(501)), "ERC20: transfer amount exceeds allowance")
	require.Equal(t, types.ReceiptStatusSuccessful, d.submit(take(500)).Status)
	require.EqualValues(t, 500, balance(t, d.chain, d.chain.PayTo.Address))
}
