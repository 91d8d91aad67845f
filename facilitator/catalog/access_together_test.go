package catalog_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/internal/webtest"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// many is how many do something at once.
const many = 20

// atOnce does the same many times at once.
func atOnce[T any](do func(i int) T) []T {
	out := make([]T, many)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range out {
		wg.Go(func() {
			<-start
			out[i] = do(i)
		})
	}
	close(start)
	wg.Wait()
	return out
}

// tally counts what is alike.
func tally[T comparable](list []T) map[T]int {
	n := map[T]int{}
	for _, v := range list {
		n[v]++
	}
	return n
}

// overEachKiosk runs a test with a kiosk over each kind of store, and a second
// replica of it.
func overEachKiosk(t *testing.T, test func(t *testing.T, s *kiosk, second http.Handler), edits ...func(*catalog.Config)) {
	webtest.OverEachStore(t, func(t *testing.T, over shelves) {
		s := openKioskOver(t, over, edits...)
		_, second := s.open(edits...)
		test(t, s, second)
	})
}

// together sends the same payment to both replicas many times at once, while the
// facilitator takes its time, and goes on once all others wait.
func (s *kiosk) together(second http.Handler, id, header, value string) []*httptest.ResponseRecorder {
	s.t.Helper()
	slow := make(chan struct{})
	s.facilitator.slow = slow
	go func() {
		<-slow
		for before := s.store.takes.Load(); s.store.takes.Load() < before+many; {
			time.Sleep(time.Millisecond)
		}
		slow <- struct{}{}
	}()
	return atOnce(func(i int) *httptest.ResponseRecorder {
		return s.sendTo([]http.Handler{s.handler, second}[i%2], "GET", "/api/v1/clients/access/"+id, nil, header, value)
	})
}

func TestTheSamePaymentAtOnceOnTwoReplicasIsOneSettlementAndOneAccessForAll(t *testing.T) {
	overEachKiosk(t, func(t *testing.T, s *kiosk, second http.Handler) {
		s.sell("course", func(p *catalog.Product) { p.MaxAccesses = 1 })
		header, value := s.sign(x402.V2, s.access("course"))
		grants := map[any]bool{}
		for _, w := range s.together(second, "course", header, value) {
			require.Equal(t, 200, w.Code, "%s", w.Body)
			g := answer(t, w)["grant"].(map[string]any)
			require.Equal(t, 1.0, g["access_count"])
			grants[g["id"]] = true
		}
		require.Len(t, grants, 1)
		require.Equal(t, 1, s.facilitator.settles)
		require.Len(t, s.payments(), 1)
		p, err := s.store.Product(t.Context(), "course")
		require.NoError(t, err)
		require.EqualValues(t, 1, p.Purchases)
	})
}

func TestWhoeverSendsAPaymentThatFailsMeanwhileIsToldThatItFailed(t *testing.T) {
	overEachKiosk(t, func(t *testing.T, s *kiosk, second http.Handler) {
		s.sell("course")
		header, value := s.sign(x402.V2, s.access("course"))
		s.facilitator.reason = x402.ReasonEVMTransactionFailed
		for _, w := range atOnce(func(i int) *httptest.ResponseRecorder {
			return s.sendTo([]http.Handler{s.handler, second}[i%2], "GET", "/api/v1/clients/access/course", nil, header, value)
		}) {
			v2, _ := challenge(t, w)
			require.Equal(t, string(x402.ReasonEVMTransactionFailed), v2.Error)
		}
		require.Equal(t, 1, s.facilitator.settles, "what has failed is not tried again")
		require.Equal(t, catalog.PaymentFailed, s.payments()[0].Status)
	})
}

