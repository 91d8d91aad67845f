package middleware_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/middleware"
	"github.com/v402/v402/x402"
)

func TestOnePaymentBuysOneAnswerForConcurrentDuplicates(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]middleware.Mode{"after": middleware.SettleAfter, "before": middleware.SettleBefore} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var served atomic.Int64
			s := open(t, func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(5 * time.Millisecond)
				w.Header().Set("X-Serial", fmt.Sprint(served.Add(1)))
				fmt.Fprint(w, "serial ", served.Load())
			}, mode(m))
			header, value := s.pay(t, "GET", "/paid")
			var wg sync.WaitGroup
			var replays atomic.Int64
			for range 200 {
				wg.Go(func() {
					w := s.do("GET", "/paid", "", header, value)
					assertEqual(t, 200, w.Code)
					assertEqual(t, "serial 1", w.Body.String())
					assertEqual(t, "1", w.Header().Get("X-Serial"))
					assertEqual(t, hash, settlement(t, w.Header()).Transaction)
					if w.Header().Get("X-V402-Replay") == "true" {
						replays.Add(1)
					}
				})
			}
			wg.Wait()
			require.EqualValues(t, 1, s.ran.Load())
			require.EqualValues(t, 1, s.verified.Load())
			require.EqualValues(t, 1, s.settled.Load())
			require.EqualValues(t, 199, replays.Load())
			require.Equal(t, 1, s.claims.Len())
		})
	}
}

// assertEqual may be called from any goroutine.
func assertEqual[T comparable](t *testing.T, want, got T) {
	t.Helper()
	if want != got {
		t.Errorf("want %v, got %v", want, got)
	}
}

func TestAPaymentIsGoodForOneRequestOnly(t *testing.T) {
	t.Parallel()
	s := open(t, nil, func(cfg *middleware.Config) {
		cfg.Routes = append(cfg.Routes, middleware.Route{Pattern: "/other", Offers: cfg.Routes[0].Offers})
	})
	p := s.payload(t, "POST", "/paid?a=1")
	p.Resource = nil // or the path and query would be compared already
	value, err := x402.EncodeHeader(p)
	require.NoError(t, err)
	const name = x402.HeaderPaymentSignature
	require.Equal(t, 200, s.do("POST", "/paid?a=1", "body", name, value, "Authorization", "Bearer 1").Code)

	p.Payload = json.RawMessage(strings.Replace(string(p.Payload), `"0x0`, `"0x1`, 1))
	forged, err := x402.EncodeHeader(p)
	require.NoError(t, err)
	for what, w := range map[string]*httptest.ResponseRecorder{
		"route":       s.do("POST", "/other?a=1", "body", name, value, "Authorization", "Bearer 1"),
		"method":      s.do("PUT", "/paid?a=1", "body", name, value, "Authorization", "Bearer 1"),
		"query":       s.do("POST", "/paid?a=2", "body", name, value, "Authorization", "Bearer 1"),
		"body":        s.do("POST", "/paid?a=1", "bodY", name, value, "Authorization", "Bearer 1"),
		"no body":     s.do("POST", "/paid?a=1", "", name, value, "Authorization", "Bearer 1"),
		"credentials": s.do("POST", "/paid?a=1", "body", name, value),
		"range":       s.do("POST", "/paid?a=1", "body", name, value, "Authorization", "Bearer 1", "Range", "bytes=1-"),
		"condition":   s.do("POST", "/paid?a=1", "body", name, value, "Authorization", "Bearer 1", "If-None-Match", `"1"`),
		"signature":   s.do("POST", "/paid?a=1", "body", name, forged, "Authorization", "Bearer 1"),
	} {
		require.Equal(t, 402, w.Code, what)
		require.Equal(t, "payment_already_used", reason(t, w), what)
		require.Equal(t, "payment_already_used", challenge(t, w.Header()).Error)
	}
	require.EqualValues(t, 1, s.ran.Load())
	require.EqualValues(t, 1, s.settled.Load())

	w := s.do("POST", "/paid?a=1", "body", name, value, "Authorization", "Bearer 1")
	require.Equal(t, 200, w.Code)
	require.Equal(t, "the goods", w.Body.String())
	require.Equal(t, "true", w.Header().Get("X-V402-Replay"))
	require.EqualValues(t, 1, s.ran.Load(), "an identical request gets the answer again")
}

