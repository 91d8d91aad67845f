package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/middleware"
	"github.com/v402/v402/store/sqlite"
	"github.com/v402/v402/x402"
)

// BenchmarkSettle carries settlements through reserve, submit and finish in
// batches, on a file.
func BenchmarkSettle(b *testing.B) {
	for _, size := range []int{1, 64, 512} {
		b.Run(fmt.Sprint("batch=", size), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "v402.db"))
			n := 0
			for b.Loop() {
				settle(b, s, settlements(n, n+size))
				n += size
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "settlements/s")
		})
	}
}

func settle(b *testing.B, s *sqlite.Store, list []facilitator.Settlement) {
	_, _, err := s.ReserveSettlements(b.Context(), list, facilitator.Lease{Owner: "me", Until: time.Now().Add(time.Hour)})
	require.NoError(b, err)
	ids, outcomes := make([]string, len(list)), make([]facilitator.Outcome, len(list))
	for i := range list {
		ids[i], outcomes[i] = list[i].ID, list[i].Confirm("0x1", 5, time.Now())
	}
	submitted, err := s.SubmitSettlements(b.Context(), facilitator.Account{Network: x402.Base, Address: "0x1"}, "me", 0, ids,
		func(s *facilitator.Settlement, nonce uint64) (facilitator.Transaction, error) {
			return facilitator.Transaction{Hash: fmt.Sprintf("0x%064x", nonce), Raw: make([]byte, 350), Nonce: nonce}, nil
		})
	require.NoError(b, err)
	require.Len(b, submitted, len(list))
	changed, err := s.FinishSettlements(b.Context(), outcomes)
	require.NoError(b, err)
	require.NotContains(b, changed, false)
}

// BenchmarkClaim claims and fulfils payments, as so many requests at once.
func BenchmarkClaim(b *testing.B) {
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "v402.db"))
			b.SetParallelism(callers)
			expires := time.Now().Add(time.Hour)
			keys := make(chan string, callers)
			go func() {
				for i := 0; ; i++ {
					select {
					case keys <- fmt.Sprint("payment-", i):
					case <-b.Context().Done():
						return
					}
				}
			}()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					key := <-keys
					claimed, err := s.Claim(b.Context(), middleware.Claim{Key: key, Owner: key, LeasedUntil: expires, Expires: expires}, time.Now())
					require.NoError(b, err)
					require.True(b, claimed.Won)
					require.NoError(b, s.Fulfil(b.Context(), key, key, middleware.Outcome{Status: 200, Body: []byte("{}")}))
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "payments/s")
		})
	}
}
