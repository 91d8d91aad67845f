package e2e_test

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/evm"
	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/store/sqlite"
)

// The offer that is sold: 49.90 dollars.
const (
	licence      = "edut.governance.core"
	licencePrice = 49_900_000
)

// bazaar is a marketplace in two replicas over one database that look at the dev
// chain.
type bazaar struct {
	*world
	t        *testing.T
	path     string      // of the database
	down     atomic.Bool // nobody answers for the chain
	sites    []*httptest.Server
	services []*marketplace.Service
}

// bazaarAdmin may do everything.
var bazaarAdmin = marketplace.Actor{Name: "admin:test", Admin: true}

func openBazaar(t *testing.T, edits ...func(*marketplace.Config)) *bazaar {
	b := &bazaar{world: newWorld(t, devchain.Config{}), t: t, path: filepath.Join(t.TempDir(), "marketplace.db")}
	for range 2 {
		b.open(edits...)
	}
	s := b.services[0]
	_, err := s.PutIssuer(t.Context(), bazaarAdmin, "edut.firstparty", marketplace.IssuerUpdate{Name: "EDUT"})
	require.NoError(t, err)
	_, err = s.CreateOffer(t.Context(), bazaarAdmin, marketplace.OfferInput{
		ID: licence, IssuerID: "edut.firstparty", Title: "EDUT Governance Core",
		Pricing: marketplace.Pricing{Currency: "USDC", Amount: amount(licencePrice), Decimals: 6, ChainID: b.chain.ChainID},
	})
	require.NoError(t, err)
	_, err = s.SetOfferStatus(t.Context(), bazaarAdmin, licence, marketplace.OfferActive)
	require.NoError(t, err)
	return b
}

