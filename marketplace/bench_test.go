package marketplace_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
)

// BenchmarkVerifyCached verifies 10,000 wallets by turns, all of them remembered,
// and looks the same up in a map, and reports how many times longer the first
// takes: what should stay within 3.
func BenchmarkVerifyCached(b *testing.B) {
	const wallets = 10_000
	r := openRoom(b, func(c *marketplace.Config) { c.Clock, c.CacheAge = time.Now, time.Hour })
	r.plain("edut.plain", nil)
	type key struct{ wallet, offerID string }
	known := make(map[key]*marketplace.Entitlement, wallets)
	var requests []marketplace.VerifyRequest
	for n := range wallets {
		q := r.quote("edut.plain", n)
		payment := r.payment(q)
		payment.Time = q.CreatedAt
		c, err := r.settle(q, payment)
		require.NoError(b, err)
		known[key{q.Wallet, q.OfferID}] = &c.Entitlement
		requests = append(requests, marketplace.VerifyRequest{Wallet: roomWallet(n), OfferID: "edut.plain"})
		_, err = r.VerifyEntitlement(b.Context(), requests[n])
		require.NoError(b, err)
	}
	const batch = 1000
	var lookups, verifications time.Duration
	n, ctx := 0, b.Context()
	for b.Loop() {
		start := time.Now()
		for i := range batch {
			request := &requests[(n+i*7919)%wallets]
			if e, ok := known[key{request.Wallet, request.OfferID}]; !ok || e.State != marketplace.EntitlementActive {
				b.Fatal("it is not there")
			}
		}
		between := time.Now()
		for i := range batch {
			if v, err := r.VerifyEntitlement(ctx, requests[(n+i*7919)%wallets]); err != nil || !v.Valid {
				b.Fatal("it is not valid")
			}
		}
		lookups, verifications = lookups+between.Sub(start), verifications+time.Since(between)
		n += batch
	}
	b.ReportMetric(float64(lookups.Nanoseconds())/float64(n), "ns/lookup")
	b.ReportMetric(float64(verifications.Nanoseconds())/float64(n), "ns/verification")
	b.ReportMetric(float64(verifications)/float64(lookups), "ratio")
}
