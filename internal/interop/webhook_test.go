package interop_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

// documentedSecret is that of the documented handler.
const documentedSecret = "your_webhook_secret"

// happen saves an event of the provider "ann".
func happen(t *testing.T, s *memory.Store, id, kind string) {
	t.Helper()
	e := store.Event{ID: id, Type: kind, Data: json.RawMessage(`{"owner_id":"ann","amount":"5000000000000000000","note":"„ü“"}`), CreatedAt: time.Now()}
	list := []facilitator.Settlement{{ID: id, Key: id, Network: x402.Base, Payment: x402.Payment{Payload: x402.PaymentPayload{Payload: json.RawMessage("{}")}}}}
	_, _, err := s.ReserveSettlements(t.Context(), list, facilitator.Lease{Owner: "test"})
	require.NoError(t, err)
	_, err = s.FinishSettlements(t.Context(), []facilitator.Outcome{{ID: id, State: facilitator.Confirmed, Event: &e}})
	require.NoError(t, err)
}

func TestTheDocumentedHandlerTakesOurWebhooks(t *testing.T) {
	t.Parallel()
	needNode(t)
	url := serve(t, "webhook-receiver.cjs", nil) + "/webhooks/v402"
	s := memory.New()
	p, err := webhook.New(webhook.Config{
		Store: s, Audiences: []webhook.Audience{webhook.OwnerIn("owner_id")}, AllowLocalhost: true, Poll: 10 * time.Millisecond,
	})
	require.NoError(t, err)
	all := []string{webhook.AllEvents}
	known, err := p.AddEndpoint(t.Context(), "ann", webhook.Registration{URL: url, Events: all, Secret: documentedSecret})
	require.NoError(t, err)
	strange, err := p.AddEndpoint(t.Context(), "ann", webhook.Registration{URL: url, Events: all})
	require.NoError(t, err)
	for i, kind := range []string{"payment.confirmed", "payment.failed", "product.viewed", "product.updated"} {
		happen(t, s, string(rune('a'+i)), kind)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	defer func() {
		cancel()
		require.NoError(t, <-ended)
	}()

	for id, want := range map[string]struct {
		code   int
		answer string
	}{known.ID: {200, "OK"}, strange.ID: {401, "Invalid signature"}} {
		var deliveries []webhook.Delivery
		require.Eventually(t, func() bool {
			l, err := p.Deliveries(t.Context(), "ann", id, webhook.DeliveryFilter{}, store.PageNumber{})
			deliveries = l.Items
			return err == nil && len(deliveries) == 4 && deliveries[0].Attempts*deliveries[1].Attempts*deliveries[2].Attempts*deliveries[3].Attempts > 0
		}, 30*time.Second, 10*time.Millisecond)
		for _, d := range deliveries {
			require.Equal(t, want.code, d.Log[0].StatusCode, "%+v", d)
			require.Equal(t, want.answer, d.Log[0].Response)
		}
	}
}
