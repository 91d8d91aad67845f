package catalog_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

// order is the body that creates a payment for 5 ETH.
func order(product string, edits ...func(map[string]any)) map[string]any {
	body := map[string]any{
		"product_id": product, "payer_address": buyer, "payee_address": payTo, "amount": "5000000000000000000",
		"chain": "ethereum", "currency": "ETH", "payment_scheme": "exact", "external_reference": "order-1",
	}
	for _, edit := range edits {
		edit(body)
	}
	return body
}

// create makes a payment and returns its ID.
func (s *kiosk) create(product string, edits ...func(map[string]any)) string {
	s.t.Helper()
	w := s.send("POST", "/api/v1/clients/payments", order(product, edits...))
	require.Equal(s.t, http.StatusCreated, w.Code, "%s", w.Body)
	return answer(s.t, w)["id"].(string)
}

// confirm tells the hash of a transaction.
func (s *kiosk) confirm(id, hash string) (status int, v map[string]any) {
	s.t.Helper()
	w := s.send("POST", "/api/v1/clients/payments/"+id+"/confirm", map[string]any{"transaction_hash": hash})
	return w.Code, answer(s.t, w)
}

func TestAPaymentByTransactionIsCreatedAsTheDocumentationHasIt(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course", ether)
	w := s.send("POST", "/api/v1/clients/payments", order("course"))
	require.Equal(t, http.StatusCreated, w.Code)
	v := answer(t, w)
	require.True(t, strings.HasPrefix(v["id"].(string), "pay-"))
	for key, want := range map[string]any{
		"transaction_hash": nil, "chain": "ethereum", "payer_address": buyer, "payee_address": payTo, "product_id": "course",
		"amount": "5000000000000000000", "facilitator_fee": "125000000000000000", "status": "pending",
		"created_at": "2024-01-15T10:30:00Z", "expires_at": "2024-01-15T10:45:00Z",
	} {
		require.Equal(t, want, v[key], key)
	}
	w = s.send("GET", "/api/v1/clients/payments/"+v["id"].(string), nil)
	require.Equal(t, v, answer(t, w))
}

func TestAPaymentIsConfirmedByItsTransactionAndOpensTheProduct(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course", ether)
	id := s.create("course")
	s.wait(2 * time.Minute)
	hash := s.chain.put(1, kioskOpening.Add(time.Minute))
	for range 2 { // the second changes nothing
		status, v := s.confirm(id, strings.ToUpper(hash[2:4])+hash[4:])
		require.Equal(t, 400, status, "%v", v)
		status, v = s.confirm(id, "0x"+strings.ToUpper(hash[2:]))
		require.Equal(t, 200, status, "%v", v)
		require.Equal(t, "confirmed", v["status"])
		require.Equal(t, hash, v["transaction_hash"])
		require.Equal(t, "2024-01-15T10:32:00Z", v["confirmed_at"])
		w := s.access("course", catalog.HeaderAccessToken, v["access_token"].(string))
		require.Equal(t, 200, w.Code, "%s", w.Body)
		require.Equal(t, map[string]any{"amount": "5000000000000000000", "transaction_hash": hash, "network": "ethereum", "confirmations": 3.0},
			answer(t, w)["payment_info"])
	}
	require.Equal(t, []string{catalog.EventPaymentCreated, catalog.EventPaymentConfirmed, catalog.EventAccessGranted}, s.events())
}

func TestATransactionThatDoesNotPayIsRefused(t *testing.T) {
	t.Parallel()
	for code, edit := range map[string]func(*x402.Transaction){
		catalog.CodeChainMismatch:       func(tx *x402.Transaction) { tx.Network = x402.Base },
		catalog.CodePayeeMismatch:       func(tx *x402.Transaction) { tx.To = usdc },
		catalog.CodePayerMismatch:       func(tx *x402.Transaction) { tx.From = usdc },
		"AMOUNT_TOO_LOW":                func(tx *x402.Transaction) { tx.Value, _ = x402.ParseAtomic("4999999999999999999") },
		catalog.CodeTransactionTooEarly: func(tx *x402.Transaction) { tx.Time = kioskOpening.Add(-3 * time.Minute) },
	} {
		s := openKiosk(t)
		s.sell("course", ether)
		id := s.create("course")
		status, v := s.confirm(id, s.chain.put(1, kioskOpening, edit))
		require.Equal(t, 400, status, code)
		require.Equal(t, map[string]any{"field": "transaction_hash", "code": code}, v["details"])
		require.Equal(t, catalog.PaymentPending, s.payments()[0].Status)
	}
	s := openKiosk(t)
	s.sell("course", ether)
	id := s.create("course")
	w := s.send("POST", "/api/v1/clients/payments/"+id+"/confirm", map[string]any{"transaction_hash": fmt.Sprintf("0x%064x", 77)})
	require.Equal(t, catalog.CodeTransactionUnknown, refused(t, w, 404, "NOT_FOUND")["code"])
	s.chain.down = errors.New("no route to host")
	w = s.send("POST", "/api/v1/clients/payments/"+id+"/confirm", map[string]any{"transaction_hash": fmt.Sprintf("0x%064x", 77)})
	refused(t, w, 503, "BLOCKCHAIN_UNAVAILABLE")
	require.NotContains(t, w.Body.String(), "no route")
}

