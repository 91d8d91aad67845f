package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/facilitator/catalog/content"
	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/sqlite"
	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
	"github.com/v402/v402/x402/payer"
)

// library is a catalog in two replicas over one database, with the products
// "course" and "other" for a cent of USDC and "film" and "opera" for a
// thousandth of an ether.
type library struct {
	*world
	t        *testing.T
	store    *sqlite.Store
	services []*catalog.Service
	proofs   catalog.Chain
	sites    []*httptest.Server
}

const (
	librarian = "librarian"
	finney    = 1e15 // wei
)

func openLibrary(t *testing.T) *library {
	w := newWorld(t, devchain.Config{})
	path := filepath.Join(t.TempDir(), "catalog.db")
	config := setup{Network: w.network, URLs: []string{w.chain.URL()}, Keys: []string{w.chain.Relayer.Key}, Owner: t.Name()}
	l := &library{world: w, t: t}
	for n := range 2 {
		db, err := sqlite.Open(t.Context(), path)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		if n == 0 {
			l.store = db
			bases := serveFacilitator(t, config, db)
			l.open(db, config, bases()[0])
			continue
		}
		l.open(db, config, l.sites[0].Config.Handler.(*front).facilitator)
	}
	at := time.Now().UTC().Truncate(time.Second)
	require.NoError(t, l.store.PutWallet(t.Context(), catalog.Wallet{OwnerID: librarian, Network: w.network, Address: w.chain.PayTo.Address.Hex(), UpdatedAt: at}))
	var products []catalog.Product
	for _, id := range []string{"course", "other", "film", "opera"} {
		p := catalog.Product{
			ID: id, OwnerID: librarian, Title: "The " + id, ContentURL: "https://example.com/" + id, Price: x402.NewAmount(10_000), Currency: "USDC",
			Scheme: catalog.SchemeExact, AccessDuration: time.Hour, Status: catalog.ProductActive, CreatedAt: at, UpdatedAt: at, PublishedAt: at,
		}
		if id == "film" || id == "opera" {
			p.Price, p.Currency = x402.NewAmount(finney), "ETH"
		}
		products = append(products, p)
	}
	require.NoError(t, l.store.AddProducts(t.Context(), products))
	return l
}

// front is the handler of a replica and the facilitator that it uses.
type front struct {
	http.Handler
	facilitator string
}

// open opens one more replica.
func (l *library) open(db *sqlite.Store, config setup, facilitator string) {
	client, err := x402.NewClient(x402.ClientConfig{URL: facilitator})
	require.NoError(l.t, err)
	_, chain, err := newService(config, db, newLog(l.t))
	require.NoError(l.t, err)
	l.proofs = chain
	s, err := catalog.New(catalog.Config{
		Store: db, Facilitator: client, Chains: []catalog.Chain{chain}, Logger: newLog(l.t),
		Payments: catalog.PaymentConfig{
			Secret: bytes.Repeat([]byte{4}, 32), PublicURL: "https://library.example", Confirmations: map[x402.Network]uint64{l.network: 2},
		},
	})
	require.NoError(l.t, err)
	site := httptest.NewServer(&front{s.Handler(), facilitator})
	l.t.Cleanup(site.Close)
	l.services, l.sites = append(l.services, s), append(l.sites, site)
}

// ask asks a replica.
func (l *library) ask(client *http.Client, site int, method, path string, body any, headers ...string) (int, map[string]any) {
	l.t.Helper()
	j, err := json.Marshal(body)
	require.NoError(l.t, err)
	r, err := http.NewRequestWithContext(l.t.Context(), method, l.sites[site%2].URL+"/api/v1/clients/"+path, bytes.NewReader(j))
	require.NoError(l.t, err)
	r.Host = "library.example"
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w, err := client.Do(r)
	require.NoError(l.t, err)
	defer w.Body.Close()
	b, err := io.ReadAll(w.Body)
	require.NoError(l.t, err)
	var v map[string]any
	require.NoError(l.t, json.Unmarshal(b, &v), "%s", b)
	return w.StatusCode, v
}

// version1 is a transport of a buyer who knows version 1 alone, and remembers
// the payment that it sent.
type version1 struct{ sent string }

func (v *version1) RoundTrip(r *http.Request) (*http.Response, error) {
	if h := r.Header.Get(x402.HeaderPaymentV1); h != "" {
		v.sent = h
	}
	w, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		w.Header.Del(x402.HeaderPaymentRequired)
	}
	return w, err
}

