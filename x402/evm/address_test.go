package evm_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402/evm"
)

func TestAnAddressIsWrittenWithItsChecksum(t *testing.T) {
	t.Parallel()
	for _, want := range []string{ // the examples of EIP-55
		"0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
		"0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
		"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
	} {
		for _, spelling := range []string{want, strings.ToLower(want), "0x" + strings.ToUpper(want[2:])} {
			a, err := evm.ParseAddress(spelling)
			require.NoError(t, err, spelling)
			assert.Equal(t, want, a.String())
		}
	}
}

func TestWhatIsNotAnAddressOrAHashIsRefused(t *testing.T) {
	t.Parallel()
	const digits = "0123456789abcdef0123456789abcdef01234567"
	for _, s := range []string{"", "0x", digits, "0X" + digits, "0x" + digits[1:], "0x" + digits + "0", "0x" + digits[:39] + "g", " 0x" + digits, "0x" + digits + " ", "0x0x" + digits[2:]} {
		_, err := evm.ParseAddress(s)
		assert.Error(t, err, s)
		_, err = evm.ParseHash(s)
		assert.Error(t, err, s)
	}
}

func TestAddressesAndHashesAreTextInJSON(t *testing.T) {
	t.Parallel()
	type pair struct {
		A evm.Address
		H evm.Hash
	}
	want := pair{A: address(t, payer), H: evm.Keccak256()}
	j, err := json.Marshal(want)
	require.NoError(t, err)
	assert.JSONEq(t, `{"A":"`+payer+`","H":"0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"}`, string(j))
	var got pair
	require.NoError(t, json.Unmarshal(j, &got))
	assert.Equal(t, want, got)
	assert.Error(t, json.Unmarshal([]byte(`{"A":"0x1"}`), &got))
	assert.Equal(t, want, got, "what fails changes nothing")
}
