package webhook_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/internal/webtest"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
)

// overEachStore runs a test over each kind of store.
func overEachStore(t *testing.T, test func(t *testing.T, a *api)) {
	webtest.OverEachStore(t, func(t *testing.T, s backend) { test(t, newAPI(t, s)) })
}

func TestAWebhookIsRegisteredReadChangedAndDeleted(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		const hook = `{"id":"wh-ID","url":"https://a.example/hook","description":"","events":["payment.confirmed"],"status":"active",` +
			`"disabled_reason":null,"disabled_at":null,"failing_since":null,"last_delivered_at":null,"previous_secret_expires_at":null,` +
			`"created_at":"2024-01-20T12:00:00Z","updated_at":"2024-01-20T12:00:00Z"}`
		w := a.do(ann, "POST "+base, `{"url":"https://a.example/hook","events":["payment.confirmed","payment.confirmed"]}`)
		a.same(w, 201, strings.TrimSuffix(hook, "}")+`,"secret":"whsec_SECRET"}`)
		id := member[string](t, w, "id")
		a.same(a.do(ann, "GET "+base+"/"+id, ""), 200, hook)
		types := `["payment.created","payment.confirmed","payment.failed","payment.refunded","payment.expired","payment.disputed",` +
			`"product.created","product.updated","product.published","product.unpublished","product.viewed",` +
			`"product.archived","product.deleted","product.moderated","review.posted","wallet.changed",` +
			`"access.granted","access.denied","user.registered","webhook.disabled"]`
		a.same(a.do(ann, "GET "+base, ""), 200, `{"items":[`+hook+`],"total":1,"page":1,"size":20,"pages":1,"event_types":`+types+`}`)

		a.pass(time.Hour)
		a.same(a.do(ann, "PUT "+base+"/"+id, `{"events":["*"],"description":"mine","status":"disabled"}`), 200,
			`{"id":"wh-ID","url":"https://a.example/hook","description":"mine","events":["*"],"status":"disabled","disabled_reason":"owner",`+
				`"disabled_at":"2024-01-20T13:00:00Z","failing_since":null,"last_delivered_at":null,"previous_secret_expires_at":null,`+
				`"created_at":"2024-01-20T12:00:00Z","updated_at":"2024-01-20T13:00:00Z"}`)
		a.same(a.do(ann, "POST "+base+"/"+id+"/test", ""), 400, `{"error":"INVALID_STATE","message":"The webhook is disabled; set its status to active first",`+
			`"details":{},"timestamp":"2024-01-20T13:00:00Z"}`)
		w = a.do(ann, "PUT "+base+"/"+id, `{"status":"active","url":"https://b.example/"}`)
		require.Equal(t, "active", member[string](t, w, "status"))
		require.Equal(t, "https://b.example/", member[string](t, w, "url"))

		a.same(a.do(ann, "DELETE "+base+"/"+id, ""), 200, `{"message":"Webhook deleted","id":"wh-ID"}`)
		a.same(a.do(ann, "GET "+base+"/"+id, ""), 404, `{"error":"NOT_FOUND","message":"Webhook not found","details":{},"timestamp":"2024-01-20T13:00:00Z"}`)
		require.EqualValues(t, 0, member[int](t, a.do(ann, "GET "+base, ""), "total"))
	})
}

func TestASecretIsShownOnceAndRotated(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		w := a.do(ann, "POST "+base, `{"url":"https://a.example/hook","events":["*"],"secret":"your_webhook_secret"}`)
		require.Equal(t, "your_webhook_secret", member[string](t, w, "secret"))
		id := member[string](t, w, "id")
		require.NotContains(t, a.do(ann, "GET "+base+"/"+id, "").Body.String(), "secret\":\"your")
		require.NotContains(t, fmt.Sprintf("%+v", a.endpoint(id)), "your_webhook_secret", "it is sealed")

		w = a.do(ann, "POST "+base+"/"+id+"/rotate-secret", "")
		require.Equal(t, 200, w.Code)
		require.Regexp(t, someSecret, member[string](t, w, "secret"))
		require.Equal(t, "2024-01-21T12:00:00Z", member[string](t, w, "previous_secret_expires_at"))
		w = a.do(ann, "POST "+base+"/"+id+"/rotate-secret", `{"secret":"another_webhook_secret"}`)
		require.Equal(t, "another_webhook_secret", member[string](t, w, "secret"))
		require.Len(t, a.endpoint(id).Secrets, 2, "two sign at most")
		a.pass(25 * time.Hour)
		require.Nil(t, member[*string](t, a.do(ann, "GET "+base+"/"+id, ""), "previous_secret_expires_at"))
	})
}