func TestConcurrentRequestsWithOnePaymentForDifferentThingsAreServedOnce(t *testing.T) {
	t.Parallel()
	s := open(t, nil, nil)
	p := s.payload(t, "GET", "/paid")
	p.Resource = nil
	value, err := x402.EncodeHeader(p)
	require.NoError(t, err)
	var served atomic.Int64
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			if w := s.do("GET", fmt.Sprintf("/paid?i=%d", i), "", x402.HeaderPaymentSignature, value); w.Code == 200 {
				served.Add(1)
			} else {
				assertEqual(t, 402, w.Code)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, served.Load())
	require.EqualValues(t, 1, s.settled.Load())
}

func TestAFailureIsSharedWithDuplicatesAndThePaymentStaysGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, nil, nil)
		s.onVerify = func(context.Context, x402.Payment) (x402.VerifyResponse, error) {
			time.Sleep(time.Second)
			return x402.VerifyResponse{InvalidReason: x402.ReasonEVMSignature}, nil
		}
		name, value := s.pay(t, "GET", "/paid")
		for range 50 {
			go func() { assertEqual(t, 402, s.do("GET", "/paid", "", name, value).Code) }()
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 1, s.verified.Load())
		require.Zero(t, s.claims.Len())
	})
}

func TestASettlementThatIsPendingIsFinishedByTheSamePayment(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]middleware.Mode{"after": middleware.SettleAfter, "before": middleware.SettleBefore} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := open(t, nil, mode(m))
				s.onSettle = failure(x402.ReasonSettlementPending, hash)
				name, value := s.pay(t, "GET", "/paid")
				for range 3 {
					w := s.do("GET", "/paid", "", name, value)
					require.Equal(t, 402, w.Code)
					require.Equal(t, "settlement_pending", reason(t, w))
					require.Equal(t, hash, settlement(t, w.Header()).Transaction)
					require.Empty(t, w.Header().Get(x402.HeaderPaymentRequired), "it does not ask for another payment")
					require.NotContains(t, w.Body.String(), "goods")
				}
				require.EqualValues(t, 6, s.settled.Load(), "each request asks once more")
				require.Equal(t, "payment_already_used", reason(t, s.do("POST", "/paid", "", name, value)))

				s.onVerify = invalid(x402.ReasonEVMNonceUsed, "")
				s.onSettle = nil
				w := s.do("GET", "/paid", "", name, value)
				require.Equal(t, 200, w.Code, w.Body)
				require.Equal(t, "the goods", w.Body.String())
				require.EqualValues(t, 1, s.ran.Load(), "the handler ran once for one payment")
				require.Equal(t, 200, s.do("GET", "/paid", "", name, value).Code)
				require.EqualValues(t, 7, s.settled.Load())
			})
		})
	}
}

func TestAPendingSettlementThatFailsForGoodFreesThePayment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, nil, nil)
		s.onSettle = failure(x402.ReasonSettlementPending, hash)
		name, value := s.pay(t, "GET", "/paid")
		require.Equal(t, 402, s.do("GET", "/paid", "", name, value).Code)
		s.onSettle = failure(x402.ReasonEVMTransactionFailed, hash)
		w := s.do("GET", "/paid", "", name, value)
		require.Equal(t, 402, w.Code)
		require.Equal(t, "invalid_exact_evm_transaction_failed", reason(t, w))
		require.Zero(t, s.claims.Len())
	})
}

