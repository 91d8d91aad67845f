package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/webhook"
)

var webhookReplicaPromises = promises[[]WebhookStore]{
	"of all who add an endpoint at once as many succeed as are allowed": func(t *testing.T, replicas []WebhookStore) {
		_, errs := together(12, func(i int) (struct{}, error) {
			return struct{}{}, replicas[i%len(replicas)].AddWebhook(t.Context(), newEndpoint("ann", i), mostWebhooks, account.Trail{})
		})
		added := 0
		for _, err := range errs {
			if err == nil {
				added++
				continue
			}
			require.ErrorIs(t, err, webhook.ErrTooMany)
		}
		require.Equal(t, mostWebhooks, added)
	},
	"events are published by all at once, and each is delivered once to each": func(t *testing.T, replicas []WebhookStore) {
		const n = 60
		e := addEndpoint(t, replicas[0], "ann", 1, "*")
		emit(t, replicas[0], 0, n)
		_, errs := together(12, func(i int) (struct{}, error) {
			s, name := replicas[i%len(replicas)], fmt.Sprint("publisher-", i)
			events, err := s.LeaseEvents(t.Context(), name, at, at.Add(time.Minute), n/10)
			var list []webhook.Publication
			for _, event := range events {
				list = append(list, webhook.Publication{Event: event, Owners: []string{"ann"}, Queues: []string{"direct:x:1", "direct:x:2"}})
			}
			if err == nil {
				err = s.PublishEvents(t.Context(), name, list, at)
			}
			return struct{}{}, err
		})
		noErrors(t, errs)
		rest := pull(t, replicas[1], "rest", at, n)
		for _, queue := range []string{e.ID, "direct:x:1", "direct:x:2"} {
			all := append(deliveriesTo(t, replicas[2], queue), rest...)
			slices.Sort(all)
			require.Len(t, slices.Compact(all), n)
		}
	},
	"what is queued while old deliveries are deleted becomes due": func(t *testing.T, replicas []WebhookStore) {
		const rounds = 25
		e := addEndpoint(t, replicas[0], "ann", 1, "*")
		for n := range rounds {
			queue(t, replicas[0], e, 2*n, 2*n+1) // an old one, that is deleted
			_, errs := together(3, func(i int) (struct{}, error) {
				if i == 0 {
					_, err := replicas[0].PruneDeliveries(t.Context(), at.Add(time.Hour), 100)
					return struct{}{}, err
				}
				if i == 1 {
					_, err := replicas[1].UpdateWebhook(t.Context(), e.ID, func(*webhook.Endpoint) (account.Trail, error) { return account.Trail{}, nil })
					return struct{}{}, err
				}
				_, err := replicas[2].QueueEvent(t.Context(), e.ID, *event(2*n + 1), at.Add(2*time.Hour))
				return struct{}{}, err
			})
			noErrors(t, errs)
			batches := leaseDeliveries(t, replicas[n%3], "holder", at.Add(3*time.Hour), false)
			require.Len(t, batches, 1, "round %d", n)
			finishAll(t, replicas[0], "holder", batches[0], webhook.DeliveryDelivered)
		}
	},
	"a queue is held by one, and none of it is lost while more is queued": func(t *testing.T, replicas []WebhookStore) {
		const n = 40
		e := addEndpoint(t, replicas[0], "ann", 1)
		results, errs := together(n+9, func(i int) ([]string, error) {
			s := replicas[i%len(replicas)]
			if i < n {
				_, err := s.QueueEvent(t.Context(), e.ID, *event(i), at)
				return nil, err
			}
			return drain(t, s, fmt.Sprint("deliverer-", i))
		})
		noErrors(t, errs)
		last, err := drain(t, replicas[0], "last")
		require.NoError(t, err)
		got := append(slices.Concat(results...), last...)
		slices.Sort(got)
		want := make([]int, n)
		for i := range want {
			want[i] = i
		}
		require.Equal(t, eventIDs(want...), got)
	},
}

// drain delivers what is due until nothing is, and returns the events.
func drain(t *testing.T, s webhook.Store, holder string) ([]string, error) {
	var got []string
	for {
		batches, err := s.LeaseDeliveries(t.Context(), holder, at, at.Add(time.Minute), false, 5, 3)
		if err != nil || len(batches) == 0 {
			return got, err
		}
		for _, b := range batches {
			var outcomes []webhook.Outcome
			for _, d := range b.Deliveries {
				got = append(got, d.Event.ID)
				outcomes = append(outcomes, webhook.Outcome{ID: d.ID, Attempt: attempted(d.Attempts + 1), Status: webhook.DeliveryDelivered, NextAt: at})
			}
			if err := s.FinishDeliveries(t.Context(), holder, b.Queue, outcomes, unchanged, at); err != nil {
				return got, err
			}
		}
	}
}