func TestNoTwoHaveAPaymentSettledAtOnce(t *testing.T) {
	overEachKiosk(t, func(t *testing.T, s *kiosk, second http.Handler) {
		s.sell("course")
		header, value := s.sign(x402.V2, s.access("course"))
		s.facilitator.before = errBroken
		require.Equal(t, 502, s.access("course", header, value).Code)
		s.facilitator.before = nil
		s.wait(time.Hour)
		atOnce(func(i int) int { // Run, an admin and the buyer
			switch i % 3 {
			case 0:
				_ = s.service.TendPayments(t.Context())
			case 1:
				_, _ = s.service.Reconcile(t.Context(), s.payments()[0].ID)
			default:
				require.Equal(t, 200, s.sendTo(second, "GET", "/api/v1/clients/access/course", nil, header, value).Code)
			}
			return 0
		})
		require.Equal(t, 1, s.facilitator.most)
		require.Equal(t, 2, s.facilitator.settles)
		require.Equal(t, catalog.PaymentConfirmed, s.payments()[0].Status)
	})
}

func TestAPaymentOfAReplicaThatDiedIsPendingUntilAnotherHasIt(t *testing.T) {
	t.Parallel()
	s := openKiosk(t, func(c *catalog.Config) { c.Payments.SettleTimeout = 50 * time.Millisecond })
	s.sell("course")
	header, value := s.sign(x402.V2, s.access("course"))
	s.store.breakAt("add", true)
	s.store.breakAt("free", false)
	require.Equal(t, 500, s.access("course", header, value).Code)
	w := s.access("course", header, value)
	require.Equal(t, 402, w.Code)
	require.Equal(t, "settlement_pending", answer(t, w)["error"])
	require.Empty(t, w.Header().Get(x402.HeaderPaymentRequired), "nobody is asked to pay again")
	require.Zero(t, s.facilitator.settles)
	s.wait(time.Minute)
	require.Equal(t, 200, s.access("course", header, value).Code)
	require.Equal(t, 1, s.facilitator.count())
}

func TestWhatIsSettledInTheLastMomentIsStored(t *testing.T) {
	t.Parallel()
	s := openKiosk(t, func(c *catalog.Config) { c.Payments.SettleTimeout = time.Millisecond })
	s.sell("course")
	header, value := s.sign(x402.V2, s.access("course"))
	slow := make(chan struct{})
	s.facilitator.slow = slow
	go func() {
		<-slow
		time.Sleep(5 * time.Millisecond) // longer than there is time to settle
		slow <- struct{}{}
	}()
	require.Equal(t, 200, s.access("course", header, value).Code)
}

func TestAPaymentThatIsTakenWhileTheTermsMoveIsNotToldToPayAgain(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]func(s *kiosk){
		"another wallet": func(s *kiosk) { s.wallet(x402.BaseSepolia, usdc) },
		"no wallet": func(s *kiosk) {
			require.NoError(t, s.store.DeleteWallet(t.Context(), "ann", x402.BaseSepolia))
		},
		"nonce used":     func(*kiosk) {},
		"no facilitator": func(s *kiosk) { s.facilitator.kinds = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s *kiosk
			var header, value string
			asked := 0
			s = openKiosk(t, func(c *catalog.Config) {
				c.Payments.Price = func(context.Context, catalog.PriceRequest) (x402.Amount, error) {
					if asked++; asked == 2 { // the payment was not known when this request looked
						require.Equal(t, 200, s.access("course", header, value).Code)
						move(s)
					}
					return x402.NewAmount(10_000), nil
				}
			})
			s.sell("course", func(p *catalog.Product) { p.Scheme = catalog.SchemeDynamic })
			header, value = s.sign(x402.V2, s.access("course"))
			w := s.access("course", header, value)
			require.Equal(t, 200, w.Code, "%s", w.Body)
			require.Len(t, s.payments(), 1)
			require.Equal(t, 1, s.facilitator.count())
		})
	}
}

