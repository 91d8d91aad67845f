package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/facilitator/webhook/signature"
	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/sqlite"
)

// told is an event as a platform receives it.
type told struct {
	by registry.Platform
	signature.Event
	secrets int // how many of the platform's secrets have signed it
}

// listen is a platform's server, which believes what is signed by a secret of
// the platform. Rotate makes another.
func listen(t *testing.T, service *registry.Service, p registry.Platform, heard chan<- told) (rotate func()) {
	t.Helper()
	var mu sync.Mutex
	var secrets []string
	add := func(secret string) {
		mu.Lock()
		defer mu.Unlock()
		secrets = append(secrets, secret)
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := 0
		var event signature.Event
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		mu.Lock()
		live := slices.Clone(secrets)
		mu.Unlock()
		for _, secret := range live {
			verifier, err := signature.NewVerifier(secret)
			if err == nil && verifier.Verify(r.Header, body.Bytes()) == nil {
				n++
			}
		}
		if err := json.Unmarshal(body.Bytes(), &event); err != nil || n == 0 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		heard <- told{p, event, n}
	}))
	t.Cleanup(site.Close)
	made, err := service.UpdatePlatform(t.Context(), p, registry.PlatformUpdate{APIEndpoint: &site.URL})
	require.NoError(t, err)
	add(made.CallbackSecret)
	return func() {
		made, err := service.RotateCallbackSecret(t.Context(), p.Actor(), p.ID)
		require.NoError(t, err)
		add(made.CallbackSecret)
	}
}

// publish tells platforms what happens, until the test ends.
func publish(t *testing.T, db webhook.Store, service *registry.Service) {
	t.Helper()
	publisher, err := webhook.New(webhook.Config{
		Store: db, EncryptionKey: bytes.Repeat([]byte{5}, 32), AllowLocalhost: true, Poll: 5 * time.Millisecond, Logger: newLog(t),
		Audiences: []webhook.Audience{func(ctx context.Context, e store.Event) ([]webhook.Recipient, error) {
			ids, err := service.Audience(ctx, e)
			var list []webhook.Recipient
			for _, id := range ids {
				list = append(list, webhook.Recipient{Direct: webhook.Direct{Directory: "registry", Key: strconv.FormatInt(id, 10)}})
			}
			return list, err
		}},
		Directories: map[string]webhook.Directory{"registry": func(ctx context.Context, key string) (webhook.Target, error) {
			id, err := strconv.ParseInt(key, 10, 64)
			if err != nil {
				return webhook.Target{}, err
			}
			c, err := service.Callback(ctx, id)
			if errors.Is(err, registry.ErrNoCallback) {
				err = fmt.Errorf("%w: %w", webhook.ErrGone, err)
			}
			return webhook.Target{URL: c.URL, Secrets: c.Secrets}, err
		}},
	})
	require.NoError(t, err)
	runPublisher(t, publisher)
}

// runPublisher has p publish and deliver until the test ends.
func runPublisher(t *testing.T, p *webhook.Publisher) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
}

func TestPlatformsHearOfSalesSettlementsAndRevocationsInSignedCallbacks(t *testing.T) {
	t.Parallel()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	c := &clearing{t: t, store: db}
	c.service = c.newService(db)
	a, b, silent := c.join("Alpha"), c.join("Beta"), c.join("Gamma")
	heard := make(chan told, 100)
	rotate := listen(t, c.service, a.Platform, heard)
	listen(t, c.service, b.Platform, heard)
	publish(t, db, c.service)

	c.sell(b, a, "10.00") // and of what a registered before
	c.sell(silent, a, "1.00")
	rotate()
	run, err := c.service.RunSettlements(t.Context(), "admin:test", registry.RunRequest{From: time.Now().Add(-time.Hour), To: time.Now()})
	require.NoError(t, err)
	require.Len(t, run.Settlements, 2)
	_, err = c.service.PaySettlement(t.Context(), b.Platform, run.Settlements[0].ID, registry.PayRequest{Reference: "wire 7"})
	require.NoError(t, err)
	_, err = c.service.RevokeContract(t.Context(), a.Platform, "0xBetaAlpha", registry.Revocation{Reason: "withdrawn"})
	require.NoError(t, err)

	want := map[string]int{
		"Alpha contract.registered": 2, "Alpha sale.reported": 2, "Alpha registry.settlement.issued": 2, "Alpha registry.settlement.paid": 1,
		"Alpha contract.revoked": 1, "Beta sale.reported": 1, "Beta registry.settlement.issued": 1, "Beta registry.settlement.paid": 1,
		"Beta contract.revoked": 1,
	}
	got, both := map[string]int{}, false
	for seen := map[string]bool{}; len(seen) < 12; {
		select {
		case e := <-heard:
			id := e.by.PlatformName + " " + e.ID
			if seen[id] {
				continue // it was sent again, as it is where an answer is lost
			}
			seen[id] = true
			got[e.by.PlatformName+" "+e.Type]++
			both = both || e.secrets == 2
			if e.Type == registry.EventSaleReported && e.by.ID == b.Platform.ID {
				require.Contains(t, string(e.Data), `"royalty_amount":10`)
			}
		case <-time.After(patience):
			require.Equal(t, want, got)
		}
	}
	require.Equal(t, want, got)
	require.True(t, both, "while they are rotated both secrets sign")
}
