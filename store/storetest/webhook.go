package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/store"
)

// WebhookStore keeps webhooks beside a journal, whose events they hear of.
type WebhookStore interface {
	webhook.Store
	facilitator.Journal
	account.AuditStore
}

// TestWebhooks shows that open returns empty stores that keep endpoints and
// deliveries as [webhook.Store] promises, on so many replicas as are asked for.
func TestWebhooks(t *testing.T, open Open[WebhookStore]) {
	endpointPromises.run(t, open.one)
	publishPromises.run(t, open.one)
	deliveryPromises.run(t, open.one)
	deliveryLogPromises.run(t, open.one)
	webhookReplicaPromises.run(t, open.some(3))
}

// newEndpoint is the nth endpoint of owner.
func newEndpoint(owner string, n int, types ...string) webhook.Endpoint {
	return webhook.Endpoint{
		ID: fmt.Sprintf("wh-%s-%03d", owner, n), OwnerID: owner, URL: "https://example.com/hook?a=1", Description: "“mine”",
		Events: types, Status: webhook.EndpointActive,
		Secrets:   []webhook.SealedSecret{{Sealed: "v1:a", CreatedAt: at}, {Sealed: "v1:b", CreatedAt: at, ExpiresAt: at.Add(time.Hour)}},
		CreatedAt: at.Add(time.Duration(n) * time.Second), UpdatedAt: at,
	}
}

const mostWebhooks = 3

func addEndpoint(t *testing.T, s webhook.Store, owner string, n int, types ...string) webhook.Endpoint {
	t.Helper()
	e := newEndpoint(owner, n, types...)
	require.NoError(t, s.AddWebhook(t.Context(), e, mostWebhooks, account.Trail{}))
	return e
}

func loadEndpoint(t *testing.T, s webhook.Store, id string) webhook.Endpoint {
	t.Helper()
	e, err := s.Webhook(t.Context(), id)
	require.NoError(t, err)
	return e
}

func anyEndpoint(webhook.Endpoint) (account.Trail, error) { return account.Trail{}, nil }

