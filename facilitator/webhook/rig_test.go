package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/internal/webtest"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

// backend is what all three stores are: events get into the outbox through the
// journal.
type backend interface {
	webhook.Store
	facilitator.Journal
	account.AuditStore
}

// ann and bob own endpoints.
const ann, bob = "ann", "bob"

// confirmed is the nth event of an owner.
func confirmed(owner string, n int) store.Event {
	return store.Event{
		ID: fmt.Sprintf("event-%s-%05d", owner, n), Type: "payment.confirmed", Subject: "pay-1",
		Data:      json.RawMessage(fmt.Sprintf(`{"owner_id":%q,"n":%d}`, owner, n)),
		CreatedAt: time.Date(2024, 1, 15, 10, 45, 0, 0, time.UTC),
	}
}

// emit saves events into the outbox.
func emit(t testing.TB, s facilitator.Journal, events ...store.Event) {
	t.Helper()
	var list []facilitator.Settlement
	var outcomes []facilitator.Outcome
	for _, e := range events {
		list = append(list, facilitator.Settlement{
			ID: e.ID, Key: e.ID, Network: x402.Base, Payment: x402.Payment{Payload: x402.PaymentPayload{Payload: json.RawMessage("{}")}},
		})
		outcomes = append(outcomes, facilitator.Outcome{ID: e.ID, State: facilitator.Confirmed, Event: &e})
	}
	_, _, err := s.ReserveSettlements(context.Background(), list, facilitator.Lease{Owner: "test"})
	require.NoError(t, err)
	_, err = s.FinishSettlements(context.Background(), outcomes)
	require.NoError(t, err)
}

// request is what a receiver got.
type request struct {
	at     time.Time
	url    string
	header http.Header
	body   string
}

func (r request) event(t testing.TB) (e struct {
	ID, Type string
	Data     json.RawMessage
}) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(r.body), &e))
	return e
}

// network is what requests are sent over: hosts answer as they are told, or with
// 200.
type network struct {
	mu    sync.Mutex
	got   []request
	hosts map[string]func(*http.Request) (*http.Response, error)
}

func newNetwork() *network {
	return &network{hosts: map[string]func(*http.Request) (*http.Response, error){}}
}

// RoundTrip implements [http.RoundTripper].
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.got = append(n.got, request{time.Now(), r.URL.String(), r.Header.Clone(), string(body)})
	host := n.hosts[r.URL.Host]
	n.mu.Unlock()
	if host == nil {
		return answer(200, "OK"), nil
	}
	return host(r)
}

// set says how a host answers.
func (n *network) set(host string, how func(*http.Request) (*http.Response, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[host] = how
}

// always answers with a status and headers, which are pairs.
func (n *network) always(host string, status int, headers ...string) {
	n.set(host, func(*http.Request) (*http.Response, error) { return answer(status, "no", headers...), nil })
}

// requests are those that were made so far.
func (n *network) requests() []request {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]request(nil), n.got...)
}

func answer(status int, body string, headers ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

// hangs never answers.
func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// rig is a publisher over a network.
type rig struct {
	*webhook.Publisher
	t     testing.TB
	store backend
	net   *network
	log   *webtest.Log
}

// newRig is one that tells owners, on a store in memory.
func newRig(t testing.TB, edits ...func(*webhook.Config)) *rig {
	t.Helper()
	return rigOn(t, memory.New(), edits...)
}

func rigOn(t testing.TB, s backend, edits ...func(*webhook.Config)) *rig {
	t.Helper()
	r := &rig{t: t, store: s, net: newNetwork(), log: new(webtest.Log)}
	c := webhook.Config{
		Store: s, Audiences: []webhook.Audience{webhook.OwnerIn("owner_id")}, EncryptionKey: bytes.Repeat([]byte{7}, 32),
		Transport: r.net, Logger: slog.New(slog.NewTextHandler(r.log, nil)),
	}
	for _, edit := range edits {
		edit(&c)
	}
	var err error
	r.Publisher, err = webhook.New(c)
	require.NoError(t, err)
	return r
}

// run runs the publisher; end stops it and waits.
func (r *rig) run() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(r.t, <-done)
	}
}

// hook registers an endpoint of an owner.
func (r *rig) hook(owner, url string, events ...string) webhook.Created {
	r.t.Helper()
	if events == nil {
		events = []string{webhook.AllEvents}
	}
	c, err := r.AddEndpoint(context.Background(), owner, webhook.Registration{URL: url, Events: events})
	require.NoError(r.t, err)
	return c
}

// deliveries are those to an endpoint, the newest first.
func (r *rig) deliveries(id string) []webhook.Delivery {
	r.t.Helper()
	l, err := r.store.WebhookDeliveries(context.Background(), webhook.DeliveryFilter{Queue: id}, store.PageNumber{Size: store.MaxLimit})
	require.NoError(r.t, err)
	return l.Items
}

// endpoint reads an endpoint.
func (r *rig) endpoint(id string) webhook.Endpoint {
	r.t.Helper()
	e, err := r.store.Webhook(context.Background(), id)
	require.NoError(r.t, err)
	return e
}
