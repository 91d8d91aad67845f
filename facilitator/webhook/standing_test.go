package webhook_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/store"
)

// platform is a direct recipient that hears of all payments.
type platform struct {
	*rig
	queue string
	told  *consumer // of what happens to it
	mu    sync.Mutex
	gone  error
}

// is says what the directory returns from now on.
func (p *platform) is(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = err
}

func newPlatform(t *testing.T) *platform {
	t.Helper()
	to := webhook.Direct{Directory: "platform", Key: "7"}
	p := &platform{queue: to.Queue(), told: new(consumer)}
	p.rig = newRig(t, every(5*time.Minute), consuming(p.told), func(c *webhook.Config) {
		c.Audiences = []webhook.Audience{func(_ context.Context, e store.Event) ([]webhook.Recipient, error) {
			if e.Type != "payment.confirmed" {
				return nil, nil
			}
			return []webhook.Recipient{{Direct: to}}, nil
		}}
		c.Directories = map[string]webhook.Directory{"platform": func(context.Context, string) (webhook.Target, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			return webhook.Target{URL: "https://a.example/", Secrets: []string{"your_webhook_secret"}}, p.gone
		}}
	})
	return p
}

// happens lets the events from first to before last happen, one every 12 hours.
func (p *platform) happens(first, last int) {
	p.t.Helper()
	for n := first; n < last; n++ {
		emit(p.t, p.store, fresh(n))
		time.Sleep(12 * time.Hour)
	}
}

// statuses counts the deliveries to it.
func (p *platform) statuses() map[webhook.DeliveryStatus]int {
	out := map[webhook.DeliveryStatus]int{}
	for _, d := range p.deliveries(p.queue) {
		out[d.Status]++
	}
	return out
}

func TestARecipientThatOnlyFailsForDaysIsPausedAndThenGetsWhatItMissed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform(t)
		p.net.always("a.example", 500)
		defer p.run()()
		p.happens(0, 10)
		require.NotContains(t, p.log.String(), "paused")
		p.happens(10, 11)
		require.Equal(t, map[webhook.DeliveryStatus]int{webhook.DeliveryDead: 11}, p.statuses())
		require.Contains(t, p.log.String(), "a recipient is paused")

		before := len(p.net.requests())
		p.happens(11, 17)
		require.Equal(t, map[webhook.DeliveryStatus]int{webhook.DeliveryDead: 11, webhook.DeliveryPending: 6}, p.statuses(), "nothing is given up meanwhile")
		asked := len(p.net.requests()) - before
		require.GreaterOrEqual(t, asked, 60)
		require.LessOrEqual(t, asked, 73, "once an hour, at the beginning and the end of 72 too")

		p.net.always("a.example", 200)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		require.Equal(t, map[webhook.DeliveryStatus]int{webhook.DeliveryDead: 11, webhook.DeliveryDelivered: 6}, p.statuses())
		require.Contains(t, p.log.String(), "told again")
		requirePaused(t, p, webhook.EventPaused, webhook.EventResumed)
	})
}

// requirePaused requires events about p, and the same in the audit log.
func requirePaused(t *testing.T, p *platform, want ...string) {
	t.Helper()
	var types []string
	for _, e := range p.told.events() {
		if e.Subject != p.queue {
			continue
		}
		types = append(types, e.Type)
		var data webhook.RecipientEvent
		require.NoError(t, json.Unmarshal(e.Data, &data))
		require.Equal(t, []string{"platform", "7"}, []string{data.Directory, data.Key})
		require.NotZero(t, data.FailingSince)
	}
	require.Equal(t, want, types)
	var actions []string
	for _, e := range p.audit() {
		actions = append(actions, e.Action)
		require.Equal(t, []string{"publisher", "webhook:" + p.queue}, []string{e.Actor, e.Subject})
	}
	require.Len(t, actions, len(want))
}

func TestARecipientThatAnswers410IsPausedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform(t)
		p.net.always("a.example", 410)
		defer p.run()()
		p.happens(0, 2)
		require.Equal(t, map[webhook.DeliveryStatus]int{webhook.DeliveryDead: 1, webhook.DeliveryPending: 1}, p.statuses())
		p.net.always("a.example", 200)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		require.Equal(t, map[webhook.DeliveryStatus]int{webhook.DeliveryDead: 1, webhook.DeliveryDelivered: 1}, p.statuses())
		requirePaused(t, p, webhook.EventPaused, webhook.EventResumed)
	})
}

func TestWhatIsPendingToAPausedRecipientThatIsGoneIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform(t)
		p.net.always("a.example", 410)
		defer p.run()()
		p.happens(0, 5)
		p.is(webhook.ErrGone)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		require.Equal(t, map[webhook.DeliveryStatus]int{webhook.DeliveryDead: 5}, p.statuses())
	})
}

func TestWhatCannotBeSentIsNoFailureOfTheEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		e := r.hook(ann, "https://a.example/")
		broken := confirmed(ann, 1)
		broken.Data = []byte(`{"owner_id":"ann","x":"` + string(make([]byte, 2<<20)) + `"}`)
		_, err := r.store.QueueEvent(t.Context(), e.ID, broken, time.Now())
		require.NoError(t, err)
		defer r.run()()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, webhook.DeliveryDead, r.deliveries(e.ID)[0].Status)
		require.Zero(t, r.endpoint(e.ID).FailingSince)
	})
}