// deliver lets the publisher run until all of ann's deliveries were attempted.
func (a *api) deliver(t *testing.T) {
	t.Helper()
	end := a.run()
	require.Eventually(t, func() bool {
		for _, id := range a.ids() {
			for _, d := range a.deliveries(id) {
				if d.Attempts == 0 {
					return false
				}
			}
		}
		return true
	}, time.Minute, 5*time.Millisecond)
	end()
}

// ids are the webhooks of ann.
func (a *api) ids() []string {
	var out []string
	l, err := a.store.Webhooks(a.t.Context(), ann, store.PageNumber{Size: store.MaxLimit})
	require.NoError(a.t, err)
	for _, e := range l.Items {
		out = append(out, e.ID)
	}
	return out
}

func TestTheLogShowsWhatCameOfATestAndItIsSentAgain(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		id := a.create(ann)
		hook := base + "/" + id
		a.same(a.do(ann, "POST "+hook+"/test", "{}"), 202, `{"id":"dlv-ID","webhook_id":"wh-ID","event_id":"UUID","event_type":"webhook.test","status":"pending",`+
			`"attempts":0,"status_code":null,"duration_ms":null,"response":null,"error":null,"last_attempt_at":null,`+
			`"next_attempt_at":"2024-01-20T12:00:00Z","created_at":"2024-01-20T12:00:00Z"}`)
		a.net.always("a.example", 410)
		a.deliver(t)
		const dead = `{"id":"dlv-ID","webhook_id":"wh-ID","event_id":"UUID","event_type":"webhook.test","status":"dead","attempts":1,` +
			`"status_code":410,"duration_ms":0,"response":"no","error":"the answer was 410","last_attempt_at":"2024-01-20T12:00:00Z",` +
			`"next_attempt_at":null,"created_at":"2024-01-20T12:00:00Z"`
		w := a.do(ann, "GET "+hook+"/logs?status=dead&event_type=webhook.test&start_date=2024-01-20&end_date=2024-01-20&size=5", "")
		a.same(w, 200, `{"items":[`+dead+`}],"total":1,"page":1,"size":5,"pages":1}`)
		delivery := member[[]struct{ ID string }](t, w, "items")[0].ID
		a.same(a.do(ann, "GET "+hook+"/deliveries/"+delivery, ""), 200, dead+`,"log":[{"n":1,"at":"2024-01-20T12:00:00Z","duration_ms":0,`+
			`"status_code":410,"response":"no","error":"the answer was 410"}]}`)
		require.EqualValues(t, 0, member[int](t, a.do(ann, "GET "+hook+"/logs?status=delivered", ""), "total"))

		again := "POST " + hook + "/deliveries/" + delivery + "/redeliver"
		require.Equal(t, "INVALID_STATE", member[string](t, a.do(ann, again, ""), "error"), "410 has disabled it")
		require.Equal(t, 200, a.do(ann, "PUT "+hook, `{"status":"active"}`).Code)
		a.net.always("a.example", 200)
		w = a.do(ann, again, "")
		require.Equal(t, 202, w.Code)
		require.Equal(t, delivery, member[string](t, w, "id"))
		require.Equal(t, "The delivery is under way", member[string](t, a.do(ann, again, ""), "message"))
		end := a.run()
		require.Eventually(t, func() bool { return a.deliveries(id)[0].Status == webhook.DeliveryDelivered }, time.Minute, 5*time.Millisecond)
		end()
		got := a.net.requests()
		require.Equal(t, got[0].body, got[1].body)
		require.Equal(t, got[0].header.Get("webhook-id"), got[1].header.Get("webhook-id"))
	})
}

