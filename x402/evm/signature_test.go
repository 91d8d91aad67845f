package evm_test

import (
	"encoding/hex"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/x402/evm"
)

var order, _ = new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)

// highS is the other signature that the same key made, were it allowed.
func highS(sig evm.Signature) evm.Signature {
	s := new(big.Int).SetBytes(sig[32:64])
	s.Sub(order, s).FillBytes(sig[32:64])
	sig[64] ^= 27 ^ 28
	return sig
}

func signer(t testing.TB) *evm.Signer {
	t.Helper()
	s, err := evm.ParseSigner(testKey)
	require.NoError(t, err)
	return s
}

func TestARecoveryIDOf0Or1IsNormalised(t *testing.T) {
	t.Parallel()
	sig := signer(t).SignDigest(evm.Keccak256([]byte("x")))
	for _, v := range []byte{sig[64], sig[64] - 27} {
		raw := sig
		raw[64] = v
		got, err := evm.ParseSignature(raw[:])
		require.NoError(t, err)
		assert.Equal(t, sig, got)
	}
	for _, v := range []byte{2, 26, 29, 30, 31, 35, 255} {
		raw := sig
		raw[64] = v
		_, err := evm.ParseSignature(raw[:])
		assert.ErrorIs(t, err, evm.ErrRecoveryID, "v %d", v)
		_, err = evm.Recover(evm.Hash{}, raw)
		assert.ErrorIs(t, err, evm.ErrRecoveryID, "v %d", v)
	}
}

func TestAHighSIsRefusedAlthoughItRecovers(t *testing.T) {
	t.Parallel()
	digest := evm.Keccak256([]byte("x"))
	malleated := highS(signer(t).SignDigest(digest))
	_, err := evm.ParseSignature(malleated[:])
	assert.ErrorIs(t, err, evm.ErrHighS)
}

func TestASignatureHas65Bytes(t *testing.T) {
	t.Parallel()
	sig := signer(t).SignDigest(evm.Keccak256([]byte("x")))
	for _, raw := range [][]byte{nil, sig[:64], sig[:1], append(sig[:], 0), make([]byte, 4096)} {
		_, err := evm.ParseSignature(raw)
		assert.ErrorIs(t, err, evm.ErrSignatureLength, "%d bytes", len(raw))
	}
}

func TestRAndSMustBeInRange(t *testing.T) {
	t.Parallel()
	good := signer(t).SignDigest(evm.Keccak256([]byte("x")))
	for _, part := range []int{0, 32} {
		for _, value := range []*big.Int{new(big.Int), order, new(big.Int).Add(order, big.NewInt(1)), new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))} {
			raw := good
			value.FillBytes(raw[part : part+32])
			_, err := evm.ParseSignature(raw[:])
			assert.ErrorIs(t, err, evm.ErrSignatureValue)
			_, err = evm.Recover(evm.Hash{}, raw)
			assert.Error(t, err)
		}
	}
}

func TestWhatAKeySignsRecoversToItsAddressAndToNoOther(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var key, digest [32]byte
		copy(key[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key"))
		copy(digest[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest"))
		key[0], key[31] = key[0]&0x7f, key[31]|1 // below the order and not zero
		s, err := evm.NewSigner(key)
		require.NoError(t, err)
		sig := s.SignDigest(digest)
		parsed, err := evm.ParseSignature(sig[:])
		require.NoError(t, err, "our own s is low")
		assert.Equal(t, sig, parsed)
		from, err := evm.Recover(digest, sig)
		require.NoError(t, err)
		assert.Equal(t, s.Address(), from)

		digest[0] ^= 1
		from, err = evm.Recover(digest, sig)
		if err == nil {
			assert.NotEqual(t, s.Address(), from)
		}
	})
}

func TestWhatIsNotAKeyIsRefusedAndNeverQuoted(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "0x", testKey[:65], testKey + "0", "0x" + testKey, "zz" + testKey[2:], hex.EncodeToString(make([]byte, 32)), hex.EncodeToString(order.Bytes())} {
		_, err := evm.ParseSigner(key)
		require.ErrorIs(t, err, evm.ErrKey, key)
		if len(key) > 8 {
			assert.NotContains(t, err.Error(), key[2:8])
		}
	}
	s, err := evm.ParseSigner(testKey[2:])
	require.NoError(t, err, "0x may be left out")
	assert.Equal(t, payer, s.Address().String())
}