func TestAnAgentBuysAProductInBothVersionsAndReadsItAgain(t *testing.T) {
	t.Parallel()
	l := openLibrary(t)
	signer, err := evm.ParseSigner(l.chain.Payer.Key)
	require.NoError(t, err)
	old := &version1{}
	for n, base := range []http.RoundTripper{http.DefaultTransport, old} {
		p, err := payer.New(payer.Config{Signers: []payer.Signer{signer}, Base: base})
		require.NoError(t, err)
		status, v := l.ask(p.Client(), n, "GET", "access/course", nil)
		require.Equal(t, 200, status, "%v", v)
		require.Equal(t, "success", v["status"])
		u, err := http.NewRequest("GET", v["content_url"].(string), nil)
		require.NoError(t, err)
		_, err = content.Verify(l.services[0].ContentKey(librarian), "course", u)
		require.NoError(t, err)
		status, v = l.ask(http.DefaultClient, n+1, "GET", "access/course", nil, "Authorization", "Bearer "+v["access_token"].(string))
		require.Equal(t, 200, status, "%v", v)
		require.EqualValues(t, 10_000*(n+1), l.balance(l.chain.PayTo.Address).Int64())
	}
	// The same payment again is the same access, on any replica, and buys nothing else.
	for site := range 2 {
		status, _ := l.ask(http.DefaultClient, site, "GET", "access/course", nil, x402.HeaderPaymentV1, old.sent)
		require.Equal(t, 200, status)
		status, v := l.ask(http.DefaultClient, site, "GET", "access/other", nil, x402.HeaderPaymentV1, old.sent)
		require.Equal(t, 402, status)
		require.Equal(t, "payment_already_used", v["error"])
	}
	require.EqualValues(t, 20_000, l.balance(l.chain.PayTo.Address).Int64())
	list, err := l.services[1].Payments(t.Context(), catalog.PaymentFilter{OwnerID: librarian}, store.PageNumber{})
	require.NoError(t, err)
	require.Len(t, list.Items, 2)
}

// move sends a transaction of the payer and waits until it is mined.
func (l *library) move(to common.Address, wei int64, data []byte) string {
	l.t.Helper()
	key, err := crypto.HexToECDSA(strings.TrimPrefix(l.chain.Payer.Key, "0x"))
	require.NoError(l.t, err)
	nonce, err := l.client.PendingNonceAt(l.t.Context(), l.chain.Payer.Address)
	require.NoError(l.t, err)
	id := new(big.Int).SetUint64(l.chain.ChainID)
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: nonce, To: &to, Value: big.NewInt(wei), Data: data, Gas: 200_000, GasTipCap: big.NewInt(1e9), GasFeeCap: big.NewInt(100e9),
	})
	require.NoError(l.t, err)
	require.NoError(l.t, l.client.SendTransaction(l.t.Context(), tx))
	require.Eventually(l.t, func() bool {
		receipt, err := l.client.TransactionReceipt(l.t.Context(), tx.Hash())
		return err == nil && receipt != nil
	}, patience, 10*time.Millisecond)
	return tx.Hash().Hex()
}

// order creates a payment by transaction.
func (l *library) order(product string) string {
	l.t.Helper()
	status, v := l.ask(http.DefaultClient, 0, "POST", "payments", map[string]any{
		"product_id": product, "payer_address": l.chain.Payer.Address.Hex(), "chain": "base-sepolia",
	})
	require.Equal(l.t, 201, status, "%v", v)
	return v["id"].(string)
}

func (l *library) confirm(site int, id, hash string) (int, map[string]any) {
	return l.ask(http.DefaultClient, site, "POST", "payments/"+id+"/confirm", map[string]any{"transaction_hash": hash})
}

func TestEtherIsProvenByItsTransaction(t *testing.T) {
	t.Parallel()
	l := openLibrary(t)
	payTo := l.chain.PayTo.Address
	status, v := l.ask(http.DefaultClient, 0, "GET", "access/film", nil)
	require.Equal(t, 402, status)
	offer := v["accepts"].([]any)[0].(map[string]any)
	require.Equal(t, "ETH", offer["asset"])
	require.Equal(t, fmt.Sprint(int64(finney)), offer["maxAmountRequired"])

	id := l.order("film")
	wrong := map[string]string{
		"PAYEE_MISMATCH":       l.move(l.rich[0].Address, finney, nil),
		"AMOUNT_TOO_LOW":       l.move(payTo, finney-1, nil),
		"TRANSACTION_REVERTED": l.move(l.chain.Token, 0, tokens(l.chain.Token, common.Address{}, 1).data),
	}
	for _, code := range []string{"PAYEE_MISMATCH", "AMOUNT_TOO_LOW", "TRANSACTION_REVERTED"} {
		status, v := l.confirm(0, id, wrong[code])
		require.Equal(t, 400, status, "%v", v)
		require.Equal(t, code, v["details"].(map[string]any)["code"])
	}
	status, v = l.confirm(1, id, common.Hash{1}.Hex())
	require.Equal(t, 409, status, "the payer's reverted transaction has failed it: %v", v)

	id = l.order("film")
	hash := l.move(payTo, finney, nil)
	status, v = l.confirm(0, id, hash)
	require.Equal(t, 202, status, "one block is not deep enough: %v", v)
	require.Equal(t, "processing", v["status"])
	require.NoError(t, l.chain.Mine(2))
	status, v = l.confirm(1, id, hash)
	require.Equal(t, 200, status, "%v", v)
	require.Equal(t, "confirmed", v["status"])
	status, _ = l.ask(http.DefaultClient, 0, "GET", "access/film", nil, catalog.HeaderAccessToken, v["access_token"].(string))
	require.Equal(t, 200, status)

	status, v = l.confirm(0, l.order("opera"), hash)
	require.Equal(t, 409, status)
	require.Equal(t, "TX_ALREADY_USED", v["error"])
}

