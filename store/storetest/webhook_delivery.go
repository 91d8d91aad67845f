package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/store"
)

// leaseDeliveries leases up to 100 queues to holder, for a minute.
func leaseDeliveries(t *testing.T, s webhook.Store, holder string, now time.Time, failing bool) []webhook.Batch {
	t.Helper()
	batches, err := s.LeaseDeliveries(t.Context(), holder, now, now.Add(time.Minute), failing, 100, 100)
	require.NoError(t, err)
	return batches
}

// attempted is the nth attempt.
func attempted(n int) webhook.Attempt {
	return webhook.Attempt{N: n, At: at, DurationMS: 12, StatusCode: 500, Response: "“no”\n", Error: "the answer was 500"}
}

func unchanged(*webhook.Endpoint, *webhook.Standing) account.Trail { return account.Trail{} }

func unrecorded(int) account.Trail { return account.Trail{} }

// finishAll records one outcome for all of a batch; what stays pending is due in
// an hour.
func finishAll(t *testing.T, s webhook.Store, holder string, b webhook.Batch, to webhook.DeliveryStatus) {
	t.Helper()
	require.NoError(t, s.FinishDeliveries(t.Context(), holder, b.Queue, outcomesOf(b, to), unchanged, at))
}

// finishAs does the same for the holder "a", and changes the recipient.
func finishAs(t *testing.T, s webhook.Store, b webhook.Batch, to webhook.DeliveryStatus, change func(*webhook.Endpoint, *webhook.Standing) account.Trail) {
	t.Helper()
	require.NoError(t, s.FinishDeliveries(t.Context(), "a", b.Queue, outcomesOf(b, to), change, at))
}

func outcomesOf(b webhook.Batch, to webhook.DeliveryStatus) []webhook.Outcome {
	var outcomes []webhook.Outcome
	for _, d := range b.Deliveries {
		outcomes = append(outcomes, webhook.Outcome{ID: d.ID, Attempt: attempted(d.Attempts + 1), Status: to, NextAt: at.Add(time.Hour)})
	}
	return outcomes
}

// queue queues the events from first to before last for an endpoint.
func queue(t *testing.T, s webhook.Store, e webhook.Endpoint, first, last int) []webhook.Delivery {
	t.Helper()
	var list []webhook.Delivery
	for n := first; n < last; n++ {
		d, err := s.QueueEvent(t.Context(), e.ID, *event(n), at.Add(time.Duration(n)*time.Second))
		require.NoError(t, err)
		list = append(list, d)
	}
	return list
}

func queuesOf(batches []webhook.Batch) []string {
	names := []string{}
	for _, b := range batches {
		names = append(names, b.Queue)
	}
	return names
}