func TestWhatTheProviderChangesBeforeThePaymentComesMovesNothing(t *testing.T) {
	t.Parallel()
	ann := account.User{ID: "ann", Role: account.RoleContentProvider, Status: account.StatusActive}
	price := catalog.Price("20000")
	for name, c := range map[string]struct {
		change func(s *kiosk) error
		want   int
	}{
		"unpublished": {func(s *kiosk) error { _, err := s.service.Unpublish(t.Context(), ann, "course"); return err }, 404},
		"deleted":     {func(s *kiosk) error { _, err := s.service.DeleteProduct(t.Context(), ann, "course"); return err }, 404},
		"erased":      {func(s *kiosk) error { return s.service.EraseProduct(t.Context(), ann, "course") }, 404},
		"dearer": {func(s *kiosk) error {
			_, err := s.service.UpdateProduct(t.Context(), ann, "course", catalog.ProductUpdate{Price: &price})
			return err
		}, 402},
		"another wallet": {func(s *kiosk) error { s.wallet(x402.BaseSepolia, usdc); return nil }, 402},
		"suspended":      {func(s *kiosk) error { return s.store.SuspendOwner(t.Context(), "ann", true, s.now()) }, 404},
	} {
		for _, version := range []int{x402.V1, x402.V2} {
			s := openKiosk(t)
			s.sell("course")
			header, value := s.sign(version, s.access("course"))
			require.NoError(t, c.change(s), name)
			w := s.access("course", header, value)
			require.Equal(t, c.want, w.Code, "%s: %s", name, w.Body)
			require.Empty(t, s.payments(), name)
			require.Zero(t, s.facilitator.settles, name)
		}
	}
}

func TestWhatWasTakenForTheOldTermsIsFinishedOnThem(t *testing.T) {
	t.Parallel()
	for _, version := range []int{x402.V1, x402.V2} {
		s := openKiosk(t)
		s.sell("course")
		header, value := s.sign(version, s.access("course"))
		s.facilitator.after = errBroken
		require.Equal(t, 502, s.access("course", header, value).Code)
		s.facilitator.after = nil
		s.wallet(x402.BaseSepolia, usdc)
		_, err := s.store.UpdateProduct(t.Context(), "course", func(p *catalog.Product) ([]store.Event, error) {
			p.Status, p.Currency, p.Price = catalog.ProductInactive, "ETH", x402.NewAmount(7)
			return nil, nil
		})
		require.NoError(t, err)
		w := s.access("course", header, value)
		require.Equal(t, 200, w.Code, "%s", w.Body)
		require.Equal(t, "10000", answer(t, w)["payment_info"].(map[string]any)["amount"])
		require.Equal(t, 1, s.facilitator.count())
	}
}

func TestAPaymentByTransactionStandsWhateverBecomesOfTheProduct(t *testing.T) {
	t.Parallel()
	ann := account.User{ID: "ann", Role: account.RoleContentProvider, Status: account.StatusActive}
	s := openKiosk(t)
	s.sell("course", ether)
	id := s.create("course")
	s.wallet(x402.Ethereum, usdc)
	require.ErrorIs(t, s.service.EraseProduct(t.Context(), ann, "course"), catalog.ErrProductSold)
	_, err := s.service.DeleteProduct(t.Context(), ann, "course")
	require.NoError(t, err)
	status, v := s.confirm(id, s.chain.put(1, s.now()))
	require.Equal(t, 200, status, "%v", v)
	require.Equal(t, 200, s.access("course", catalog.HeaderAccessToken, v["access_token"].(string)).Code)
}

func TestAConfirmationAtOnceOnTwoReplicasIsTheSameForAll(t *testing.T) {
	overEachKiosk(t, func(t *testing.T, s *kiosk, second http.Handler) {
		s.sell("course", ether)
		id, hash := s.create("course"), s.chain.put(1, kioskOpening)
		grants := map[any]bool{}
		for _, w := range atOnce(func(i int) *httptest.ResponseRecorder {
			if i%5 == 4 {
				_ = s.service.TendPayments(t.Context())
			}
			return s.sendTo([]http.Handler{s.handler, second}[i%2], "POST", "/api/v1/clients/payments/"+id+"/confirm", map[string]any{"transaction_hash": hash})
		}) {
			require.Equal(t, 200, w.Code, "%s", w.Body)
			grants[answer(t, w)["grant"].(map[string]any)["id"]] = true
		}
		require.Len(t, grants, 1)
		p, err := s.store.Product(t.Context(), "course")
		require.NoError(t, err)
		require.EqualValues(t, 1, p.Purchases)
	})
}

// laggard is a chain whose first answer is of a moment ago: of before then happens.
type laggard struct {
	*ledgerChain
	then func()
}