func TestAPendingSettlementIsNotAFailureBecauseItIsAskedAboutTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, second := range []x402.Reason{x402.ReasonEVMNonceUsed, x402.ReasonDuplicateSettlement} {
			s := open(t, nil, nil)
			calls := 0
			s.onSettle = func(context.Context, x402.Payment) (x402.SettleResponse, error) {
				if calls++; calls == 1 {
					return x402.SettleResponse{ErrorReason: x402.ReasonSettlementPending, Transaction: hash}, nil
				}
				return x402.SettleResponse{ErrorReason: second}, nil
			}
			name, value := s.pay(t, "GET", "/paid")
			w := s.do("GET", "/paid", "", name, value)
			require.Equal(t, 402, w.Code)
			require.Equal(t, x402.ReasonSettlementPending, settlement(t, w.Header()).ErrorReason)
			require.Equal(t, 2, calls)
			require.Equal(t, 1, s.claims.Len())

			s.onSettle = nil
			name, value = payV1(t, "base-sepolia")
			require.Equal(t, 200, s.do("GET", "/paid", "", name, value).Code)
		}
	})
}

func TestAPendingV1PaymentIsNotOfferedAnotherOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, nil, nil)
		s.onSettle = failure(x402.ReasonSettlementPending, hash)
		name, value := payV1(t, "base-sepolia")
		w := s.do("GET", "/paid", "", name, value)
		require.Equal(t, 402, w.Code)
		require.NotContains(t, w.Body.String(), "accepts")
		require.NotEmpty(t, w.Header().Get(x402.HeaderPaymentResponseV1))
	})
}

func TestAnUnknownOutcomeIsNeverAFailure(t *testing.T) {
	t.Parallel()
	s := open(t, nil, nil)
	s.onSettle = func(context.Context, x402.Payment) (x402.SettleResponse, error) {
		return x402.SettleResponse{}, errors.New("timeout")
	}
	name, value := s.pay(t, "GET", "/paid")
	for _, again := range []func(context.Context, x402.Payment) (x402.SettleResponse, error){
		s.onSettle, s.onSettle, failure(x402.ReasonEVMNonceUsed, ""), failure(x402.ReasonEVMExpired, ""), failure("", ""),
	} {
		s.onSettle = again
		w := s.do("GET", "/paid", "", name, value)
		require.Equal(t, 502, w.Code)
		require.Empty(t, w.Header().Get(x402.HeaderPaymentRequired))
		require.Contains(t, w.Body.String(), "send the same payment again, never a new one")
		require.Equal(t, 1, s.claims.Len())
		require.Equal(t, 402, s.do("PUT", "/paid", "", name, value).Code)
	}
	s.onSettle = nil
	w := s.do("GET", "/paid", "", name, value)
	require.Equal(t, 200, w.Code)
	require.EqualValues(t, 1, s.ran.Load())
}

func TestAClientThatHangsUpDoesNotStopTheSettlement(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, nil, nil)
		ctx, cancel := context.WithCancel(t.Context())
		s.onSettle = func(ctx context.Context, p x402.Payment) (x402.SettleResponse, error) {
			cancel()
			select {
			case <-time.After(30 * time.Second):
				return success(p), nil
			case <-ctx.Done():
				return x402.SettleResponse{}, ctx.Err()
			}
		}
		name, value := s.pay(t, "GET", "/paid")
		r := request("GET", "/paid", "", name, value).WithContext(ctx)
		s.ServeHTTP(httptest.NewRecorder(), r)
		require.Error(t, ctx.Err())

		w := s.do("GET", "/paid", "", name, value)
		require.Equal(t, 200, w.Code)
		require.Equal(t, "the goods", w.Body.String())
		require.Equal(t, "true", w.Header().Get("X-V402-Replay"))
		require.EqualValues(t, 1, s.settled.Load())
	})
}

