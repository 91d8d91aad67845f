package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/facilitator/webhook/signature"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	db := memory.New()
	publisher, err := webhook.New(webhook.Config{
		Store: db, Audiences: []webhook.Audience{webhook.OwnerIn("owner_id")},
		AllowLocalhost: true, Poll: 10 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	// The receiver, which knows the secret.
	secret := signature.NewSecret()
	verifier, err := signature.NewVerifier(secret)
	if err != nil {
		fmt.Println(err)
		return
	}
	told := make(chan signature.Event, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := verifier.Event(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		told <- event
	}))
	defer receiver.Close()
	_, err = publisher.AddEndpoint(ctx, "provider-1", webhook.Registration{
		URL: receiver.URL, Events: []string{"payment.confirmed"}, Secret: secret,
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	done := make(chan error)
	go func() { done <- publisher.Run(ctx) }()
	if err := pay(ctx, db); err != nil {
		fmt.Println(err)
		return
	}
	event := <-told
	fmt.Println(event.Type, string(event.Data))
	cancel()
	fmt.Println(<-done)
	// Output:
	// payment.confirmed {"owner_id":"provider-1","amount":"10000"}
	// <nil>
}

// pay finishes a settlement, with the event that goes with it.
func pay(ctx context.Context, journal facilitator.Journal) error {
	s := facilitator.Settlement{ID: "1", Key: "1", Network: x402.Base}
	s.Payment.Payload.Payload = json.RawMessage("{}")
	if _, _, err := journal.ReserveSettlements(ctx, []facilitator.Settlement{s}, facilitator.Lease{Owner: "me"}); err != nil {
		return err
	}
	event := &store.Event{ID: "evt-1", Type: "payment.confirmed", Data: json.RawMessage(`{"owner_id":"provider-1","amount":"10000"}`), CreatedAt: time.Now()}
	_, err := journal.FinishSettlements(ctx, []facilitator.Outcome{{ID: "1", State: facilitator.Confirmed, Event: event}})
	return err
}
