package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

// platformDirectory is where the platforms of the registry are found.
const platformDirectory = "platform"

// openPublisher tells the platforms of the registry what happens, at their
// api_endpoint. It is the one reader of the outbox; without a registry there is
// nobody to be told.
func openPublisher(room *registryRoom, dev bool, s webhook.Store, log *slog.Logger) (*webhook.Publisher, error) {
	if room == nil {
		return nil, nil
	}
	return webhook.New(webhook.Config{
		Store: s, EncryptionKey: room.key, AllowLocalhost: dev, Logger: log,
		Audiences:   []webhook.Audience{room.audience},
		Directories: map[string]webhook.Directory{platformDirectory: room.callback},
	})
}

// audience are the platforms that an event concerns.
func (room *registryRoom) audience(ctx context.Context, e store.Event) ([]webhook.Recipient, error) {
	ids, err := room.service.Audience(ctx, e)
	var list []webhook.Recipient
	for _, id := range ids {
		list = append(list, webhook.Recipient{Direct: webhook.Direct{Directory: platformDirectory, Key: strconv.FormatInt(id, 10)}})
	}
	return list, err
}

// callback is where a platform hears of events.
func (room *registryRoom) callback(ctx context.Context, key string) (webhook.Target, error) {
	id, err := strconv.ParseInt(key, 10, 64)
	if err != nil {
		return webhook.Target{}, fmt.Errorf("%w: %w", webhook.ErrGone, err)
	}
	c, err := room.service.Callback(ctx, id)
	if errors.Is(err, registry.ErrNoCallback) {
		err = fmt.Errorf("%w: %w", webhook.ErrGone, err)
	}
	return webhook.Target{URL: c.URL, Secrets: c.Secrets}, err
}
