package webhook_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/facilitator/webhook/signature"
	"github.com/v402/v402/store"
)

// within requires that d is want, more or less by a quarter, and no more than
// two seconds later.
func within(t *testing.T, want, d time.Duration) {
	t.Helper()
	require.GreaterOrEqual(t, d, want*3/4)
	require.LessOrEqual(t, d, want*5/4+2*time.Second)
}

func TestAnEventIsSentToThoseWhoSubscribed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		all := r.hook(ann, "https://a.example/hook?x=1")
		r.hook(ann, "https://b.example/", "payment.confirmed", "product.viewed")
		r.hook(ann, "https://c.example/", "product.viewed")
		r.hook(bob, "https://d.example/")
		defer r.run()()
		emit(t, r.store, confirmed(ann, 1))
		time.Sleep(5 * time.Second)
		synctest.Wait()

		urls := map[string]request{}
		for _, got := range r.net.requests() {
			urls[got.url] = got
		}
		require.Len(t, r.net.requests(), 2)
		require.Contains(t, urls, "https://b.example/")
		got := urls["https://a.example/hook?x=1"]
		require.Equal(t, `{"id":"event-ann-00001","type":"payment.confirmed","data":{"owner_id":"ann","n":1},"created_at":"2024-01-15T10:45:00Z"}`, got.body)
		require.Equal(t, "application/json", got.header.Get("Content-Type"))
		require.Equal(t, "event-ann-00001", got.header.Get("webhook-id"))

		secret, err := signature.ParseSecret(all.Secret)
		require.NoError(t, err)
		require.Equal(t, secret.Hex([]byte(got.body)), got.header.Get("X-V402-Signature"))
		theirs, err := standardwebhooks.NewWebhook(all.Secret)
		require.NoError(t, err)
		require.NoError(t, theirs.Verify([]byte(got.body), got.header))

		d := r.deliveries(all.ID)[0]
		require.Equal(t, webhook.DeliveryDelivered, d.Status)
		require.Equal(t, []webhook.Attempt{{N: 1, At: d.Log[0].At, StatusCode: 200, Response: "OK"}}, d.Log)
		require.NotZero(t, r.endpoint(all.ID).DeliveredAt)
	})
}

func TestAFailureIsRepeatedFiveTimesWithPausesThatDouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		e := r.hook(ann, "https://a.example/")
		r.net.always("a.example", 500)
		defer r.run()()
		emit(t, r.store, confirmed(ann, 1))
		time.Sleep(3 * time.Hour)
		synctest.Wait()

		got := r.net.requests()
		require.Len(t, got, 6)
		for i := range got[1:] {
			within(t, time.Minute<<i, got[i+1].at.Sub(got[i].at))
			require.Equal(t, got[0].body, got[i+1].body, "every attempt sends the same bytes")
			require.Equal(t, got[0].header.Get("webhook-id"), got[i+1].header.Get("webhook-id"))
			require.NotEqual(t, got[0].header.Get("webhook-timestamp"), got[i+1].header.Get("webhook-timestamp"))
		}
		d := r.deliveries(e.ID)[0]
		require.Equal(t, webhook.DeliveryDead, d.Status)
		require.Len(t, d.Log, 6)
		require.Equal(t, "the answer was 500", d.Log[5].Error)
		require.Equal(t, webhook.EndpointActive, r.endpoint(e.ID).Status)
	})
}

func TestARecipientThatRecoversGetsWhatItMissed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		e := r.hook(ann, "https://a.example/")
		r.net.set("a.example", func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") })
		defer r.run()()
		emit(t, r.store, confirmed(ann, 1), confirmed(ann, 2))
		time.Sleep(100 * time.Second)
		require.NotZero(t, r.endpoint(e.ID).FailingSince)
		r.net.always("a.example", 204)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		for _, d := range r.deliveries(e.ID) {
			require.Equal(t, webhook.DeliveryDelivered, d.Status)
			require.Equal(t, "connection refused", d.Log[0].Error)
		}
		require.Zero(t, r.endpoint(e.ID).FailingSince)
	})
}

