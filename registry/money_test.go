package registry_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/registry"
)

func TestMoneyIsTheShortestNumberOfDollars(t *testing.T) {
	t.Parallel()
	for cents, want := range map[registry.Money]string{
		2999: "29.99", 250: "2.5", 3000: "30", 0: "0", 1: "0.01", 10: "0.1", -5: "-0.05", -150: "-1.5",
		registry.MaxMoney: "99999999.99", 1<<63 - 1: "92233720368547758.07", -1 << 63: "-92233720368547758.08",
	} {
		j, err := json.Marshal(cents)
		require.NoError(t, err)
		require.Equal(t, want, string(j))
		var back registry.Money
		require.NoError(t, json.Unmarshal(j, &back))
		if cents != -1<<63 { // -(2^63-1) is the least that is decoded
			require.Equal(t, cents, back)
		}
	}
}

func TestNumbersAreRoundedHalfUpToCents(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]registry.Money{
		`29.99`: 2999, `"29.99"`: 2999, `29.999`: 3000, `29.994`: 2999, `29.995`: 3000, `29.9949999`: 2999, `2.9989999`: 300,
		`2.5`: 250, `30`: 3000, `3e1`: 3000, `0.005`: 1, `0.0049`: 0, `-0.005`: -1, `-29.99`: -2999, `-0`: 0, `" 7 "`: 700,
		`1E+2`: 10000, `1e-40`: 0, `0.1`: 10, `1e39`: 1<<63 - 1,
	} {
		var m registry.Money
		require.NoError(t, json.Unmarshal([]byte(text), &m), text)
		require.Equal(t, want, m, text)
	}
}

func TestWhatIsNoNumberInRangeIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`1e400`, `1e41`, `1e-41`, `1e999999999999999999999`, `"NaN"`, `"Infinity"`, `"-Inf"`, `""`, `"  "`, `"1,50"`, `"$1"`, `"0x10"`, `"1_000"`,
		`"1/3"`, `"+1"`, `".5"`, `"1."`, `"01"`, `true`, `null`, `{}`, `[1]`, `"` + strings.Repeat("9", 65) + `"`, `"1e"`, `"--1"`, `"１"`,
	} {
		var m registry.Money
		require.ErrorIs(t, m.UnmarshalJSON([]byte(text)), registry.ErrNotNumber, text)
		require.Zero(t, m)
	}
	for _, text := range []string{"NaN", "Infinity", "-", "1 ", " 1", "", "1e400", "\n1"} {
		_, err := registry.ParseDecimal(text)
		require.ErrorIs(t, err, registry.ErrNotNumber, text)
	}
}

func TestADecimalComparesExactlyAndMarshalsAsItWas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		units, digits := rapid.Int64Range(-1e12, 1e12).Draw(t, "units"), rapid.IntRange(0, 9).Draw(t, "digits")
		text := new(big.Rat).SetFrac(big.NewInt(units), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)).FloatString(digits)
		d, err := registry.ParseDecimal(text)
		require.NoError(t, err)
		j, err := json.Marshal(d)
		require.NoError(t, err)
		again, err := registry.ParseDecimal(string(j))
		require.NoError(t, err)
		require.Zero(t, d.Cmp(again))
		require.Equal(t, d.Cents(), again.Cents())
		other := registry.Money(rapid.Int64Range(-1e12, 1e12).Draw(t, "other"))
		if c := d.Cmp(registry.Dollars(other)); c <= 0 {
			require.LessOrEqual(t, d.Cents(), other, "rounding keeps the order")
		} else {
			require.GreaterOrEqual(t, d.Cents(), other, "rounding keeps the order")
		}
	})
}

func FuzzDecimal(f *testing.F) {
	for _, s := range []string{`29.99`, `29.999`, `"29.99"`, `1e400`, `"NaN"`, `-1`, `-0.001`, `1e-40`, `0.005`, `""`, `"1e5"`, `1E+039`, `{}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, j []byte) {
		var d registry.Decimal
		if err := d.UnmarshalJSON(j); err != nil {
			if d.Given() {
				t.Fatalf("%q is refused and given", j)
			}
			return
		}
		out, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		exact, ok := new(big.Rat).SetString(string(out))
		if !ok {
			t.Fatalf("%q became %q", j, out)
		}
		// The cents are the nearest, and away from zero of two.
		cents := new(big.Rat).SetFrac64(int64(d.Cents()), 100)
		if d.Cents() == 1<<63-1 || d.Cents() == -(1<<63-1) {
			return
		}
		off := new(big.Rat).Sub(cents, exact)
		if off.Abs(off).Cmp(big.NewRat(1, 200)) > 0 || off.Cmp(big.NewRat(1, 200)) == 0 && new(big.Rat).Abs(cents).Cmp(new(big.Rat).Abs(exact)) < 0 {
			t.Fatalf("%q rounds to %s", j, d.Cents())
		}
	})
}

func ExampleParseDecimal() {
	d, err := registry.ParseDecimal("2.9989999")
	fmt.Println(d.Cents(), err)
	_, err = registry.ParseDecimal("NaN")
	fmt.Println(err)
	// Output:
	// 3.00 <nil>
	// "NaN" is not a number in range
}
