package evm

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Address is an account or contract on an EVM chain.
type Address [20]byte

// ParseAddress reads "0x" and 40 hexadecimal digits in any case: wallets and
// servers disagree about case, so a checksum is not asked for.
func ParseAddress(s string) (Address, error) {
	var a Address
	if err := decodeHex(a[:], s); err != nil {
		return Address{}, fmt.Errorf("evm: not an address: %w", err)
	}
	return a, nil
}

// String returns a with the checksum of EIP-55 in the case of its letters.
func (a Address) String() string {
	var digits [40]byte
	hex.Encode(digits[:], a[:])
	sum := Keccak256(digits[:])
	for i, c := range digits {
		nibble := sum[i/2] >> (4 * (1 - i%2)) & 0xf
		if c >= 'a' && nibble >= 8 {
			digits[i] = c - 'a' + 'A'
		}
	}
	return "0x" + string(digits[:])
}

// MarshalText implements [encoding.TextMarshaler].
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler], as [ParseAddress] does.
func (a *Address) UnmarshalText(text []byte) error {
	v, err := ParseAddress(string(text))
	if err == nil {
		*a = v
	}
	return err
}

// decodeHex fills dst from s, which must be "0x" and exactly two digits for
// each byte of dst.
func decodeHex(dst []byte, s string) error {
	digits, ok := strings.CutPrefix(s, "0x")
	if !ok {
		return fmt.Errorf("0x and %d hexadecimal digits are needed", 2*len(dst))
	}
	if len(digits) != 2*len(dst) {
		return fmt.Errorf("%d hexadecimal digits are needed after 0x, there are %d", 2*len(dst), len(digits))
	}
	_, err := hex.Decode(dst, []byte(digits))
	return err
}