func TestAClientThatHangsUpWhileVerifyingIsNotCharged(t *testing.T) {
	t.Parallel()
	s := open(t, nil, nil)
	ctx, cancel := context.WithCancel(t.Context())
	s.onVerify = func(ctx context.Context, _ x402.Payment) (x402.VerifyResponse, error) {
		cancel()
		<-ctx.Done()
		return x402.VerifyResponse{}, ctx.Err()
	}
	name, value := s.pay(t, "GET", "/paid")
	s.ServeHTTP(httptest.NewRecorder(), request("GET", "/paid", "", name, value).WithContext(ctx))
	require.Zero(t, s.ran.Load()+s.settled.Load())
	require.Zero(t, s.claims.Len())
}

func TestASlowHandlerDoesNotUseUpTheTimeOfTheSettlement(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Hour)
			fmt.Fprint(w, "at last")
		}, nil)
		s.onSettle = func(ctx context.Context, p x402.Payment) (x402.SettleResponse, error) {
			deadline, ok := ctx.Deadline()
			assertEqual(t, true, ok)
			assertEqual(t, middleware.DefaultSettleTimeout, time.Until(deadline))
			return success(p), nil
		}
		name, value := s.pay(t, "GET", "/paid")
		results := make(chan *httptest.ResponseRecorder, 2)
		go func() { results <- s.do("GET", "/paid", "", name, value) }()
		time.Sleep(50 * time.Minute)
		go func() { results <- s.do("GET", "/paid", "", name, value) }()
		w := <-results
		require.Equal(t, 503, w.Code, "a duplicate waits for a bounded time")
		require.Equal(t, "1", w.Header().Get("Retry-After"))
		w = <-results
		require.Equal(t, 200, w.Code)
		require.Equal(t, "at last", w.Body.String())
		require.EqualValues(t, 1, s.ran.Load())
	})
}

func TestAWaitingDuplicateTakesOverWhenTheFirstClientHangsUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(time.Minute):
				fmt.Fprint(w, "done")
			case <-r.Context().Done():
				http.Error(w, "cancelled", 500)
			}
		}, nil)
		name, value := s.pay(t, "GET", "/paid")
		ctx, cancel := context.WithCancel(t.Context())
		go s.ServeHTTP(httptest.NewRecorder(), request("GET", "/paid", "", name, value).WithContext(ctx))
		time.Sleep(time.Second)
		result := make(chan *httptest.ResponseRecorder, 1)
		go func() { result <- s.do("GET", "/paid", "", name, value) }()
		time.Sleep(time.Second)
		cancel()
		w := <-result
		require.Equal(t, 200, w.Code)
		require.Equal(t, "done", w.Body.String())
		require.EqualValues(t, 2, s.ran.Load())
		require.EqualValues(t, 1, s.settled.Load())
	})
}

// otherProcess is a second guard over the same claims and facilitator.
func (s *shop) otherProcess(t *testing.T, handler http.HandlerFunc, m middleware.Mode) *shop {
	other := open(t, handler, func(cfg *middleware.Config) {
		cfg.Claims, cfg.Facilitator, cfg.Routes[0].Mode = s.claims, s.fake, m
	})
	other.fake, other.claims = s.fake, s.claims
	return other
}

func TestTwoProcessesServeOnePaymentOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(70 * time.Second) // longer than a lease
			fmt.Fprint(w, "once")
		}
		a := open(t, slow, nil)
		b := a.otherProcess(t, slow, middleware.SettleAfter)
		name, value := a.pay(t, "GET", "/paid")
		var wg sync.WaitGroup
		for _, s := range []*shop{a, b} {
			wg.Go(func() {
				w := s.do("GET", "/paid", "", name, value)
				assertEqual(t, 200, w.Code)
				assertEqual(t, "once", w.Body.String())
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, a.ran.Load()+b.ran.Load())
		require.EqualValues(t, 1, a.settled.Load())
	})
}

// dying is a store whose process ends at one of its calls: nothing that
// follows reaches it.
type dying struct {
	middleware.Claims
	at   string
	dead atomic.Bool
}

var errDead = errors.New("the process is gone")

func (d *dying) step(name string, do func() error) error {
	if name == d.at {
		d.dead.Store(true)
	}
	if d.dead.Load() {
		return errDead
	}
	return do()
}

