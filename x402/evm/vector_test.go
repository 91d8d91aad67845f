package evm_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

// The key of the vectors is the first of the well-known test mnemonic.
const (
	testKey = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
	payer   = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
	payTo   = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"
)

func vectorAuthorization(t testing.TB) evm.Authorization {
	t.Helper()
	return evm.Authorization{
		From: address(t, payer), To: address(t, payTo), Value: x402.NewAmount(10000), ValidBefore: 1740672154,
		Nonce: hash(t, "0xf3746613c2d920b5fdabc0856f2aeb2d4f88ee6037b8cc5d04a71a4462f13480"),
	}
}

func TestTheVectorOfEIP3009OnBaseSepoliaIsReproduced(t *testing.T) {
	t.Parallel()
	usdc := evm.Domain{Name: "USDC", Version: "2", ChainID: 84532, Contract: address(t, "0x036CbD53842c5426634e7929541eC2318f3dCF7e")}
	digest := vectorAuthorization(t).Digest(usdc.Separator())
	assert.Equal(t, "0x4f4985a0c4a7592c738a9d385dac72ed9932049a3a642b4923659213c54fa8c6", digest.String())

	signer, err := evm.ParseSigner(testKey)
	require.NoError(t, err)
	assert.Equal(t, payer, signer.Address().String())
	sig := signer.SignDigest(digest)
	assert.Equal(t, "0x887688bfda2adc60488cb21d8355641dc7e6cae2acf979a4e510569110fbeb69"+
		"12bfec8521359ee79ecbd2c6f8ba9ada97d499a910f5c0d4e274d0da99b8f3561c", sig.String())

	from, err := evm.Recover(digest, sig)
	require.NoError(t, err)
	assert.Equal(t, payer, from.String())
}

func address(t testing.TB, s string) evm.Address {
	t.Helper()
	a, err := evm.ParseAddress(s)
	require.NoError(t, err)
	return a
}

func hash(t testing.TB, s string) evm.Hash {
	t.Helper()
	h, err := evm.ParseHash(s)
	require.NoError(t, err)
	return h
}