func (c *laggard) Transaction(ctx context.Context, hash string) (x402.Transaction, error) {
	tx, err := c.ledgerChain.Transaction(ctx, hash)
	if then := c.then; then != nil {
		c.then = nil
		then()
	}
	return tx, err
}

func TestWhoSawATransactionTooShallowHearsThatItIsConfirmedMeanwhile(t *testing.T) {
	t.Parallel()
	chain := new(laggard)
	s := openKiosk(t, func(c *catalog.Config) {
		chain.ledgerChain = c.Chains[0].(*ledgerChain)
		c.Chains = []catalog.Chain{chain}
	})
	s.sell("course", ether)
	id := s.create("course")
	hash := s.chain.put(1, kioskOpening, func(tx *x402.Transaction) { tx.Confirmations = 1 })
	chain.then = func() {
		s.chain.put(1, kioskOpening)
		status, _ := s.confirm(id, hash)
		require.Equal(t, 200, status)
	}
	status, v := s.confirm(id, hash)
	require.Equal(t, 200, status, "%v", v)
	require.Equal(t, "confirmed", v["status"])
}

func TestAnotherTransactionThatRevertsDoesNotEndWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course", ether)
	id := s.create("course")
	good := s.chain.put(1, kioskOpening, func(tx *x402.Transaction) { tx.Confirmations = 1 })
	status, _ := s.confirm(id, good)
	require.Equal(t, 202, status)
	status, _ = s.confirm(id, s.chain.put(2, kioskOpening, func(tx *x402.Transaction) { tx.Succeeded = false }))
	require.Equal(t, 400, status)
	s.chain.put(1, kioskOpening)
	require.NoError(t, s.service.TendPayments(t.Context()))
	require.Equal(t, catalog.PaymentConfirmed, s.payments()[0].Status)
}

func TestAGrantIsUsedUpOnceByManyAtOnce(t *testing.T) {
	overEachKiosk(t, func(t *testing.T, s *kiosk, second http.Handler) {
		s.sell("api", func(p *catalog.Product) { p.MaxAccesses = 4 })
		w, _, _ := s.buy("api") // one of them
		token := answer(t, w)["access_token"].(string)
		codes := atOnce(func(i int) int {
			return s.sendTo([]http.Handler{s.handler, second}[i%2], "GET", "/api/v1/clients/access/api", nil, catalog.HeaderAccessToken, token).Code
		})
		require.Equal(t, map[int]int{200: 3, 403: many - 3}, tally(codes))
	})
}

func TestAHandlerRunsForOnePaymentAsOftenAsAnAnswerMayBeLost(t *testing.T) {
	overEachKiosk(t, func(t *testing.T, s *kiosk, _ http.Handler) {
		s.sell("api", func(p *catalog.Product) { p.MaxAccesses = 1 })
		var ran atomic.Int64
		guarded := s.service.Guard("api")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran.Add(1) }))
		ask := func(headers ...string) *httptest.ResponseRecorder {
			r := httptest.NewRequest("GET", "/premium", nil)
			for i := 0; i+1 < len(headers); i += 2 {
				r.Header.Set(headers[i], headers[i+1])
			}
			return webtest.Send(guarded, r)
		}
		header, value := s.sign(x402.V2, ask())
		codes := atOnce(func(int) int { return ask(header, value).Code })
		require.Equal(t, map[int]int{200: 4, 403: many - 4}, tally(codes))
		require.EqualValues(t, 4, ran.Load())
		require.Equal(t, 1, s.facilitator.count())
	})
}

