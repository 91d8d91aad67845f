package payer_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/payer"
)

// slow answers after two minutes, or never to who hangs up.
func slow(next behaviour) behaviour {
	return func(s *shop, w http.ResponseWriter, r *http.Request, p x402.PaymentPayload) {
		select {
		case <-time.After(2 * time.Minute):
			next(s, w, r, p)
		case <-r.Context().Done():
		}
	}
}

// dearer answers 402 again, at another price.
func dearer(s *shop, w http.ResponseWriter, r *http.Request, p x402.PaymentPayload) {
	other := newShop(s.version)
	other.offers = []x402.PaymentRequirements{offer(x402.BaseSepolia, "0.5")}
	other.challenge(w, "Payment required")
}

func TestWhateverTheSellerDoesOneRequestIsSignedForOnce(t *testing.T) {
	t.Parallel()
	const once, never = 1, 0
	for name, c := range map[string]struct {
		script  []behaviour
		served  bool
		moved   int
		state   payer.State
		sent    int
		err     error
		maxWait time.Duration
	}{
		"accept, then time out":           {script: []behaviour{takesMoneyThen(hangUp), serve}, served: true, moved: once, state: payer.Paid, sent: 2},
		"time out, then accept":           {script: []behaviour{hangUp, hangUp, serve}, served: true, moved: once, state: payer.Paid, sent: 3},
		"accept, then time out for ever":  {script: []behaviour{takesMoneyThen(hangUp)}, moved: once, state: payer.Unknown, sent: 4, err: payer.ErrUnknownOutcome},
		"time out for ever":               {script: []behaviour{hangUp}, moved: never, state: payer.Unknown, sent: 4, err: payer.ErrUnknownOutcome},
		"5xx after settling":              {script: []behaviour{takesMoneyThen(status(502)), takesMoneyThen(status(500)), serve}, served: true, moved: once, state: payer.Paid, sent: 3},
		"5xx for ever":                    {script: []behaviour{status(503)}, moved: never, state: payer.Unknown, sent: 4, err: payer.ErrUnknownOutcome},
		"408, 425, 429":                   {script: []behaviour{status(408), status(425), status(429), serve}, served: true, moved: once, state: payer.Paid, sent: 4},
		"a second 402":                    {script: []behaviour{takesMoneyThen(refuse("Payment required"))}, moved: once, state: payer.Unknown, sent: 4, err: payer.ErrUnknownOutcome},
		"a second 402 at another price":   {script: []behaviour{takesMoneyThen(dearer)}, moved: once, state: payer.Unknown, sent: 4, err: payer.ErrUnknownOutcome},
		"a bare 402":                      {script: []behaviour{takesMoneyThen(status(402))}, moved: once, state: payer.Unknown, sent: 4, err: payer.ErrUnknownOutcome},
		"402 without a reason":            {script: []behaviour{takesMoneyThen(refuse(""))}, moved: once, state: payer.Unknown, sent: 4, err: payer.ErrUnknownOutcome},
		"a reason nobody knows":           {script: []behaviour{takesMoneyThen(settleFails("TransactionReceiptTimeout: it may land", "0x1"))}, moved: once, state: payer.Unknown, sent: 4, err: payer.ErrUnknownOutcome},
		"settlement pending":              {script: []behaviour{takesMoneyThen(settleFails("settlement_pending", "0x1")), serve}, served: true, moved: once, state: payer.Paid, sent: 2},
		"settlement pending for ever":     {script: []behaviour{takesMoneyThen(settleFails("settlement_pending", "0x1"))}, moved: once, state: payer.Unknown, sent: 4, err: payer.ErrUnknownOutcome},
		"unexpected settle error":         {script: []behaviour{takesMoneyThen(settleFails("unexpected_settle_error", "")), serve}, served: true, moved: once, state: payer.Paid, sent: 2},
		"the transaction failed":          {script: []behaviour{takesMoneyThen(settleFails("invalid_exact_evm_transaction_failed", "0x1"))}, moved: once, state: payer.Unknown, sent: 4, err: payer.ErrUnknownOutcome},
		"nonce used":                      {script: []behaviour{takesMoneyThen(settleFails("invalid_exact_evm_nonce_already_used", ""))}, moved: once, state: payer.Unknown, sent: 1, err: payer.ErrUnknownOutcome},
		"timed out, then expired":         {script: []behaviour{takesMoneyThen(hangUp), refuse("invalid_exact_evm_payload_authorization_valid_before")}, moved: once, state: payer.Unknown, sent: 4, err: payer.ErrUnknownOutcome},
		"timed out, then no balance":      {script: []behaviour{takesMoneyThen(hangUp), refuse("insufficient_funds")}, moved: once, state: payer.Unknown, sent: 4, err: payer.ErrUnknownOutcome},
		"timed out, then no simulation":   {script: []behaviour{takesMoneyThen(hangUp), refuse("invalid_exact_evm_transaction_simulation_failed")}, moved: once, state: payer.Unknown, sent: 4, err: payer.ErrUnknownOutcome},
		"timed out, then nonce used":      {script: []behaviour{takesMoneyThen(hangUp), refuse("invalid_exact_evm_nonce_already_used")}, moved: once, state: payer.Unknown, sent: 2, err: payer.ErrUnknownOutcome},
		"timed out, then a bad signature": {script: []behaviour{hangUp, refuse("invalid_exact_evm_signature")}, moved: never, state: payer.Released, sent: 2, err: payer.ErrRefused},
		"refused: signature":              {script: []behaviour{refuse("invalid_exact_evm_signature")}, moved: never, state: payer.Released, sent: 1, err: payer.ErrRefused},
		"refused: no balance":             {script: []behaviour{refuse("insufficient_funds")}, moved: never, state: payer.Released, sent: 1, err: payer.ErrRefused},
		"refused in the settlement":       {script: []behaviour{settleFails("invalid_exact_evm_insufficient_balance", "")}, moved: never, state: payer.Released, sent: 1, err: payer.ErrRefused},
		"paid, and asked for more":        {script: []behaviour{paidBut402}, moved: once, state: payer.Paid, sent: 1, err: payer.ErrAlreadyPaid},
		"a slow answer":                   {script: []behaviour{slow(serve)}, served: true, moved: once, state: payer.Paid, sent: 1},
		"404 after paying":                {script: []behaviour{status(404)}, served: true, moved: never, state: payer.Unknown, sent: 1},
		"a receipt that is nonsense":      {script: []behaviour{nonsenseReceipt}, served: true, moved: once, state: payer.Paid, sent: 1},
	} {
		for _, version := range []int{x402.V1, x402.V2} {
			t.Run(fmt.Sprintf("%s, v%d", name, version), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s, ledger, unknowns := newShop(version, c.script...), payer.NewMemoryLedger(), 0
					p, signer := pays(t, s, func(cfg *payer.Config) {
						cfg.Ledger = ledger
						cfg.Backoff = 0 // the default
						cfg.OnUnknown = func(context.Context, payer.Spending) { unknowns++ }
					})
					resp, err := get(t, p, t.Context())
					if c.served {
						require.NoError(t, err)
						text(t, resp)
					} else {
						require.ErrorIs(t, err, c.err)
						assert.Nil(t, resp)
					}
					assert.Equal(t, 1, signer.count(), "signatures")
					assert.LessOrEqual(t, len(s.sentNonces()), 1, "different payments sent")
					assert.Equal(t, c.moved, s.movedCount(), "payments that moved")
					assert.Equal(t, c.sent, s.sendings(), "sendings")
					assert.Equal(t, 1, s.unpaid, "unpaid requests")
					assert.Equal(t, c.state, only(t, ledger).State)
					assert.Equal(t, c.state == payer.Unknown, unknowns == 1, "the caller is asked exactly when nobody knows")
				})
			})
		}
	}
}