func (d *dying) Renew(ctx context.Context, key, owner string, until time.Time) error {
	return d.step("renew", func() error { return d.Claims.Renew(ctx, key, owner, until) })
}

func (d *dying) Settled(ctx context.Context, key, owner string, b []byte) error {
	return d.step("settled", func() error { return d.Claims.Settled(ctx, key, owner, b) })
}

func (d *dying) Fulfil(ctx context.Context, key, owner string, o middleware.Outcome) error {
	return d.step("fulfil", func() error { return d.Claims.Fulfil(ctx, key, owner, o) })
}

func (d *dying) Release(ctx context.Context, key, owner string) error {
	return d.step("release", func() error { return d.Claims.Release(ctx, key, owner) })
}

// ledger is an honest chain: each payment moves once, and settling it again gives
// the same answer.
func (s *shop) ledger() *atomic.Int64 {
	var moved atomic.Int64
	var settled sync.Map
	s.onVerify = func(_ context.Context, p x402.Payment) (x402.VerifyResponse, error) {
		id, err := p.Identity()
		if _, used := settled.Load(id); used {
			return x402.VerifyResponse{InvalidReason: x402.ReasonEVMNonceUsed}, err
		}
		return x402.VerifyResponse{IsValid: true, Payer: buyer}, err
	}
	s.onSettle = func(_ context.Context, p x402.Payment) (x402.SettleResponse, error) {
		id, err := p.Identity()
		if _, again := settled.LoadOrStore(id, true); !again {
			moved.Add(1)
		}
		return success(p), err
	}
	return &moved
}

func TestAfterACrashTheSamePaymentIsServedAndMovesOnce(t *testing.T) {
	t.Parallel()
	for _, m := range []middleware.Mode{middleware.SettleAfter, middleware.SettleBefore} {
		for _, at := range []string{"settled", "fulfil", "release"} {
			t.Run(fmt.Sprint(m, at), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					first := open(t, nil, nil)
					moved := first.ledger()
					settle := first.onSettle
					d := &dying{Claims: first.claims, at: at}
					if at == "release" {
						first.onSettle = failure(x402.ReasonEVMTransactionFailed, "")
					}
					crashing := open(t, nil, func(cfg *middleware.Config) {
						cfg.Claims, cfg.Facilitator, cfg.Routes[0].Mode = d, first.fake, m
					})
					name, value := first.pay(t, "GET", "/paid")
					crashing.do("GET", "/paid", "", name, value)
					first.onSettle = settle

					revived := first.otherProcess(t, nil, m)
					w := revived.do("GET", "/paid", "", name, value)
					require.Equal(t, 200, w.Code, w.Body)
					require.Equal(t, "the goods", w.Body.String())
					require.EqualValues(t, 1, moved.Load())
					require.Equal(t, 402, revived.do("POST", "/paid", "", name, value).Code)
				})
			})
		}
	}
}

func TestAStoreThatFailsServesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, nil, func(cfg *middleware.Config) { cfg.Claims = broken{} })
	name, value := s.pay(t, "GET", "/paid")
	w := s.do("GET", "/paid", "", name, value)
	require.Equal(t, 503, w.Code)
	require.Zero(t, s.ran.Load()+s.verified.Load()+s.settled.Load())
}

type broken struct{ middleware.Claims }

func (broken) Claim(context.Context, middleware.Claim, time.Time) (middleware.Claimed, error) {
	return middleware.Claimed{}, io.ErrUnexpectedEOF
}

func TestAnOwnerThatLostItsClaimDoesNotSettle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := open(t, nil, nil)
		d := &dying{Claims: first.claims, at: "renew"}
		s := open(t, func(w http.ResponseWriter, r *http.Request) { time.Sleep(time.Minute) }, func(cfg *middleware.Config) {
			cfg.Claims = d
		})
		name, value := s.pay(t, "GET", "/paid")
		w := s.do("GET", "/paid", "", name, value)
		require.Equal(t, 503, w.Code)
		require.Zero(t, s.settled.Load())
	})
}
