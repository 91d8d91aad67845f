package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
)

// hearers are those who hear of events: each part of the server adds its own.
type hearers struct {
	consumers   []func(context.Context, store.Event) error
	audiences   []webhook.Audience
	directories map[string]webhook.Directory
}

// openWebhooks returns what tells all hearers, and owners at their webhooks. If
// there is no key to encrypt with it has no API to register any. In dev mode it
// has one that everybody knows, as all keys are there.
func openWebhooks(c config, dev bool, to hearers, accounts *account.Service, limits *account.Limits, s webhook.Store, log *slog.Logger) (p *webhook.Publisher, served bool, err error) {
	key := c.webhookKey
	if key == nil && dev {
		key = bytes.Repeat([]byte("dev!"), keySize/4)
	}
	served = key != nil
	if !served {
		key = make([]byte, keySize) // nothing is sealed with it
	}
	p, err = webhook.New(webhook.Config{
		Store: s, EncryptionKey: key, AllowLocalhost: dev, Authenticate: accounts.Authenticate, Limits: limits, Logger: log,
		Admits: admits(accounts), Consumers: to.consumers, Directories: to.directories, EventTypes: slices.Concat(webhook.CatalogEvents, marketplace.Events),
		Audiences: append([]webhook.Audience{webhook.OwnerIn("owner_id")}, to.audiences...),
	})
	return p, served, err
}

// admits refuses users who are not active. Who is no user is an admin of the
// configuration.
func admits(accounts *account.Service) func(context.Context, string) (bool, error) {
	return func(ctx context.Context, id string) (bool, error) {
		u, err := accounts.User(ctx, id)
		if errors.Is(err, account.ErrUserUnknown) {
			return true, nil
		}
		return u.Status == account.StatusActive, err
	}
}