// paidBut402 reports success and answers 402 nevertheless.
func paidBut402(s *shop, w http.ResponseWriter, r *http.Request, p x402.PaymentPayload) {
	s.report(w, x402.SettleResponse{Success: true, Transaction: s.settle(p)})
	w.WriteHeader(http.StatusPaymentRequired)
}

func nonsenseReceipt(s *shop, w http.ResponseWriter, r *http.Request, p x402.PaymentPayload) {
	s.settle(p)
	w.Header().Set(x402.HeaderPaymentResponse, "#")
	w.Header().Set(x402.HeaderPaymentResponseV1, "e30") // not padded
	_, _ = io.WriteString(w, "goods")
}

func TestBackOffDoublesAndYieldsToRetryAfter(t *testing.T) {
	t.Parallel()
	for retryAfter, want := range map[string][]time.Duration{
		"":                    {500 * time.Millisecond, time.Second, 2 * time.Second},
		"5":                   {5 * time.Second, 5 * time.Second, 5 * time.Second},
		"86400":               {30 * time.Second, 30 * time.Second, 30 * time.Second},
		"1000000000000000000": {30 * time.Second, 30 * time.Second, 30 * time.Second},
		"-3":                  {500 * time.Millisecond, time.Second, 2 * time.Second},
		"soon":                {500 * time.Millisecond, time.Second, 2 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			var at []time.Time
			s := newShop(x402.V2, func(s *shop, w http.ResponseWriter, r *http.Request, p x402.PaymentPayload) {
				at = append(at, time.Now())
				w.Header().Set("Retry-After", retryAfter)
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			p, _ := pays(t, s, func(c *payer.Config) { c.Backoff = 0 })
			_, err := get(t, p, t.Context())
			require.ErrorIs(t, err, payer.ErrUnknownOutcome)
			var got []time.Duration
			for i := range len(at) - 1 {
				got = append(got, at[i+1].Sub(at[i]))
			}
			assert.Equal(t, want, got, retryAfter)
		})
	}
}

func TestACallerWhoHangsUpAfterPayingLeavesAnUnknownSpending(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, ledger := newShop(x402.V2, slow(serve)), payer.NewMemoryLedger()
		p, _ := pays(t, s, func(c *payer.Config) { c.Ledger = ledger })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := get(t, p, ctx)
		require.ErrorIs(t, err, payer.ErrUnknownOutcome)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 1, s.sendings(), "no use in sending it again")
		assert.Equal(t, payer.Unknown, only(t, ledger).State)
	})
}

