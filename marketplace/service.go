package marketplace

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

// Chain is asked whether a transaction has paid. Errors other than
// x402.ErrTransactionNotFound mean that it cannot say.
type Chain interface {
	Network() x402.Network
	Transaction(ctx context.Context, hash string) (x402.Transaction, error)
}

// SignatureChain is a [Chain] that also asks contract wallets about signatures
// (ERC-1271). An account that is no contract has signed nothing.
type SignatureChain interface {
	ValidSignature(ctx context.Context, wallet string, digest [32]byte, signature []byte) (bool, error)
}

// Currency is what offers of a chain are priced in.
type Currency struct {
	Code          string      // such as "USDC"
	Address       string      // of the token; empty for native coin
	Decimals      int         // 0 to 18
	MembershipFee x402.Amount // in atomic units; where the code begins with "USD" five units if zero, and never less
}

// ChainConfig says how things are paid on one EVM chain.
type ChainConfig struct {
	Network    x402.Network
	Chain      Chain  // nil: no transaction can be confirmed, only what x402 has settled
	Treasury   string // that gets the money; of this marketplace alone, since each transfer to it may pay a quote
	Currencies []Currency

	// Contract is a checkout contract: quotes of offers then call its
	// mintEntitlement(offerKey, wallet, policyHash). Empty pays the treasury by
	// itself.
	Contract string
	// Confirmations is how deep a transaction must be; 1 if zero.
	Confirmations uint64
}

// Config says what a [Service] works with. Store is required; without Chains
// nothing can be sold.
type Config struct {
	Store  Store
	Chains []ChainConfig

	// BundleMembership puts the activation of a membership on the first quote of
	// a wallet that has none, where an offer is for members. Otherwise that is
	// refused: [CodeMembershipRequired].
	BundleMembership bool
	// RequireContract refuses offers on chains without a checkout contract:
	// [CodeContractUnconfigured].
	RequireContract bool
	// ApproveOffers keeps an issuer's offers from becoming active before an admin
	// has approved them.
	ApproveOffers bool
	// PrivateEntitlements wants a wallet session to list entitlements; by default
	// they are public, as on a chain.
	PrivateEntitlements bool
	// Roles are the principal roles that buyers may have: org_root_owner and
	// workspace_member if nil.
	Roles []string

	// ProofNonces wants every [Proof] to have a nonce; see [Service.ProofNonce].
	ProofNonces bool
	// ProofMessage is what an owner signs: [ProofMessage] if nil.
	ProofMessage func(Proof) string

	QuoteTTL     time.Duration // how long a price stands; 15 minutes if zero
	ConfirmGrace time.Duration // how long after that a transaction that was mined in time counts; 24 hours if zero
	KeepQuotes   time.Duration // how long after it has expired a quote that bought nothing is kept; 30 days if zero, never less than ConfirmGrace
	ClockSkew    time.Duration // how far a block's time may be before the quote that it pays; 1 minute if zero
	ProofTTL     time.Duration // of a nonce; 5 minutes if zero
	SessionTTL   time.Duration // of a wallet session; 30 days if zero
	SeatTTL      time.Duration // after which an instance that was not seen loses its seat to another; never if zero

	// LicenceKey signs offline licence files; without it there are none.
	LicenceKey ed25519.PrivateKey
	LicenceTTL time.Duration // of a licence file; 7 days if zero

	// CacheSize is how many (wallet, offer) pairs are remembered; 100,000 if zero,
	// none if negative. CacheAge is how long at most: what another process has
	// changed is seen after that, or as soon as [Service.Observe] hears of it. 5
	// seconds if zero.
	CacheSize int
	CacheAge  time.Duration

	// Authenticate says who sent a request, for what issuers and admins may do. It
	// returns the zero Actor for strangers and an error for wrong credentials. An
	// Actor with an OwnerID acts for its issuer: see [Service.ActFor]. Nil:
	// everybody is a stranger.
	Authenticate func(*http.Request) (Actor, error)
	// RateLimit is how many changes one client who is neither admin nor issuer may
	// ask for within a minute; [DefaultRateLimit] if zero, any number if negative.
	RateLimit int
	// ClientAddr is the address of whoever sent a request, for rate limits:
	// r.RemoteAddr if nil. Behind a proxy, read what that proxy sets.
	ClientAddr func(*http.Request) string

	Clock  func() time.Time // time.Now if nil
	Logger *slog.Logger     // slog.Default() if nil
}

// DefaultRoles are those that buyers may have unless Config.Roles says otherwise.
var DefaultRoles = []string{RoleOwner, "workspace_member"}

// RoleOwner is who may pay for others of its organisation without a proof.
const RoleOwner = "org_root_owner"

// DefaultFee is that of a membership, in units of a dollar currency, and the least
// that it can be.
const DefaultFee = 5

// Service is a marketplace. It is safe for concurrent use.
type Service struct {
	store   Store
	options Config
	chains  map[uint64]*ChainConfig
	first   uint64 // chain ID of the first of Config.Chains
	cache   *cache
	log     *slog.Logger
}