func TestARevertedTransactionFailsThePaymentOfItsSenderAlone(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course", ether)
	id := s.create("course")
	reverted := func(tx *x402.Transaction) { tx.Succeeded = false }
	status, _ := s.confirm(id, s.chain.put(1, kioskOpening, reverted, func(tx *x402.Transaction) { tx.From = usdc }))
	require.Equal(t, 400, status)
	require.Equal(t, catalog.PaymentPending, s.payments()[0].Status)
	status, v := s.confirm(id, s.chain.put(2, kioskOpening, reverted))
	require.Equal(t, 400, status)
	require.Equal(t, catalog.CodeTransactionReverted, v["details"].(map[string]any)["code"])
	require.Equal(t, catalog.PaymentFailed, s.payments()[0].Status)
}

func TestAShallowTransactionWaitsAndIsConfirmedByItself(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course", ether)
	id := s.create("course")
	depth := func(n uint64) func(*x402.Transaction) { return func(tx *x402.Transaction) { tx.Confirmations = n } }
	for _, n := range []uint64{0, 1, 2} {
		status, v := s.confirm(id, s.chain.put(1, kioskOpening, depth(n)))
		require.Equal(t, 202, status, "%v", v)
		require.Equal(t, "processing", v["status"])
	}
	require.Equal(t, http.StatusPaymentRequired, s.access("course").Code)
	s.chain.put(1, kioskOpening, depth(3))
	require.NoError(t, s.service.TendPayments(t.Context()))
	require.Equal(t, catalog.PaymentConfirmed, s.payments()[0].Status)
}

func TestATransactionPaysOnce(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("a", ether)
	s.sell("b", ether, func(p *catalog.Product) { p.Price, _ = x402.ParseAtomic("4000000000000000000") })
	first := s.create("a")
	s.wait(time.Second)
	second := s.create("b", func(b map[string]any) { b["amount"] = "4000000000000000000" })
	hash := s.chain.put(1, kioskOpening)
	status, _ := s.confirm(first, hash)
	require.Equal(t, 200, status)
	status, v := s.confirm(second, hash)
	require.Equal(t, 409, status)
	require.Equal(t, "TX_ALREADY_USED", v["error"])
	require.Equal(t, catalog.PaymentPending, s.payments()[0].Status)
}

func TestATransferGoesToTheEarlierPaymentUnlessThePayerSigns(t *testing.T) {
	t.Parallel()
	signer, err := evm.ParseSigner("0x0000000000000000000000000000000000000000000000000000000000000007")
	require.NoError(t, err)
	payer := signer.Address().String()
	mine := func(b map[string]any) { b["payer_address"] = payer }
	s := openKiosk(t)
	s.sell("course", ether)
	s.create("course", mine)
	s.wait(time.Second)
	thief := s.create("course", mine)
	hash := s.chain.put(1, kioskOpening, func(tx *x402.Transaction) { tx.From = payer })
	status, v := s.confirm(thief, hash)
	require.Equal(t, 409, status)
	require.Equal(t, "CONFLICT", v["error"])
	sign := func(id string) string {
		signature := signer.SignMessage([]byte(catalog.ProofMessage(id, hash)))
		return "0x" + hex.EncodeToString(signature[:])
	}
	for _, signature := range []string{sign("another"), "0x12", "zz", strings.Repeat("00", 65)} {
		w := s.send("POST", "/api/v1/clients/payments/"+thief+"/confirm", map[string]any{"transaction_hash": hash, "payer_signature": signature})
		require.Equal(t, "payer_signature", refused(t, w, 400, "VALIDATION_ERROR")["field"])
	}
	w := s.send("POST", "/api/v1/clients/payments/"+thief+"/confirm", map[string]any{"transaction_hash": hash, "payer_signature": sign(thief)})
	require.Equal(t, 200, w.Code, "%s", w.Body)
}

