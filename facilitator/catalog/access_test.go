package catalog_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/facilitator/catalog/content"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

func TestAProductIsOfferedInBothVersionsOfTheProtocol(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course")
	w := s.access("course")
	v2, v1 := challenge(t, w)
	require.Equal(t, "X402", w.Header().Get("WWW-Authenticate"))
	require.Equal(t, "Payment required to access this content", v1.Error)
	for _, c := range []x402.PaymentRequired{v2, v1} {
		require.Equal(t, "https://shop.example/api/v1/clients/access/course", c.Resource.URL)
		require.Len(t, c.Accepts, 1)
		a := c.Accepts[0]
		require.Equal(t, "exact", a.Scheme)
		require.Equal(t, x402.BaseSepolia, a.Network)
		require.Equal(t, "10000", a.Amount.String())
		require.Equal(t, usdc, a.Asset)
		require.Equal(t, payTo, a.PayTo)
		require.EqualValues(t, 900, a.MaxTimeoutSeconds)
		require.JSONEq(t, `{"name":"USDC","version":"2"}`, string(a.Extra))
	}
	require.Empty(t, s.payments(), "who only asks leaves nothing behind")
}

func TestNativePricesAreOfferedAsTheDocumentationHasThem(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course", ether)
	w := s.access("course")
	v2, _ := challenge(t, w)
	v := answer(t, w)
	instructions := v["payment_instructions"]
	delete(v, "payment_instructions")
	require.Equal(t, map[string]any{
		"x402Version": 1.0,
		"accepts": []any{map[string]any{
			"scheme": "exact", "network": "ethereum", "maxAmountRequired": "5000000000000000000",
			"resource": "https://shop.example/api/v1/clients/access/course", "description": "Premium AI Tutorial Series", "mimeType": "video/series",
			"payTo": payTo, "maxTimeoutSeconds": 900.0, "asset": "ETH",
		}},
		"error": "Payment required to access this content",
	}, v)
	require.Equal(t, x402.Ethereum, v2.Accepts[0].Network)
	require.Equal(t, "POST /api/v1/clients/payments", instructions.(map[string]any)["create"])
}

func TestAPaymentOfEitherVersionOpensAProduct(t *testing.T) {
	t.Parallel()
	for _, version := range []int{x402.V1, x402.V2} {
		s := openKiosk(t)
		s.sell("course")
		name, value := s.sign(version, s.access("course"))
		w := s.access("course", name, value)
		require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
		v := answer(t, w)
		p := s.payments()[0]
		require.Equal(t, "success", v["status"])
		require.Equal(t, "2024-01-16T10:30:00Z", v["expires_at"])
		require.Equal(t, map[string]any{
			"amount": "10000", "transaction_hash": p.Transaction, "network": "base-sepolia", "confirmations": 1.0,
		}, v["payment_info"])
		header := map[int]string{x402.V1: x402.HeaderPaymentResponseV1, x402.V2: x402.HeaderPaymentResponse}[version]
		var receipt x402.SettleResponse
		require.NoError(t, x402.DecodeHeader(w.Header().Get(header), &receipt))
		require.True(t, receipt.Success)
		require.Equal(t, p.Transaction, receipt.Transaction)

		key := s.service.ContentKey("ann")
		verifier := content.Verifier{Keys: []string{key}, Now: s.now}
		ticket, err := verifier.Token("course", v["access_token"].(string))
		require.NoError(t, err)
		require.Equal(t, v["grant"].(map[string]any)["id"], ticket.Grant)
		ticket, err = verifier.Request("course", httptest.NewRequest("GET", v["content_url"].(string), nil))
		require.NoError(t, err)
		require.Equal(t, kioskOpening.Add(15*time.Minute), ticket.Expires)

		require.Equal(t, catalog.PaymentConfirmed, p.Status)
		require.Equal(t, "250", p.Fee.String())
		require.Equal(t, []string{catalog.EventPaymentCreated, catalog.EventPaymentConfirmed, catalog.EventAccessGranted}, s.events())
		product, err := s.store.Product(t.Context(), "course")
		require.NoError(t, err)
		require.EqualValues(t, 1, product.Purchases)
	}
}

