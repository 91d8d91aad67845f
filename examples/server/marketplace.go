package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/middleware"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// parseLicenceKey reads the seed of an Ed25519 key in hex; nil for none.
func parseLicenceKey(s string) (ed25519.PrivateKey, error) {
	if s == "" {
		return nil, nil
	}
	seed, err := hex.DecodeString(s)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, errors.New("V402_LICENCE_KEY is not 32 bytes in hexadecimal; make one with: openssl rand -hex 32")
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// marketRoom is the marketplace of offers, quotes and entitlements.
type marketRoom struct {
	service *marketplace.Service
	handler http.Handler // of everything under /marketplace/ and /secret/
	offer   string       // that is for sale from the start; empty for none
	runs    []func(context.Context) error
}

// marketStore is what a marketplace keeps in its store.
type marketStore interface {
	marketplace.Store
	middleware.Claims
}

// openMarketplace returns nil if there is nobody to pay. In dev mode one offer is
// for sale from the start.
func openMarketplace(ctx context.Context, c config, dev bool, chains []facilitator.Chain, accounts *account.Service, f x402.Facilitator, s marketStore, log *slog.Logger) (*marketRoom, error) {
	if c.payTo == "" {
		return nil, nil
	}
	room := &marketRoom{}
	licences := c.licenceKey
	if licences == nil && dev {
		licences = ed25519.NewKeyFromSeed(bytes.Repeat([]byte("dev!"), ed25519.SeedSize/4)) // everybody knows it, as all keys in dev mode
	}
	service, err := marketplace.New(marketplace.Config{
		Store: s, Chains: marketChains(c, chains), BundleMembership: true, LicenceKey: licences, Logger: log, Authenticate: marketActors(accounts),
	})
	if err != nil {
		return nil, err
	}
	room.service = service
	till, pay, err := newTill(c, service, f, s, log)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", service.Handler())
	mux.Handle("/marketplace/checkout/pay/", pay)
	room.handler = mux
	room.runs = []func(context.Context) error{till.Run, func(ctx context.Context) error {
		if err := service.Run(ctx); ctx.Err() == nil {
			return err
		}
		return nil
	}}
	if dev {
		room.offer = "edut.governance.core"
		err = seedMarketplace(ctx, service, marketplace.Actor{Name: "system", Admin: true}, room.offer)
	}
	return room, err
}

// marketActors knows admins and the owners of issuers by their accounts.
func marketActors(accounts *account.Service) func(*http.Request) (marketplace.Actor, error) {
	return func(r *http.Request) (marketplace.Actor, error) {
		u, err := accounts.Authenticate(r)
		switch {
		case errors.Is(err, account.ErrUnauthenticated):
			return marketplace.Actor{}, nil
		case err != nil:
			return marketplace.Actor{}, marketRefusal(err)
		case u.IsAdmin():
			return marketplace.Actor{Name: "admin:" + u.ID, Admin: true}, nil
		default:
			return marketplace.Actor{Name: "user:" + u.ID, OwnerID: u.ID}, nil
		}
	}
}

// marketRefusal says in the marketplace's form why somebody is not admitted.
func marketRefusal(err error) error {
	var refused *account.Error
	switch {
	case errors.Is(err, account.ErrChainUnavailable), !errors.As(err, &refused):
		return err
	case errors.Is(err, account.ErrSuspended), errors.Is(err, account.ErrBanned), errors.Is(err, account.ErrPending):
		return marketplace.Refuse(marketplace.CodeForbidden, "%s.", refused.Message)
	default:
		return marketplace.Refuse(marketplace.CodeUnauthorized, "%s.", refused.Message)
	}
}

// audience is the user who acts for the issuer that an event concerns.
func (room *marketRoom) audience(ctx context.Context, e store.Event) ([]webhook.Recipient, error) {
	owner, err := room.service.EventOwner(ctx, e)
	return []webhook.Recipient{{OwnerID: owner}}, err
}

// marketChains takes the default stablecoin and the native coin of each chain.
func marketChains(c config, chains []facilitator.Chain) []marketplace.ChainConfig {
	var out []marketplace.ChainConfig
	for _, chain := range chains {
		looks, ok := chain.(marketplace.Chain)
		if !ok {
			continue
		}
		m := marketplace.ChainConfig{Network: looks.Network(), Chain: looks, Treasury: c.payTo, Confirmations: c.confirmations}
		if usd, err := x402.DefaultAssets().Default(m.Network); err == nil {
			m.Currencies = append(m.Currencies, marketplace.Currency{Code: usd.Symbol, Address: usd.Address, Decimals: usd.Decimals})
		}
		m.Currencies = append(m.Currencies, marketplace.Currency{Code: "ETH", Decimals: 18})
		out = append(out, m)
	}
	return out
}

// newTill is where quotes are paid by x402: behind one guard for each chain.
func newTill(c config, service *marketplace.Service, f x402.Facilitator, claims middleware.Claims, log *slog.Logger) (*marketplace.Till, http.Handler, error) {
	const pattern = "POST /marketplace/checkout/pay/{quote_id}"
	till, err := service.NewTill(marketplace.TillConfig{Facilitator: f, Paid: func(ctx context.Context) (marketplace.TillPayment, bool) {
		p, ok := middleware.PaymentFrom(ctx)
		if !ok {
			return marketplace.TillPayment{}, false
		}
		return marketplace.TillPayment{Key: p.Key, Settled: p.Settled, Transaction: p.Transaction}, true
	}})
	if err != nil {
		return nil, nil, err
	}
	var pay http.Handler = till
	for _, chain := range c.chains {
		usd, err := x402.DefaultAssets().Default(chain.network)
		if err != nil {
			continue // nothing that is paid by signature
		}
		guard, err := middleware.New(middleware.Config{
			Facilitator: f, Claims: claims, PublicURL: c.publicURL, Logger: log,
			Hooks: middleware.Hooks{BeforeSettle: func(ctx context.Context, a middleware.Attempt) error {
				return till.Reserve(ctx, a.Request, a.Payment)
			}},
			Routes: []middleware.Route{{
				Pattern: pattern, Mode: middleware.SettleBefore, Resource: x402.ResourceInfo{Description: "A licence", MimeType: "application/json"},
				Offers: []middleware.Offer{{
					Network: chain.network, Asset: usd.Address, PriceFunc: till.Price(chain.network, usd.Address), PayToFunc: till.PayTo,
				}},
			}},
		})
		if err != nil {
			return nil, nil, err
		}
		pay = guard.Wrap(pay)
	}
	return till, pay, nil
}

// seedMarketplace puts one offer up for sale, unless it is there.
func seedMarketplace(ctx context.Context, s *marketplace.Service, admin marketplace.Actor, id string) error {
	if _, err := s.Offer(ctx, id); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if _, err := s.PutIssuer(ctx, admin, "edut.firstparty", marketplace.IssuerUpdate{Name: "EDUT"}); err != nil {
		return err
	}
	const price, devChain = 499_000_000, 84532
	if _, err := s.CreateOffer(ctx, admin, marketplace.OfferInput{
		ID: id, IssuerID: "edut.firstparty", Title: "EDUT Governance Core", Summary: "First paid runtime license.", LineLabel: "Governance Core License",
		Pricing:  marketplace.Pricing{Currency: "USDC", Amount: x402.NewAmount(price), Decimals: 6, ChainID: devChain},
		Policies: marketplace.Policies{MemberOnly: true, WorkspaceBound: true, InternalUseOnly: true},
	}); err != nil {
		return err
	}
	_, err := s.SetOfferStatus(ctx, admin, id, marketplace.OfferActive)
	return err
}

// welcome says where the marketplace is and what it sells.
func (room *marketRoom) welcome(out io.Writer, url string) {
	if room == nil {
		return
	}
	fmt.Fprintf(out, "  marketplace of licences on %s/marketplace/openapi.yaml\n", url)
	if room.offer != "" {
		fmt.Fprintf(out, "  it sells %s/marketplace/offers/%s\n", url, room.offer)
	}
}