// wallets is a chain on which all wallets are contracts, which accept one signature.
type wallets struct {
	catalog.Chain
	accepts string
	down    error
}

func (w *wallets) ValidSignature(_ context.Context, wallet string, digest [32]byte, signature []byte) (bool, error) {
	return wallet == buyer && digest != [32]byte{} && string(signature) == w.accepts, w.down
}

func TestAContractWalletSignsForItsPayment(t *testing.T) {
	t.Parallel()
	chain := &wallets{accepts: "we two agree"}
	s := openKiosk(t, func(c *catalog.Config) {
		chain.Chain = c.Chains[0]
		c.Chains = []catalog.Chain{chain}
	})
	s.sell("course", ether)
	s.create("course")
	s.wait(time.Second)
	id, hash := s.create("course"), s.chain.put(1, s.now())
	confirm := func(signature string) *httptest.ResponseRecorder {
		body := map[string]any{"transaction_hash": hash, "payer_signature": "0x" + hex.EncodeToString([]byte(signature))}
		return s.send("POST", "/api/v1/clients/payments/"+id+"/confirm", body)
	}
	require.Equal(t, "payer_signature", refused(t, confirm("I agree"), 400, "VALIDATION_ERROR")["field"])
	require.Equal(t, "payer_signature", refused(t, confirm(strings.Repeat("x", 5000)), 400, "VALIDATION_ERROR")["field"])
	chain.down = errBroken
	refused(t, confirm("we two agree"), 503, "BLOCKCHAIN_UNAVAILABLE")
	chain.down = nil
	require.Equal(t, 200, confirm("we two agree").Code)
}

func TestWhatAContractWalletSignedForIsConfirmedOnceItIsDeepEnough(t *testing.T) {
	t.Parallel()
	for name, confirmed := range map[string]func(s *kiosk, id, hash string){
		"by Run": func(s *kiosk, _, _ string) { require.NoError(s.t, s.service.TendPayments(s.t.Context())) },
		"by its buyer, who signs once": func(s *kiosk, id, hash string) {
			status, v := s.confirm(id, hash)
			require.Equal(s.t, 200, status, "%v", v)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chain := &wallets{accepts: "we two agree"}
			s := openKiosk(t, func(c *catalog.Config) {
				chain.Chain = c.Chains[0]
				c.Chains = []catalog.Chain{chain}
			})
			s.sell("course")
			inUSDC := func(b map[string]any) { b["currency"], b["amount"] = "USDC", "10000" }
			s.create("course", inUSDC) // an earlier one, which waits for the same transfer
			s.wait(time.Second)
			id := s.create("course", inUSDC)
			deep := func(n uint64) string {
				return s.chain.put(1, s.now(), func(tx *x402.Transaction) {
					tx.From, tx.Confirmations = payTo, n // its transactions are sent by others
					tx.Transfers = []x402.TokenTransfer{{Asset: "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", From: buyer, To: payTo, Amount: x402.NewAmount(10_000)}}
				})
			}
			hash := deep(1)
			body := map[string]any{"transaction_hash": hash, "payer_signature": "0x" + hex.EncodeToString([]byte("we two agree"))}
			require.Equal(t, 202, s.send("POST", "/api/v1/clients/payments/"+id+"/confirm", body).Code)
			deep(3)
			confirmed(s, id, hash)
			p, err := s.service.AnyPayment(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, catalog.PaymentConfirmed, p.Status)
		})
	}
}

func TestNobodyTakesATransferForACheaperProduct(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course", ether)
	s.sell("cheap", ether, func(p *catalog.Product) { p.Price = x402.NewAmount(1) })
	thief := s.create("cheap", func(b map[string]any) { b["amount"] = "1" })
	s.wait(time.Second)
	mine := s.create("course")
	hash := s.chain.put(1, s.now())
	status, v := s.confirm(thief, hash)
	require.Equal(t, 409, status, "%v", v)
	require.Equal(t, "CONFLICT", v["error"])
	status, v = s.confirm(mine, hash)
	require.Equal(t, 200, status, "%v", v)
}