var deliveryPromises = promises[WebhookStore]{
	"what is due is leased by recipient, the oldest first, to one holder": func(t *testing.T, s WebhookStore) {
		e, other := addEndpoint(t, s, "ann", 1), addEndpoint(t, s, "bob", 1)
		mine := queue(t, s, e, 0, 3)
		queue(t, s, other, 5, 6)
		batches, err := s.LeaseDeliveries(t.Context(), "a", at.Add(time.Second), at.Add(time.Minute), false, 100, 1)
		require.NoError(t, err)
		require.Equal(t, []string{e.ID}, queuesOf(batches), "nothing of the other is due")
		require.Equal(t, mine[:1], batches[0].Deliveries)
		later := at.Add(30 * time.Second)
		require.Equal(t, []string{other.ID}, queuesOf(leaseDeliveries(t, s, "b", later, false)), "the first is held")
		batches = leaseDeliveries(t, s, "b", at.Add(time.Minute), false)
		require.Equal(t, []string{e.ID}, queuesOf(batches), "until its lease has run out")
		require.Equal(t, mine, batches[0].Deliveries)
	},
	"the longest due queues are leased first": func(t *testing.T, s WebhookStore) {
		for n := range 3 {
			queue(t, s, addEndpoint(t, s, "ann", n), 2-n, 3-n)
		}
		var got []string
		for range 3 {
			batches, err := s.LeaseDeliveries(t.Context(), "a", at.Add(time.Hour), at.Add(2*time.Hour), false, 1, 1)
			require.NoError(t, err)
			got = append(got, queuesOf(batches)...)
		}
		require.Equal(t, []string{"wh-ann-002", "wh-ann-001", "wh-ann-000"}, got)
		batches, err := s.LeaseDeliveries(t.Context(), "a", at.Add(time.Hour), at.Add(2*time.Hour), false, 0, 1)
		require.NoError(t, err)
		require.Empty(t, batches)
	},
	"what was delivered or given up is not due again": func(t *testing.T, s WebhookStore) {
		e := addEndpoint(t, s, "ann", 1)
		list := queue(t, s, e, 0, 3)
		now := at.Add(time.Minute)
		leaseDeliveries(t, s, "a", now, false)
		outcomes := []webhook.Outcome{
			{ID: list[0].ID, Attempt: attempted(1), Status: webhook.DeliveryDelivered},
			{ID: list[1].ID, Attempt: attempted(1), Status: webhook.DeliveryDead},
			{ID: list[2].ID, Attempt: attempted(1), Status: webhook.DeliveryPending, NextAt: now.Add(time.Hour)},
		}
		require.NoError(t, s.FinishDeliveries(t.Context(), "a", e.ID, outcomes, unchanged, now))
		require.Empty(t, leaseDeliveries(t, s, "b", now.Add(59*time.Minute), false))
		batches := leaseDeliveries(t, s, "b", now.Add(time.Hour), false)
		require.Len(t, batches, 1)
		want := list[2]
		want.Attempts, want.Failures, want.Log = 1, 1, []webhook.Attempt{attempted(1)}
		want.NextAt, want.UpdatedAt = now.Add(time.Hour), now
		require.Equal(t, []webhook.Delivery{want}, batches[0].Deliveries)
		got, err := s.WebhookDelivery(t.Context(), e.ID, list[0].ID)
		require.NoError(t, err)
		require.Equal(t, webhook.DeliveryDelivered, got.Status)
		require.Equal(t, 1, got.Attempts)
		require.Zero(t, got.Failures)
	},
	"an attempt is recorded once, also by a holder that lost the queue": func(t *testing.T, s WebhookStore) {
		e := addEndpoint(t, s, "ann", 1)
		d := queue(t, s, e, 0, 1)[0]
		leaseDeliveries(t, s, "a", at, false)
		leaseDeliveries(t, s, "b", at.Add(time.Minute), false)
		outcome := []webhook.Outcome{{ID: d.ID, Attempt: attempted(1), Status: webhook.DeliveryPending, NextAt: at}}
		require.NoError(t, s.FinishDeliveries(t.Context(), "a", e.ID, outcome, unchanged, at))
		require.Empty(t, append(leaseDeliveries(t, s, "c", at.Add(time.Minute), false), leaseDeliveries(t, s, "c", at.Add(time.Minute), true)...),
			"the queue is held by another still")
		require.NoError(t, s.FinishDeliveries(t.Context(), "b", e.ID, outcome, unchanged, at))
		got, err := s.WebhookDelivery(t.Context(), e.ID, d.ID)
		require.NoError(t, err)
		require.Equal(t, 1, got.Attempts)
		require.Len(t, got.Log, 1)

		outcome[0].Attempt.N, outcome[0].Status = 2, webhook.DeliveryDelivered
		require.NoError(t, s.FinishDeliveries(t.Context(), "b", e.ID, outcome, unchanged, at))
		outcome[0].Attempt.N, outcome[0].Status = 3, webhook.DeliveryPending
		require.NoError(t, s.FinishDeliveries(t.Context(), "b", e.ID, outcome, unchanged, at))
		got, err = s.WebhookDelivery(t.Context(), e.ID, d.ID)
		require.NoError(t, err)
		require.Equal(t, webhook.DeliveryDelivered, got.Status, "what is delivered stays so")
		require.NoError(t, s.FinishDeliveries(t.Context(), "b", "no such queue", nil, unchanged, at))
	},
	"queues whose last batch had no success are a lane of their own": func(t *testing.T, s WebhookStore) {
		e, other := addEndpoint(t, s, "ann", 1), addEndpoint(t, s, "bob", 1)
		queue(t, s, e, 0, 2)
		queue(t, s, other, 0, 1)
		now := at.Add(time.Minute)
		for _, b := range leaseDeliveries(t, s, "a", now, false) {
			if b.Queue == e.ID {
				finishAll(t, s, "a", b, webhook.DeliveryPending)
				continue
			}
			finishAll(t, s, "a", b, webhook.DeliveryDelivered)
		}
		queue(t, s, e, 5, 6)
		queue(t, s, other, 5, 6)
		require.Equal(t, []string{other.ID}, queuesOf(leaseDeliveries(t, s, "a", now, false)))
		batches := leaseDeliveries(t, s, "a", now, true)
		require.Equal(t, []string{e.ID}, queuesOf(batches))
		require.NoError(t, s.FinishDeliveries(t.Context(), "a", e.ID, nil, unchanged, now))
		require.Len(t, leaseDeliveries(t, s, "a", now, true), 1, "nothing was attempted, nothing is known")
		finishAll(t, s, "a", batches[0], webhook.DeliveryDelivered)
		require.Empty(t, leaseDeliveries(t, s, "a", at.Add(9*time.Hour), true), "one success, and it is healthy")
		require.Len(t, leaseDeliveries(t, s, "a", at.Add(9*time.Hour), false), 2)
	},
	"the endpoint is changed with what came of its deliveries, and others hear of it": func(t *testing.T, s WebhookStore) {
		e := addEndpoint(t, s, "ann", 1)
		list := queue(t, s, e, 0, 2)
		leaseDeliveries(t, s, "a", at, false)
		outcomes := []webhook.Outcome{{ID: list[0].ID, Attempt: attempted(1), Status: webhook.DeliveryDead}}
		require.NoError(t, s.FinishDeliveries(t.Context(), "a", e.ID, outcomes, func(c *webhook.Endpoint, none *webhook.Standing) account.Trail {
			require.Equal(t, e, *c)
			require.Nil(t, none)
			c.Status, c.Reason, c.DisabledAt, c.FailingSince = webhook.EndpointDisabled, webhook.DisabledGone, at, at
			return account.Trail{Events: []store.Event{*event(7)}}
		}, at))
		got := loadEndpoint(t, s, e.ID)
		require.Equal(t, webhook.DisabledGone, got.Reason)
		require.Equal(t, at, got.FailingSince)
		require.Equal(t, eventIDs(7), pull(t, s, "a", at, 10))

		later := at.Add(time.Hour)
		require.Empty(t, leaseDeliveries(t, s, "a", later, true), "what is pending waits")
		d := queue(t, s, e, 3, 4)[0]
		require.Equal(t, webhook.DeliveryPending, d.Status)
		require.Empty(t, leaseDeliveries(t, s, "a", later, true))
		_, err := s.UpdateWebhook(t.Context(), e.ID, func(c *webhook.Endpoint) (account.Trail, error) {
			c.Status = webhook.EndpointActive
			return account.Trail{}, nil
		})
		require.NoError(t, err)
		batches := leaseDeliveries(t, s, "a", later, true)
		require.Len(t, batches, 1, "and goes on once the endpoint is active")
		require.Equal(t, []string{list[1].ID, d.ID}, []string{batches[0].Deliveries[0].ID, batches[0].Deliveries[1].ID})
	},
	"a direct recipient has a standing in place of an endpoint": func(t *testing.T, s WebhookStore) {
		direct(t, s, 0, 3)
		batches := leaseDeliveries(t, s, "a", at, false)
		require.Len(t, batches, 1)
		require.Nil(t, batches[0].Endpoint)
		require.Zero(t, batches[0].Standing)
		require.Len(t, batches[0].Deliveries, 3)
		want := webhook.Standing{FailingSince: at, ProbeAt: at.Add(time.Hour)}
		finishAs(t, s, batches[0], webhook.DeliveryPending, func(e *webhook.Endpoint, standing *webhook.Standing) account.Trail {
			require.Nil(t, e)
			require.Zero(t, *standing)
			*standing = want
			return accountTrail("pause")
		})
		require.Empty(t, leaseDeliveries(t, s, "a", at.Add(time.Hour-1), true), "it is paused")
		direct(t, s, 3, 4)
		require.Empty(t, leaseDeliveries(t, s, "a", at.Add(time.Hour-1), true), "also for what is new")

		probe := at.Add(time.Hour)
		batches = leaseDeliveries(t, s, "a", probe, true)
		require.Len(t, batches, 1)
		require.Equal(t, want, batches[0].Standing)
		require.Len(t, batches[0].Deliveries, 1, "one is tried")
		finishAs(t, s, batches[0], webhook.DeliveryPending, func(_ *webhook.Endpoint, standing *webhook.Standing) account.Trail {
			require.Equal(t, want, *standing)
			standing.ProbeAt = at.Add(2 * time.Hour)
			return account.Trail{}
		})
		require.Empty(t, leaseDeliveries(t, s, "a", at.Add(2*time.Hour-1), true))
		batches = leaseDeliveries(t, s, "a", at.Add(2*time.Hour), true)
		finishAs(t, s, batches[0], webhook.DeliveryDelivered, func(_ *webhook.Endpoint, standing *webhook.Standing) account.Trail {
			*standing = webhook.Standing{}
			return accountTrail("resume")
		})
		batches = leaseDeliveries(t, s, "a", at.Add(2*time.Hour), false)
		require.Len(t, batches, 1)
		require.Zero(t, batches[0].Standing)
		require.Len(t, batches[0].Deliveries, 3, "what waited is due")
		actions, _ := accountTrails(t, s)
		require.Equal(t, []string{"pause", "resume"}, actions)
	},
}

