package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/v402/v402/middleware"
	"github.com/v402/v402/registry"
	"github.com/v402/v402/x402"
)

// keySize is that of the keys that encrypt, in bytes.
const keySize = 32

// parseKey reads the key in a variable, in hex; nil for none.
func parseKey(variable, s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	key, err := hex.DecodeString(s)
	if err != nil || len(key) != keySize {
		return nil, errors.New(variable + " is not 32 bytes in hexadecimal; make one with: openssl rand -hex 32")
	}
	return key, nil
}

// registryRoom is the registry of platforms, contracts and royalties.
type registryRoom struct {
	service *registry.Service
	handler http.Handler // of everything under /api/
}

// openRegistry returns nil if there is no key to encrypt with. In dev mode it
// has one that everybody knows, as all keys are there.
func openRegistry(c config, dev bool, f x402.Facilitator, store backend, log *slog.Logger) (*registryRoom, error) {
	key := c.registryKey
	switch {
	case key == nil && dev:
		key = bytes.Repeat([]byte("dev!"), keySize/4)
	case key == nil:
		return nil, nil
	}
	var room registryRoom
	var err error
	room.service, err = registry.New(registry.Config{
		Store: store, EncryptionKey: key, Admin: registry.BearerToken("token", c.adminToken), Logger: log,
	})
	if err != nil {
		return nil, err
	}
	room.handler, err = newRegistryTill(c, room.service, f, store, log)
	return &room, err
}

// newRegistryTill serves a registry whose settlements are paid in stablecoin on the
// chains of c, at the address that the payee has given.
func newRegistryTill(c config, service *registry.Service, f x402.Facilitator, claims middleware.Claims, log *slog.Logger) (http.Handler, error) {
	till, err := service.NewTill(registry.TillConfig{Facilitator: f, Paid: paidBy})
	if err != nil {
		return nil, err
	}
	var offers []middleware.Offer
	for _, chain := range c.chains {
		offers = append(offers, middleware.Offer{Network: chain.network, PriceFunc: till.Price, PayToFunc: till.PayTo})
	}
	guard, err := middleware.New(middleware.Config{
		Facilitator: f, Claims: claims, PublicURL: c.publicURL, Logger: log,
		Hooks: middleware.Hooks{BeforeSettle: func(ctx context.Context, a middleware.Attempt) error {
			return till.Reserve(ctx, a.Request, a.Payment)
		}},
		Routes: []middleware.Route{{
			Pattern: "POST /api/settlements/{id}/x402", Mode: middleware.SettleBefore, Offers: offers,
			Resource: x402.ResourceInfo{Description: "A settlement between two platforms", MimeType: "application/json"},
		}},
	})
	if err != nil {
		return nil, err
	}
	return guard.Wrap(till.Handler()), nil
}

// paidBy is what the guard knows of the payment of a request.
func paidBy(ctx context.Context) (registry.TillPayment, bool) {
	p, ok := middleware.PaymentFrom(ctx)
	if !ok {
		return registry.TillPayment{}, false
	}
	return registry.TillPayment{Key: p.Key, Settled: p.Settled, Transaction: p.Transaction}, true
}

// welcome says where the registry is.
func (room *registryRoom) welcome(out io.Writer, url string) {
	if room == nil {
		return
	}
	fmt.Fprintf(out, "  registry of contracts and royalties on %s/api/registry/openapi.yaml\n", url)
}