// New returns a Service. It does no I/O.
func New(c Config) (*Service, error) {
	if c.Store == nil {
		return nil, errors.New("marketplace: Config.Store is required, such as memory.New()")
	}
	for name, d := range map[string]struct {
		value    *time.Duration
		standard time.Duration
	}{
		"QuoteTTL": {&c.QuoteTTL, 15 * time.Minute}, "ConfirmGrace": {&c.ConfirmGrace, 24 * time.Hour}, "ClockSkew": {&c.ClockSkew, time.Minute},
		"KeepQuotes": {&c.KeepQuotes, 30 * 24 * time.Hour}, "ProofTTL": {&c.ProofTTL, 5 * time.Minute}, "SessionTTL": {&c.SessionTTL, 30 * 24 * time.Hour},
		"LicenceTTL": {&c.LicenceTTL, 7 * 24 * time.Hour}, "CacheAge": {&c.CacheAge, 5 * time.Second}, "SeatTTL": {&c.SeatTTL, 0},
	} {
		if *d.value < 0 {
			return nil, fmt.Errorf("marketplace: Config.%s must not be negative", name)
		}
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	c.KeepQuotes = max(c.KeepQuotes, c.ConfirmGrace)
	if c.LicenceKey != nil && len(c.LicenceKey) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("marketplace: Config.LicenceKey has %d bytes, not %d", len(c.LicenceKey), ed25519.PrivateKeySize)
	}
	s := &Service{store: c.Store, chains: map[uint64]*ChainConfig{}}
	for i := range c.Chains {
		chain, id, err := checkChain(c.Chains[i])
		if err != nil {
			return nil, fmt.Errorf("marketplace: Config.Chains[%d]: %w", i, err)
		}
		if s.chains[id] != nil {
			return nil, fmt.Errorf("marketplace: Config.Chains[%d]: %s is there twice", i, chain.Network)
		}
		s.chains[id] = &chain
		if i == 0 {
			s.first = id
		}
	}
	if c.Roles == nil {
		c.Roles = DefaultRoles
	}
	if c.ProofMessage == nil {
		c.ProofMessage = ProofMessage
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	s.options, s.log, s.cache = c, c.Logger, newCache(c.CacheSize, c.CacheAge)
	return s, nil
}

// checkChain is c with its defaults, or what is wrong with it.
func checkChain(c ChainConfig) (ChainConfig, uint64, error) {
	id, ok := c.Network.ChainID()
	if !ok {
		return c, 0, fmt.Errorf("%q is not an EVM chain such as %q", c.Network, x402.Base)
	}
	if c.Chain != nil && c.Chain.Network() != c.Network {
		return c, 0, fmt.Errorf("its Chain is %s, not %s", c.Chain.Network(), c.Network)
	}
	for name, address := range map[string]string{"Treasury": c.Treasury, "Contract": c.Contract} {
		if _, err := evm.ParseAddress(address); err != nil && (address != "" || name == "Treasury") {
			return c, 0, fmt.Errorf("%s: %w", name, err)
		}
	}
	c.Currencies = slices.Clone(c.Currencies)
	seen := map[string]bool{}
	for i := range c.Currencies {
		cur := &c.Currencies[i]
		if _, err := evm.ParseAddress(cur.Address); err != nil && cur.Address != "" {
			return c, 0, fmt.Errorf("currency %s: %w", cur.Code, err)
		}
		if cur.Code == "" || seen[cur.Code] || cur.Decimals < 0 || cur.Decimals > maxDecimals {
			return c, 0, fmt.Errorf("currency %q: a code of its own and 0 to %d decimals are needed", cur.Code, maxDecimals)
		}
		seen[cur.Code] = true
		if strings.HasPrefix(cur.Code, "USD") {
			fee, err := x402.ParseAmount(fmt.Sprint(DefaultFee), cur.Decimals)
			switch {
			case err != nil:
				return c, 0, err
			case cur.MembershipFee.IsZero():
				cur.MembershipFee = fee
			case cur.MembershipFee.Cmp(fee) < 0:
				return c, 0, fmt.Errorf("currency %s: a MembershipFee of %d at least is needed", cur.Code, DefaultFee)
			}
		}
	}
	c.Confirmations = max(c.Confirmations, 1)
	return c, id, nil
}

// currency finds one by its code.
func (c *ChainConfig) currency(code string) (Currency, bool) {
	i := slices.IndexFunc(c.Currencies, func(cur Currency) bool { return cur.Code == code })
	if i < 0 {
		return Currency{}, false
	}
	return c.Currencies[i], true
}

// now is the time in UTC, as exact as stores keep it.
func (s *Service) now() time.Time { return s.options.Clock().UTC().Truncate(time.Microsecond) }

// Settings are those that s works with, all defaults filled in.
func (s *Service) Settings() Config { return s.options }

const maxDecimals = 18