const directQueue = "direct:x:1"

// direct publishes the events from first to before last to a direct recipient.
func direct(t *testing.T, s WebhookStore, first, last int) {
	t.Helper()
	var list []webhook.Publication
	for _, e := range emitted(t, s, "publisher", first, last) {
		list = append(list, webhook.Publication{Event: e, Queues: []string{directQueue}})
	}
	publish(t, s, "publisher", list...)
}

var deliveryLogPromises = promises[WebhookStore]{
	"a log keeps the last attempts": func(t *testing.T, s WebhookStore) {
		e := addEndpoint(t, s, "ann", 1)
		d := queue(t, s, e, 0, 1)[0]
		for n := range webhook.MaxLog + 3 {
			finishAll(t, s, "a", webhook.Batch{Queue: e.ID, Deliveries: []webhook.Delivery{{ID: d.ID, Attempts: n}}}, webhook.DeliveryPending)
		}
		got, err := s.WebhookDelivery(t.Context(), e.ID, d.ID)
		require.NoError(t, err)
		require.Len(t, got.Log, webhook.MaxLog)
		require.Equal(t, attempted(4), got.Log[0])
		require.Equal(t, webhook.MaxLog+3, got.Attempts)
	},
	"a delivery is queued again, if that is allowed, as the same one": func(t *testing.T, s WebhookStore) {
		e := addEndpoint(t, s, "ann", 1)
		d := queue(t, s, e, 0, 1)[0]
		finishAll(t, s, "a", leaseDeliveries(t, s, "a", at, false)[0], webhook.DeliveryDead)
		allowed := func(webhook.Delivery) error { return nil }
		_, err := s.RequeueDelivery(t.Context(), e.ID, d.ID, func(got webhook.Delivery) error {
			require.Equal(t, webhook.DeliveryDead, got.Status)
			return errRefused
		}, at)
		require.ErrorIs(t, err, errRefused)
		_, err = s.RequeueDelivery(t.Context(), "other", d.ID, allowed, at)
		require.ErrorIs(t, err, store.ErrNotFound)
		require.Empty(t, leaseDeliveries(t, s, "a", at.Add(time.Hour), true))

		again, err := s.RequeueDelivery(t.Context(), e.ID, d.ID, allowed, at.Add(time.Hour))
		require.NoError(t, err)
		require.Equal(t, webhook.DeliveryPending, again.Status)
		require.Equal(t, d.Event, again.Event)
		require.Equal(t, 1, again.Attempts)
		require.Zero(t, again.Failures)
		require.Equal(t, at.Add(time.Hour), again.NextAt)
		batches := leaseDeliveries(t, s, "a", at.Add(time.Hour), true)
		require.Equal(t, []webhook.Delivery{again}, batches[0].Deliveries)
	},
	"deliveries are replayed as they are selected": func(t *testing.T, s WebhookStore) {
		e, other := addEndpoint(t, s, "ann", 1), addEndpoint(t, s, "bob", 1)
		queue(t, s, e, 0, 4)
		queue(t, s, other, 0, 1)
		now := at.Add(time.Hour)
		for _, b := range leaseDeliveries(t, s, "a", now, false) {
			finishAll(t, s, "a", b, webhook.DeliveryDead)
		}
		n, err := s.ReplayDeliveries(t.Context(), webhook.DeliveryFilter{Queue: e.ID, From: at.Add(time.Second), To: at.Add(3 * time.Second)}, 1, now, unrecorded)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		n, err = s.ReplayDeliveries(t.Context(), webhook.DeliveryFilter{Queue: e.ID, From: at.Add(time.Second), To: at.Add(3 * time.Second)}, 9, now, unrecorded)
		require.NoError(t, err)
		require.Equal(t, 1, n, "what is pending is not replayed")
		n, err = s.ReplayDeliveries(t.Context(), webhook.DeliveryFilter{Queue: e.ID, Status: webhook.DeliveryDelivered}, 9, now, unrecorded)
		require.NoError(t, err)
		require.Zero(t, n)
		batches := leaseDeliveries(t, s, "a", now, true)
		require.Equal(t, []string{e.ID}, queuesOf(batches))
		require.Len(t, batches[0].Deliveries, 2)
	},
	"deliveries are listed as they are selected, the newest first": func(t *testing.T, s WebhookStore) {
		e := addEndpoint(t, s, "ann", 1)
		list := queue(t, s, e, 0, 5)
		dead := webhook.Batch{Queue: e.ID, Deliveries: list[1:3]}
		finishAll(t, s, "a", dead, webhook.DeliveryDead)
		for _, c := range []struct {
			filter webhook.DeliveryFilter
			page   store.PageNumber
			want   []int
			total  int64
		}{
			{webhook.DeliveryFilter{Queue: e.ID}, store.PageNumber{Size: 2}, []int{4, 3}, 5},
			{webhook.DeliveryFilter{Queue: e.ID}, store.PageNumber{Page: 3, Size: 2}, []int{0}, 5},
			{webhook.DeliveryFilter{Queue: e.ID, Status: webhook.DeliveryDead}, store.PageNumber{}, []int{2, 1}, 2},
			{webhook.DeliveryFilter{Queue: e.ID, EventType: event(0).Type}, store.PageNumber{Size: 1}, []int{4}, 5},
			{webhook.DeliveryFilter{Queue: e.ID, EventType: "x"}, store.PageNumber{}, nil, 0},
			{webhook.DeliveryFilter{EventID: event(3).ID}, store.PageNumber{}, []int{3}, 1},
			{webhook.DeliveryFilter{From: at.Add(time.Second), To: at.Add(3 * time.Second)}, store.PageNumber{}, []int{2, 1}, 2},
			{webhook.DeliveryFilter{Queue: "other"}, store.PageNumber{}, nil, 0},
		} {
			l, err := s.WebhookDeliveries(t.Context(), c.filter, c.page)
			require.NoError(t, err)
			require.Equal(t, c.total, l.Total)
			var got []int
			for _, d := range l.Items {
				got = append(got, slices.IndexFunc(list, func(other webhook.Delivery) bool { return other.ID == d.ID }))
			}
			require.Equal(t, c.want, got, "%+v", c)
		}
	},
	"old deliveries are deleted, a few at a time, and nothing of them is due": func(t *testing.T, s WebhookStore) {
		e := addEndpoint(t, s, "ann", 1)
		queue(t, s, e, 0, 5)
		n, err := s.PruneDeliveries(t.Context(), at.Add(4*time.Second), 3)
		require.NoError(t, err)
		require.Equal(t, 3, n)
		require.Equal(t, eventIDs(3, 4), deliveriesTo(t, s, e.ID))
		n, err = s.PruneDeliveries(t.Context(), at.Add(4*time.Second), 3)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		n, err = s.PruneDeliveries(t.Context(), at.Add(4*time.Second), 3)
		require.NoError(t, err)
		require.Zero(t, n)
		batches := leaseDeliveries(t, s, "a", at.Add(time.Hour), false)
		require.Len(t, batches[0].Deliveries, 1)
		finishAll(t, s, "a", batches[0], webhook.DeliveryDelivered)
		require.Empty(t, leaseDeliveries(t, s, "a", at.Add(time.Hour), false))
		_, err = s.QueueEvent(t.Context(), e.ID, *event(0), at.Add(time.Hour))
		require.NoError(t, err)
		require.Equal(t, eventIDs(0, 4), deliveriesTo(t, s, e.ID), "an event that was forgotten is known again")
	},
	"with its last delivery the standing of a direct recipient is forgotten": func(t *testing.T, s WebhookStore) {
		direct(t, s, 0, 2)
		pause := func(_ *webhook.Endpoint, standing *webhook.Standing) account.Trail {
			*standing = webhook.Standing{FailingSince: at, ProbeAt: at.Add(time.Hour)}
			return account.Trail{}
		}
		finishAs(t, s, leaseDeliveries(t, s, "a", at, false)[0], webhook.DeliveryDead, pause)
		prune := func(limit int) {
			_, err := s.PruneDeliveries(t.Context(), at.Add(time.Minute), limit)
			require.NoError(t, err)
		}
		prune(1)
		direct(t, s, 2, 3)
		require.Empty(t, leaseDeliveries(t, s, "a", at, true), "one delivery is kept still")
		finishAs(t, s, leaseDeliveries(t, s, "a", at.Add(time.Hour), true)[0], webhook.DeliveryDead, pause)
		prune(100)
		prune(100)
		direct(t, s, 3, 4)
		batches := leaseDeliveries(t, s, "a", at, false)
		require.Len(t, batches, 1)
		require.Zero(t, batches[0].Standing)
	},
}
