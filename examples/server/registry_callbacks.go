package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

// platformDirectory is where the platforms of the registry are found.
const platformDirectory = "platform"

// hearers are the platforms of the registry, at their api_endpoint; nobody if
// there is none.
func (room *registryRoom) hearers() hearers {
	if room == nil {
		return hearers{}
	}
	return hearers{
		audiences:   []webhook.Audience{room.audience},
		directories: map[string]webhook.Directory{platformDirectory: room.callback},
	}
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
