package evm_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/evm"
	"github.com/v402/v402/internal/devchain"
	x402evm "github.com/v402/v402/x402/evm"
)

func TestASignatureIsThatOfAKeyOrOfAContractWallet(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	digest := x402evm.MessageDigest([]byte("v402"))
	owner := mustSigner(t, r.dev.Payer).SignDigest(digest)
	stranger := mustSigner(t, r.dev.PayTo).SignDigest(digest)
	high := owner
	high[64] ^= 1
	for _, c := range []struct {
		name      string
		wallet    common.Address
		signature []byte
		want      bool
	}{
		{"the key's own", r.dev.Payer.Address, owner[:], true},
		{"another key's", r.dev.Payer.Address, stranger[:], false},
		{"the owner's of a contract wallet", devchain.WalletAddress, owner[:], true},
		{"a stranger's of a contract wallet", devchain.WalletAddress, stranger[:], false},
		{"of another v", devchain.WalletAddress, high[:], false},
		{"a short one", devchain.WalletAddress, owner[:64], false},
		{"none", devchain.WalletAddress, nil, false},
		{"a long one", devchain.WalletAddress, make([]byte, 8<<10), false},
		{"too long a one", devchain.WalletAddress, make([]byte, 8<<10+1), false},
		{"of a contract that is no wallet", r.dev.Token, owner[:], false},
		{"of a contract that answers nothing to anything", devchain.YesTokenAddress, owner[:], false},
		{"of a precompiled contract that answers what it is asked", common.HexToAddress("0x4"), owner[:], false},
		{"of nobody", common.HexToAddress("0xdead"), owner[:], false},
	} {
		got, err := r.chain.ValidSignature(t.Context(), c.wallet.Hex(), digest, c.signature)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, got, c.name)
	}
	got, err := r.chain.ValidSignature(t.Context(), "not an address", digest, owner[:])
	require.NoError(t, err)
	require.False(t, got)
}

func TestAWalletThatNeverEndsSaysNo(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	// JUMPDEST, PUSH1 0, JUMP: it uses all gas that it gets.
	loop := r.deploy("5b600056")
	got, err := r.chain.ValidSignature(t.Context(), loop.Hex(), x402evm.Hash{}, []byte{1})
	require.NoError(t, err)
	require.False(t, got)
}

func TestAWalletThatCannotBeAskedIsAnError(t *testing.T) {
	t.Parallel()
	broken := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(broken.Close)
	r := newRig(t, func(c *evm.Config, _ *devchain.Config) { c.URLs = []string{broken.URL} })
	digest := x402evm.MessageDigest([]byte("v402"))
	sig := mustSigner(t, r.dev.Payer).SignDigest(digest)
	got, err := r.chain.ValidSignature(t.Context(), r.dev.Payer.Address.Hex(), digest, sig[:])
	require.NoError(t, err, "a key needs no chain")
	require.True(t, got)
	_, err = r.chain.ValidSignature(t.Context(), devchain.WalletAddress.Hex(), digest, sig[:])
	require.Error(t, err)
}

func mustSigner(t testing.TB, a devchain.Account) *x402evm.Signer {
	t.Helper()
	s, err := x402evm.ParseSigner(a.Key)
	require.NoError(t, err)
	return s
}

// deploy puts a contract with this code, of less than 32 bytes, on the chain.
func (r *rig) deploy(code string) common.Address {
	r.t.Helper()
	runtime := common.FromHex(code)
	n := byte(len(runtime))
	// memory[0:32] = the code, right-aligned; return its last n bytes.
	program := append([]byte{0x5f + n}, runtime...)
	program = append(program, 0x60, 0x00, 0x52, 0x60, n, 0x60, 32-n, 0xf3)
	hash := r.send(r.dev.Payer, nil, nil, program)
	receipt := r.mined(hash)
	require.EqualValues(r.t, 1, receipt.Status)
	return receipt.ContractAddress
}