func TestRetryAfterIsHonouredWithinBounds(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"600": 10 * time.Minute, "10": time.Minute, "999999": time.Hour, "soon": time.Minute, "-5": time.Minute, "99999999999999999999": time.Minute,
		"Sat, 01 Jan 2000 00:20:00 GMT": 20 * time.Minute, "Sat, 01 Jan 1999 00:20:00 GMT": time.Minute,
	} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // begins at midnight UTC of 1 January 2000
				r := newRig(t)
				r.hook(ann, "https://a.example/")
				r.net.always("a.example", 503, "Retry-After", value)
				defer r.run()()
				emit(t, r.store, confirmed(ann, 1))
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				got := r.net.requests()
				within(t, want, got[1].at.Sub(got[0].at))
			})
		})
	}
}

func TestWhatARecipientAnswersIsJudged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		how    func(*http.Request) (*http.Response, error)
		status webhook.DeliveryStatus
		log    webhook.Attempt
	}{
		"200":         {nil, webhook.DeliveryDelivered, webhook.Attempt{StatusCode: 200, Response: "OK"}},
		"299":         {respond(299, ""), webhook.DeliveryDelivered, webhook.Attempt{StatusCode: 299}},
		"a redirect":  {respond(302, "", "Location", "https://b.example/"), webhook.DeliveryPending, webhook.Attempt{StatusCode: 302, Error: "the answer was 302"}},
		"400":         {respond(400, "bad"), webhook.DeliveryPending, webhook.Attempt{StatusCode: 400, Response: "bad", Error: "the answer was 400"}},
		"no text":     {respond(500, "a\xff\x00b"), webhook.DeliveryPending, webhook.Attempt{StatusCode: 500, Response: "a\uFFFD\uFFFDb", Error: "the answer was 500"}},
		"much text":   {respond(200, strings.Repeat("x", 9000)), webhook.DeliveryDelivered, webhook.Attempt{StatusCode: 200, Response: strings.Repeat("x", 1024)}},
		"no answer":   {hangs, webhook.DeliveryPending, webhook.Attempt{DurationMS: 10_000, Error: "there was no answer within 10s"}},
		"no such one": {fail(&net.DNSError{Err: "no such host", Name: "db.internal", Server: "10.0.0.2"}), webhook.DeliveryPending, webhook.Attempt{Error: "the host was not found"}},
		"410":         {respond(410, ""), webhook.DeliveryDead, webhook.Attempt{StatusCode: 410, Error: "the answer was 410"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				e := r.hook(ann, "https://a.example/")
				if c.how != nil {
					r.net.set("a.example", c.how)
				}
				defer r.run()()
				emit(t, r.store, confirmed(ann, 1))
				time.Sleep(15 * time.Second)
				synctest.Wait()
				require.Len(t, r.net.requests(), 1)
				d := r.deliveries(e.ID)[0]
				require.Equal(t, c.status, d.Status)
				c.log.N, c.log.At = 1, d.Log[0].At
				require.Equal(t, []webhook.Attempt{c.log}, d.Log)
			})
		})
	}
}

// every looks at the store so often, for tests of days: each look costs.
func every(d time.Duration) func(*webhook.Config) {
	return func(c *webhook.Config) { c.Poll = d }
}

func respond(status int, body string, headers ...string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return answer(status, body, headers...), nil }
}

func fail(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func TestWhoAnswers410IsDisabledAndItsOwnerHearsOfIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		gone := r.hook(ann, "https://a.example/", "payment.confirmed")
		r.hook(ann, "https://b.example/", webhook.EventDisabled)
		r.net.always("a.example", 410)
		defer r.run()()
		emit(t, r.store, confirmed(ann, 1))
		time.Sleep(5 * time.Second)
		emit(t, r.store, confirmed(ann, 2))
		time.Sleep(time.Hour)
		synctest.Wait()
		e := r.endpoint(gone.ID)
		require.Equal(t, webhook.EndpointDisabled, e.Status)
		require.Equal(t, webhook.DisabledGone, e.Reason)
		got := r.net.requests()
		require.Len(t, got, 2, "the second event is for nobody")
		told := got[1].event(t)
		require.Equal(t, webhook.EventDisabled, told.Type)
		require.Contains(t, string(told.Data), `"webhook_id":"`+gone.ID+`"`)
		require.Contains(t, string(told.Data), `"reason":"gone"`)
	})
}