func TestWhoHasPaidMayReviewAndIsReadByAll(t *testing.T) {
	t.Parallel()
	const path, bob = "/api/v1/clients/products/course/reviews", "Bearer bob"
	s := openKiosk(t)
	s.sell("course")
	refused(t, s.send("POST", path, `{"rating":5}`, "Authorization", bob), http.StatusForbidden, "FORBIDDEN")
	s.buy("course", "Authorization", bob)
	w := s.send("POST", path, `{"rating":4,"comment":"Worth a cent"}`, "Authorization", bob)
	require.Equal(t, http.StatusCreated, w.Code, "%s", w.Body)
	shown := answer(t, s.send("GET", path, nil))
	require.Equal(t, 4.0, shown["rating"])
	require.Len(t, shown["items"], 1)
	require.Equal(t, "Worth a cent", shown["items"].([]any)[0].(map[string]any)["comment"])
	found := answer(t, s.send("GET", "/api/v1/clients/discover?query=tutorial", nil))["items"].([]any)[0].(map[string]any)
	require.Equal(t, 4.0, found["rating"])
	require.Equal(t, 1.0, found["purchase_count"])
	require.Contains(t, s.events(), catalog.EventReviewPosted)
}

func TestTheSamePaymentAgainGivesTheSameGrantAndIsNeverSettledForAnother(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course")
	s.sell("other")
	first, name, value := s.buy("course")
	grant := answer(t, first)["grant"].(map[string]any)["id"]
	for range 3 {
		w := s.access("course", name, value)
		require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
		require.Equal(t, grant, answer(t, w)["grant"].(map[string]any)["id"])
	}
	w := s.access("other", name, value)
	v2, _ := challenge(t, w)
	require.Equal(t, string(x402.ReasonPaymentAlreadyUsed), v2.Error)
	// In version 1 the payment does not name what it is for.
	name, value = s.sign(x402.V1, s.access("course"))
	require.Equal(t, http.StatusOK, s.access("course", name, value).Code)
	require.Equal(t, http.StatusPaymentRequired, s.access("other", name, value).Code)
	require.Equal(t, 2, s.facilitator.count())
	require.Equal(t, 2, s.facilitator.settles)
	require.Len(t, s.payments(), 2)
}

func TestWhoSeesThePaymentOnTheChainCannotUseIt(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course")
	s.buy("course")
	name, value := s.sign(x402.V2, s.access("course"), func(p *x402.PaymentPayload) { p.Payload = authorization(x402.NewAmount(10_000), 1, "0xforged") })
	v2, _ := challenge(t, s.access("course", name, value))
	require.Equal(t, string(x402.ReasonPaymentAlreadyUsed), v2.Error)
}

func TestOfOnePaymentForTwoProductsAtOnceOneIsBought(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("a")
	s.sell("b")
	name, value := s.sign(x402.V1, s.access("a"))
	codes := make([]int, 20)
	var wg sync.WaitGroup
	for i := range codes {
		wg.Go(func() { codes[i] = s.access([]string{"a", "b"}[i%2], name, value).Code })
	}
	wg.Wait()
	for i, code := range codes {
		require.Equal(t, codes[i%2], code)
	}
	require.ElementsMatch(t, []int{200, 402}, codes[:2])
	require.Equal(t, 1, s.facilitator.count())
	require.Len(t, s.payments(), 1)
}

// mishaps are what can go wrong while a payment is taken, and whether the money
// has moved then.
var mishaps = map[string]struct {
	make  func(*kiosk)
	moved int
}{
	"before the payment is stored":    {func(s *kiosk) { s.store.breakAt("add", false) }, 0},
	"after the payment was stored":    {func(s *kiosk) { s.store.breakAt("add", true) }, 0},
	"before the money moves":          {func(s *kiosk) { s.facilitator.before = errBroken }, 0},
	"after the money has moved":       {func(s *kiosk) { s.facilitator.after = errBroken }, 1},
	"before the grant is stored":      {func(s *kiosk) { s.store.breakAt("confirm", false) }, 1},
	"after the grant was stored":      {func(s *kiosk) { s.store.breakAt("confirm", true) }, 1},
	"while the settlement is pending": {func(s *kiosk) { s.facilitator.reason = x402.ReasonSettlementPending }, 0},
}

