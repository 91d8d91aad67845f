package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/store"
)

// TestOutbox shows that open returns an empty outbox that keeps what
// [store.Outbox] promises. Events get into it through the journal beside it.
func TestOutbox(t *testing.T, open Open[EventJournal]) {
	outboxPromises.run(t, open.one)
}

// event is the nth event.
func event(n int) *store.Event {
	return &store.Event{
		ID: fmt.Sprintf("event-%05d", n), Type: facilitator.EventConfirmed, Subject: settlement(n).ID,
		Data: json.RawMessage(`{"amount":"10000"}`), CreatedAt: epoch.Add(-time.Duration(n) * time.Second),
	}
}

// emit confirms the settlements from first to before last, each with an event.
func emit(t *testing.T, s EventJournal, first, last int) {
	t.Helper()
	reserve(t, s, settlements(first, last)...)
	for n := first; n < last; n++ {
		require.True(t, finish(t, s, facilitator.Outcome{ID: settlement(n).ID, State: facilitator.Confirmed, Event: event(n)}))
	}
}

// pull leases events for a minute from now and returns their IDs.
func pull(t *testing.T, s store.Outbox, owner string, now time.Time, limit int) []string {
	t.Helper()
	events, err := s.LeaseEvents(t.Context(), owner, now, now.Add(time.Minute), limit)
	require.NoError(t, err)
	ids := []string{}
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

func eventIDs(ns ...int) []string {
	ids := []string{}
	for _, n := range ns {
		ids = append(ids, event(n).ID)
	}
	return ids
}

var outboxPromises = promises[EventJournal]{
	"an event is delivered as it was given": func(t *testing.T, s EventJournal) {
		emit(t, s, 1, 2)
		events, err := s.LeaseEvents(t.Context(), "a", epoch, epoch.Add(time.Minute), 10)
		require.NoError(t, err)
		require.Len(t, events, 1)
		events[0].CreatedAt = events[0].CreatedAt.In(epoch.Location())
		require.Equal(t, *event(1), events[0])
	},
	"events come in the order in which they were saved": func(t *testing.T, s EventJournal) {
		emit(t, s, 0, 5)
		reserve(t, s, settlements(5, 8)...)
		_, err := s.FinishSettlements(t.Context(), []facilitator.Outcome{
			{ID: settlement(7).ID, State: facilitator.Failed, Event: event(7)},
			{ID: settlement(5).ID, State: facilitator.Failed, Event: event(5)},
			{ID: settlement(6).ID, State: facilitator.Failed, Event: event(6)},
		})
		require.NoError(t, err)
		require.Equal(t, eventIDs(0, 1, 2), pull(t, s, "a", epoch, 3))
		require.Equal(t, eventIDs(3, 4, 7, 5, 6), pull(t, s, "a", epoch, 100))
	},
	"an event that somebody holds is not given to another, nor twice, until the lease runs out": func(t *testing.T, s EventJournal) {
		emit(t, s, 0, 3)
		require.Equal(t, eventIDs(0, 1), pull(t, s, "a", epoch, 2))
		require.Equal(t, eventIDs(2), pull(t, s, "b", epoch, 10))
		require.Empty(t, pull(t, s, "a", epoch.Add(59*time.Second), 10))
		require.Equal(t, eventIDs(0, 1, 2), pull(t, s, "b", epoch.Add(time.Minute), 10))
	},
	"an acknowledged event is gone": func(t *testing.T, s EventJournal) {
		emit(t, s, 0, 3)
		pull(t, s, "a", epoch, 10)
		require.NoError(t, s.AckEvents(t.Context(), "a", append(eventIDs(0, 2, 0), "no such event")))
		require.Equal(t, eventIDs(1), pull(t, s, "a", epoch.Add(time.Hour), 10))
		require.NoError(t, s.AckEvents(t.Context(), "a", nil))
	},
	"an event that the consumer lost is left alone": func(t *testing.T, s EventJournal) {
		emit(t, s, 0, 2)
		pull(t, s, "a", epoch, 10)
		later := epoch.Add(time.Hour)
		require.Equal(t, eventIDs(0), pull(t, s, "b", later, 1))
		require.NoError(t, s.AckEvents(t.Context(), "a", eventIDs(0, 1)))
		require.Equal(t, eventIDs(0), pull(t, s, "c", later.Add(time.Hour), 10))
		require.NoError(t, s.AckEvents(t.Context(), "b", eventIDs(0)))
		require.Equal(t, eventIDs(0), pull(t, s, "c", later.Add(2*time.Hour), 10))
	},
	"an event that nobody has leased is not acknowledged by anybody": func(t *testing.T, s EventJournal) {
		emit(t, s, 0, 1)
		require.NoError(t, s.AckEvents(t.Context(), "a", eventIDs(0)))
		require.Equal(t, eventIDs(0), pull(t, s, "a", epoch, 10))
	},
	"an event is saved only if the change took place": func(t *testing.T, s EventJournal) {
		emit(t, s, 0, 1)
		require.False(t, finish(t, s, facilitator.Outcome{ID: settlement(0).ID, State: facilitator.Failed, Event: event(1)}))
		require.False(t, finish(t, s, facilitator.Outcome{ID: "no", State: facilitator.Failed, Event: event(2)}))
		require.Equal(t, eventIDs(0), pull(t, s, "a", epoch, 10))
	},
	"an event ID that waits already is saved once": func(t *testing.T, s EventJournal) {
		reserve(t, s, settlements(0, 2)...)
		for n := range 2 {
			require.True(t, finish(t, s, facilitator.Outcome{ID: settlement(n).ID, State: facilitator.Failed, Event: event(0)}))
		}
		require.Equal(t, eventIDs(0), pull(t, s, "a", epoch, 10))
	},
	"many consumers at once get each event once": func(t *testing.T, s EventJournal) {
		reserve(t, s, settlements(0, 100)...)
		outcomes := make([]facilitator.Outcome, 100)
		for n := range outcomes {
			outcomes[n] = facilitator.Outcome{ID: settlement(n).ID, State: facilitator.Confirmed, Event: event(n)}
		}
		_, err := s.FinishSettlements(t.Context(), outcomes)
		require.NoError(t, err)
		results, errs := together(10, func(i int) ([]string, error) {
			name := fmt.Sprint("consumer-", i)
			events, err := s.LeaseEvents(t.Context(), name, epoch, epoch.Add(time.Minute), 20)
			ids := make([]string, 0, len(events))
			for _, e := range events {
				ids = append(ids, e.ID)
			}
			if err == nil {
				err = s.AckEvents(t.Context(), name, ids)
			}
			return ids, err
		})
		noErrors(t, errs)
		got := append(slices.Concat(results...), pull(t, s, "rest", epoch, 100)...)
		slices.Sort(got)
		want := make([]int, 100)
		for n := range want {
			want[n] = n
		}
		require.Equal(t, eventIDs(want...), got)
	},
	"a limit of nothing leases nothing": func(t *testing.T, s EventJournal) {
		emit(t, s, 0, 1)
		require.Empty(t, pull(t, s, "a", epoch, 0))
	},
}
