package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/store"
)

// consumer remembers the events it was called with.
type consumer struct {
	mu    sync.Mutex
	calls []string
	got   []store.Event
	at    []time.Time
	how   func(context.Context, store.Event) error // nil: well
}

func (c *consumer) consume(ctx context.Context, e store.Event) error {
	c.mu.Lock()
	c.calls, c.got, c.at = append(c.calls, e.ID), append(c.got, e), append(c.at, time.Now())
	how := c.how
	c.mu.Unlock()
	if how == nil {
		return nil
	}
	return how(ctx, e)
}

func (c *consumer) set(how func(context.Context, store.Event) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.how = how
}

// seen are the events it was called with, in order.
func (c *consumer) seen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

// events are the same as they were given.
func (c *consumer) events() []store.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.got)
}

func consuming(list ...*consumer) func(*webhook.Config) {
	return func(c *webhook.Config) {
		for _, one := range list {
			c.Consumers = append(c.Consumers, one.consume)
		}
	}
}

// fresh is the nth event of ann, of now.
func fresh(n int) store.Event {
	e := confirmed(ann, n)
	e.CreatedAt = time.Now()
	return e
}

func TestConsumersGetEveryEventInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := new(consumer), new(consumer)
		r := newRig(t, consuming(a, b))
		defer r.run()()
		var events []store.Event
		var want []string
		for n := range 200 {
			e := fresh(n)
			events, want = append(events, e), append(want, e.ID)
		}
		emit(t, r.store, events...)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, want, a.seen())
		require.Equal(t, want, b.seen())
	})
}

func TestAFailingConsumerGetsItsEventAgainAndNobodyWaitsForIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		good, bad := new(consumer), new(consumer)
		bad.set(func(_ context.Context, e store.Event) error {
			if e.ID == fresh(1).ID {
				return errors.New("not now")
			}
			return nil
		})
		r := newRig(t, consuming(bad, good))
		e := r.hook(ann, "https://a.example/")
		defer r.run()()
		emit(t, r.store, fresh(1), fresh(2))
		time.Sleep(2 * time.Second)
		require.Len(t, r.net.requests(), 2, "what recipients hear does not wait")
		require.Equal(t, []string{fresh(1).ID, fresh(2).ID}, bad.seen()[:2])
		require.Contains(t, good.seen(), fresh(1).ID)

		time.Sleep(time.Hour)
		var pauses []time.Duration
		calls := 0
		for i, id := range bad.seen() {
			if id == fresh(1).ID {
				if calls++; calls > 1 {
					pauses = append(pauses, bad.at[i].Sub(bad.at[0]))
				}
			}
		}
		require.Greater(t, calls, 12, "it is not forgotten")
		require.Less(t, calls, 30, "nor asked all the time")
		for i := range pauses[1:] {
			require.LessOrEqual(t, pauses[i+1], 2*pauses[i]+5*time.Second)
			require.LessOrEqual(t, pauses[i+1]-pauses[i], 5*time.Minute+2*time.Second)
		}

		bad.set(nil)
		time.Sleep(6 * time.Minute)
		before := len(bad.seen())
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Len(t, bad.seen(), before, "what was done is not done again")
		require.Len(t, r.net.requests(), 2, "nor sent again")
		require.Len(t, r.deliveries(e.ID), 2)
	})
}

func TestAConsumerThatPanicsOrHangsEndsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		panics, hangs, good := new(consumer), new(consumer), new(consumer)
		panics.set(func(context.Context, store.Event) error { panic("at the disco") })
		hangs.set(func(ctx context.Context, _ store.Event) error {
			<-ctx.Done()
			return ctx.Err()
		})
		r := newRig(t, consuming(panics, hangs, good))
		r.hook(ann, "https://a.example/")
		defer r.run()()
		var events []store.Event
		for n := range 50 {
			events = append(events, fresh(n))
		}
		emit(t, r.store, events...)
		time.Sleep(12 * time.Second)
		require.Len(t, r.net.requests(), 50, "the others wait for it once")
		require.Len(t, good.seen(), 50)
		require.Contains(t, r.log.String(), "at the disco")
		panics.set(nil)
		hangs.set(nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		left, err := r.store.LeaseEvents(t.Context(), "test", time.Now().Add(time.Hour), time.Now().Add(time.Hour), 100)
		require.NoError(t, err)
		require.Empty(t, left, "nothing is held back any more")
	})
}

