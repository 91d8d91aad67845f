package x402

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// Errors of the amount parsers.
var (
	ErrSyntax    = errors.New("x402: not a decimal amount")
	ErrPrecision = errors.New("x402: more decimals than the asset has")
	ErrOverflow  = errors.New("x402: amount exceeds 2^256-1")
)

// Amount is a quantity of an asset in its smallest unit (atomic units): never
// negative, never above 2^256-1, never a float. The zero value is zero. An
// Amount is immutable; in JSON it is a string of decimal digits.
type Amount struct {
	i *big.Int // nil is zero; never modified
}

const maxAmountDigits = 78 // 2^256-1 has 78 digits

// NewAmount returns units as an Amount.
func NewAmount(units uint64) Amount {
	return Amount{new(big.Int).SetUint64(units)}
}

// AmountFromBig copies n into an Amount. It returns ErrSyntax if n is negative
// and ErrOverflow if n does not fit into 256 bits.
func AmountFromBig(n *big.Int) (Amount, error) {
	switch {
	case n == nil:
		return Amount{}, nil
	case n.Sign() < 0:
		return Amount{}, fmt.Errorf("%w: negative", ErrSyntax)
	case n.BitLen() > 256:
		return Amount{}, ErrOverflow
	}
	return Amount{new(big.Int).Set(n)}, nil
}

// ParseAtomic reads a whole number of atomic units as it stands on the wire:
// decimal digits only, without sign, exponent, spaces or leading zeros.
func ParseAtomic(s string) (Amount, error) {
	if s == "" || (len(s) > 1 && s[0] == '0') || !isDigits(s) {
		return Amount{}, fmt.Errorf("%w: %q is not a whole number of atomic units", ErrSyntax, clip(s))
	}
	return parseDigits(s)
}

// ParseAmount reads a decimal such as "1.50" exactly, in units of
// 10^-decimals. It returns ErrPrecision if s has more decimals than the asset
// (trailing zeros included), ErrSyntax for anything but digits and one point,
// and ErrOverflow above 2^256-1.
func ParseAmount(s string, decimals int) (Amount, error) {
	whole, frac, point := strings.Cut(s, ".")
	if decimals < 0 || decimals >= maxAmountDigits {
		return Amount{}, fmt.Errorf("%w: an asset of %d decimals", ErrSyntax, decimals)
	}
	if !isDigits(whole) || (point && !isDigits(frac)) || (len(whole) > 1 && whole[0] == '0') {
		return Amount{}, fmt.Errorf("%w: %q", ErrSyntax, clip(s))
	}
	if len(frac) > decimals {
		return Amount{}, fmt.Errorf("%w: %q has %d decimals, the asset has %d", ErrPrecision, clip(s), len(frac), decimals)
	}
	if len(whole)+decimals > maxAmountDigits && strings.Trim(whole, "0") != "" {
		return Amount{}, ErrOverflow
	}
	digits := strings.TrimLeft(whole+frac+strings.Repeat("0", decimals-len(frac)), "0")
	if digits == "" {
		return Amount{}, nil
	}
	return parseDigits(digits)
}

// parseDigits reads s, which holds digits only, within 256 bits.
func parseDigits(s string) (Amount, error) {
	if len(s) > maxAmountDigits {
		return Amount{}, ErrOverflow
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return Amount{}, fmt.Errorf("%w: %q", ErrSyntax, clip(s))
	}
	if n.BitLen() > 256 {
		return Amount{}, ErrOverflow
	}
	return Amount{n}, nil
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// clip shortens what a stranger sent for an error text.
func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}

func (a Amount) big() *big.Int {
	if a.i == nil {
		return new(big.Int)
	}
	return a.i
}

// Big returns a copy of a as a big integer.
func (a Amount) Big() *big.Int { return new(big.Int).Set(a.big()) }

// String returns a in atomic units, such as "10000".
func (a Amount) String() string { return a.big().String() }

// Decimal returns a as a decimal of the asset, without trailing zeros: 10000
// with 6 decimals is "0.01".
func (a Amount) Decimal(decimals int) string {
	s := a.String()
	if decimals <= 0 {
		return s
	}
	if len(s) <= decimals {
		s = strings.Repeat("0", decimals-len(s)+1) + s
	}
	whole, frac := s[:len(s)-decimals], strings.TrimRight(s[len(s)-decimals:], "0")
	if frac == "" {
		return whole
	}
	return whole + "." + frac
}

// IsZero says whether a is zero.
func (a Amount) IsZero() bool { return a.big().Sign() == 0 }

// Cmp compares a with b: -1 if a is less, 0 if they are equal, 1 if a is more.
func (a Amount) Cmp(b Amount) int { return a.big().Cmp(b.big()) }

// Equal says whether a and b are the same quantity.
func (a Amount) Equal(b Amount) bool { return a.Cmp(b) == 0 }

// Add returns a+b, or ErrOverflow.
func (a Amount) Add(b Amount) (Amount, error) {
	return AmountFromBig(new(big.Int).Add(a.big(), b.big()))
}

// Sub returns a-b, or an error if b is more than a.
func (a Amount) Sub(b Amount) (Amount, error) {
	return AmountFromBig(new(big.Int).Sub(a.big(), b.big()))
}

// MarshalJSON writes a as a JSON string of digits.
func (a Amount) MarshalJSON() ([]byte, error) {
	b := append(make([]byte, 0, 24), '"')
	b = a.big().Append(b, 10)
	return append(b, '"'), nil
}

// UnmarshalJSON reads a JSON string of digits, as [ParseAtomic] does.
func (a *Amount) UnmarshalJSON(data []byte) error {
	if len(data) < 2 || data[0] != '"' || data[len(data)-1] != '"' {
		return fmt.Errorf("%w: an amount is a JSON string of digits", ErrSyntax)
	}
	v, err := ParseAtomic(string(data[1 : len(data)-1]))
	if err == nil {
		*a = v
	}
	return err
}