func TestRefundsAtOnceGiveBackNoMoreThanWasPaid(t *testing.T) {
	var paid atomic.Int64
	overEachKiosk(t, func(t *testing.T, s *kiosk, second http.Handler) {
		s.sell("course")
		w, _, _ := s.buy("course")
		token := answer(t, w)["access_token"].(string)
		id := s.payments()[0].ID
		codes := atOnce(func(i int) int {
			body := map[string]any{"reason": "at once", "amount": "3000"}
			return s.sendTo([]http.Handler{s.handler, second}[i%2], "POST", "/api/v1/admin/payments/"+id+"/refund", body, "Authorization", "Bearer root").Code
		})
		require.Equal(t, map[int]int{200: 3, 400: many - 3}, tally(codes))
		require.Equal(t, 200, s.access("course", catalog.HeaderAccessToken, token).Code)
		codes = atOnce(func(i int) int {
			return s.sendTo(second, "POST", "/api/v1/admin/payments/"+id+"/refund", map[string]any{"reason": "the rest"}, "Authorization", "Bearer root").Code
		})
		require.Equal(t, 1, tally(codes)[200])
		require.Equal(t, "10000", s.payments()[0].Refunded.String())
		list, err := s.service.Refunds(t.Context(), id)
		require.NoError(t, err)
		require.Len(t, list, 4)
		refused(t, s.access("course", catalog.HeaderAccessToken, token), 403, "FORBIDDEN")
	}, func(c *catalog.Config) {
		c.Payments.Refund = func(_ context.Context, _ catalog.Payment, r catalog.Refund) (string, error) {
			return fmt.Sprintf("0x%x", paid.Add(1)), nil
		}
	})
}

func TestARefundBesideAConfirmationIsRefusedOrEndsTheAccess(t *testing.T) {
	overEachKiosk(t, func(t *testing.T, s *kiosk, second http.Handler) {
		s.sell("course", ether)
		id, hash := s.create("course"), s.chain.put(1, kioskOpening)
		codes := atOnce(func(i int) int {
			if i%2 == 0 {
				return 1000 + s.sendTo(second, "POST", "/api/v1/admin/payments/"+id+"/refund", map[string]any{"reason": "at once"}, "Authorization", "Bearer root").Code
			}
			status, _ := s.confirm(id, hash)
			return status
		})
		p := s.payments()[0]
		g, err := s.store.AccessGrantOfPayment(t.Context(), id)
		require.NoError(t, err, "%v", codes)
		switch tally(codes)[1200] {
		case 0:
			require.Equal(t, catalog.PaymentConfirmed, p.Status)
			require.True(t, g.Live(s.now()))
		case 1:
			require.Equal(t, catalog.PaymentRefunded, p.Status)
			require.False(t, g.Live(s.now()))
		default:
			require.Fail(t, "refunded twice", "%v", codes)
		}
	})
}

func TestAPriceThatMovesWithEveryRequestIsPaidOnceByThePaymentsThatWereToldIt(t *testing.T) {
	var n atomic.Uint64
	overEachKiosk(t, func(t *testing.T, s *kiosk, second http.Handler) {
		s.sell("course", func(p *catalog.Product) { p.Scheme = catalog.SchemeDynamic })
		header, value := s.sign(x402.V2, s.access("course"))
		for _, w := range atOnce(func(i int) *httptest.ResponseRecorder {
			return s.sendTo([]http.Handler{s.handler, second}[i%2], "GET", "/api/v1/clients/access/course", nil, header, value)
		}) {
			require.Equal(t, 200, w.Code, "%s", w.Body)
		}
		require.Equal(t, 1, s.facilitator.count())
		require.Len(t, s.payments(), 1)
	}, func(c *catalog.Config) {
		c.Payments.Price = func(context.Context, catalog.PriceRequest) (x402.Amount, error) {
			return x402.NewAmount(1000 + n.Add(1)), nil
		}
	})
}

func TestAUserWhoRepeatsAPaymentUsesNoFurtherAccess(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("api", func(p *catalog.Product) { p.MaxAccesses = 3 })
	bob := []string{"Authorization", "Bearer bob"}
	_, header, value := s.buy("api", bob...)
	for range 5 {
		w := s.access("api", append(bob, header, value)...)
		require.Equal(t, 200, w.Code, "%s", w.Body)
		require.Equal(t, 1.0, answer(t, w)["grant"].(map[string]any)["access_count"])
		require.NotEmpty(t, w.Header().Get(x402.HeaderPaymentResponse))
	}
	require.Equal(t, 2.0, answer(t, s.access("api", bob...))["grant"].(map[string]any)["access_count"])
	s.wait(time.Hour)
	w := s.access("api", append(bob, header, value)...)
	require.Equal(t, 3.0, answer(t, w)["grant"].(map[string]any)["access_count"], "it is bob's, whatever he shows")
}

