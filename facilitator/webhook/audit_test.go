package webhook_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/store"
)

// audit is the audit log, the oldest first.
func (r *rig) audit() []account.AuditEntry {
	r.t.Helper()
	l, err := r.store.AuditLog(r.t.Context(), account.AuditFilter{}, store.PageNumber{Size: store.MaxLimit})
	require.NoError(r.t, err)
	out := make([]account.AuditEntry, len(l.Items))
	for i, e := range l.Items {
		out[len(out)-1-i] = e
	}
	return out
}

func TestEveryChangeOfAnEndpointIsInTheAuditLog(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		id := a.create(ann)
		hook := base + "/" + id
		for _, body := range []string{
			`{"url":"https://b.example/a-secret-path?key=x","events":["*"],"status":"disabled","description":"mine"}`,
			`{"status":"active"}`, `{"status":"active","events":["*"]}`,
		} {
			require.Equal(t, 200, a.do(ann, "PUT "+hook, body).Code)
		}
		require.Equal(t, 200, a.do(ann, "POST "+hook+"/rotate-secret", `{"secret":"another_webhook_secret"}`).Code)
		_, err := a.SendTest(t.Context(), ann, id)
		require.NoError(t, err)
		a.deliver(t)
		require.Equal(t, 202, a.do("ada", "POST /api/v1/admin/webhooks/"+id+"/replay", `{"status":"delivered"}`).Code)
		require.Equal(t, 404, a.do(bob, "DELETE "+hook, "").Code)
		require.Equal(t, 200, a.do(ann, "DELETE "+hook, "").Code)

		want := []struct{ actor, action, detail string }{
			{ann, "webhook.create", `{"events":["payment.confirmed"],"host":"a.example"}`},
			{ann, "webhook.update", `{"description":"mine","events":["*"],"host":"b.example","previous_host":"a.example","status":"disabled"}`},
			{ann, "webhook.update", `{"status":"active"}`},
			{ann, "webhook.rotate_secret", ""},
			{"ada", "webhook.replay", `{"deliveries":1,"status":"delivered"}`},
			{ann, "webhook.delete", `{"host":"b.example"}`},
		}
		got := a.audit()
		require.Len(t, got, len(want), "what changes nothing is not in it")
		for i, w := range want {
			require.Equal(t, []string{w.actor, w.action, "webhook:" + id, w.detail}, []string{got[i].Actor, got[i].Action, got[i].Subject, string(got[i].Detail)})
		}
	})
}

func TestAnEndpointThatIsDisabledForItsAnswersIsInTheAuditLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		e := r.hook(ann, "https://a.example/")
		r.net.always("a.example", 410)
		defer r.run()()
		emit(t, r.store, confirmed(ann, 1))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		last := r.audit()[1]
		require.Equal(t, []string{"publisher", "webhook.disable", "webhook:" + e.ID, `{"reason":"gone"}`}, []string{last.Actor, last.Action, last.Subject, string(last.Detail)})
	})
}

func TestTheEndpointsOfADeletedUserAreDeleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for range 3 {
			r.hook(ann, "https://a.example/")
		}
		kept := r.hook(bob, "https://b.example/")
		defer r.run()()
		deleted := fresh(1)
		deleted.Type = account.EventDeleted
		var err error
		deleted.Data, err = json.Marshal(account.UserEvent{UserID: ann, OwnerID: ann, Status: account.StatusDeleted})
		require.NoError(t, err)
		emit(t, r.store, deleted)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		l, err := r.store.Webhooks(t.Context(), "", store.PageNumber{})
		require.NoError(t, err)
		require.Len(t, l.Items, 1)
		require.Equal(t, kept.ID, l.Items[0].ID)
		require.Empty(t, r.net.requests(), "who is deleted hears nothing of it")
		require.Equal(t, "webhook.delete", r.audit()[6].Action)
	})
}

func TestNobodyIsForgottenForAnEventOfAnotherKind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.hook("", "https://a.example/") // of nobody
		mine := r.hook(ann, "https://a.example/")
		defer r.run()()
		for n, data := range []string{`{}`, `[]`, `{"user_id":""}`, `{"user_id":7}`, `{`} {
			e := fresh(n)
			e.Type, e.Data = account.EventDeleted, []byte(data)
			emit(t, r.store, e)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, webhook.EndpointActive, r.endpoint(mine.ID).Status)
		l, err := r.store.Webhooks(t.Context(), "", store.PageNumber{})
		require.NoError(t, err)
		require.Len(t, l.Items, 2)
	})
}
