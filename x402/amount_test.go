package x402_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/x402"
)

const (
	maxAmount  = "115792089237316195423570985008687907853269984665640564039457584007913129639935" // 2^256-1
	tooMuch    = "115792089237316195423570985008687907853269984665640564039457584007913129639936"
	maxDecimal = "115792089237316195423570985008687907853269984665640564039457584007913129.639935" // with 6 decimals
)

func TestADecimalIsReadExactly(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"0": "0", "0.0": "0", "0.000000": "0", "1": "1000000", "1.5": "1500000", "1.50": "1500000", "0.01": "10000", "0.000001": "1",
		"10": "10000000", "1000000.000001": "1000000000001", maxDecimal: maxAmount,
	} {
		a, err := x402.ParseAmount(s, 6)
		require.NoError(t, err, s)
		assert.Equal(t, want, a.String(), s)
	}
	a, err := x402.ParseAmount(maxAmount, 0)
	require.NoError(t, err)
	assert.Equal(t, maxAmount, a.String())
}

func TestAPriceInDollarsIsADecimalOfItsAsset(t *testing.T) {
	t.Parallel()
	usdc := x402.Asset{Decimals: 6}
	for _, s := range []string{"$0.01", "0.01"} {
		a, err := usdc.Price(s)
		require.NoError(t, err)
		assert.Equal(t, "10000", a.String())
	}
	for _, s := range []string{"$", "", "$$1", "1$", "$ 1", "€1", "$-1", "-$1", "$1,000", "$1 USD", "USDC 1"} {
		_, err := usdc.Price(s)
		assert.ErrorIs(t, err, x402.ErrSyntax, s)
	}
}

func TestNothingIsGuessedRoundedOrOverflown(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]error{
		"": x402.ErrSyntax, ".": x402.ErrSyntax, "1.": x402.ErrSyntax, ".5": x402.ErrSyntax, "+5": x402.ErrSyntax, "-1": x402.ErrSyntax, "05": x402.ErrSyntax, "00": x402.ErrSyntax,
		"1e18": x402.ErrSyntax, "1E2": x402.ErrSyntax, "NaN": x402.ErrSyntax, "Inf": x402.ErrSyntax, "0x10": x402.ErrSyntax, "1_000": x402.ErrSyntax, "1,5": x402.ErrSyntax,
		" 1": x402.ErrSyntax, "1 ": x402.ErrSyntax, "1.2.3": x402.ErrSyntax, "1.+5": x402.ErrSyntax, "٣": x402.ErrSyntax, "1\x00": x402.ErrSyntax,
		"0.0000001": x402.ErrPrecision, "0.0000000": x402.ErrPrecision, "1.0000010": x402.ErrPrecision,
		tooMuch: x402.ErrOverflow, maxAmount: x402.ErrOverflow, strings.Replace(maxDecimal, ".639935", ".639936", 1): x402.ErrOverflow,
		strings.Repeat("9", 1<<20): x402.ErrOverflow,
	} {
		_, err := x402.ParseAmount(s, 6)
		assert.ErrorIs(t, err, want, "%.80s", s)
		assert.Less(t, len(err.Error()), 200, "an error does not repeat all that a stranger sent")
	}
	for _, decimals := range []int{-1, 78, 1 << 40} {
		_, err := x402.ParseAmount("0", decimals)
		assert.ErrorIs(t, err, x402.ErrSyntax)
	}
}

func TestAtomicUnitsAreWholeAndCanonical(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"0", "1", "10000", maxAmount} {
		a, err := x402.ParseAtomic(s)
		require.NoError(t, err)
		assert.Equal(t, s, a.String())
	}
	for s, want := range map[string]error{
		"": x402.ErrSyntax, "-1": x402.ErrSyntax, "+1": x402.ErrSyntax, "01": x402.ErrSyntax, "1.0": x402.ErrSyntax, "1e3": x402.ErrSyntax, "0x1": x402.ErrSyntax, " 1": x402.ErrSyntax,
		tooMuch: x402.ErrOverflow, strings.Repeat("1", 79): x402.ErrOverflow,
	} {
		_, err := x402.ParseAtomic(s)
		assert.ErrorIs(t, err, want, s)
	}
}

