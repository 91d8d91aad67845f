package evm_test

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/x402/evm"
)

func TestMessagesAreHashedAndSignedAsWalletsDo(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]struct{ key, address, message, digest, signature string }{
		"viem, signMessage": {
			testKey, payer, "hello world",
			"0xd9eba16ed0ecae432b71fe008c98cc872bb4cc214d3220a36f365326cf807d68",
			"0xa461f509887bd19e312c0c58467ce8ff8e300d3c1a90b608a760c5b80318eaf1" +
				"5fe57c96f9175d6cd4daad4663763baa7e78836e067d0163e9a2ccf2ff753f5b1b",
		},
		"web3.js, eth.accounts.sign": {
			"0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318", "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23", "Some data",
			"0x1da44b586eb0729ff70a73c326926f6ed5a25f5b056e7f47fbc6e58d86871655",
			"0xb91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd" +
				"6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a0291c",
		},
	} {
		s, err := evm.ParseSigner(v.key)
		require.NoError(t, err)
		assert.Equal(t, v.digest, evm.MessageDigest([]byte(v.message)).String(), name)
		sig := s.SignMessage([]byte(v.message))
		assert.Equal(t, v.signature, sig.String(), name)
		from, err := evm.RecoverMessage([]byte(v.message), sig)
		require.NoError(t, err)
		assert.Equal(t, v.address, from.String(), name)
	}
	// ethers.js, hashMessage
	assert.Equal(t, "0xa1de988600a42c4b4ab089b619297c17d53cffae5d5120d82d8a92d0bb3b78f2", evm.MessageDigest([]byte("Hello World")).String())
}

func TestASignedMessageIsNotTheSignatureOfAnotherOneNorOfADigest(t *testing.T) {
	t.Parallel()
	s := signer(t)
	rapid.Check(t, func(t *rapid.T) {
		message := rapid.SliceOf(rapid.Byte()).Draw(t, "message")
		other := rapid.SliceOf(rapid.Byte()).Draw(t, "other")
		sig := s.SignMessage(message)
		from, err := evm.RecoverMessage(message, sig)
		require.NoError(t, err)
		assert.Equal(t, s.Address(), from)
		if hex.EncodeToString(message) == hex.EncodeToString(other) {
			return
		}
		from, err = evm.RecoverMessage(other, sig)
		assert.True(t, err != nil || from != s.Address())
		from, err = evm.Recover(evm.Keccak256(message), sig)
		assert.True(t, err != nil || from != s.Address())
	})
}
