package marketplace

import (
	"math/big"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/v402/v402/x402"
)

var (
	idForm     = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{2,127}$`)
	walletForm = regexp.MustCompile(`^0x[a-fA-F0-9]{40}$`)
	hashForm   = regexp.MustCompile(`^0x[0-9a-fA-F]{64}$`)
	policyForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// ValidID says whether s can be the ID of an offer or issuer: 3 to 128 lower-case
// letters, digits, dots, underscores and hyphens, a letter or digit first.
func ValidID(s string) bool { return idForm.MatchString(s) }

// ValidWallet says whether s is "0x" and 40 hexadecimal digits. A checksum in
// their case is not asked for.
func ValidWallet(s string) bool { return walletForm.MatchString(s) }

// Bounds of texts, in characters.
const (
	maxTitle   = 160
	maxSummary = 400
	maxName    = 160
	maxURL     = 2048
	maxText    = 128 // IDs that strangers choose
	maxReason  = 500
)

// maxCount bounds numbers of an offer: what is hashed is exact up to 2^53.
const maxCount = 1_000_000_000

// DisplayAmount is an amount as the API shows it: with two decimals, or more
// where it has them. It never rounds.
func DisplayAmount(a x402.Amount, decimals int) string {
	s := a.Decimal(decimals)
	whole, fraction, _ := strings.Cut(s, ".")
	fraction = strings.TrimRight(fraction, "0")
	if n := 2 - len(fraction); n > 0 {
		fraction += strings.Repeat("0", n)
	}
	return whole + "." + fraction
}

// hexAmount is a as Ethereum's JSON writes quantities.
func hexAmount(a x402.Amount) string { return "0x" + a.Big().Text(16) }

// word is an unsigned number as a word of the ABI.
func word(n *big.Int) []byte { return n.FillBytes(make([]byte, 32)) }

// text checks a text without control characters.
func text(field, s string, least, most int) error {
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return Invalid(field, "%s must be text without control characters.", field)
	case n < least && n == 0:
		return Invalid(field, "%s is required.", field)
	case n < least || n > most:
		return Invalid(field, "%s must have %d to %d characters.", field, least, most)
	}
	return nil
}

// first returns the first error there is.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// wallet checks a wallet and writes it in lower case.
func wallet(field, s string) (string, error) {
	switch {
	case s == "":
		return "", Invalid(field, "%s is required.", field)
	case !ValidWallet(s):
		return "", Invalid(field, "%s must be 0x and 40 hexadecimal digits.", field)
	}
	return strings.ToLower(s), nil
}

// normal checks who buys, and returns it with wallets in lower case and the payer
// filled in.
func (s *Service) normal(b Buyer) (Buyer, error) {
	owner, err := wallet("wallet", b.Wallet)
	if err != nil {
		return b, err
	}
	payer := owner
	if b.PayerWallet != "" {
		if payer, err = wallet("payer_wallet", b.PayerWallet); err != nil {
			return b, err
		}
	}
	b.Wallet, b.PayerWallet = owner, payer
	if !slices.Contains(s.options.Roles, b.PrincipalRole) {
		return b, Invalid("principal_role", "principal_role must be one of %s.", strings.Join(s.options.Roles, ", "))
	}
	return b, first(
		text("offer_id", b.OfferID, 1, maxText), text("org_root_id", b.OrgRootID, 1, maxText),
		text("principal_id", b.PrincipalID, 1, maxText), text("workspace_id", b.WorkspaceID, 0, maxText),
	)
}

// oneOf checks an enumeration.
func oneOf[T ~string](field string, value T, of ...T) error {
	if slices.Contains(of, value) {
		return nil
	}
	names := make([]string, len(of))
	for i, v := range of {
		names[i] = string(v)
	}
	return Invalid(field, "%s must be one of %s.", field, strings.Join(names, ", "))
}