func TestAnAdminReplaysWhatWasGivenUp(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		id := a.create(ann)
		var events []string
		for range 3 {
			events = append(events, member[string](t, a.do(ann, "POST "+base+"/"+id+"/test", ""), "event_id"))
		}
		a.net.always("a.example", 410)
		a.deliver(t)
		replay := "POST /api/v1/admin/webhooks/" + id + "/replay"
		require.Equal(t, "FORBIDDEN", member[string](t, a.do(ann, replay, ""), "error"))
		require.Equal(t, "INVALID_STATE", member[string](t, a.do("ada", replay, ""), "error"))
		require.Equal(t, 200, a.do(ann, "PUT "+base+"/"+id, `{"status":"active"}`).Code)
		a.same(a.do("ada", replay, `{"start_date":"2024-01-21"}`), 202, `{"webhook_id":"wh-ID","replayed":0}`)
		a.same(a.do("ada", replay, `{"event_type":"webhook.test","start_date":"2024-01-20T12:00:00Z","end_date":"2024-01-20T12:00:01Z"}`), 202,
			`{"webhook_id":"wh-ID","replayed":3}`)
		a.same(a.do("ada", replay, ""), 202, `{"webhook_id":"wh-ID","replayed":0}`)
		a.same(a.do("ada", "POST /api/v1/admin/webhooks/no/replay", ""), 404,
			`{"error":"NOT_FOUND","message":"Webhook not found","details":{},"timestamp":"2024-01-20T12:00:00Z"}`)
		require.Len(t, events, 3)
	})
}

func TestWhatOthersOwnIsNotThere(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		id := a.create(ann)
		delivery := member[string](t, a.do(ann, "POST "+base+"/"+id+"/test", ""), "id")
		mine := a.create(bob)
		for _, what := range []string{
			"GET " + base + "/" + id, "PUT " + base + "/" + id, "DELETE " + base + "/" + id, "POST " + base + "/" + id + "/test",
			"POST " + base + "/" + id + "/rotate-secret", "GET " + base + "/" + id + "/logs", "GET " + base + "/" + id + "/deliveries/" + delivery,
			"POST " + base + "/" + id + "/deliveries/" + delivery + "/redeliver", "GET " + base + "/" + mine + "/deliveries/" + delivery,
			"POST " + base + "/" + mine + "/deliveries/" + delivery + "/redeliver", "GET " + base + "/no", "GET " + base + "/%20",
		} {
			for _, as := range []string{bob, "ada"} {
				w := a.do(as, what, "")
				require.Equal(t, 404, w.Code, "%s %s: %s", as, what, w.Body)
				require.Equal(t, "NOT_FOUND", member[string](t, w, "error"))
			}
		}
		require.EqualValues(t, 1, member[int](t, a.do(bob, "GET "+base, ""), "total"))
		require.Equal(t, "active", member[string](t, a.do(ann, "GET "+base+"/"+id, ""), "status"))
	})
}

func TestOnlyProvidersAreAdmitted(t *testing.T) {
	t.Parallel()
	a := newAPI(t, memory.New())
	for as, want := range map[string]int{"": 401, "nobody": 401, "buyer": 403, "anon": 403, ann: 200, "ada": 200} {
		require.Equal(t, want, a.do(as, "GET "+base, "").Code, as)
	}
	for as, want := range map[string]int{"": 401, ann: 403, "buyer": 403, "ada": 404} {
		require.Equal(t, want, a.do(as, "POST /api/v1/admin/webhooks/no/replay", "").Code, as)
	}
	nobody := newAPI(t, memory.New(), func(c *webhook.Config) { c.Authenticate = nil })
	require.Equal(t, 401, nobody.do(ann, "GET "+base, "").Code)
}

func TestAProviderHasAtMostFiftyWebhooks(t *testing.T) {
	t.Parallel()
	a := newAPI(t, memory.New())
	for range 50 {
		a.create(ann)
	}
	a.same(a.do(ann, "POST "+base, `{"url":"https://a.example/","events":["*"]}`), 409,
		`{"error":"CONFLICT","message":"You have as many webhooks as are allowed; delete one first","details":{},"timestamp":"2024-01-20T12:00:00Z"}`)
	a.create(bob)
	require.EqualValues(t, 3, member[int](t, a.do(ann, "GET "+base+"?page=3&size=20", ""), "pages"))
	require.Len(t, member[[]any](t, a.do(ann, "GET "+base+"?page=3&size=20", ""), "items"), 10)
}

func TestRequestsAreLimited(t *testing.T) {
	t.Parallel()
	a := newAPI(t, memory.New(), func(c *webhook.Config) { c.Limits = account.NewLimits(account.Rates{Provider: 2}) })
	for _, want := range []int{200, 200, 429} {
		require.Equal(t, want, a.do(ann, "GET "+base, "").Code)
	}
	require.Equal(t, 200, a.do(bob, "GET "+base, "").Code)
}

// bad is a request that is refused with 400, the field and the code.
type bad struct{ name, what, body, field, code string }