var endpointPromises = promises[WebhookStore]{
	"an endpoint is kept as it was given": func(t *testing.T, s WebhookStore) {
		e := newEndpoint("ann", 1, "a.b", "*")
		e.Status, e.Reason, e.FailingSince, e.DisabledAt, e.DeliveredAt = webhook.EndpointDisabled, webhook.DisabledGone, at, at.Add(1), at.Add(2)
		e.DisabledAt, e.DeliveredAt = at.Add(time.Microsecond), at.Add(time.Second)
		require.NoError(t, s.AddWebhook(t.Context(), e, 1, account.Trail{}))
		require.Equal(t, e, loadEndpoint(t, s, e.ID))
		bare := webhook.Endpoint{ID: "wh-bare", OwnerID: "bob", Status: webhook.EndpointActive, CreatedAt: at, UpdatedAt: at}
		require.NoError(t, s.AddWebhook(t.Context(), bare, 1, account.Trail{}))
		got := loadEndpoint(t, s, bare.ID)
		require.Empty(t, got.Events)
		require.Zero(t, got.FailingSince)
	},
	"an owner has no more endpoints than are allowed": func(t *testing.T, s WebhookStore) {
		for n := range mostWebhooks {
			addEndpoint(t, s, "ann", n)
		}
		require.ErrorIs(t, s.AddWebhook(t.Context(), newEndpoint("ann", 9), mostWebhooks, account.Trail{}), webhook.ErrTooMany)
		addEndpoint(t, s, "bob", 1)
		require.NoError(t, s.DeleteWebhook(t.Context(), newEndpoint("ann", 1).ID, anyEndpoint))
		addEndpoint(t, s, "ann", 4)
		require.ErrorIs(t, s.AddWebhook(t.Context(), newEndpoint("ann", 9), mostWebhooks, account.Trail{}), webhook.ErrTooMany)
	},
	"a change is stored, but not of what never changes": func(t *testing.T, s WebhookStore) {
		e := addEndpoint(t, s, "ann", 1, "a")
		got, err := s.UpdateWebhook(t.Context(), e.ID, func(c *webhook.Endpoint) (account.Trail, error) {
			require.Equal(t, e, *c)
			c.ID, c.OwnerID, c.CreatedAt = "other", "other", at.Add(time.Hour)
			c.URL, c.Description, c.Events, c.Secrets = "https://b", "", []string{"b"}, nil
			c.Status, c.Reason, c.DisabledAt, c.UpdatedAt = webhook.EndpointDisabled, webhook.DisabledByOwner, at, at.Add(time.Minute)
			return account.Trail{}, nil
		})
		require.NoError(t, err)
		want := e
		want.URL, want.Description, want.Events, want.Secrets = "https://b", "", []string{"b"}, nil
		want.Status, want.Reason, want.DisabledAt, want.UpdatedAt = webhook.EndpointDisabled, webhook.DisabledByOwner, at, at.Add(time.Minute)
		require.Equal(t, want, got)
		require.Equal(t, want, loadEndpoint(t, s, e.ID))
	},
	"a change that is refused changes nothing": func(t *testing.T, s WebhookStore) {
		e := addEndpoint(t, s, "ann", 1, "a")
		_, err := s.UpdateWebhook(t.Context(), e.ID, func(c *webhook.Endpoint) (account.Trail, error) {
			c.URL, c.Events[0], c.Secrets[0].Sealed = "https://b", "b", "c"
			return accountTrail("change"), errRefused
		})
		require.ErrorIs(t, err, errRefused)
		require.ErrorIs(t, s.DeleteWebhook(t.Context(), e.ID, func(webhook.Endpoint) (account.Trail, error) {
			return accountTrail("delete"), errRefused
		}), errRefused)
		require.Equal(t, e, loadEndpoint(t, s, e.ID))
		actions, types := accountTrails(t, s)
		require.Empty(t, append(actions, types...))
	},
	"a change is saved with its trail": func(t *testing.T, s WebhookStore) {
		e := newEndpoint("ann", 1, "*")
		require.NoError(t, s.AddWebhook(t.Context(), e, 1, accountTrail("add")))
		require.ErrorIs(t, s.AddWebhook(t.Context(), newEndpoint("ann", 2), 1, accountTrail("add too many")), webhook.ErrTooMany)
		_, err := s.UpdateWebhook(t.Context(), e.ID, func(*webhook.Endpoint) (account.Trail, error) { return accountTrail("change"), nil })
		require.NoError(t, err)
		queue(t, s, e, 0, 2)
		finishAll(t, s, "a", leaseDeliveries(t, s, "a", at.Add(time.Hour), false)[0], webhook.DeliveryDead)
		replay := func(of webhook.DeliveryFilter) {
			_, err := s.ReplayDeliveries(t.Context(), of, 9, at, func(n int) account.Trail { return accountTrail(fmt.Sprint("replay ", n)) })
			require.NoError(t, err)
		}
		replay(webhook.DeliveryFilter{Queue: e.ID})
		replay(webhook.DeliveryFilter{Queue: e.ID})
		require.NoError(t, s.DeleteWebhook(t.Context(), e.ID, func(webhook.Endpoint) (account.Trail, error) { return accountTrail("delete"), nil }))
		actions, types := accountTrails(t, s)
		require.Equal(t, []string{"add", "change", "replay 2", "delete"}, actions)
		require.Equal(t, actions, types)
	},
	"what is not there is not found": func(t *testing.T, s WebhookStore) {
		_, err := s.Webhook(t.Context(), "no")
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.UpdateWebhook(t.Context(), "no", func(*webhook.Endpoint) (account.Trail, error) { return account.Trail{}, nil })
		require.ErrorIs(t, err, store.ErrNotFound)
		require.ErrorIs(t, s.DeleteWebhook(t.Context(), "no", anyEndpoint), store.ErrNotFound)
		_, err = s.QueueEvent(t.Context(), "no", *event(1), at)
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.WebhookDelivery(t.Context(), "no", "no")
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.RequeueDelivery(t.Context(), "no", "no", func(webhook.Delivery) error { return nil }, at)
		require.ErrorIs(t, err, store.ErrNotFound)
	},
	"endpoints are listed by owner, the newest first, in pages": func(t *testing.T, s WebhookStore) {
		for n := range mostWebhooks {
			addEndpoint(t, s, "ann", n)
		}
		addEndpoint(t, s, "bob", 7)
		l, err := s.Webhooks(t.Context(), "ann", store.PageNumber{Page: 1, Size: 2})
		require.NoError(t, err)
		require.EqualValues(t, 3, l.Total)
		require.Equal(t, []string{"wh-ann-002", "wh-ann-001"}, endpointIDs(l.Items))
		l, err = s.Webhooks(t.Context(), "ann", store.PageNumber{Page: 2, Size: 2})
		require.NoError(t, err)
		require.Equal(t, []string{"wh-ann-000"}, endpointIDs(l.Items))
		l, err = s.Webhooks(t.Context(), "", store.PageNumber{})
		require.NoError(t, err)
		require.EqualValues(t, 4, l.Total)
		l, err = s.Webhooks(t.Context(), "nobody", store.PageNumber{})
		require.NoError(t, err)
		require.Zero(t, l.Total)
		require.Empty(t, l.Items)
	},
	"a deleted endpoint leaves no deliveries": func(t *testing.T, s WebhookStore) {
		e := addEndpoint(t, s, "ann", 1)
		d, err := s.QueueEvent(t.Context(), e.ID, *event(1), at)
		require.NoError(t, err)
		require.NoError(t, s.DeleteWebhook(t.Context(), e.ID, anyEndpoint))
		_, err = s.WebhookDelivery(t.Context(), e.ID, d.ID)
		require.ErrorIs(t, err, store.ErrNotFound)
		require.Empty(t, leaseDeliveries(t, s, "a", at, false))
	},
	"nothing happens in a context that has ended": func(t *testing.T, s WebhookStore) {
		ctx := cancelled(t)
		require.Error(t, s.AddWebhook(ctx, newEndpoint("ann", 1), 1, account.Trail{}))
		_, err := s.Webhook(ctx, "x")
		require.Error(t, err)
		_, err = s.LeaseDeliveries(ctx, "a", at, at, false, 1, 1)
		require.Error(t, err)
		l, err := s.Webhooks(t.Context(), "", store.PageNumber{})
		require.NoError(t, err)
		require.Zero(t, l.Total)
	},
}