func TestAPaymentExpiresAndLateMoneyIsForTheAdmin(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course", ether)
	inTime, late := s.create("course"), s.create("course", func(b map[string]any) { b["payer_address"] = usdc })
	s.wait(15 * time.Minute)
	require.NoError(t, s.service.TendPayments(t.Context()))
	for _, p := range s.payments() {
		require.Equal(t, catalog.PaymentExpired, p.Status)
	}
	status, v := s.confirm(inTime, s.chain.put(1, kioskOpening.Add(15*time.Minute)))
	require.Equal(t, 200, status, "%v", v)
	require.Equal(t, "confirmed", v["status"], "it was mined in time")
	status, v = s.confirm(late, s.chain.put(2, kioskOpening.Add(15*time.Minute+time.Second), func(tx *x402.Transaction) { tx.From = usdc }))
	require.Equal(t, 200, status)
	require.Equal(t, "disputed", v["status"])
	require.Nil(t, v["access_token"])
	w := s.send("POST", "/api/v1/admin/payments/"+late+"/reconcile", nil, "Authorization", "Bearer root")
	require.Equal(t, 200, w.Code, "%s", w.Body)
	require.Equal(t, "confirmed", answer(t, w)["status"])
}

func TestABuyerMayFailOrCancelWhatWasNotSent(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course", ether)
	id := s.create("course")
	w := s.send("POST", "/api/v1/clients/payments/"+id+"/fail", map[string]any{"reason": "no money", "error_code": "INSUFFICIENT_PAYMENT_TOKENS"})
	v := answer(t, w)
	require.Equal(t, "failed", v["status"])
	require.Equal(t, "INSUFFICIENT_PAYMENT_TOKENS", v["error_code"])
	refused(t, s.send("POST", "/api/v1/clients/payments/"+id+"/fail", nil), 409, "PAYMENT_ALREADY_PROCESSED")
	status, v := s.confirm(id, s.chain.put(1, kioskOpening))
	require.Equal(t, 409, status)
	require.Equal(t, "PAYMENT_ALREADY_PROCESSED", v["error"])

	id = s.create("course")
	w = s.send("POST", "/api/v1/clients/payments/"+id+"/cancel", nil)
	require.Equal(t, "CANCELLED", answer(t, w)["error_code"])
	id = s.create("course")
	s.confirm(id, s.chain.put(2, kioskOpening, func(tx *x402.Transaction) { tx.Confirmations = 1 }))
	refused(t, s.send("POST", "/api/v1/clients/payments/"+id+"/cancel", nil), 400, "INVALID_STATE")
}

func TestPaymentsOfAUserAreItsOwn(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course", ether)
	w := s.send("POST", "/api/v1/clients/payments", order("course"), "Authorization", "Bearer bob")
	id := answer(t, w)["id"].(string)
	for _, ask := range [][2]string{{"GET", ""}, {"POST", "/confirm"}, {"POST", "/fail"}, {"POST", "/cancel"}} {
		refused(t, s.send(ask[0], "/api/v1/clients/payments/"+id+ask[1], map[string]any{}), 404, "NOT_FOUND")
	}
	require.Equal(t, 200, s.send("GET", "/api/v1/clients/payments/"+id, nil, "Authorization", "Bearer bob").Code)
	history := answer(t, s.send("GET", "/api/v1/clients/payment-history", nil, "Authorization", "Bearer bob"))
	require.Len(t, history["items"], 1)
	refused(t, s.send("GET", "/api/v1/clients/payment-history", nil), 401, "AUTHENTICATION_REQUIRED")
	require.Empty(t, answer(t, s.send("GET", "/api/v1/clients/payment-history", nil, "Authorization", "Bearer root"))["items"])
}

func TestABatchHasAResultForEachPayment(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course", ether)
	w := s.send("POST", "/api/v1/clients/payments/batch", map[string]any{"payments": []any{
		order("course"), order("none"), order("course", func(b map[string]any) { b["amount"] = "1" }),
	}})
	require.Equal(t, 200, w.Code, "%s", w.Body)
	v := answer(t, w)
	require.Equal(t, 1.0, v["created"])
	require.Equal(t, 2.0, v["failed"])
	items := v["items"].([]any)
	require.Equal(t, 201.0, items[0].(map[string]any)["status"])
	require.Equal(t, 404.0, items[1].(map[string]any)["status"])
	require.Equal(t, "AMOUNT_TOO_LOW", items[2].(map[string]any)["error"].(map[string]any)["details"].(map[string]any)["code"])
	for _, n := range []int{0, 101} {
		body := map[string]any{"payments": make([]map[string]any, n)}
		require.Equal(t, "payments", refused(t, s.send("POST", "/api/v1/clients/payments/batch", body), 400, "VALIDATION_ERROR")["field"])
	}
	require.Len(t, s.payments(), 1)
}