func TestAPublisherThatEndsGivesBackWhatItHasNotDealtWith(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := new(consumer)
		slow.set(func(ctx context.Context, _ store.Event) error {
			<-ctx.Done()
			return ctx.Err()
		})
		r := newRig(t, consuming(slow))
		stop := r.run()
		emit(t, r.store, fresh(1), fresh(2), fresh(3))
		time.Sleep(3 * time.Second)
		stop()
		require.Len(t, slow.seen(), 1)
		slow.set(nil)
		defer rigOn(t, r.store, consuming(slow)).run()()
		time.Sleep(2 * time.Second)
		require.Equal(t, []string{fresh(2).ID, fresh(3).ID}, slow.seen()[1:3], "another goes on at once")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, fresh(1).ID, slow.seen()[3])
	})
}

func TestAnAudienceThatFailsIsAskedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var trouble error = errors.New("the database is away")
		r := newRig(t, func(c *webhook.Config) {
			c.Audiences = append(c.Audiences, func(context.Context, store.Event) ([]webhook.Recipient, error) {
				mu.Lock()
				defer mu.Unlock()
				return []webhook.Recipient{{OwnerID: bob}}, trouble
			})
		})
		mine, others := r.hook(ann, "https://a.example/"), r.hook(bob, "https://b.example/")
		defer r.run()()
		emit(t, r.store, fresh(1))
		time.Sleep(30 * time.Second)
		mu.Lock()
		trouble = nil
		mu.Unlock()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Len(t, r.deliveries(mine.ID), 1)
		require.Len(t, r.deliveries(others.ID), 1)
		require.Len(t, r.net.requests(), 2)
	})
}

func TestOwnersAreFoundInTheDataOfEvents(t *testing.T) {
	t.Parallel()
	for data, want := range map[string][]webhook.Recipient{
		`{"owner_id":"ann","issuer_id":"x"}`: {{OwnerID: ann}},
		`{"owner_id":""}`:                    nil,
		`{"owner_id":12}`:                    nil,
		`{"owner_id":null}`:                  nil,
		`{"other":"ann"}`:                    nil,
		`["ann"]`:                            nil,
		`null`:                               nil,
		``:                                   nil,
		`{`:                                  nil,
	} {
		e := confirmed("", 1)
		e.Data = []byte(data)
		got, err := webhook.OwnerIn("owner_id")(t.Context(), e)
		require.NoError(t, err)
		require.Equal(t, want, got, data)
	}
	only := webhook.OwnerIn("owner_id", "product.viewed")
	got, err := only(t.Context(), confirmed(ann, 1))
	require.NoError(t, err)
	require.Empty(t, got)
	e := confirmed(ann, 1)
	e.Type = "product.viewed"
	got, err = only(t.Context(), e)
	require.NoError(t, err)
	require.Len(t, got, 1)
}

func TestThousandsOfEndpointsDoNotWaitForOneThatHangs(t *testing.T) {
	t.Parallel()
	const endpoints, events = 1000, 3
	spread := func(t *testing.T, dead int) (last time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.net.set("dead.example", hangs)
			for n := range dead {
				e := r.hook(fmt.Sprint("dead-", n), "https://dead.example/")
				for i := range 50 { // it has a long queue
					_, err := r.store.QueueEvent(t.Context(), e.ID, confirmed("dead", i), time.Now())
					require.NoError(t, err)
				}
			}
			var list []store.Event
			for n := range endpoints {
				owner := fmt.Sprint("owner-", n)
				r.hook(owner, "https://live.example/")
				for i := range events {
					list = append(list, confirmed(owner, i))
				}
			}
			r.net.set("live.example", func(*http.Request) (*http.Response, error) {
				time.Sleep(20 * time.Millisecond)
				return answer(200, ""), nil
			})
			start := time.Now()
			emit(t, r.store, list...)
			stop := r.run()
			time.Sleep(30 * time.Second) // far more than they may take
			stop()
			n := 0
			for _, got := range r.net.requests() {
				if got.url == "https://live.example/" {
					n++
					last = max(last, got.at.Sub(start))
				}
			}
			require.Equal(t, endpoints*events, n)
		})
		return last
	}
	alone, one, many := spread(t, 0), spread(t, 1), spread(t, 100)
	t.Logf("%d events to each of %d endpoints: %s; beside a dead one: %s; beside 100: %s", events, endpoints, alone, one, many)
	require.Less(t, one, 3*alone/2)
	require.Less(t, many, alone+10*time.Second, "a hundred that begin to hang at once cost less than one time limit")
}
