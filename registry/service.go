package registry

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/v402/v402/internal/seal"
)

// Config says what a [Service] works with. Only Store is required for use
// without HTTP.
type Config struct {
	Store Store // required

	// Admin admits a request to the admin routes and names who it is for the
	// audit log, or returns [ErrAdminRequired] or [ErrAdminForbidden]. Nil admits
	// nobody. See [BearerToken].
	Admin func(*http.Request) (actor string, err error)

	// ClientAddr is the address of whoever sent a request, for rate limits:
	// r.RemoteAddr if nil. Behind a proxy, read what that proxy sets.
	ClientAddr func(*http.Request) string

	// EncryptionKey seals tax numbers, bank details and callback secrets at rest:
	// 16, 24 or 32 bytes. If nil, one is made that is lost with the process: for
	// tests and the memory store only.
	EncryptionKey []byte
	// OldEncryptionKeys open what earlier keys sealed.
	OldEncryptionKeys [][]byte

	// StrictCID wants ipfs_hash, metadata_cid and mirrored hashes to look like
	// CIDs: "Qm" and 44 characters of base58, or "b" and base32.
	StrictCID bool
	// CaseSensitiveHex keeps 0xAB and 0xab apart. By default hashes of "0x" and
	// hex digits are one whatever their case, and are shown as they were given.
	CaseSensitiveHex bool
	// MirrorByCopy lets a platform have one mirror for each mirrored hash, in
	// place of one for each publication.
	MirrorByCopy bool
	// RefuseSuspended makes contracts of suspended platforms invalid.
	RefuseSuspended bool
	// USDOnly refuses sales whose metadata has another currency.
	USDOnly bool
	// RefuseUnderreported refuses sales with less royalty than the contract's
	// terms ask for; by default they are stored and flagged.
	RefuseUnderreported bool
	// VoidWindow is how long after its report a sale can be voided; 30 days if zero.
	VoidWindow time.Duration
	// MinSettlement is carried forward below; 0 carries nothing.
	MinSettlement Money

	// PasswordCost is that of bcrypt; bcrypt.DefaultCost if zero.
	PasswordCost int

	Now    func() time.Time // time.Now if nil
	Logger *slog.Logger     // slog.Default() if nil
}

// Service is a registry. It is safe for concurrent use.
type Service struct {
	store   Store
	options Config
	sealer  *seal.Sealer
	log     *slog.Logger
}

// New returns a Service. It does no I/O.
func New(c Config) (*Service, error) {
	switch {
	case c.Store == nil:
		return nil, errors.New("registry: Config.Store is required, such as memory.New()")
	case c.VoidWindow < 0 || c.MinSettlement < 0:
		return nil, errors.New("registry: Config.VoidWindow and MinSettlement must not be negative")
	}
	sealer, err := seal.New("v402 registry key ", c.EncryptionKey, c.OldEncryptionKeys)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	if c.VoidWindow == 0 {
		c.VoidWindow = 30 * 24 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.EncryptionKey == nil {
		c.Logger.Warn("registry: Config.EncryptionKey is not set: tax numbers and bank details cannot be read after this process ends")
	}
	return &Service{store: c.Store, options: c, sealer: sealer, log: c.Logger}, nil
}

// now is the time in UTC, as exact as stores keep it.
func (s *Service) now() time.Time { return s.options.Now().UTC().Truncate(time.Microsecond) }