func TestWhateverBreaksOffTheSamePaymentGivesTheGrantAndIsPaidOnce(t *testing.T) {
	t.Parallel()
	for name, mishap := range mishaps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openKiosk(t)
			s.sell("course")
			header, value := s.sign(x402.V2, s.access("course"))
			mishap.make(s)
			w := s.access("course", header, value)
			require.NotEqual(t, http.StatusOK, w.Code)
			require.Empty(t, w.Header().Get(x402.HeaderPaymentRequired), "nobody is asked to pay again")
			require.NotContains(t, w.Body.String(), "example.com/content")
			require.Equal(t, mishap.moved, s.facilitator.count())
			s.facilitator.before, s.facilitator.after, s.facilitator.reason = nil, nil, ""

			w = s.access("course", header, value)
			require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
			require.Equal(t, 1, s.facilitator.count())
			require.Len(t, s.payments(), 1)
			require.Equal(t, []string{catalog.EventPaymentCreated, catalog.EventPaymentConfirmed, catalog.EventAccessGranted}, s.events())
		})
	}
}

func TestWhateverBreaksOffRunFinishesItAndTheUserFindsTheGrant(t *testing.T) {
	t.Parallel()
	for name, mishap := range mishaps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openKiosk(t)
			s.sell("course")
			header, value := s.sign(x402.V2, s.access("course"))
			mishap.make(s)
			require.NotEqual(t, http.StatusOK, s.access("course", header, value, "Authorization", "Bearer bob").Code)
			s.facilitator.before, s.facilitator.after, s.facilitator.reason = nil, nil, ""
			s.wait(time.Hour)
			require.NoError(t, s.service.TendPayments(t.Context()))
			if len(s.payments()) == 0 {
				require.Zero(t, s.facilitator.count(), "what was not stored does not move")
				return
			}
			require.Equal(t, catalog.PaymentConfirmed, s.payments()[0].Status)
			require.Equal(t, 1, s.facilitator.count())
			require.Equal(t, http.StatusOK, s.access("course", "Authorization", "Bearer bob").Code)
		})
	}
}

func TestAPaymentThatDoesNotDoIsRefusedAndMovesNothing(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course")
	for name, edit := range map[string]func(*x402.PaymentPayload){
		"too little":       func(p *x402.PaymentPayload) { p.Payload = authorization(x402.NewAmount(9_999), 9, "0x") },
		"another amount":   func(p *x402.PaymentPayload) { p.Accepted.Amount = x402.NewAmount(9_999) },
		"another payee":    func(p *x402.PaymentPayload) { p.Accepted.PayTo = buyer },
		"another token":    func(p *x402.PaymentPayload) { p.Accepted.Asset = payTo },
		"another chain":    func(p *x402.PaymentPayload) { p.Accepted.Network = x402.Base },
		"another scheme":   func(p *x402.PaymentPayload) { p.Accepted.Scheme = x402.SchemeUpto },
		"another resource": func(p *x402.PaymentPayload) { p.Resource = &x402.ResourceInfo{URL: "https://shop.example/other"} },
		"no authorization": func(p *x402.PaymentPayload) { p.Payload = []byte(`{}`) },
		"a nonce of no shape": func(p *x402.PaymentPayload) {
			p.Payload = []byte(`{"authorization":{"from":"` + buyer + `","nonce":"1"}}`)
		},
	} {
		header, value := s.sign(x402.V2, s.access("course"), edit)
		w := s.access("course", header, value)
		v2, _ := challenge(t, w)
		require.NotEqual(t, string(x402.ReasonPaymentRequired), v2.Error, name)
	}
	for name, headers := range map[string][]string{
		"not base64":      {x402.HeaderPaymentV1, "%%%"},
		"not JSON":        {x402.HeaderPaymentV1, "aGVsbG8="},
		"the colon form":  {x402.HeaderPaymentV1, "v402.1.0:signature:payload:metadata"},
		"empty":           {x402.HeaderPaymentSignature, ""},
		"another version": {x402.HeaderPaymentSignature, "eyJ4NDAyVmVyc2lvbiI6MSwic2NoZW1lIjoiZXhhY3QiLCJuZXR3b3JrIjoiYmFzZSIsInBheWxvYWQiOnt9fQ=="},
		"two at once":     {x402.HeaderPaymentSignature, "e30=", x402.HeaderPaymentV1, "e30="},
	} {
		v2, _ := challenge(t, s.access("course", headers...))
		require.Equal(t, "invalid_payment_header", v2.Error, name)
	}
	require.Zero(t, s.facilitator.settles)
	require.Empty(t, s.payments())
}