func badInputs(id string) []bad {
	post, put := "POST "+base, "PUT "+base+"/"+id
	hook := func(members string) string { return `{"url":"https://a.example/","events":["*"]` + members + `}` }
	at := func(url string) string { return fmt.Sprintf(`{"url":%q,"events":["*"]}`, url) }
	list := []bad{
		{"no JSON", post, `{`, "", ""},
		{"a list", post, `[]`, "", ""},
		{"null", post, `null`, "", ""},
		{"two documents", post, hook("") + "{}", "", ""},
		{"nothing", post, ``, "url", "REQUIRED"},
		{"no URL", post, `{"events":["*"]}`, "url", "REQUIRED"},
		{"a blank URL", post, at("  "), "url", "REQUIRED"},
		{"a URL that is a number", post, `{"url":1,"events":["*"]}`, "url", "INVALID_TYPE"},
		{"a long URL", post, at("https://a.example/" + strings.Repeat("x", 1000)), "url", "TOO_LONG"},
		{"no events", post, `{"url":"https://a.example/"}`, "events", "REQUIRED"},
		{"an empty list of events", post, `{"url":"https://a.example/","events":[]}`, "events", "REQUIRED"},
		{"an event that there is not", post, `{"url":"https://a.example/","events":["payment.confirmed","payment.*"]}`, "events.1", "INVALID_ENUM"},
		{"events in a string", post, `{"url":"https://a.example/","events":"*"}`, "events", "INVALID_TYPE"},
		{"an event that is a number", post, `{"url":"https://a.example/","events":[1]}`, "events", "INVALID_TYPE"},
		{"a long description", post, hook(`,"description":"` + strings.Repeat("x", 501) + `"`), "description", "TOO_LONG"},
		{"a description that is no text", post, hook(`,"description":"a\u0000b"`), "description", "INVALID_FORMAT"},
		{"a short secret", post, hook(`,"secret":"short"`), "secret", "INVALID_FORMAT"},
		{"a long secret", post, hook(`,"secret":"` + strings.Repeat("x", 257) + `"`), "secret", "INVALID_FORMAT"},
		{"a secret with blanks", post, hook(`,"secret":"a secret with blanks"`), "secret", "INVALID_FORMAT"},
		{"whsec_ without base64", post, hook(`,"secret":"whsec_your_webhook_secret"`), "secret", "INVALID_FORMAT"},
		{"a member that is not known", post, hook(`,"active":true`), "active", "UNKNOWN_FIELD"},
		{"a status at the beginning", post, hook(`,"status":"disabled"`), "status", "UNKNOWN_FIELD"},
		{"a status that there is not", put, `{"status":"paused"}`, "status", "INVALID_ENUM"},
		{"a change to no events", put, `{"events":[]}`, "events", "REQUIRED"},
		{"a change to another host", put, `{"url":"https://127.0.0.1/"}`, "url", "INVALID_URL"},
		{"a change of the secret", put, `{"secret":"your_webhook_secret"}`, "secret", "UNKNOWN_FIELD"},
		{"a rotation to a short secret", "POST " + base + "/" + id + "/rotate-secret", `{"secret":"x"}`, "secret", "INVALID_FORMAT"},
		{"a test with a body", "POST " + base + "/" + id + "/test", `{"type":"x"}`, "type", "UNKNOWN_FIELD"},
		{"page 0", "GET " + base + "?page=0", "", "page", "INVALID_RANGE"},
		{"a page in words", "GET " + base + "?page=one", "", "page", "INVALID_TYPE"},
		{"a large page", "GET " + base + "?size=101", "", "size", "INVALID_RANGE"},
		{"a status of deliveries that there is not", "GET " + base + "/" + id + "/logs?status=failed", "", "status", "INVALID_ENUM"},
		{"a date that is none", "GET " + base + "/" + id + "/logs?start_date=yesterday", "", "start_date", "INVALID_DATE"},
		{"an end before the start", "GET " + base + "/" + id + "/logs?start_date=2024-01-02&end_date=2024-01-01", "", "end_date", "INVALID_RANGE"},
	}
	for _, url := range []string{
		"a.example", "http://a.example/", "ftp://a.example/", "https://", "https://localhost/", "https://127.0.0.1/", "https://[::1]/",
		"https://10.0.0.1/", "https://192.168.0.1/", "https://169.254.169.254/latest/meta-data/", "https://[::ffff:169.254.169.254]/",
		"https://[64:ff9b::a9fe:a9fe]/", "https://100.64.0.1/", "https://user:pass@a.example/", "https://a.example/#x", "javascript:alert(1)",
	} {
		list = append(list, bad{url, post, at(url), "url", "INVALID_URL"})
	}
	return list
}

func TestBadInputIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, open(t))
			id := a.create(ann)
			before := a.endpoint(id)
			for _, c := range badInputs(id) {
				w := a.do(ann, c.what, c.body)
				require.Equal(t, 400, w.Code, "%s: %s", c.name, w.Body)
				require.Equal(t, "VALIDATION_ERROR", member[string](t, w, "error"), c.name)
				details := member[map[string]any](t, w, "details")
				if c.field != "" {
					require.Equal(t, c.field, details["field"], "%s: %s", c.name, w.Body)
					require.Equal(t, c.code, details["code"], "%s: %s", c.name, w.Body)
				}
			}
			require.Equal(t, []string{id}, a.ids())
			require.Equal(t, before, a.endpoint(id))
			require.Empty(t, a.deliveries(id))
		})
	}
}

func TestAllThatIsWrongIsToldAtOnce(t *testing.T) {
	t.Parallel()
	a := newAPI(t, memory.New())
	a.same(a.do(ann, "POST "+base, `{"url":"http://a.example","events":["x"],"secret":"short"}`), 400,
		`{"error":"VALIDATION_ERROR","message":"the URL must begin with https://","details":{"field":"url","code":"INVALID_URL","errors":[`+
			`{"field":"url","code":"INVALID_URL","message":"the URL must begin with https://"},`+
			`{"field":"events.0","code":"INVALID_ENUM","message":"events has \"x\", which is no type; see event_types"},`+
			`{"field":"secret","code":"INVALID_FORMAT","message":"a webhook secret has 16 to 256 characters"}]},`+
			`"timestamp":"2024-01-20T12:00:00Z"}`)
	w := a.do(ann, "POST "+base, `{"description":"`+strings.Repeat("x", 70<<10)+`"}`)
	require.Equal(t, 413, w.Code)
	require.Equal(t, "PAYLOAD_TOO_LARGE", member[string](t, w, "error"))
	require.Equal(t, 405, a.do(ann, "PATCH "+base, "").Code)
	require.Equal(t, 404, a.do(ann, "GET "+base+"/a/b/c", "").Code)
}

func TestOneOfTwoRotationsAtOnceIsTheNewest(t *testing.T) {
	t.Parallel()
	a := newAPI(t, memory.New())
	id := a.create(ann)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { a.do(ann, "POST "+base+"/"+id+"/rotate-secret", "") })
	}
	wg.Wait()
	e := a.endpoint(id)
	require.Len(t, e.Secrets, 2)
	require.Zero(t, e.Secrets[0].ExpiresAt)
	require.NotZero(t, e.Secrets[1].ExpiresAt)
}

func TestTheSpecificationIsServedAsItIs(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("openapi.yaml")
	require.NoError(t, err)
	w := newAPI(t, memory.New()).do("", "GET /api/v1/webhooks/openapi.yaml", "")
	require.Equal(t, 200, w.Code)
	require.Equal(t, string(want), w.Body.String())
}

func TestWithoutAnAllowanceNothingHereIsReached(t *testing.T) {
	t.Parallel()
	to := newReceiver(t)
	r := rigOn(t, memory.New(), overTheWire(0))
	e := r.hook(ann, to.URL+"/x") // while it was allowed
	_, err := r.store.QueueEvent(t.Context(), e.ID, confirmed(ann, 1), time.Now())
	require.NoError(t, err)
	strict := rigOn(t, r.store, overTheWire(0), func(c *webhook.Config) { c.AllowLocalhost = false })
	defer strict.run()()
	require.Eventually(t, func() bool { return r.deliveries(e.ID)[0].Attempts == 1 }, time.Minute, 5*time.Millisecond)
	all, _ := to.received()
	require.Zero(t, all)
	require.Equal(t, "the URL must begin with https://", r.deliveries(e.ID)[0].Log[0].Error)
}

func TestWhenAnEndpointIsEnabledWhatWasPendingIsSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		e := r.hook(ann, "https://a.example/")
		_, err := r.SendTest(t.Context(), ann, e.ID)
		require.NoError(t, err)
		disabled, active := webhook.EndpointDisabled, webhook.EndpointActive
		_, err = r.UpdateEndpoint(t.Context(), ann, e.ID, webhook.Change{Status: &disabled})
		require.NoError(t, err)
		defer r.run()()
		time.Sleep(time.Minute)
		require.Empty(t, r.net.requests())
		_, err = r.UpdateEndpoint(t.Context(), ann, e.ID, webhook.Change{Status: &active})
		require.NoError(t, err)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		require.Len(t, r.net.requests(), 1, "at once")
	})
}