func TestNothingIsSentAgainOnceThePaymentHasExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShop(x402.V2, status(503))
		s.offers[0].MaxTimeoutSeconds = 10
		p, _ := pays(t, s, func(c *payer.Config) { c.Backoff, c.Resends = 4*time.Second, 100 })
		_, err := get(t, p, t.Context())
		require.ErrorIs(t, err, payer.ErrUnknownOutcome)
		assert.Equal(t, 2, s.sendings()) // at 0 s and 4 s; 12 s is too late
	})
}

func TestWithoutResendsOneFailureIsEnough(t *testing.T) {
	t.Parallel()
	s := newShop(x402.V2, hangUp)
	p, _ := pays(t, s, func(c *payer.Config) { c.Resends = -1 })
	_, err := get(t, p, t.Context())
	require.ErrorIs(t, err, payer.ErrUnknownOutcome)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Equal(t, 1, s.sendings())
}

func TestARefusalTellsReasonFieldAndWhatToDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer         behaviour
		status         int
		reason         x402.Reason
		field, message string
	}{
		{refuse("invalid_exact_evm_payload_authorization_valid_before"), 402, x402.ReasonEVMExpired, "validBefore", ""},
		{refuse("invalid_exact_evm_payload_signature"), 402, "invalid_exact_evm_payload_signature", "signature", ""},
		{refuse("No matching payment requirements"), 402, x402.ReasonNoMatchingOffer, "", ""},
		{answer(412, `{}`, "permit2_allowance_required"), 412, x402.ReasonPermit2Allowance, "", ""},
		{answer(400, `{"error":"invalid_payload"}`, ""), 400, x402.ReasonInvalidPayload, "payload", ""},
		{answer(400, `{"error":"invalid_payload","field":"payload.nonce","message":"too short"}`, ""), 400, x402.ReasonInvalidPayload, "payload.nonce", "too short"},
		{answer(402, `{"error":"invalid_exact_evm_recipient_mismatch: pays another"}`, ""), 402, x402.ReasonEVMRecipient, "payTo", "pays another"},
		{answer(402, `{"message":"authorization.value: is 9999"}`, "invalid_exact_evm_payload_authorization_value_mismatch"), 402, x402.ReasonEVMAmount, "authorization.value", "authorization.value: is 9999"},
	} {
		ledger := payer.NewMemoryLedger()
		p, _ := pays(t, newShop(x402.V2, c.answer), func(cfg *payer.Config) { cfg.Ledger = ledger })
		_, err := get(t, p, t.Context())
		var refused *payer.RefusedError
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, c.status, refused.Status)
		assert.Equal(t, c.reason, refused.Reason)
		assert.Equal(t, c.field, refused.Field)
		assert.Equal(t, c.message, refused.Message)
		assert.Equal(t, c.reason.Description(), refused.Description())
		assert.Contains(t, err.Error(), "shop.example")
		assert.NotErrorIs(t, err, payer.ErrAlreadyPaid)
		assert.Equal(t, payer.Released, only(t, ledger).State)
	}
}

