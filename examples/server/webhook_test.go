package main_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/webhook/signature"
)

func TestAProviderHearsOfATest(t *testing.T) {
	t.Parallel()
	verifier, err := signature.NewVerifier("your_webhook_secret")
	require.NoError(t, err)
	told := make(chan signature.Event, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := verifier.Event(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		told <- event
	}))
	t.Cleanup(receiver.Close)

	p := start(t, "-store", "memory:")
	var made struct {
		APIKey string `json:"api_key"`
	}
	require.Equal(t, 201, p.v1(t, "POST", "/auth/register", `{"role":"content_provider","username":"ann"}`, "", &made))
	var hook struct{ ID string }
	body := `{"url":"` + receiver.URL + `/webhooks/v402","events":["*"],"secret":"your_webhook_secret"}`
	require.Equal(t, 201, p.v1(t, "POST", "/providers/webhooks", body, made.APIKey, &hook))
	var delivery struct {
		EventID string `json:"event_id"`
	}
	require.Equal(t, 202, p.v1(t, "POST", "/providers/webhooks/"+hook.ID+"/test", "", made.APIKey, &delivery))
	event := <-told
	for event.Type != "webhook.test" { // that ann registered comes too
		event = <-told
	}
	require.Equal(t, delivery.EventID, event.ID)
	var log struct {
		Items []struct{ Status string }
	}
	require.Eventually(t, func() bool {
		status := p.v1(t, "GET", "/providers/webhooks/"+hook.ID+"/logs?event_id="+event.ID, "", made.APIKey, &log)
		return status == 200 && len(log.Items) == 1 && log.Items[0].Status == "delivered"
	}, 10*time.Second, 50*time.Millisecond)
	var refused struct {
		Error   string
		Details json.RawMessage
	}
	require.Equal(t, 400, p.v1(t, "POST", "/providers/webhooks", `{"url":"https://169.254.169.254/","events":["*"]}`, made.APIKey, &refused))
	require.JSONEq(t, `{"field":"url","code":"INVALID_URL"}`, string(refused.Details))
	p.stop(t)
}