func TestASettlementThatFailsIsToldAndTheNextPaymentBuys(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course")
	header, value := s.sign(x402.V2, s.access("course"))
	s.facilitator.reason = x402.ReasonEVMTransactionFailed
	for range 2 {
		w := s.access("course", header, value)
		v2, _ := challenge(t, w)
		require.Equal(t, string(x402.ReasonEVMTransactionFailed), v2.Error)
		s.facilitator.reason = ""
	}
	require.Equal(t, catalog.PaymentFailed, s.payments()[0].Status)
	require.Zero(t, s.facilitator.count())
	s.buy("course")
	require.Equal(t, []string{
		catalog.EventPaymentCreated, catalog.EventPaymentFailed, catalog.EventPaymentCreated, catalog.EventPaymentConfirmed, catalog.EventAccessGranted,
	}, s.events())
}

func TestWhatOneAttemptFailedToSettleAndAnotherSettledIsBought(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course")
	header, value := s.sign(x402.V2, s.access("course"))
	s.store.breakAt("confirm", false) // the money has moved, and the grant is not stored
	require.Equal(t, 500, s.access("course", header, value).Code)
	s.facilitator.reason = x402.ReasonEVMTransactionFailed // of a second attempt
	slow := make(chan struct{})
	s.facilitator.slow = slow
	first := make(chan int)
	go func() { first <- s.access("course", header, value).Code }()
	<-slow                  // it will say that the payment has succeeded
	s.wait(3 * time.Minute) // for longer than a payment is left to who settles it
	require.Equal(t, 402, s.access("course", header, value).Code)
	require.Equal(t, catalog.PaymentFailed, s.payments()[0].Status)
	slow <- struct{}{}
	require.Equal(t, 200, <-first)
	require.Equal(t, catalog.PaymentConfirmed, s.payments()[0].Status)
	require.Empty(t, s.payments()[0].FailureCode)
	require.Equal(t, 1, s.facilitator.count())
}

func TestASettlementThatNobodyCanDecideIsForTheAdmin(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course")
	header, value := s.sign(x402.V2, s.access("course"))
	s.facilitator.reason = x402.ReasonEVMNonceUsed
	require.Equal(t, 502, s.access("course", header, value).Code)
	s.wait(time.Hour)
	require.NoError(t, s.service.TendPayments(t.Context()))
	require.Equal(t, catalog.PaymentProcessing, s.payments()[0].Status)
	s.wait(time.Hour)
	require.NoError(t, s.service.TendPayments(t.Context()))
	require.Equal(t, catalog.PaymentDisputed, s.payments()[0].Status)
	_, err := s.service.Reconcile(t.Context(), s.payments()[0].ID)
	require.NoError(t, err)
	require.Equal(t, 200, s.access("course", header, value).Code)
}

func TestATokenOfWhatIsFreeNowDoesNotOutliveThat(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("gift", func(p *catalog.Product) { p.Scheme, p.Price = catalog.SchemeFree, x402.NewAmount(0) })
	token := answer(t, s.access("gift"))["access_token"].(string)
	verifier := content.Verifier{Keys: []string{s.service.ContentKey("ann")}, Now: s.now}
	_, err := verifier.Token("gift", token)
	require.NoError(t, err)
	s.wait(15 * time.Minute)
	_, err = verifier.Token("gift", token)
	require.ErrorIs(t, err, content.ErrExpired)
}

func TestAccessAgainTakesATokenAUserOrASignedPayerAndNoPayment(t *testing.T) {
	t.Parallel()
	s := openKiosk(t, func(c *catalog.Config) {
		c.Payments.Buyer = func(r *http.Request) (account.User, string, error) {
			u, err := kioskAuthenticate(r)
			return u, r.Header.Get("X-Proven"), err
		}
	})
	s.sell("course")
	s.sell("other")
	w, _, _ := s.buy("course", "Authorization", "Bearer bob")
	token := answer(t, w)["access_token"].(string)
	for name, headers := range map[string][]string{
		"token":           {"Authorization", "Bearer " + token},
		"token in header": {catalog.HeaderAccessToken, token},
		"user":            {"Authorization", "Bearer bob"},
		"payer":           {"X-Proven", buyer},
	} {
		require.Equal(t, http.StatusOK, s.access("course", headers...).Code, name)
		require.NotEqual(t, http.StatusOK, s.access("other", headers...).Code, name)
	}
	require.Equal(t, http.StatusOK, s.access("course?token="+token).Code)
	refused(t, s.access("other", catalog.HeaderAccessToken, token), 403, "FORBIDDEN")
	refused(t, s.access("course", catalog.HeaderAccessToken, token+"x"), 403, "FORBIDDEN")
	require.Equal(t, 1, s.facilitator.count())
	// A payment of a user who has access already is left alone.
	header, value := s.sign(x402.V2, s.access("course"))
	require.Equal(t, http.StatusOK, s.access("course", header, value, "Authorization", "Bearer bob").Code)
	require.Equal(t, 1, s.facilitator.count())

	s.wait(24 * time.Hour)
	require.Equal(t, "ACCESS_EXPIRED", refused(t, s.access("course", catalog.HeaderAccessToken, token), 403, "FORBIDDEN")["code"])
	require.Equal(t, http.StatusPaymentRequired, s.access("course", "Authorization", "Bearer bob").Code)
}