func TestWhoOnlyFailsForDaysIsDisabledUntilItsOwnerEnablesIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, every(5*time.Minute))
		e := r.hook(ann, "https://a.example/")
		r.net.always("a.example", 500)
		defer r.run()()
		n := 0
		for range 11 {
			n++
			emit(t, r.store, confirmed(ann, n))
			time.Sleep(12 * time.Hour)
			if n <= 9 {
				require.Equal(t, webhook.EndpointActive, r.endpoint(e.ID).Status, "after %d events", n)
			}
		}
		synctest.Wait()
		got := r.endpoint(e.ID)
		require.Equal(t, webhook.EndpointDisabled, got.Status)
		require.Equal(t, webhook.DisabledFailing, got.Reason)
		require.Contains(t, r.log.String(), "given up")

		before := len(r.net.requests())
		r.net.always("a.example", 200)
		active := webhook.EndpointActive
		_, err := r.UpdateEndpoint(context.Background(), ann, e.ID, webhook.Change{Status: &active})
		require.NoError(t, err)
		emit(t, r.store, confirmed(ann, 99))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Equal(t, confirmed(ann, 99).ID, r.net.requests()[before].event(t).ID)
		require.Zero(t, r.endpoint(e.ID).FailingSince)
	})
}

func TestAFailureAfterALongSilenceIsTriedLikeAnyOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, every(5*time.Minute))
		e := r.hook(ann, "https://a.example/")
		r.net.always("a.example", 500)
		defer r.run()()
		emit(t, r.store, confirmed(ann, 1))
		time.Sleep(10 * 24 * time.Hour)
		emit(t, r.store, confirmed(ann, 2))
		time.Sleep(5 * time.Minute)
		require.Equal(t, webhook.EndpointActive, r.endpoint(e.ID).Status)
		r.net.always("a.example", 200)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, webhook.DeliveryDelivered, r.deliveries(e.ID)[0].Status)
	})
}

func TestBothSecretsSignWhileTheyAreRotated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, every(20*time.Second))
		old := r.hook(ann, "https://a.example/")
		young, err := r.RotateSecret(context.Background(), ann, old.ID, "")
		require.NoError(t, err)
		r.net.always("a.example", 401)
		defer r.run()()
		emit(t, r.store, confirmed(ann, 1))
		time.Sleep(5 * time.Minute)
		got := r.net.requests()
		for i, by := range []string{young.Secret, old.Secret, young.Secret} {
			secret, err := signature.ParseSecret(by)
			require.NoError(t, err)
			require.Equal(t, secret.Hex([]byte(got[i].body)), got[i].header.Get("X-V402-Signature"), "attempts take turns")
			for _, known := range []string{young.Secret, old.Secret} {
				v, err := signature.NewVerifier(known)
				require.NoError(t, err)
				v.Now = func() time.Time { return got[i].at }
				require.NoError(t, v.Verify(got[i].header, []byte(got[i].body)))
			}
		}

		time.Sleep(25 * time.Hour)
		r.net.always("a.example", 200)
		before := len(r.net.requests())
		emit(t, r.store, confirmed(ann, 2))
		time.Sleep(time.Minute)
		synctest.Wait()
		last := r.net.requests()[before]
		require.Len(t, strings.Fields(last.header.Get("webhook-signature")), 1, "the old one is dead")
		v, err := signature.NewVerifier(young.Secret)
		require.NoError(t, err)
		v.Now = func() time.Time { return last.at }
		require.NoError(t, v.Verify(last.header, []byte(last.body)))
	})
}