func TestEtherOnAnotherChainOrOfAnEarlierDayPaysNothing(t *testing.T) {
	t.Parallel()
	l := openLibrary(t)
	elsewhere := &library{world: newWorld(t, devchain.Config{ChainID: 8453}), t: t}
	status, v := l.confirm(0, l.order("film"), elsewhere.move(l.chain.PayTo.Address, finney, nil))
	require.Equal(t, 404, status, "%v", v)
	require.Equal(t, "TRANSACTION_NOT_FOUND", v["details"].(map[string]any)["code"])

	hash := l.move(l.chain.PayTo.Address, finney, nil)
	require.NoError(t, l.chain.Mine(2))
	tomorrow, err := catalog.New(catalog.Config{
		Store: l.store, Chains: []catalog.Chain{l.proofs}, Logger: newLog(t), Now: func() time.Time { return time.Now().Add(24 * time.Hour) },
	})
	require.NoError(t, err)
	p, err := tomorrow.CreatePayment(t.Context(), catalog.PaymentRequest{ProductID: "film", Chain: "base-sepolia", Payer: l.chain.Payer.Address.Hex()})
	require.NoError(t, err)
	_, _, err = tomorrow.ConfirmPayment(t.Context(), account.User{}, p.ID, catalog.Confirmation{Transaction: hash})
	var refused *catalog.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, catalog.CodeTransactionTooEarly, refused.Faults[0].Code)
}

func TestACheaperOrderTakesNoTransferFromADearerOne(t *testing.T) {
	t.Parallel()
	l := openLibrary(t)
	_, err := l.store.UpdateProduct(t.Context(), "opera", func(p *catalog.Product) ([]store.Event, error) {
		p.Price = x402.NewAmount(1)
		return nil, nil
	})
	require.NoError(t, err)
	cheap, film := l.order("opera"), l.order("film")
	hash := l.move(l.chain.PayTo.Address, finney, nil)
	require.NoError(t, l.chain.Mine(2))
	status, v := l.confirm(0, cheap, hash)
	require.Equal(t, 409, status, "%v", v)
	status, v = l.confirm(1, film, hash)
	require.Equal(t, 200, status, "%v", v)
}

func TestOneTransferConfirmsOneOfTwoPaymentsOnTwoReplicas(t *testing.T) {
	t.Parallel()
	l := openLibrary(t)
	// One for the film and one for the opera, which waits for another amount.
	_, err := l.store.UpdateProduct(t.Context(), "opera", func(p *catalog.Product) ([]store.Event, error) {
		p.Price = x402.NewAmount(finney - 1)
		return nil, nil
	})
	require.NoError(t, err)
	ids := []string{l.order("film"), l.order("opera")}
	hash := l.move(l.chain.PayTo.Address, finney, nil)
	require.NoError(t, l.chain.Mine(2))
	codes := make([]int, 16)
	var g errgroup.Group
	for i := range codes {
		g.Go(func() error {
			code, v := l.confirm(i, ids[i/2%2], hash)
			codes[i] = code
			if code != 200 && v["error"] != "TX_ALREADY_USED" && v["error"] != "CONFLICT" { // while the film, which it fits better, still waits
				return errors.New(fmt.Sprint(code, v))
			}
			return nil
		})
	}
	require.NoError(t, g.Wait())
	for i, code := range codes {
		require.Equal(t, codes[i/2%2*2], code)
	}
	require.ElementsMatch(t, []int{200, 409}, []int{codes[0], codes[2]})
}

func TestTokensAreProvenByTheirTransferAndNotByThatOfAnother(t *testing.T) {
	t.Parallel()
	l := openLibrary(t)
	signer, err := evm.ParseSigner(l.chain.Payer.Key)
	require.NoError(t, err)
	p, err := payer.New(payer.Config{Signers: []payer.Signer{signer}})
	require.NoError(t, err)
	status, v := l.ask(p.Client(), 0, "GET", "access/other", nil)
	require.Equal(t, 200, status, "%v", v)
	settled := v["payment_info"].(map[string]any)["transaction_hash"].(string)
	require.NoError(t, l.chain.Mine(2))

	id := l.order("course")
	status, v = l.confirm(0, id, settled)
	require.Equal(t, 400, status, "what was settled for one product pays no other: %v", v)
	require.Contains(t, fmt.Sprint(v["details"]), "PAYER_MISMATCH")
	ether := l.move(l.chain.PayTo.Address, finney, nil)
	transfer := l.move(l.chain.Token, 0, tokens(l.chain.Token, l.chain.PayTo.Address, 10_000).data)
	require.NoError(t, l.chain.Mine(2))
	status, v = l.confirm(0, id, ether)
	require.Equal(t, 400, status)
	require.Equal(t, "ASSET_MISMATCH", v["details"].(map[string]any)["code"])
	status, v = l.confirm(1, id, transfer)
	require.Equal(t, 200, status, "%v", v)
	require.Equal(t, "confirmed", v["status"])
}
