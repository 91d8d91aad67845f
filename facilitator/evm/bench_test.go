package evm_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/evm"
	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/x402"
)

// BenchmarkVerify compares verifying with one bare eth_call of the transfer for
// each payment, at the same number of connections and on the same chain.
func BenchmarkVerify(b *testing.B) {
	r := newRig(b, nil).run()
	payments := make([]x402.Payment, 512)
	calls := make([]map[string]any, len(payments))
	for i := range payments {
		payments[i] = r.pay(usdc, 1)
		calls[i] = map[string]any{"to": devchain.TokenAddress, "from": r.dev.Relayer.Address, "data": hexutil.Bytes(calldata(b, payments[i]))}
	}
	client, err := rpc.Dial(r.dev.URL())
	require.NoError(b, err)
	defer client.Close()
	for _, connections := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("bare eth_call/connections=%d", connections), func(b *testing.B) {
			inParallel(b, connections, func(i int) error {
				var out hexutil.Bytes
				return client.CallContext(context.Background(), &out, "eth_call", calls[i%len(calls)], "latest")
			})
		})
		b.Run(fmt.Sprintf("verify/connections=%d", connections), func(b *testing.B) {
			inParallel(b, connections, func(i int) error {
				answer, err := r.service.Verify(context.Background(), payments[i%len(payments)])
				if err == nil && !answer.IsValid {
					err = fmt.Errorf("%s: %s", answer.InvalidReason, answer.InvalidMessage)
				}
				return err
			})
		})
	}
}

// BenchmarkSettle shows how settlements of one relayer key share blocks, when
// blocks are made as transactions arrive and once in two seconds.
func BenchmarkSettle(b *testing.B) {
	for _, blockTime := range []time.Duration{0, 2 * time.Second} {
		for _, connections := range []int{1, 16, 64, 512} {
			b.Run(fmt.Sprintf("block=%s/connections=%d", blockTime, connections), func(b *testing.B) {
				r := newRig(b, func(c *evm.Config, d *devchain.Config) {
					d.BlockTime, c.ReplaceAfter, c.ResendAfter = blockTime, time.Minute, 10*time.Second
					d.MaxLead = time.Hour // blocks of one second each, made as fast as payments come
				}).run()
				q := usdc.Requirements(x402.NewAmount(1), r.dev.PayTo.Address.Hex())
				q.MaxTimeoutSeconds = 7200
				payments := make([]x402.Payment, b.N)
				for i := range payments {
					payments[i] = r.payAs(r.dev.Payer, q, time.Now())
				}
				b.ResetTimer()
				inParallel(b, connections, func(i int) error {
					answer, err := r.service.Settle(context.Background(), payments[i])
					if err == nil && !answer.Success {
						err = fmt.Errorf("%s: %s", answer.ErrorReason, answer.ErrorMessage)
					}
					return err
				})
				b.StopTimer()
				require.EqualValues(b, b.N, r.received())
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "settlements/s")
			})
		}
	}
}

// inParallel runs b.N calls of do from a number of callers.
func inParallel(b *testing.B, callers int, do func(i int) error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				if err := do(int(i)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
