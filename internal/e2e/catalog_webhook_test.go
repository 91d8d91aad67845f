package e2e_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/facilitator/webhook/signature"
	"github.com/v402/v402/x402/evm"
	"github.com/v402/v402/x402/payer"
)

func TestAProviderHearsOfWhatWasSoldInASignedWebhook(t *testing.T) {
	t.Parallel()
	l := openLibrary(t)
	publisher, err := webhook.New(webhook.Config{
		Store: l.store, EncryptionKey: bytes.Repeat([]byte{5}, 32), AllowLocalhost: true, Poll: 5 * time.Millisecond, Logger: newLog(t),
		Audiences: []webhook.Audience{webhook.OwnerIn("owner_id")},
	})
	require.NoError(t, err)
	const secret = "your_webhook_secret"
	verifier, err := signature.NewVerifier(secret)
	require.NoError(t, err)
	heard := make(chan signature.Event, 10)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, err := verifier.Event(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		heard <- e
	}))
	t.Cleanup(site.Close)
	_, err = publisher.AddEndpoint(t.Context(), librarian, webhook.Registration{URL: site.URL, Events: []string{catalog.EventPaymentConfirmed}, Secret: secret})
	require.NoError(t, err)
	_, err = publisher.AddEndpoint(t.Context(), "somebody else", webhook.Registration{URL: site.URL, Events: []string{"*"}, Secret: "somebody_elses_secret"})
	require.NoError(t, err)
	runPublisher(t, publisher)

	signer, err := evm.ParseSigner(l.chain.Payer.Key)
	require.NoError(t, err)
	p, err := payer.New(payer.Config{Signers: []payer.Signer{signer}})
	require.NoError(t, err)
	status, v := l.ask(p.Client(), 0, "GET", "access/course", nil)
	require.Equal(t, 200, status, "%v", v)

	select {
	case e := <-heard:
		require.Equal(t, "payment.confirmed", e.Type)
		var paid catalog.PaymentEvent
		require.NoError(t, json.Unmarshal(e.Data, &paid))
		require.Equal(t, "course", paid.ProductID)
		require.Equal(t, "10000", paid.Amount)
		require.Equal(t, v["payment_info"].(map[string]any)["transaction_hash"], paid.TransactionHash)
	case <-time.After(patience):
		require.Fail(t, "nobody was told")
	}
	status, v = l.ask(p.Client(), 1, "GET", "access/other", nil)
	require.Equal(t, 200, status, "%v", v)
	second := <-heard
	require.Contains(t, string(second.Data), `"product_id":"other"`, "one event for each sale, and none for others")
}
