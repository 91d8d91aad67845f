package catalog

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/egress"
	"github.com/v402/v402/x402"
)

// PaymentConfig says how access is paid and given. Every zero field has the
// default that stands beside it.
type PaymentConfig struct {
	// Secret is what the keys of providers are derived from, which sign access
	// tokens and content URLs: at least 32 bytes. If nil, one is made that is lost
	// with the process.
	Secret []byte
	// OldSecrets verify what earlier ones signed.
	OldSecrets [][]byte

	// PublicURL is where clients reach the handler, such as
	// "https://shop.example"; scheme and host of each request if empty.
	PublicURL string

	Timeout        time.Duration // to pay after the price was told; 15 min
	FeeBasisPoints int64         // of each payment, for the facilitator; 250 is 2.5 %, and the default; below zero is none
	SettleTimeout  time.Duration // 90 s
	ContentTTL     time.Duration // how long a signed content URL is good; 15 min
	ClockSkew      time.Duration // by which a block may seem older than a payment that it pays; 2 min

	// Confirmations are how deep a transaction must be to prove a payment:
	// [DefaultConfirmations] where a network is not listed.
	Confirmations map[x402.Network]uint64

	// Price computes the price of a dynamic product that has no QuoteURL.
	Price func(context.Context, PriceRequest) (x402.Amount, error)
	// QuoteGrace is how long a price that was told can be paid beyond Timeout; 2 min.
	QuoteGrace time.Duration

	// Buyer takes the place of [Config.Authenticate] where content is asked for: it
	// also returns the address that the sender of a request has proven to own by a
	// signature, empty if it proved none. The user may be nobody who has proven one.
	// An account.Service has it as Caller.
	Buyer func(*http.Request) (u account.User, payer string, err error)

	// Refund pays a refund out and returns the transaction. It may be called again
	// with the same refund, and must pay once. If nil, refunds stay owed.
	Refund func(context.Context, Payment, Refund) (transaction string, err error)

	// AllowLoopback lets content and quote URLs be of this machine: for development.
	AllowLoopback bool
	MaxContent    int64         // bytes that the proxy passes on at most; 1 GiB
	ContentWait   time.Duration // for the headers of what the proxy fetches; 30 s
	ContentTime   time.Duration // for all of it; 10 min

	// Guarded are routes that are for sale beside products: discovery lists them. A
	// resource that is a path is one of PublicURL.
	Guarded   []x402.DiscoveredResource
	WellKnown WellKnown

	ExpireEvery time.Duration // how often Run looks after open payments; 10 s
}

// DefaultConfirmations are enough for a payment to be final, network by network;
// 1 where none is listed.
var DefaultConfirmations = map[x402.Network]uint64{
	x402.Ethereum: 3, x402.Base: 1, x402.Polygon: 20, x402.Arbitrum: 1, x402.Optimism: 1, x402.BSC: 10, x402.Solana: 32,
}

const minSecret = 32 // bytes

func (c PaymentConfig) withDefaults() (PaymentConfig, error) {
	if c.Secret == nil {
		c.Secret = make([]byte, minSecret)
		_, _ = rand.Read(c.Secret) // never fails
	}
	for _, secret := range append([][]byte{c.Secret}, c.OldSecrets...) {
		if len(secret) < minSecret {
			return c, errors.New("catalog: PaymentConfig.Secret and OldSecrets must have at least 32 bytes")
		}
	}
	if c.FeeBasisPoints > 10_000 {
		return c, errors.New("catalog: PaymentConfig.FeeBasisPoints is above 10000, which is the whole payment")
	}
	switch {
	case c.FeeBasisPoints == 0:
		c.FeeBasisPoints = 250
	case c.FeeBasisPoints < 0:
		c.FeeBasisPoints = 0
	}
	for _, d := range []struct {
		value     *time.Duration
		byDefault time.Duration
	}{
		{&c.Timeout, 15 * time.Minute}, {&c.SettleTimeout, 90 * time.Second}, {&c.ContentTTL, 15 * time.Minute}, {&c.ClockSkew, 2 * time.Minute},
		{&c.QuoteGrace, 2 * time.Minute}, {&c.ContentWait, 30 * time.Second}, {&c.ContentTime, 10 * time.Minute}, {&c.ExpireEvery, 10 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.byDefault
		}
	}
	if c.Timeout%time.Second != 0 || c.Timeout > 24*time.Hour {
		return c, errors.New("catalog: PaymentConfig.Timeout must be whole seconds, at most a day")
	}
	if c.MaxContent <= 0 {
		c.MaxContent = 1 << 30
	}
	c.WellKnown = c.WellKnown.withDefaults()
	c.Confirmations = maps.Clone(c.Confirmations)
	return c, nil
}

// confirmations are how deep a transaction on n must be.
func (c PaymentConfig) confirmations(n x402.Network) uint64 {
	if depth, ok := c.Confirmations[n]; ok {
		return max(depth, 1)
	}
	return max(DefaultConfirmations[n], 1)
}

func (c PaymentConfig) policy() egress.Policy { return egress.Policy{Loopback: c.AllowLoopback} }

// keyPrefix begins the keys of providers.
const contentKeyPrefix = "ck_"

// ContentKey is the key of a provider, with which package content verifies that
// its products were paid for. It is the provider's secret and ours.
func (s *Service) ContentKey(ownerID string) string {
	return contentKey(s.options.Payments.Secret, ownerID)
}

// contentKeys are the keys that verify what was signed for a provider.
func (s *Service) contentKeys(ownerID string) []string {
	keys := []string{s.ContentKey(ownerID)}
	for _, secret := range s.options.Payments.OldSecrets {
		keys = append(keys, contentKey(secret, ownerID))
	}
	return keys
}

func contentKey(secret []byte, ownerID string) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("v402 content key\n" + ownerID))
	return contentKeyPrefix + hex.EncodeToString(mac.Sum(nil))
}