func TestWhatIsTooLargeIsADeadLetter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		e := r.hook(ann, "https://a.example/")
		big, broken := confirmed(ann, 1), confirmed(ann, 2)
		big.Data = []byte(`{"owner_id":"ann","x":"` + strings.Repeat("x", signature.MaxBody) + `"}`)
		broken.Data = []byte(`{"owner_id":"ann"`)
		defer r.run()()
		emit(t, r.store, big, broken)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Empty(t, r.net.requests())
		require.Len(t, r.deliveries(e.ID), 1, "nobody can tell whose the other is")
		require.Equal(t, webhook.DeliveryDead, r.deliveries(e.ID)[0].Status)
		require.Contains(t, r.deliveries(e.ID)[0].Log[0].Error, "above the limit of 1048576")
	})
}

func TestDirectRecipientsAreLookedUpWhenTheyAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		target, found := webhook.Target{URL: "https://old.example/", Secrets: []string{"your_webhook_secret"}}, error(nil)
		r := newRig(t, func(c *webhook.Config) {
			c.Audiences = []webhook.Audience{func(_ context.Context, e store.Event) ([]webhook.Recipient, error) {
				return []webhook.Recipient{{Direct: webhook.Direct{Directory: "registry", Key: "12:a"}}, {Direct: webhook.Direct{Directory: "unknown", Key: "1"}}}, nil
			}}
			c.Directories = map[string]webhook.Directory{"registry": func(_ context.Context, key string) (webhook.Target, error) {
				require.Equal(t, "12:a", key)
				return target, found
			}}
		})
		queue := webhook.Direct{Directory: "registry", Key: "12:a"}.Queue()
		found = errors.New("the database is away")
		stop := r.run()
		emit(t, r.store, confirmed(ann, 1))
		time.Sleep(5 * time.Second)
		stop()
		require.Empty(t, r.net.requests())
		require.Equal(t, webhook.DeliveryPending, r.deliveries(queue)[0].Status)
		require.Equal(t, webhook.DeliveryDead, r.deliveries(webhook.Direct{Directory: "unknown", Key: "1"}.Queue())[0].Status)

		target.URL, found = "https://new.example/", nil
		stop = r.run()
		time.Sleep(2 * time.Minute)
		stop()
		got := r.net.requests()
		require.Len(t, got, 1)
		require.Equal(t, "https://new.example/", got[0].url)
		secret, err := signature.ParseSecret("your_webhook_secret")
		require.NoError(t, err)
		require.Equal(t, secret.Hex([]byte(got[0].body)), got[0].header.Get("X-V402-Signature"))

		found = webhook.ErrGone
		stop = r.run()
		emit(t, r.store, confirmed(ann, 2))
		time.Sleep(5 * time.Second)
		stop()
		require.Len(t, r.net.requests(), 1)
		require.Equal(t, webhook.DeliveryDead, r.deliveries(queue)[0].Status)
	})
}

func TestRunFinishesTheRequestsThatAreUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		e := r.hook(ann, "https://a.example/")
		r.net.set("a.example", func(*http.Request) (*http.Response, error) {
			time.Sleep(7 * time.Second)
			return answer(200, "late"), nil
		})
		stop := r.run()
		emit(t, r.store, confirmed(ann, 1))
		time.Sleep(3 * time.Second)
		start := time.Now()
		stop()
		require.Less(t, time.Since(start), 10*time.Second)
		require.Equal(t, webhook.DeliveryDelivered, r.deliveries(e.ID)[0].Status)
		require.Equal(t, "late", r.deliveries(e.ID)[0].Log[0].Response)
	})
}

func TestOldDeliveriesAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, every(time.Hour))
		e := r.hook(ann, "https://a.example/")
		defer r.run()()
		emit(t, r.store, confirmed(ann, 1))
		time.Sleep(29 * 24 * time.Hour)
		require.Len(t, r.deliveries(e.ID), 1)
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		require.Empty(t, r.deliveries(e.ID))
	})
}
