package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/webhook/signature"
	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/store"
)

// Registration is a new endpoint.
type Registration struct {
	URL         string
	Events      []string // types, or [AllEvents]
	Description string
	Secret      string // see signature.ParseSecret; made if empty
}

// Created is an endpoint with a secret that is shown this once.
type Created struct {
	Endpoint
	Secret string
}

// Bounds of an endpoint.
const (
	maxURL         = 1000 // characters
	maxDescription = 500
)

// AddEndpoint registers an endpoint of an owner; [ErrTooMany].
func (p *Publisher) AddEndpoint(ctx context.Context, ownerID string, in Registration) (Created, error) {
	now := p.now()
	e := Endpoint{
		ID: "wh-" + ulid.Make().String(), OwnerID: ownerID, URL: in.URL, Description: in.Description, Events: distinct(in.Events),
		Status: EndpointActive, CreatedAt: now, UpdatedAt: now,
	}
	f := p.check(&e)
	secret := in.Secret
	if secret == "" {
		secret = signature.NewSecret()
	}
	checkSecret(&f, secret)
	if err := f.Err(); err != nil {
		return Created{}, err
	}
	e.Secrets = []SealedSecret{p.sealSecret(e.ID, secret, now)}
	trail := account.Trail{Audit: audited(now, ownerID, "webhook.create", e.ID, map[string]any{"host": hostOf(e.URL), "events": e.Events})}
	if err := p.store.AddWebhook(ctx, e, p.options.MaxEndpoints, trail); err != nil {
		return Created{}, refusal(err, nil, "add an endpoint")
	}
	return Created{e, secret}, nil
}

// check looks at what an owner says of an endpoint.
func (p *Publisher) check(e *Endpoint) v402api.Faults {
	var f v402api.Faults
	f.Required("url", e.URL, maxURL)
	if !f.Has("url") {
		if _, err := p.options.policy().Check(e.URL); err != nil {
			f.Add("url", v402api.InvalidURL, err.Error())
		}
	}
	f.Text("description", e.Description, maxDescription)
	if len(e.Events) == 0 {
		f.Add("events", v402api.Required, "events must name at least one type, or "+AllEvents)
	}
	for i, name := range e.Events {
		if name != AllEvents && !slices.Contains(p.options.EventTypes, name) {
			f.Add(fmt.Sprintf("events.%d", i), v402api.InvalidEnum, fmt.Sprintf("events has %.50q, which is no type; see event_types", name))
		}
	}
	return f
}

func checkSecret(f *v402api.Faults, secret string) {
	if _, err := signature.ParseSecret(secret); err != nil {
		f.Add("secret", v402api.InvalidFormat, err.Error())
	}
}

