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
type Open[S any] func(t *testing.T, replicas int) []S

// Test runs the whole suite.
func Test(t *testing.T, open Open[Store]) {
	for name, suite := range map[string]func(t *testing.T){
		"Journal":     func(t *testing.T) { TestJournal(t, As[facilitator.Journal](open)) },
		"Claims":      func(t *testing.T) { TestClaims(t, As[middleware.Claims](open)) },
		"Ledger":      func(t *testing.T) { TestLedger(t, As[payer.Ledger](open)) },
		"Outbox":      func(t *testing.T) { TestOutbox(t, As[EventJournal](open)) },
		"Registry":    func(t *testing.T) { TestRegistry(t, As[RegistryStore](open)) },
		"Settlements": func(t *testing.T) { TestSettlements(t, As[RegistryStore](open)) },
		"Wallet":      func(t *testing.T) { TestWallet(t, As[marketplace.WalletStore](open)) },
		"Payments":    func(t *testing.T) { TestPayments(t, As[PaymentStore](open)) },
		"Webhooks":    func(t *testing.T) { TestWebhooks(t, As[WebhookStore](open)) },
		"Marketplace": func(t *testing.T) { TestMarketplace(t, As[MarketplaceStore](open)) },
		"AccessLog":   func(t *testing.T) { TestAccessLog(t, As[catalog.LogStore](open)) },
		"Catalog":     func(t *testing.T) { TestCatalog(t, As[CatalogStore](open)) },
		"Reports":     func(t *testing.T) { TestReports(t, As[ReportStore](open)) },
		"Accounts":    func(t *testing.T) { TestAccounts(t, As[AccountStore](open)) },
		"Replicas":    func(t *testing.T) { TestReplicas(t, open) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			suite(t)
		})
	}
}

// As opens whole stores for a test of what they are, too.
func As[S any](open Open[Store]) Open[S] {
	return func(t *testing.T, replicas int) []S {
		stores := make([]S, replicas)
		for i, s := range open(t, replicas) {
			stores[i] = any(s).(S)
		}
		return stores
	}
}

// one opens a single handle.
func (open Open[S]) one(t *testing.T) S { return open(t, 1)[0] }

// some opens so many handles on one store.
func (open Open[S]) some(replicas int) func(t *testing.T) []S {
	return func(t *testing.T) []S { return open(t, replicas) }
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

// count says how often want is in list.
func count[T comparable](list []T, want T) int {
	n := 0
	for _, v := range list {
		if v == want {
			n++
		}
	}
	return n
}