// open opens one more replica.
func (b *bazaar) open(edits ...func(*marketplace.Config)) {
	node, err := url.Parse(b.chain.URL())
	require.NoError(b.t, err)
	proxy := httputil.NewSingleHostReverseProxy(node)
	line := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.down.Load() {
			http.Error(w, "gone", http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	b.t.Cleanup(line.Close)
	chain, err := evm.New(evm.Config{
		Network: b.network, URLs: []string{line.URL}, Keys: []string{b.chain.Relayer.Key}, Journal: memory.New(), Logger: newLog(b.t),
		RPCTimeout: 5 * time.Second,
	})
	require.NoError(b.t, err)
	db, err := sqlite.Open(b.t.Context(), b.path)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { require.NoError(b.t, db.Close()) })
	c := marketplace.Config{
		Store: db, Logger: newLog(b.t), RateLimit: -1,
		Chains: []marketplace.ChainConfig{{
			Network: b.network, Chain: chain, Treasury: b.chain.PayTo.Address.Hex(),
			Currencies: []marketplace.Currency{{Code: "USDC", Address: b.chain.Token.Hex(), Decimals: 6}},
		}},
	}
	for _, edit := range edits {
		edit(&c)
	}
	service, err := marketplace.New(c)
	require.NoError(b.t, err)
	site := httptest.NewServer(service.Handler())
	b.t.Cleanup(site.Close)
	b.sites, b.services = append(b.sites, site), append(b.services, service)
}

// offerQuote is what is used of a quote.
type offerQuote struct {
	ID     string `json:"quote_id"`
	Wallet string `json:"wallet"`
	Payer  string `json:"payer_wallet"`
	State  string
	TxHash string `json:"tx_hash"`
	Tx     struct{ To, Data, Value string }
}

// bazaarAnswer is what the API says of a purchase, or why not.
type bazaarAnswer struct {
	status      int
	retryAfter  string
	body        string
	Status      string
	Code        string
	Entitlement string `json:"entitlement_id"`
	TxHash      string `json:"tx_hash"`
	Details     struct{ Retryable bool }
}

// post sends a body to a replica.
func (b *bazaar) post(site int, path string, body any) (bazaarAnswer, error) {
	j, err := json.Marshal(body)
	if err != nil {
		return bazaarAnswer{}, err
	}
	w, err := http.Post(b.sites[site%len(b.sites)].URL+path, "application/json", strings.NewReader(string(j)))
	if err != nil {
		return bazaarAnswer{}, err
	}
	defer w.Body.Close()
	read, err := io.ReadAll(w.Body)
	if err != nil {
		return bazaarAnswer{}, err
	}
	a := bazaarAnswer{status: w.StatusCode, retryAfter: w.Header.Get("Retry-After"), body: string(read)}
	return a, json.Unmarshal(read, &a)
}

// ask is the body of a request for a quote.
func ask(wallet common.Address, more ...string) map[string]any {
	body := map[string]any{
		"wallet": wallet.Hex(), "offer_id": licence, "org_root_id": "org.acme.root", "principal_id": "human.joshua", "principal_role": "org_root_owner",
	}
	for i := 0; i < len(more); i += 2 {
		body[more[i]] = more[i+1]
	}
	return body
}

// quote asks what the licence costs a wallet.
func (b *bazaar) quote(wallet common.Address, more ...string) offerQuote {
	b.t.Helper()
	a, err := b.post(0, "/marketplace/checkout/quote", ask(wallet, more...))
	require.NoError(b.t, err)
	require.Equal(b.t, 200, a.status, a.body)
	var q offerQuote
	require.NoError(b.t, json.Unmarshal([]byte(a.body), &q))
	return q
}

// state is what has become of a quote.
func (b *bazaar) state(q offerQuote) offerQuote {
	b.t.Helper()
	w, err := http.Get(b.sites[1].URL + "/marketplace/checkout/quotes/" + q.ID)
	require.NoError(b.t, err)
	defer w.Body.Close()
	require.NoError(b.t, json.NewDecoder(w.Body).Decode(&q))
	return q
}

// confirm says that a transaction has paid a quote.
func (b *bazaar) confirm(site int, q offerQuote, hash string) bazaarAnswer {
	b.t.Helper()
	a, err := b.tryConfirm(site, q, hash)
	require.NoError(b.t, err)
	return a
}

func (b *bazaar) tryConfirm(site int, q offerQuote, hash string) (bazaarAnswer, error) {
	return b.post(site, "/marketplace/checkout/confirm", map[string]any{
		"quote_id": q.ID, "wallet": q.Wallet, "offer_id": licence, "tx_hash": hash, "chain_id": b.chain.ChainID,
	})
}

// transfer is a transaction: the one that a quote asks for, as it may be altered.
type transfer struct {
	to   common.Address
	data []byte
}

// asked is the transaction that a quote asks for.
func (q offerQuote) asked(t *testing.T) transfer {
	data, err := hex.DecodeString(strings.TrimPrefix(q.Tx.Data, "0x"))
	require.NoError(t, err)
	require.Equal(t, "0x0", q.Tx.Value)
	return transfer{common.HexToAddress(q.Tx.To), data}
}

// tokens is a transfer of a token.
func tokens(token, to common.Address, units int64) transfer {
	data := crypto.Keccak256([]byte("transfer(address,uint256)"))[:4]
	data = append(append(data, common.LeftPadBytes(to[:], 32)...), common.LeftPadBytes(big.NewInt(units).Bytes(), 32)...)
	return transfer{token, data}
}

// send sends a transaction of an account, and does not wait for it.
func (b *bazaar) send(from devchain.Account, what transfer) string {
	b.t.Helper()
	key, err := crypto.HexToECDSA(strings.TrimPrefix(from.Key, "0x"))
	require.NoError(b.t, err)
	nonce, err := b.client.PendingNonceAt(b.t.Context(), from.Address)
	require.NoError(b.t, err)
	id := new(big.Int).SetUint64(b.chain.ChainID)
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: nonce, To: &what.to, Data: what.data, Gas: 200_000, GasTipCap: big.NewInt(1e9), GasFeeCap: big.NewInt(100e9),
	})
	require.NoError(b.t, err)
	require.NoError(b.t, b.client.SendTransaction(b.t.Context(), tx))
	return tx.Hash().Hex()
}

// pay sends a transaction and waits until it is mined.
func (b *bazaar) pay(from devchain.Account, what transfer) string {
	b.t.Helper()
	hash := b.send(from, what)
	looks := 0
	require.Eventually(b.t, func() bool {
		if looks++; looks%100 == 0 { // a block may fail when the machine is busy
			_ = b.chain.Mine(1)
		}
		_, err := b.client.TransactionReceipt(b.t.Context(), common.HexToHash(hash))
		return err == nil
	}, patience, 10*time.Millisecond)
	return hash
}

// entitlements are how many a wallet has.
func (b *bazaar) entitlements(wallet common.Address) int {
	b.t.Helper()
	list, err := b.services[1].Entitlements(b.t.Context(), marketplace.EntitlementFilter{Wallet: wallet.Hex()}, page)
	require.NoError(b.t, err)
	return len(list.Items)
}
