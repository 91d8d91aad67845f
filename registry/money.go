package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Money is an amount of US cents. It may be negative in sums and adjustments.
// In JSON it is the shortest number of dollars: 29.99, 2.5, 30.
type Money int64

// MaxMoney bounds what one sale may be: 99,999,999.99 dollars, so that no sum of
// a billion sales overflows.
const MaxMoney Money = 99_999_999_99

// String is m in dollars with two decimals, such as "29.99" or "-0.50".
func (m Money) String() string {
	sign, u := "", uint64(m)
	if m < 0 {
		sign, u = "-", -u
	}
	return fmt.Sprintf("%s%d.%02d", sign, u/100, u%100)
}

// MarshalJSON implements [json.Marshaler].
func (m Money) MarshalJSON() ([]byte, error) {
	s := m.String()
	return []byte(strings.TrimSuffix(strings.TrimRight(s, "0"), ".")), nil
}

// UnmarshalJSON implements [json.Unmarshaler]. It takes what [ParseDecimal]
// does and rounds half up to cents.
func (m *Money) UnmarshalJSON(j []byte) error {
	var d Decimal
	if err := d.UnmarshalJSON(j); err != nil {
		return err
	}
	*m = d.Cents()
	return nil
}

// ErrNotNumber is returned for what is no decimal number, or one out of range.
var ErrNotNumber = errors.New("not a number in range")

// Decimal is a number of dollars exactly as it was sent, before it is rounded to
// cents: limits are checked first. The zero Decimal is 0, and not [Decimal.Given].
type Decimal struct {
	r *big.Rat // never changed
}

// Dollars is m as a Decimal.
func Dollars(m Money) Decimal { return Decimal{big.NewRat(int64(m), 100)} }

// Bounds of a number's text, so that none is expensive.
const (
	maxDecimalText     = 64
	maxDecimalExponent = 40
)

// ParseDecimal reads a number as JSON writes it, such as "29.99", "3e1" or
// "2.9989999". It returns ErrNotNumber, wrapped, for anything else and for what
// is beyond 10^40 or finer than 10^-40.
func ParseDecimal(s string) (Decimal, error) {
	fail := func() (Decimal, error) { return Decimal{}, fmt.Errorf("%.40q is %w", s, ErrNotNumber) }
	if len(s) > maxDecimalText || !json.Valid([]byte(s)) || s == "" || s[0] != '-' && (s[0] < '0' || s[0] > '9') {
		return fail()
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		if e, err := strconv.Atoi(s[i+1:]); err != nil || e > maxDecimalExponent || e < -maxDecimalExponent {
			return fail()
		}
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return fail()
	}
	return Decimal{r}, nil
}

// UnmarshalJSON implements [json.Unmarshaler]: a number, or one in quotes.
func (d *Decimal) UnmarshalJSON(j []byte) error {
	s := string(j)
	if len(j) > 0 && j[0] == '"' {
		if err := json.Unmarshal(j, &s); err != nil {
			return err
		}
		s = strings.TrimSpace(s)
	}
	parsed, err := ParseDecimal(s)
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// MarshalJSON implements [json.Marshaler].
func (d Decimal) MarshalJSON() ([]byte, error) {
	if d.r == nil {
		return []byte("0"), nil
	}
	n, _ := d.r.FloatPrec() // exact: the denominator is a power of ten's divisor
	return []byte(d.r.FloatString(n)), nil
}

// Given says whether there was a number.
func (d Decimal) Given() bool { return d.r != nil }

// Cmp compares exactly: -1, 0 or +1.
func (d Decimal) Cmp(other Decimal) int { return d.rat().Cmp(other.rat()) }

// Sign is -1, 0 or +1.
func (d Decimal) Sign() int { return d.rat().Sign() }

func (d Decimal) rat() *big.Rat {
	if d.r == nil {
		return new(big.Rat)
	}
	return d.r
}

// Cents rounds half up (away from zero) to cents. What does not fit becomes the
// largest Money: check limits before.
func (d Decimal) Cents() Money {
	r := d.rat()
	num := new(big.Int).Mul(new(big.Int).Abs(r.Num()), big.NewInt(200))
	num.Add(num, r.Denom())
	num.Quo(num, new(big.Int).Mul(r.Denom(), big.NewInt(2)))
	if !num.IsInt64() {
		num.SetInt64(1<<63 - 1)
	}
	if r.Sign() < 0 {
		num.Neg(num)
	}
	return Money(num.Int64())
}
