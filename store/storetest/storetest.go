package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/catalog"
	reports "github.com/v402/v402/facilitator/report"
	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/middleware"
	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402/payer"
)

// Store is all that a backend of this module implements.
type Store interface {
	facilitator.Journal
	middleware.Claims
	payer.Ledger
	registry.Store
	account.Store
	marketplace.Store
	catalog.LogStore
	catalog.AccessStore
	CatalogStore
	reports.Store
	webhook.Store
}

// EventJournal is a journal with the outbox that its events go to.
type EventJournal interface {
	facilitator.Journal
	store.Outbox
}

// Open returns handles on one empty store, as so many replicas would open it:
// on a database one pool each, in memory the same value several times. It closes
// them with t.Cleanup.
type Open func(t *testing.T, replicas int) []Store

// Test runs the whole suite.
func Test(t *testing.T, open Open) {
	one := func(t *testing.T) Store { return open(t, 1)[0] }
	t.Run("Journal", func(t *testing.T) {
		TestJournal(t, func(t *testing.T) facilitator.Journal { return one(t) })
	})
	t.Run("Claims", func(t *testing.T) {
		TestClaims(t, func(t *testing.T) middleware.Claims { return one(t) })
	})
	t.Run("Ledger", func(t *testing.T) {
		TestLedger(t, func(t *testing.T) payer.Ledger { return one(t) })
	})
	t.Run("Outbox", func(t *testing.T) {
		TestOutbox(t, func(t *testing.T) EventJournal { return one(t) })
	})
	rooms := func(t *testing.T, replicas int) []RegistryStore {
		stores := make([]RegistryStore, replicas)
		for i, s := range open(t, replicas) {
			stores[i] = s
		}
		return stores
	}
	t.Run("Registry", func(t *testing.T) { TestRegistry(t, rooms) })
	t.Run("Settlements", func(t *testing.T) { TestSettlements(t, rooms) })
	t.Run("Wallet", func(t *testing.T) {
		TestWallet(t, func(t *testing.T, replicas int) []marketplace.WalletStore {
			stores := make([]marketplace.WalletStore, replicas)
			for i, s := range open(t, replicas) {
				stores[i] = s
			}
			return stores
		})
	})
	t.Run("Payments", func(t *testing.T) {
		TestPayments(t, func(t *testing.T, replicas int) []PaymentStore {
			stores := make([]PaymentStore, replicas)
			for i, s := range open(t, replicas) {
				stores[i] = s
			}
			return stores
		})
	})
	t.Run("Webhooks", func(t *testing.T) {
		TestWebhooks(t, func(t *testing.T, replicas int) []WebhookStore {
			stores := make([]WebhookStore, replicas)
			for i, s := range open(t, replicas) {
				stores[i] = s
			}
			return stores
		})
	})
	t.Run("Marketplace", func(t *testing.T) {
		TestMarketplace(t, func(t *testing.T, replicas int) []MarketplaceStore {
			stores := make([]MarketplaceStore, replicas)
			for i, s := range open(t, replicas) {
				stores[i] = s
			}
			return stores
		})
	})
	t.Run("AccessLog", func(t *testing.T) {
		TestAccessLog(t, func(t *testing.T, replicas int) []catalog.LogStore {
			stores := make([]catalog.LogStore, replicas)
			for i, s := range open(t, replicas) {
				stores[i] = s
			}
			return stores
		})
	})
	t.Run("Catalog", func(t *testing.T) {
		TestCatalog(t, func(t *testing.T, replicas int) []CatalogStore {
			stores := make([]CatalogStore, replicas)
			for i, s := range open(t, replicas) {
				stores[i] = s
			}
			return stores
		})
	})
	t.Run("Reports", func(t *testing.T) {
		TestReports(t, func(t *testing.T) ReportStore { return one(t) })
	})
	t.Run("Accounts", func(t *testing.T) {
		TestAccounts(t, func(t *testing.T, replicas int) []AccountStore {
			stores := make([]AccountStore, replicas)
			for i, s := range open(t, replicas) {
				stores[i] = s
			}
			return stores
		})
	})
	t.Run("Replicas", func(t *testing.T) { TestReplicas(t, open) })
}

// promises are tests by the sentence that they show.
type promises[S any] map[string]func(t *testing.T, s S)

// run shows each promise on a store of its own.
func (p promises[S]) run(t *testing.T, open func(t *testing.T) S) {
	for sentence, test := range p {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// cancelled is a context that has ended.
func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// check tries property on random input, as often as rapid is told to but not
// for long: a slow backend gets fewer tries.
func check(t *testing.T, property func(t *rapid.T)) {
	const budget = 8 * time.Second
	start, failed := time.Now(), false
	rapid.Check(t, func(rt *rapid.T) {
		if time.Since(start) > budget && !failed { // a failure is tried again, to make it small
			return
		}
		defer func() { failed = failed || rt.Failed() }()
		property(rt)
	})
}

// together runs n calls at once and waits for them. The results are in the
// order of the calls.
func together[R any](n int, call func(i int) (R, error)) ([]R, []error) {
	results, errs := make([]R, n), make([]error, n)
	start, done := make(chan struct{}), make(chan struct{})
	for i := range n {
		go func() {
			<-start
			results[i], errs[i] = call(i)
			done <- struct{}{}
		}()
	}
	close(start)
	for range n {
		<-done
	}
	return results, errs
}

// noErrors requires that every call went well.
func noErrors(t *testing.T, errs []error) {
	t.Helper()
	for _, err := range errs {
		require.NoError(t, err)
	}
}
