package middleware_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/middleware"
)

// serial is a handler that counts its answers.
func serial(s **shop) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "goods ", (*s).ran.Load()) }
}

func TestOnePaymentSentManyTimesAtOnceToTwoReplicasGetsOneAnswer(t *testing.T) {
	t.Parallel()
	for _, m := range []middleware.Mode{middleware.SettleAfter, middleware.SettleBefore} {
		var a, b *shop
		a = open(t, serial(&a), mode(m))
		b = a.otherProcess(t, serial(&b), m)
		moved := a.ledger()
		for n := range 5 {
			name, value := a.pay(t, "GET", "/paid")
			ran := a.ran.Load() + b.ran.Load()
			answers := make([]*httptest.ResponseRecorder, 20)
			var wg sync.WaitGroup
			for i := range answers {
				wg.Go(func() { answers[i] = []*shop{a, b}[i%2].do("GET", "/paid", "", name, value) })
			}
			wg.Wait()
			for _, w := range append(answers, a.do("GET", "/paid", "", name, value), b.do("GET", "/paid", "", name, value)) {
				require.Equal(t, 200, w.Code, w.Body)
				require.Equal(t, answers[0].Body.String(), w.Body.String())
				require.Equal(t, settlement(t, answers[0].Header()), settlement(t, w.Header()))
			}
			require.EqualValues(t, ran+1, a.ran.Load()+b.ran.Load())
			require.EqualValues(t, n+1, moved.Load())
		}
	}
}

func TestWhoeverIsCutOffGetsWhatHePaidForWithTheSamePayment(t *testing.T) {
	t.Parallel()
	var a, b *shop
	a = open(t, serial(&a), nil)
	b = a.otherProcess(t, serial(&b), middleware.SettleAfter)
	moved := a.ledger()
	for n := range 10 {
		name, value := a.pay(t, "GET", "/paid")
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if i%4 != 0 {
					time.AfterFunc(rand.N(300*time.Microsecond), cancel)
				}
				w := httptest.NewRecorder()
				[]*shop{a, b}[i%2].ServeHTTP(w, request("GET", "/paid", "", name, value).WithContext(ctx))
				if w.Code != 200 && w.Code < 500 {
					t.Errorf("%d: %s", w.Code, w.Body)
				}
			})
		}
		wg.Wait()
		w := b.do("GET", "/paid", "", name, value)
		require.Equal(t, 200, w.Code, w.Body)
		require.EqualValues(t, n+1, moved.Load())
	}
}

func TestDuplicatesThatWaitDoNotUseUpTheRunsOfAPayment(t *testing.T) {
	t.Parallel()
	for _, m := range []middleware.Mode{middleware.SettleAfter, middleware.SettleBefore} {
		synctest.Test(t, func(t *testing.T) {
			var locked atomic.Bool
			handler := func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(time.Second)
				if locked.Load() {
					http.Error(w, "the shelf is locked", 500)
					return
				}
				fmt.Fprint(w, "goods")
			}
			first := open(t, handler, nil)
			moved := first.ledger()
			name, value := first.pay(t, "GET", "/paid")
			if m == middleware.SettleAfter { // what is settled last comes to be served once more only by a crash
				crashing := open(t, handler, func(cfg *middleware.Config) {
					cfg.Claims, cfg.Facilitator = &dying{Claims: first.claims, at: "fulfil"}, first.fake
				})
				crashing.do("GET", "/paid", "", name, value)
			}
			s := first.otherProcess(t, handler, m)
			locked.Store(true)
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					w := s.do("GET", "/paid", "", name, value)
					assertEqual(t, 500, w.Code)
					assertEqual(t, "the shelf is locked\n", w.Body.String())
					assertEqual(t, true, settlement(t, w.Header()).Success)
				})
			}
			wg.Wait()
			require.EqualValues(t, 1, s.ran.Load())
			locked.Store(false)
			w := s.do("GET", "/paid", "", name, value)
			require.Equal(t, 200, w.Code, w.Body)
			require.Equal(t, "goods", w.Body.String())
			require.EqualValues(t, 1, moved.Load())
		})
	}
}