func TestTokensMayBePaidByTransactionToo(t *testing.T) {
	t.Parallel()
	usdcOnEthereum := "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
	s := openKiosk(t)
	s.sell("course")
	id := s.create("course", func(b map[string]any) { b["currency"], b["amount"] = "USDC", 10000 })
	move := func(edit func(*x402.TokenTransfer)) func(*x402.Transaction) {
		return func(tx *x402.Transaction) {
			transfer := x402.TokenTransfer{Asset: usdcOnEthereum, From: buyer, To: payTo, Amount: x402.NewAmount(10_000), LogIndex: 5}
			edit(&transfer)
			tx.To, tx.Value = usdcOnEthereum, x402.NewAmount(0)
			tx.Transfers = []x402.TokenTransfer{{Asset: usdc, From: buyer, To: payTo, Amount: x402.NewAmount(10_000)}, transfer}
		}
	}
	n := 0
	for code, edit := range map[string]func(*x402.TokenTransfer){
		catalog.CodeAssetMismatch: func(t *x402.TokenTransfer) { t.Asset = usdc },
		catalog.CodePayeeMismatch: func(t *x402.TokenTransfer) { t.To = usdc },
		catalog.CodePayerMismatch: func(t *x402.TokenTransfer) { t.From = usdc },
		"AMOUNT_TOO_LOW":          func(t *x402.TokenTransfer) { t.Amount = x402.NewAmount(9_999) },
	} {
		n++
		status, v := s.confirm(id, s.chain.put(n, kioskOpening, move(edit)))
		require.Equal(t, 400, status)
		require.Equal(t, code, v["details"].(map[string]any)["code"])
	}
	right := move(func(*x402.TokenTransfer) {})
	for n, mined := range []uint64{0, 9} {
		status, v := s.confirm(id, s.chain.put(6+n, kioskOpening, func(tx *x402.Transaction) {
			right(tx)
			tx.From, tx.Confirmations = payTo, mined
		}))
		require.Equal(t, 400, status, "a facilitator moved it, for something else")
		require.Equal(t, catalog.CodePayerMismatch, v["details"].(map[string]any)["code"])
	}
	status, v := s.confirm(id, s.chain.put(9, kioskOpening, right))
	require.Equal(t, 200, status, "%v", v)
	require.EqualValues(t, 5, s.payments()[0].LogIndex)
}

func TestWhatX402HasSettledProvesNoPaymentByTransaction(t *testing.T) {
	t.Parallel()
	s := openKiosk(t, func(c *catalog.Config) { c.Chains = append(c.Chains, sepolia{c.Chains[0].(*ledgerChain)}) })
	s.sell("a")
	s.sell("b")
	s.buy("a")
	hash := s.payments()[0].Transaction
	s.chain.mu.Lock()
	s.chain.txs[hash] = x402.Transaction{
		Network: x402.BaseSepolia, Hash: hash, Succeeded: true, Time: kioskOpening, Confirmations: 9, Block: 1,
		From:      buyer, // who relays for itself
		Transfers: []x402.TokenTransfer{{Asset: usdc, From: buyer, To: payTo, Amount: x402.NewAmount(10_000)}},
	}
	s.chain.mu.Unlock()
	id := s.create("b", func(b map[string]any) { b["chain"], b["currency"], b["amount"] = "base-sepolia", "USDC", "10000" })
	status, v := s.confirm(id, hash)
	require.Equal(t, 409, status)
	require.Equal(t, "TX_ALREADY_USED", v["error"])
}

// sepolia is a ledger chain of another network.
type sepolia struct{ *ledgerChain }

func (sepolia) Network() x402.Network { return x402.BaseSepolia }

func TestChainsAreListedWithWhatCanBePaidOnThem(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	list := answer(t, s.send("GET", "/api/v1/clients/chains", nil))["chains"].([]any)
	require.Len(t, list, 8)
	first := list[0].(map[string]any)
	for key, want := range map[string]any{"name": "ethereum", "display_name": "Ethereum", "chain_id": 1.0, "currency": "ETH", "status": "active", "x402": false, "transactions": true, "confirmations": 3.0} {
		require.Equal(t, want, first[key], key)
	}
	require.Equal(t, "inactive", list[1].(map[string]any)["status"])
	require.Equal(t, true, list[7].(map[string]any)["x402"])
}
