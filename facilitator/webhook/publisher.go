package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/egress"
	"github.com/v402/v402/internal/seal"
	"github.com/v402/v402/store"
)

// Config says what a [Publisher] works with. Only Store is required.
type Config struct {
	Store Store // required

	// Audiences tell who hears of an event: the sum of what they say.
	Audiences []Audience
	// Admits says whether an owner may hear of anything now, such as a user who is
	// not suspended. Nothing is queued for one who may not, and what was is given up
	// when it is due: it can be sent again later. Nil admits all.
	Admits func(ctx context.Context, ownerID string) (bool, error)
	// Directories find direct recipients by the directory's name.
	Directories map[string]Directory

	// Consumers are called with every event, in this process or another that
	// shares the store, at least once and at times more than once: they must be
	// idempotent by the event's ID. One that fails is called again later, with
	// growing pauses, and so are all others; what recipients hear does not wait
	// for it. A call ends with its context after ConsumerTimeout.
	Consumers       []func(context.Context, store.Event) error
	ConsumerTimeout time.Duration // 10 s if zero

	// EventTypes are what endpoints can subscribe to: CatalogEvents if nil.
	EventTypes []string
	// MaxEndpoints is how many endpoints an owner may have: 50 if zero.
	MaxEndpoints int

	// EncryptionKey seals signing secrets at rest: 16, 24 or 32 bytes. If nil, one
	// is made that is lost with the process: for tests and the memory store only.
	EncryptionKey []byte
	// OldEncryptionKeys open what earlier keys sealed.
	OldEncryptionKeys [][]byte

	// AllowLocalhost lets endpoints be at this machine, and there by http: for
	// development only.
	AllowLocalhost bool
	// AllowNetworks are let through though their addresses are not public.
	AllowNetworks []netip.Prefix
	// Transport is what requests are sent with, in place of one that connects to
	// public addresses only: whoever sets it must see to that.
	Transport http.RoundTripper

	// Authenticate says whose request it is, or returns an error of package account.
	// Nil admits nobody.
	Authenticate func(*http.Request) (account.User, error)
	Limits       *account.Limits // of requests; nil limits nothing

	Owner       string // of leases: a name that no other process has; made if empty
	Concurrency int    // recipients that are told at once: 64 if zero; beside them up to four times as many that take long to answer
	PerEndpoint int    // requests to one recipient at once: 4 if zero

	Timeout       time.Duration // of one request: 10 s if zero, at most 30 s
	Retries       int           // after the first attempt: 5 if zero, none if negative
	RetryBase     time.Duration // before the first retry, doubled each time: 60 s if zero
	RetryMax      time.Duration // between attempts at most, also where Retry-After asks for more: 1 h if zero
	DisableAfter  time.Duration // of nothing but failures, or a direct recipient is paused: 5 days if zero
	Retention     time.Duration // of deliveries, whatever became of them: 30 days if zero
	SecretOverlap time.Duration // how long a secret signs after it was rotated: 24 h if zero
	Poll          time.Duration // how often the store is looked at: 1 s if zero

	Now    func() time.Time // time.Now if nil
	Logger *slog.Logger     // slog.Default() if nil
}

// Publisher hands events of the outbox to those who must hear of them. It is
// safe for concurrent use.
type Publisher struct {
	store   Store
	options Config
	sealer  *seal.Sealer
	client  *http.Client
	log     *slog.Logger
	wake    [lanes]chan struct{} // each holds a token when deliveries were queued here
	long    chan struct{}        // a token for each batch that takes long
}

// New returns a Publisher. It does no I/O.
func New(c Config) (*Publisher, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	sealer, err := seal.New("v402 webhook key ", c.EncryptionKey, c.OldEncryptionKeys)
	if err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	c = c.withDefaults()
	if c.EncryptionKey == nil {
		c.Logger.Warn("webhook: Config.EncryptionKey is not set: signing secrets cannot be read after this process ends")
	}
	transport := c.Transport
	if transport == nil {
		transport = egress.NewTransport(c.policy())
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	p := &Publisher{store: c.Store, options: c, sealer: sealer, client: client, log: c.Logger}
	p.options.Consumers = append(slices.Clone(c.Consumers), p.forget)
	const longest = 4 // for each batch that may run, so many may take long
	p.long = make(chan struct{}, longest*c.Concurrency)
	for i := range p.wake {
		p.wake[i] = make(chan struct{}, 1)
	}
	return p, nil
}

func (c *Config) policy() egress.Policy {
	return egress.Policy{Loopback: c.AllowLocalhost, Networks: c.AllowNetworks}
}

func (c *Config) check() error {
	for name := range c.Directories {
		if name == "" || strings.Contains(name, ":") {
			return fmt.Errorf("webhook: the name %q in Config.Directories is empty or has a colon", name)
		}
	}
	for _, d := range []time.Duration{c.ConsumerTimeout, c.Timeout, c.RetryBase, c.RetryMax, c.DisableAfter, c.Retention, c.SecretOverlap, c.Poll} {
		if d < 0 {
			return errors.New("webhook: a duration in Config is negative")
		}
	}
	switch {
	case c.Store == nil:
		return errors.New("webhook: Config.Store is required, such as memory.New()")
	case c.Timeout > maxTimeout:
		return fmt.Errorf("webhook: Config.Timeout is at most %s", maxTimeout)
	case c.Concurrency < 0 || c.PerEndpoint < 0 || c.MaxEndpoints < 0:
		return errors.New("webhook: Config.Concurrency, PerEndpoint and MaxEndpoints must not be negative")
	}
	return nil
}

// maxTimeout bounds Config.Timeout.
const maxTimeout = 30 * time.Second

func (c Config) withDefaults() Config {
	c.ConsumerTimeout = cmp.Or(c.ConsumerTimeout, 10*time.Second)
	c.MaxEndpoints = cmp.Or(c.MaxEndpoints, 50)
	c.Owner = cmp.Or(c.Owner, uuid.NewString())
	c.Concurrency = cmp.Or(c.Concurrency, 64)
	c.PerEndpoint = cmp.Or(c.PerEndpoint, 4)
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	c.Retries = max(cmp.Or(c.Retries, 5), 0)
	c.RetryBase = cmp.Or(c.RetryBase, time.Minute)
	c.RetryMax = cmp.Or(c.RetryMax, time.Hour)
	c.DisableAfter = cmp.Or(c.DisableAfter, 5*24*time.Hour)
	c.Retention = cmp.Or(c.Retention, 30*24*time.Hour)
	c.SecretOverlap = cmp.Or(c.SecretOverlap, 24*time.Hour)
	c.Poll = cmp.Or(c.Poll, time.Second)
	c.EventTypes = slices.Clone(c.EventTypes)
	if c.EventTypes == nil {
		c.EventTypes = slices.Clone(CatalogEvents)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// now is the time in UTC, as exact as stores keep it.
func (p *Publisher) now() time.Time { return p.options.Now().UTC().Truncate(time.Microsecond) }
