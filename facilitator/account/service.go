package account

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/x402"
)

// Limits counts requests per minute. Give the same one to every domain behind
// /api/v1, so that they count together.
type Limits = v402api.Limits

// Rates says how many requests per minute are granted.
type Rates = v402api.Rates

// NewLimits returns limits with these rates.
func NewLimits(rates Rates) *Limits { return v402api.NewLimits(rates) }

// Chain knows the contract wallets of one EVM network. The package
// facilitator/evm has one.
type Chain interface {
	Network() x402.Network
	// ValidSignature says whether signature over digest is that of a wallet
	// (ERC-1271). An error means that the chain could not be asked.
	ValidSignature(ctx context.Context, wallet string, digest [32]byte, signature []byte) (bool, error)
}

// Config says what a [Service] works with. Only Store is required.
type Config struct {
	Store Store // required

	// AdminTokens are bearer tokens of super admins who are no users of the store,
	// such as the first one, by name. Whoever has that of "ada" is the user
	// "admin:ada".
	AdminTokens map[string]string

	// RequireApproval makes users who register wait for an admin.
	RequireApproval bool
	// AllowUnsignedPublicKey admits whoever names the public key of a user, which
	// proves nothing: for trials on one machine.
	AllowUnsignedPublicKey bool
	// Chains are asked whether a contract wallet signed. Without them only keys sign.
	Chains []Chain
	// Host is where clients find this facilitator, such as "shop.example" or
	// "localhost:4020". If set, wallets must sign for it: see [SigningText]. Without
	// it, whoever gets a signed request can send it to us within its time, such as
	// another facilitator that it was meant for.
	Host string

	MaxKeys int           // API keys of one user; 20 if zero
	MaxBody int64         // of a request that a wallet signs, in bytes; 10 MiB if zero
	Window  time.Duration // that the time of a signed request may differ from ours; 5 minutes if zero

	Limits *Limits          // nil limits nothing
	Now    func() time.Time // time.Now if nil
	Logger *slog.Logger     // slog.Default() if nil
}

// Service is an account service. It is safe for concurrent use.
type Service struct {
	store   Store
	options Config
	admins  []admin
	chains  map[x402.Network]Chain
	log     *slog.Logger
}

// admin is the holder of a static token.
type admin struct {
	user User
	sum  [sha256.Size]byte // of the token
}

// New returns a Service. It does no I/O.
func New(c Config) (*Service, error) {
	if c.Store == nil {
		return nil, errors.New("account: Config.Store is required, such as memory.New()")
	}
	if strings.Contains(c.Host, "/") {
		return nil, fmt.Errorf("account: Config.Host is a host such as shop.example, not a URL: %q", c.Host)
	}
	s := &Service{store: c.Store, chains: map[x402.Network]Chain{}}
	for name, token := range c.AdminTokens {
		if name == "" || token == "" || strings.HasPrefix(token, keyPrefix) {
			return nil, fmt.Errorf("account: Config.AdminTokens: %q needs a name and a token, which does not begin with %s as API keys do", name, keyPrefix)
		}
		u := User{ID: staticPrefix + name, Role: RoleSuperAdmin, Status: StatusActive, Username: name}
		s.admins = append(s.admins, admin{u, sha256.Sum256([]byte(token))})
	}
	for _, chain := range c.Chains {
		s.chains[chain.Network()] = chain
	}
	c.MaxKeys = cmp.Or(c.MaxKeys, 20)
	c.MaxBody = cmp.Or(c.MaxBody, 10<<20)
	c.Window = cmp.Or(c.Window, 5*time.Minute)
	if c.Now == nil {
		c.Now = time.Now
	}
	s.log = cmp.Or(c.Logger, slog.Default())
	s.options = c
	if c.AllowUnsignedPublicKey {
		s.log.Warn("account: AllowUnsignedPublicKey is set: whoever knows a user's public key is taken for that user")
	}
	return s, nil
}

// now is the time in UTC, as exact as stores keep it.
func (s *Service) now() time.Time { return s.options.Now().UTC().Truncate(time.Microsecond) }