// answer answers with a body and, unless reason is empty, a v2 challenge.
func answer(code int, body, reason string) behaviour {
	return func(s *shop, w http.ResponseWriter, r *http.Request, p x402.PaymentPayload) {
		if reason != "" {
			h, err := x402.EncodeHeader(x402.PaymentRequired{Version: x402.V2, Error: reason, Accepts: s.offers})
			if err != nil {
				panic(err)
			}
			w.Header().Set(x402.HeaderPaymentRequired, h)
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func TestA400Or412OfTheHandlerIsAnAnswerWithItsBody(t *testing.T) {
	t.Parallel()
	for _, code := range []int{400, 412} {
		ledger := payer.NewMemoryLedger()
		p, _ := pays(t, newShop(x402.V2, answer(code, `{"error":"no such colour"}`, "")), func(c *payer.Config) { c.Ledger = ledger })
		resp, err := get(t, p, t.Context())
		require.NoError(t, err)
		assert.Equal(t, code, resp.StatusCode)
		assert.Equal(t, `{"error":"no such colour"}`, text(t, resp))
		assert.Equal(t, payer.Unknown, only(t, ledger).State)
	}
}

func TestRefusedPaymentsCanBeHeldAgainstTheBudget(t *testing.T) {
	t.Parallel()
	s, ledger := newShop(x402.V2, refuse("invalid_exact_evm_signature")), payer.NewMemoryLedger()
	p, _ := pays(t, s, func(c *payer.Config) {
		c.Ledger, c.HoldRefused = ledger, true
		c.Limits.Budgets = []payer.Budget{{Max: "$0.015"}}
	})
	_, err := get(t, p, t.Context())
	require.ErrorIs(t, err, payer.ErrRefused)
	assert.Equal(t, payer.Unknown, only(t, ledger).State)
	_, err = get(t, p, t.Context())
	require.ErrorIs(t, err, payer.ErrOverBudget)
}

func TestAnUnknownOutcomeSaysWhatToDo(t *testing.T) {
	t.Parallel()
	s := newShop(x402.V2, settleFails("settlement_pending", "0xabc"))
	p, _ := pays(t, s, nil)
	_, err := get(t, p, payer.WithKey(t.Context(), "order 7"))
	var unknown *payer.UnknownOutcomeError
	require.ErrorAs(t, err, &unknown)
	assert.Equal(t, "order 7", unknown.Spending.ID)
	assert.Equal(t, "0xabc", unknown.Spending.Transaction)
	assert.Equal(t, x402.ReasonSettlementPending, unknown.Reason)
	assert.Equal(t, 402, unknown.Status)
	assert.Contains(t, err.Error(), `0.01 USD to shop.example may have been spent`)
	assert.Contains(t, err.Error(), `with the key "order 7"`)
}