// distinct is list without what it says twice.
func distinct(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// EventTypes are what endpoints can subscribe to.
func (p *Publisher) EventTypes() []string { return slices.Clone(p.options.EventTypes) }

// Endpoint returns an endpoint of an owner; ErrWebhookUnknown, also for those of
// others.
func (p *Publisher) Endpoint(ctx context.Context, ownerID, id string) (Endpoint, error) {
	e, err := p.store.Webhook(ctx, id)
	if err == nil && e.OwnerID != ownerID {
		return Endpoint{}, ErrWebhookUnknown
	}
	return e, refusal(err, ErrWebhookUnknown, "read an endpoint")
}

// Endpoints lists the endpoints of an owner, the newest first.
func (p *Publisher) Endpoints(ctx context.Context, ownerID string, page store.PageNumber) (store.List[Endpoint], error) {
	if ownerID == "" {
		return store.List[Endpoint]{}, nil // for a store that means all
	}
	l, err := p.store.Webhooks(ctx, ownerID, page)
	return l, refusal(err, nil, "list endpoints")
}

// Change is what to change of an endpoint; nil leaves it as it is.
type Change struct {
	URL         *string
	Events      *[]string
	Description *string
	Status      *EndpointStatus
}

// UpdateEndpoint changes an endpoint of an owner. One that is made active begins
// with a clean record, and what is pending to it is sent.
func (p *Publisher) UpdateEndpoint(ctx context.Context, ownerID, id string, in Change) (Endpoint, error) {
	now := p.now()
	e, err := p.store.UpdateWebhook(ctx, id, func(e *Endpoint) (account.Trail, error) {
		if e.OwnerID != ownerID {
			return account.Trail{}, ErrWebhookUnknown
		}
		before := *e
		if err := p.apply(e, in, now); err != nil {
			return account.Trail{}, err
		}
		detail := difference(before, *e)
		if len(detail) == 0 {
			return account.Trail{}, nil
		}
		e.UpdatedAt = now
		return account.Trail{Audit: audited(now, ownerID, "webhook.update", id, detail)}, nil
	})
	if err == nil {
		p.queued()
	}
	return e, refusal(err, ErrWebhookUnknown, "update an endpoint")
}

func (p *Publisher) apply(e *Endpoint, in Change, now time.Time) error {
	if in.URL != nil {
		e.URL = *in.URL
	}
	if in.Events != nil {
		e.Events = distinct(*in.Events)
	}
	if in.Description != nil {
		e.Description = *in.Description
	}
	f := p.check(e)
	if in.Status != nil {
		v402api.Enum(&f, "status", *in.Status, EndpointActive, EndpointDisabled)
		switch {
		case *in.Status == EndpointActive && e.Status != EndpointActive:
			e.enable(now)
		case *in.Status == EndpointDisabled && e.Status == EndpointActive:
			e.disable(DisabledByOwner, now)
		}
	}
	return f.Err()
}

// difference is what an owner has changed of an endpoint.
func difference(before, after Endpoint) map[string]any {
	detail := map[string]any{}
	if after.URL != before.URL {
		detail["host"], detail["previous_host"] = hostOf(after.URL), hostOf(before.URL)
	}
	if !slices.Equal(after.Events, before.Events) {
		detail["events"] = after.Events
	}
	if after.Description != before.Description {
		detail["description"] = after.Description
	}
	if after.Status != before.Status {
		detail["status"] = after.Status
	}
	return detail
}

// DeleteEndpoint deletes an endpoint of an owner and its deliveries.
func (p *Publisher) DeleteEndpoint(ctx context.Context, ownerID, id string) error {
	return p.deleteEndpoint(ctx, ownerID, ownerID, id)
}

func (p *Publisher) deleteEndpoint(ctx context.Context, actor, ownerID, id string) error {
	now := p.now()
	err := p.store.DeleteWebhook(ctx, id, func(e Endpoint) (account.Trail, error) {
		if e.OwnerID != ownerID {
			return account.Trail{}, ErrWebhookUnknown
		}
		return account.Trail{Audit: audited(now, actor, "webhook.delete", id, map[string]any{"host": hostOf(e.URL)})}, nil
	})
	return refusal(err, ErrWebhookUnknown, "delete an endpoint")
}

// forget deletes the endpoints of a user who was deleted.
func (p *Publisher) forget(ctx context.Context, e store.Event) error {
	var u account.UserEvent
	if e.Type != account.EventDeleted || json.Unmarshal(e.Data, &u) != nil {
		return nil
	}
	for {
		l, err := p.Endpoints(ctx, u.UserID, store.PageNumber{Size: store.MaxLimit})
		if err != nil || len(l.Items) == 0 {
			return err
		}
		for _, e := range l.Items {
			if err := p.deleteEndpoint(ctx, byPublisher, u.UserID, e.ID); err != nil && !errors.Is(err, ErrWebhookUnknown) {
				return err
			}
		}
	}
}

// RotateSecret gives an endpoint another secret: the one given, or one that is
// made if it is empty. The secret that was the newest signs beside it for
// Config.SecretOverlap; an older one does not any more.
func (p *Publisher) RotateSecret(ctx context.Context, ownerID, id, secret string) (Created, error) {
	if secret == "" {
		secret = signature.NewSecret()
	}
	var f v402api.Faults
	checkSecret(&f, secret)
	if err := f.Err(); err != nil {
		return Created{}, err
	}
	now := p.now()
	sealed := p.sealSecret(id, secret, now)
	e, err := p.store.UpdateWebhook(ctx, id, func(e *Endpoint) (account.Trail, error) {
		if e.OwnerID != ownerID {
			return account.Trail{}, ErrWebhookUnknown
		}
		old := e.live(now)
		old = old[:min(1, len(old))]
		for i := range old {
			old[i].ExpiresAt = now.Add(p.options.SecretOverlap)
		}
		e.Secrets, e.UpdatedAt = append([]SealedSecret{sealed}, old...), now
		return account.Trail{Audit: audited(now, ownerID, "webhook.rotate_secret", id, nil)}, nil
	})
	if err != nil {
		return Created{}, refusal(err, ErrWebhookUnknown, "rotate a secret")
	}
	return Created{e, secret}, nil
}

// testEvent is the data of webhook.test.
type testEvent struct {
	WebhookID string `json:"webhook_id"`
	Message   string `json:"message"`
}

// SendTest queues an event of the type [EventTest] for an active endpoint of an
// owner, and returns its delivery, whose log shows what came of it.
func (p *Publisher) SendTest(ctx context.Context, ownerID, id string) (Delivery, error) {
	e, err := p.Endpoint(ctx, ownerID, id)
	if err != nil {
		return Delivery{}, err
	}
	if e.Status != EndpointActive {
		return Delivery{}, ErrWebhookDisabled
	}
	data, err := json.Marshal(testEvent{WebhookID: id, Message: "This is a test."})
	if err != nil {
		return Delivery{}, err
	}
	now := p.now()
	d, err := p.store.QueueEvent(ctx, id, store.Event{ID: uuid.NewString(), Type: EventTest, Subject: id, Data: data, CreatedAt: now}, now)
	if err == nil {
		p.queued()
	}
	return d, refusal(err, ErrWebhookUnknown, "queue a test")
}