func TestAPaymentThatIsSettledOpensTheProductToItsSenderForAWhileOnly(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course", func(p *catalog.Product) { p.AccessDuration = 0 })
	w, header, value := s.buy("course")
	token := answer(t, w)["access_token"].(string)
	s.wait(15*time.Minute - time.Second)
	require.Equal(t, 200, s.access("course", header, value).Code)
	s.wait(time.Second)
	w = s.access("course", header, value)
	require.Equal(t, "PAYMENT_ALREADY_USED", refused(t, w, 403, "FORBIDDEN")["code"])
	require.Empty(t, w.Header().Get(x402.HeaderPaymentRequired), "nobody is asked to pay again")
	require.Equal(t, 200, s.access("course", catalog.HeaderAccessToken, token).Code)
	require.Equal(t, 200, s.access("course", header, value, catalog.HeaderAccessToken, token).Code)
}

func TestWhatRunHasSettledIsDeliveredWheneverItsPaymentComes(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course", func(p *catalog.Product) { p.AccessDuration = 0 })
	header, value := s.sign(x402.V2, s.access("course"))
	s.facilitator.after = errBroken
	require.Equal(t, 502, s.access("course", header, value).Code)
	s.facilitator.after = nil
	s.wait(time.Hour)
	require.NoError(t, s.service.TendPayments(t.Context()))
	s.wait(24 * time.Hour)
	require.Equal(t, 200, s.access("course", header, value).Code)
	s.wait(time.Hour)
	require.Equal(t, "PAYMENT_ALREADY_USED", refused(t, s.access("course", header, value), 403, "FORBIDDEN")["code"])
}

func TestAPaymentIsWhoseItWasWhenItCame(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course")
	_, header, value := s.buy("course")
	require.Equal(t, 200, s.access("course", header, value, "Authorization", "Bearer bob").Code, "he has the payment")
	require.Equal(t, 402, s.access("course", "Authorization", "Bearer bob").Code, "and is not its owner by that: anybody can read it from the chain")
	w, _, _ := s.buy("course", "Authorization", "Bearer bob")
	require.Equal(t, 200, w.Code)
	require.Equal(t, 200, s.access("course", "Authorization", "Bearer bob").Code)
}

func TestWhatRunHasSettledOpensNothingByItsPaymentOnceItsUserHasHadIt(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course", func(p *catalog.Product) { p.AccessDuration = 0 })
	bob := []string{"Authorization", "Bearer bob"}
	header, value := s.sign(x402.V2, s.access("course"))
	s.facilitator.after = errBroken
	require.Equal(t, 502, s.access("course", append(bob, header, value)...).Code)
	s.facilitator.after = nil
	require.NoError(t, s.service.TendPayments(t.Context()))
	for range 2 {
		w := s.access("course", bob...)
		require.Equal(t, 200, w.Code, "%s", w.Body)
		require.Equal(t, 1.0, answer(t, w)["grant"].(map[string]any)["access_count"])
	}
	require.Equal(t, 200, s.access("course", header, value).Code, "whose answer was perhaps lost")
	s.wait(time.Hour)
	require.Equal(t, "PAYMENT_ALREADY_USED", refused(t, s.access("course", header, value), 403, "FORBIDDEN")["code"], "anybody can read it from the chain")
	require.Equal(t, 200, s.access("course", bob...).Code)
}

func TestWhoSendsAPaymentThatRunHasJustAskedAboutDoesNotWait(t *testing.T) {
	t.Parallel()
	s := openKiosk(t, func(c *catalog.Config) { c.Payments.SettleTimeout = 50 * time.Millisecond })
	s.sell("course")
	header, value := s.sign(x402.V2, s.access("course"))
	s.facilitator.reason = x402.ReasonSettlementPending
	require.Equal(t, 402, s.access("course", header, value).Code)
	require.NoError(t, s.service.TendPayments(t.Context()))
	require.Equal(t, 2, s.facilitator.settles)
	s.facilitator.reason = ""
	w := s.access("course", header, value) // the clock stands still
	require.Equal(t, 200, w.Code, "%s", w.Body)
	require.Equal(t, 3, s.facilitator.settles)
}