func endpointIDs(list []webhook.Endpoint) []string {
	ids := []string{}
	for _, e := range list {
		ids = append(ids, e.ID)
	}
	return ids
}

// emitted saves the events from first to before last and leases them to holder.
func emitted(t *testing.T, s WebhookStore, holder string, first, last int) []store.Event {
	t.Helper()
	emit(t, s, first, last)
	events, err := s.LeaseEvents(t.Context(), holder, at, at.Add(time.Minute), last-first)
	require.NoError(t, err)
	require.Len(t, events, last-first)
	return events
}

func publish(t *testing.T, s webhook.Store, holder string, list ...webhook.Publication) {
	t.Helper()
	require.NoError(t, s.PublishEvents(t.Context(), holder, list, at))
}

// deliveriesTo are the IDs of the events on their way to a queue, sorted.
func deliveriesTo(t *testing.T, s webhook.Store, queue string) []string {
	t.Helper()
	l, err := s.WebhookDeliveries(t.Context(), webhook.DeliveryFilter{Queue: queue}, store.PageNumber{Size: store.MaxLimit})
	require.NoError(t, err)
	ids := []string{}
	for _, d := range l.Items {
		ids = append(ids, d.Event.ID)
	}
	slices.Sort(ids)
	return ids
}

var publishPromises = promises[WebhookStore]{
	"an event goes to the endpoints of its owners that are active and subscribed, and to direct recipients": func(t *testing.T, s WebhookStore) {
		all, some := addEndpoint(t, s, "ann", 1, "*"), addEndpoint(t, s, "ann", 2, "x", facilitator.EventConfirmed)
		other, off := addEndpoint(t, s, "ann", 3, "x"), newEndpoint("bob", 1, "*")
		off.Status = webhook.EndpointDisabled
		require.NoError(t, s.AddWebhook(t.Context(), off, 1, account.Trail{}))
		strange := addEndpoint(t, s, "eve", 1, "*")
		events := emitted(t, s, "a", 0, 1)
		publish(t, s, "a", webhook.Publication{Event: events[0], Owners: []string{"ann", "bob", "ann", "nobody"}, Queues: []string{"direct:x:1", "direct:x:1"}})
		for _, queue := range []string{all.ID, some.ID, "direct:x:1"} {
			require.Equal(t, eventIDs(0), deliveriesTo(t, s, queue), queue)
		}
		for _, e := range []webhook.Endpoint{other, off, strange} {
			require.Empty(t, deliveriesTo(t, s, e.ID))
		}
		require.Empty(t, pull(t, s, "b", at.Add(time.Hour), 10), "the event has left the outbox")

		d, err := s.WebhookDelivery(t.Context(), all.ID, webhook.DeliveryID(all.ID, events[0].ID))
		require.NoError(t, err)
		events[0].CreatedAt = events[0].CreatedAt.UTC()
		require.Equal(t, webhook.Delivery{
			ID: d.ID, Queue: all.ID, Event: events[0], Status: webhook.DeliveryPending, NextAt: at, CreatedAt: at, UpdatedAt: at,
		}, d)
	},
	"an event that is held comes again, and what was queued is not queued twice": func(t *testing.T, s WebhookStore) {
		e := addEndpoint(t, s, "ann", 1, "*")
		events := emitted(t, s, "a", 0, 2)
		publish(t, s, "a", webhook.Publication{Event: events[0], Owners: []string{"ann"}, HoldUntil: at.Add(time.Hour)},
			webhook.Publication{Event: events[1], Owners: []string{"ann"}})
		require.Equal(t, eventIDs(0, 1), deliveriesTo(t, s, e.ID))
		require.Empty(t, pull(t, s, "b", at.Add(59*time.Minute), 10))
		require.Equal(t, eventIDs(0), pull(t, s, "b", at.Add(time.Hour), 10))
		batches := leaseDeliveries(t, s, "a", at, false)
		finishAll(t, s, "a", batches[0], webhook.DeliveryDelivered)
		publish(t, s, "b", webhook.Publication{Event: events[0], Owners: []string{"ann"}})
		require.Equal(t, eventIDs(0, 1), deliveriesTo(t, s, e.ID))
		require.Empty(t, leaseDeliveries(t, s, "a", at.Add(time.Hour), false), "and it is not sent again")
		require.Empty(t, pull(t, s, "b", at.Add(9*time.Hour), 10))
	},
	"an event that the holder lost is left alone, and goes nowhere": func(t *testing.T, s WebhookStore) {
		e := addEndpoint(t, s, "ann", 1, "*")
		events := emitted(t, s, "a", 0, 2)
		require.Equal(t, eventIDs(0, 1), pull(t, s, "b", at.Add(time.Minute), 10))
		publish(t, s, "a", webhook.Publication{Event: events[0], Owners: []string{"ann"}},
			webhook.Publication{Event: events[1], Owners: []string{"ann"}, HoldUntil: at.Add(9 * time.Hour)})
		require.Empty(t, deliveriesTo(t, s, e.ID))
		require.Equal(t, eventIDs(0, 1), pull(t, s, "c", at.Add(time.Hour), 10))
		publish(t, s, "a")
	},
	"many events and endpoints at once": func(t *testing.T, s WebhookStore) {
		var list []webhook.Publication
		for _, e := range emitted(t, s, "a", 0, 150) {
			list = append(list, webhook.Publication{Event: e, Owners: []string{"ann", "bob"}, Queues: []string{"direct:x:1"}})
		}
		ann, bob := addEndpoint(t, s, "ann", 1, "*"), addEndpoint(t, s, "bob", 1, "*")
		publish(t, s, "a", list...)
		for _, queue := range []string{ann.ID, bob.ID, "direct:x:1"} {
			require.Len(t, deliveriesTo(t, s, queue), 150)
		}
	},
	"an event can be queued for one endpoint by hand, whatever it subscribed to": func(t *testing.T, s WebhookStore) {
		e := addEndpoint(t, s, "ann", 1, "x")
		d, err := s.QueueEvent(t.Context(), e.ID, *event(1), at)
		require.NoError(t, err)
		require.Equal(t, webhook.DeliveryID(e.ID, event(1).ID), d.ID)
		batches := leaseDeliveries(t, s, "a", at, false)
		require.Len(t, batches, 1)
		require.Equal(t, e, *batches[0].Endpoint)
		require.Equal(t, []webhook.Delivery{d}, batches[0].Deliveries)
	},
}