func TestAGrantForSoManyAccessesIsUsedUp(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("api", func(p *catalog.Product) { p.MaxAccesses, p.AccessDuration = 3, 0 })
	w, header, value := s.buy("api") // the first
	v := answer(t, w)
	require.Nil(t, v["expires_at"])
	token := v["access_token"].(string)
	require.Equal(t, http.StatusOK, s.access("api", header, value).Code, "the same access, sent again")
	for range 2 {
		require.Equal(t, http.StatusOK, s.access("api", catalog.HeaderAccessToken, token).Code)
	}
	require.Equal(t, "ACCESS_EXHAUSTED", refused(t, s.access("api", catalog.HeaderAccessToken, token), 403, "FORBIDDEN")["code"])
	s.wait(time.Hour)
	require.Equal(t, "ACCESS_EXHAUSTED", refused(t, s.access("api", header, value), 403, "FORBIDDEN")["code"])
	header, value = s.sign(x402.V2, s.access("api"))
	require.Equal(t, http.StatusOK, s.access("api", header, value, catalog.HeaderAccessToken, token).Code, "who pays again needs no token")
	require.Equal(t, 2, s.facilitator.count())
}

func TestWhatIsNotSoldIsNotOpened(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	refused(t, s.access("none"), 404, "NOT_FOUND")
	s.sell("draft", func(p *catalog.Product) { p.Status = catalog.ProductDraft })
	refused(t, s.access("draft"), 404, "NOT_FOUND")
	s.sell("upto", func(p *catalog.Product) { p.Scheme = catalog.SchemeUpto })
	refused(t, s.access("upto"), 400, "INVALID_STATE")
	s.sell("poor", func(p *catalog.Product) { p.OwnerID = "nobody" })
	refused(t, s.access("poor"), 400, "INVALID_STATE")
	refused(t, s.access("draft", "Authorization", "Bearer eve"), 403, "ACCOUNT_SUSPENDED")
}

func TestWhatWasBoughtStaysOpenWhenItIsNoLongerSold(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course")
	w, header, value := s.buy("course", "Authorization", "Bearer bob")
	_, err := s.store.UpdateProduct(t.Context(), "course", func(p *catalog.Product) ([]store.Event, error) {
		p.Status = catalog.ProductDeleted
		return nil, nil
	})
	require.NoError(t, err)
	token := answer(t, w)["access_token"].(string)
	require.Equal(t, http.StatusOK, s.access("course", catalog.HeaderAccessToken, token).Code)
	require.Equal(t, http.StatusOK, s.access("course", header, value).Code)
	require.Equal(t, http.StatusOK, s.access("course", "Authorization", "Bearer bob").Code)
	refused(t, s.access("course"), 404, "NOT_FOUND")
}

func TestFreeProductsOpenWithoutATrace(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("gift", func(p *catalog.Product) { p.Scheme, p.Price = catalog.SchemeFree, x402.NewAmount(0) })
	w := s.access("gift")
	require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
	v := answer(t, w)
	require.Nil(t, v["grant"])
	require.Equal(t, "0", v["payment_info"].(map[string]any)["amount"])
	require.Equal(t, http.StatusOK, s.access("gift", catalog.HeaderAccessToken, v["access_token"].(string)).Code)
	require.Empty(t, s.payments())
	require.Empty(t, s.events())
}

func TestAttemptsAreInTheAccessLog(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course")
	s.access("course")
	s.buy("course") // asks once more
	s.access("course", x402.HeaderPaymentV1, "%%%")
	require.NoError(t, s.service.FlushLog(t.Context()))
	list, err := s.store.LogEntries(t.Context(), catalog.LogFilter{OwnerID: "ann"}, "", 0, 10)
	require.NoError(t, err)
	count := map[catalog.LogStatus]int{}
	for _, e := range list {
		count[e.Status]++
	}
	require.Equal(t, map[catalog.LogStatus]int{catalog.LogRequested: 2, catalog.LogPaid: 1, catalog.LogDenied: 1}, count)
}
