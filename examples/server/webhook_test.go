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

// receive receives webhooks at a URL, and tells those that your_webhook_secret signed.
func receive(t *testing.T) (url string, told <-chan signature.Event) {
	t.Helper()
	verifier, err := signature.NewVerifier("your_webhook_secret")
	require.NoError(t, err)
	events := make(chan signature.Event, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := verifier.Event(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		events <- event
	}))
	t.Cleanup(receiver.Close)
	return receiver.URL, events
}

func TestAProviderHearsOfATest(t *testing.T) {
	t.Parallel()
	receiver, told := receive(t)

	p := start(t, "-store", "memory:")
	var made struct {
		APIKey string `json:"api_key"`
	}
	require.Equal(t, 201, p.v1(t, "POST", "/auth/register", `{"role":"content_provider","username":"ann"}`, "", &made))
	var hook struct{ ID string }
	body := `{"url":"` + receiver + `/webhooks/v402","events":["*"],"secret":"your_webhook_secret"}`
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
	}, 2*time.Minute, 50*time.Millisecond)
	var refused struct {
		Error   string
		Details json.RawMessage
	}
	require.Equal(t, 400, p.v1(t, "POST", "/providers/webhooks", `{"url":"https://169.254.169.254/","events":["*"]}`, made.APIKey, &refused))
	require.JSONEq(t, `{"field":"url","code":"INVALID_URL"}`, string(refused.Details))
	p.stop(t)
}

func TestAnIssuerOfTheMarketplaceHearsOfItsQuotes(t *testing.T) {
	t.Parallel()
	receiver, told := receive(t)

	p := start(t, "-store", "memory:", "-admin-token", "mine")
	var made struct {
		User   struct{ ID string }
		APIKey string `json:"api_key"`
	}
	require.Equal(t, 201, p.v1(t, "POST", "/auth/register", `{"role":"content_provider","username":"edut"}`, "", &made))
	hook := `{"url":"` + receiver + `","events":["quote.created"],"secret":"your_webhook_secret"}`
	require.Equal(t, 201, p.v1(t, "POST", "/providers/webhooks", hook, made.APIKey, &struct{}{}))
	var issuer struct {
		OwnerID string `json:"owner_id"`
	}
	body := `{"name":"EDUT","owner_id":"` + made.User.ID + `"}`
	require.Equal(t, 200, p.market(t, http.DefaultClient, "PUT", "/marketplace/issuers/edut.firstparty", body, "mine", &issuer))
	require.NotEmpty(t, issuer.OwnerID)
	var quote struct {
		ID string `json:"quote_id"`
	}
	require.Equal(t, 200, p.market(t, http.DefaultClient, "POST", "/marketplace/checkout/quote", `{"wallet":"0x000000000000000000000000000000000000abc1",
		"offer_id":"edut.governance.core","org_root_id":"org.acme.root","principal_id":"human.joshua","principal_role":"org_root_owner",
		"workspace_id":"workspace.work.acme.exec"}`, "", &quote))
	event := <-told
	require.Equal(t, "quote.created", event.Type)
	var data struct {
		QuoteID string `json:"quote_id"`
	}
	require.NoError(t, json.Unmarshal(event.Data, &data))
	require.Equal(t, quote.ID, data.QuoteID)
	p.stop(t)
}