func TestAnAmountIsAStringOfDigitsInJSON(t *testing.T) {
	t.Parallel()
	j, err := json.Marshal(x402.NewAmount(10000))
	require.NoError(t, err)
	assert.Equal(t, `"10000"`, string(j))
	j, err = json.Marshal(x402.Amount{})
	require.NoError(t, err)
	assert.Equal(t, `"0"`, string(j))
	a := x402.NewAmount(7)
	for _, bad := range []string{`1`, `null`, `""`, `"`, `"1`, `-1`, `"-1"`, `"01"`, `"1e1"`, `true`, `["1"]`, `"1\u0030"`, `"` + tooMuch + `"`} {
		assert.Error(t, json.Unmarshal([]byte(bad), &a), bad)
	}
	assert.Equal(t, "7", a.String(), "what fails changes nothing")
}

func TestAmountsNeverGoNegativeNorBeyond256Bits(t *testing.T) {
	t.Parallel()
	most, err := x402.ParseAtomic(maxAmount)
	require.NoError(t, err)
	_, err = most.Add(x402.NewAmount(1))
	assert.ErrorIs(t, err, x402.ErrOverflow)
	_, err = x402.Amount{}.Sub(x402.NewAmount(1))
	assert.Error(t, err)
	_, err = x402.AmountFromBig(big.NewInt(-1))
	assert.ErrorIs(t, err, x402.ErrSyntax)
	_, err = x402.AmountFromBig(new(big.Int).Lsh(big.NewInt(1), 256))
	assert.ErrorIs(t, err, x402.ErrOverflow)
	none, err := x402.AmountFromBig(nil)
	require.NoError(t, err)
	assert.True(t, none.IsZero())
}

func TestAnAmountCannotBeChangedFromOutside(t *testing.T) {
	t.Parallel()
	n := big.NewInt(5)
	a, err := x402.AmountFromBig(n)
	require.NoError(t, err)
	n.SetInt64(6)
	a.Big().SetInt64(7)
	assert.Equal(t, "5", a.String())
	_ = x402.Amount{}.Big().SetInt64(7)
	assert.True(t, x402.Amount{}.IsZero())
}

func TestAmountsRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, err := x402.AmountFromBig(new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, "amount")))
		require.NoError(t, err)
		decimals := rapid.IntRange(0, 36).Draw(t, "decimals")
		again, err := x402.ParseAmount(a.Decimal(decimals), decimals)
		require.NoError(t, err, a.Decimal(decimals))
		assert.True(t, a.Equal(again))
		again, err = x402.ParseAtomic(a.String())
		require.NoError(t, err)
		assert.True(t, a.Equal(again))
		j, err := json.Marshal(a)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(j, &again))
		assert.True(t, a.Equal(again))
	})
}

func TestSumsAndDifferencesAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := x402.NewAmount(rapid.Uint64().Draw(t, "a")), x402.NewAmount(rapid.Uint64().Draw(t, "b"))
		sum, err := a.Add(b)
		require.NoError(t, err)
		back, err := sum.Sub(b)
		require.NoError(t, err)
		assert.True(t, back.Equal(a))
		other, err := b.Add(a)
		require.NoError(t, err)
		assert.True(t, sum.Equal(other))
		assert.Equal(t, a.Cmp(b), -b.Cmp(a))
		_, err = a.Sub(b)
		assert.Equal(t, a.Cmp(b) < 0, err != nil)
	})
}

func FuzzParseAmount(f *testing.F) {
	for _, s := range []string{"0.01", "1.", ".5", "1e18", maxDecimal, tooMuch, "-1"} {
		f.Add(s, 6)
	}
	f.Fuzz(func(t *testing.T, s string, decimals int) {
		a, err := x402.ParseAmount(s, decimals)
		if err != nil {
			return
		}
		want, ok := new(big.Rat).SetString(s)
		if !ok {
			t.Fatalf("%q is no number", s)
		}
		unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)
		if got := new(big.Rat).SetFrac(a.Big(), unit); got.Cmp(want) != 0 {
			t.Fatalf("%q with %d decimals is read as %s", s, decimals, got)
		}
	})
}

func FuzzParseAtomic(f *testing.F) {
	f.Add("10000")
	f.Add(tooMuch)
	f.Fuzz(func(t *testing.T, s string) {
		a, err := x402.ParseAtomic(s)
		if err == nil && a.String() != s {
			t.Fatalf("%q is read as %s", s, a)
		}
	})
}
