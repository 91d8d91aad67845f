package catalog_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
)

// denied are the events of a logbook.
func (l *logbook) denied(t *testing.T) (events []catalog.DeniedEvent) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		var d catalog.DeniedEvent
		require.NoError(t, json.Unmarshal(e.Data, &d))
		require.Equal(t, []string{catalog.EventAccessDenied, d.ProductID}, []string{e.Type, e.Subject})
		events = append(events, d)
	}
	return events
}

func TestAProviderHearsOnceAMinuteHowManyWereDenied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(logbook)
		s := book(t, l, catalog.LogConfig{Rate: 1, Burst: 2})
		defer running(t, s)()
		deny := func(payer string) time.Time {
			s.Record(tutorial, catalog.LogEntry{Status: catalog.LogDenied, Payer: payer}, "")
			return time.Now().UTC().Truncate(time.Millisecond)
		}
		deny("0x1")
		deny("0x2")
		first := deny("0x3")
		asked(s, 5)
		time.Sleep(2 * time.Second)
		require.Equal(t, []catalog.DeniedEvent{{OwnerID: "o1", ProductID: "p1", Attempts: 3, Payer: "0x3", At: first}}, l.denied(t))
		var last time.Time
		for range 40 {
			last = deny("")
			time.Sleep(time.Second)
		}
		require.Len(t, l.denied(t), 1)
		time.Sleep(30 * time.Second)
		require.Equal(t, catalog.DeniedEvent{OwnerID: "o1", ProductID: "p1", Attempts: 40, At: last}, l.denied(t)[1], "also those that are not in the log")
		time.Sleep(time.Hour)
		require.Len(t, l.denied(t), 2, "nothing more to tell")
		deny("")
		time.Sleep(2 * time.Second)
		require.Len(t, l.denied(t), 3)
	})
}

func TestNobodyFillsTheOutboxByBeingDenied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(logbook)
		s := book(t, l, catalog.LogConfig{})
		defer running(t, s)()
		for range 60 {
			for n := range 5000 {
				s.Record(catalog.Product{ID: fmt.Sprint(n), OwnerID: "o1"}, catalog.LogEntry{Status: catalog.LogDenied}, "")
			}
			time.Sleep(time.Second)
		}
		require.LessOrEqual(t, len(l.denied(t)), 2000, "in a minute and its end")
	})
}

func TestWhatWasDeniedIsToldOnceTheStoreTakesIt(t *testing.T) {
	t.Parallel()
	l := &logbook{broken: errors.New("the database is away")}
	s := book(t, l, catalog.LogConfig{})
	s.Record(tutorial, catalog.LogEntry{Status: catalog.LogDenied}, "")
	require.Error(t, s.FlushLog(t.Context()))
	l.breakDown(nil)
	require.NoError(t, s.FlushLog(t.Context()))
	require.NoError(t, s.FlushLog(t.Context()))
	require.Len(t, l.denied(t), 1)
}

func TestABadPaymentIsToldToTheProvider(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course")
	require.Equal(t, 402, s.access("course").Code)
	require.NoError(t, s.service.FlushLog(t.Context()))
	require.NotContains(t, s.events(), catalog.EventAccessDenied, "to be told the price is no denial")
	require.Equal(t, 402, s.access("course", "X-PAYMENT", "nonsense").Code)
	require.NoError(t, s.service.FlushLog(t.Context()))
	require.Contains(t, s.events(), catalog.EventAccessDenied)
}

func TestViewsOfManyProductsAreCountedAndTheMostViewedTold(t *testing.T) {
	t.Parallel()
	db, clock := memory.New(), noon
	s, err := catalog.New(catalog.Config{Store: db, Now: func() time.Time { return clock }})
	require.NoError(t, err)
	const products = 1500
	id := func(n int) string { return fmt.Sprintf("p%04d", n) }
	var list []catalog.Product
	for n := range products {
		list = append(list, catalog.Product{ID: id(n), OwnerID: "o1", Status: catalog.ProductActive})
	}
	require.NoError(t, db.AddProducts(t.Context(), list))
	look := func() (told map[string]bool) {
		for n := range products {
			for range 1 + n/1000 { // the last 500 twice
				_, err := s.Look(t.Context(), id(n))
				require.NoError(t, err)
			}
		}
		require.NoError(t, s.FlushViews(t.Context()))
		events, err := db.LeaseEvents(t.Context(), "reader", clock, clock, 10_000)
		require.NoError(t, err)
		told = map[string]bool{}
		for _, e := range events {
			told[e.Subject] = true
		}
		require.NoError(t, db.AckEvents(t.Context(), "reader", eventIDs(events)))
		return told
	}
	told := look()
	require.Len(t, told, 1000)
	for n := 1000; n < products; n++ {
		require.True(t, told[id(n)], "what is viewed most")
	}
	require.Empty(t, look())
	clock = clock.Add(3 * time.Second)
	require.Len(t, look(), 300)
	p, err := s.Product(t.Context(), id(0))
	require.NoError(t, err)
	require.EqualValues(t, 3, p.Views)
}

func eventIDs(events []store.Event) []string {
	ids := make([]string, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	return ids
}
