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
	"golang.org/x/sync/errgroup"

	"github.com/v402/v402/facilitator/evm"
	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/store/sqlite"
	"github.com/v402/v402/x402"
	x402evm "github.com/v402/v402/x402/evm"
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
	}, 20*time.Second, 10*time.Millisecond)
	return hash
}

// entitlements are how many a wallet has.
func (b *bazaar) entitlements(wallet common.Address) int {
	b.t.Helper()
	list, err := b.services[1].Entitlements(b.t.Context(), marketplace.EntitlementFilter{Wallet: wallet.Hex()}, page)
	require.NoError(b.t, err)
	return len(list.Items)
}

func TestAWalletBuysALicenceByATransaction(t *testing.T) {
	t.Parallel()
	b := openBazaar(t)
	payer := b.chain.Payer
	q := b.quote(payer.Address)
	hash := b.pay(payer, q.asked(t))
	first := b.confirm(0, q, hash)
	require.Equal(t, 200, first.status, first.body)
	require.Equal(t, "entitlement_active", first.Status)
	require.EqualValues(t, licencePrice, b.balance(b.chain.PayTo.Address).Int64())
	require.Equal(t, "consumed", b.state(q).State)

	again := b.confirm(1, q, "0x"+strings.ToUpper(hash[2:]))
	require.Equal(t, first.body, again.body, "the same answer, by every replica")

	second := b.quote(payer.Address)
	reused := b.confirm(1, second, hash)
	require.Equal(t, 409, reused.status, reused.body)
	require.Equal(t, "tx_already_used", reused.Code)
	require.Equal(t, "open", b.state(second).State)

	other := b.confirm(0, q, b.pay(payer, q.asked(t)))
	require.Equal(t, 409, other.status, other.body)
	require.Equal(t, "quote_consumed", other.Code)
	require.Equal(t, 1, b.entitlements(payer.Address))
}

func TestATransactionThatDoesNotPayBuysNothing(t *testing.T) {
	t.Parallel()
	b := openBazaar(t)
	treasury, token := b.chain.PayTo.Address, b.chain.Token
	require.NoError(t, b.chain.MintOf(devchain.PlainTokenAddress, b.rich[1].Address, big.NewInt(1e12)))
	for name, c := range map[string]struct {
		from   devchain.Account
		what   transfer
		status int
		code   string
	}{
		"less by a millionth": {b.rich[0], tokens(token, treasury, licencePrice-1), 422, "amount_mismatch"},
		"another token":       {b.rich[1], tokens(devchain.PlainTokenAddress, treasury, licencePrice), 422, "recipient_mismatch"},
		"another recipient":   {b.rich[2], tokens(token, b.nosy.Address, licencePrice), 422, "recipient_mismatch"},
		"another payer":       {b.nosy, tokens(token, treasury, licencePrice), 422, "payer_mismatch"},
		"reverted":            {b.chain.Poor, tokens(token, treasury, licencePrice), 422, "tx_failed"},
		"nothing at all":      {b.rich[3], transfer{b.nosy.Address, nil}, 422, "recipient_mismatch"},
	} {
		wallet := c.from.Address
		if name == "another payer" {
			wallet = b.rich[4].Address
		}
		q := b.quote(wallet)
		a := b.confirm(1, q, b.pay(c.from, c.what))
		require.Equal(t, c.status, a.status, "%s: %s", name, a.body)
		require.Equal(t, c.code, a.Code, name)
		require.False(t, a.Details.Retryable, name)
		require.Equal(t, "open", b.state(q).State, name)
		require.Zero(t, b.entitlements(wallet), name)
	}
}

func TestAPaymentAfterThePriceHasExpiredBuysNothing(t *testing.T) {
	t.Parallel()
	b := openBazaar(t)
	q := b.quote(b.chain.Payer.Address)
	require.NoError(t, b.chain.AdvanceTime(16*time.Minute))
	a := b.confirm(0, q, b.pay(b.chain.Payer, q.asked(t)))
	require.Equal(t, 409, a.status, a.body)
	require.Equal(t, "quote_expired", a.Code)
	require.Zero(t, b.entitlements(b.chain.Payer.Address))
}

func TestAPaymentInTimeBuysHoweverLateItIsConfirmed(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	b := openBazaar(t, func(c *marketplace.Config) { c.Clock = clock })
	q, late := b.quote(b.chain.Payer.Address), b.quote(b.chain.Payer.Address)
	hash := b.pay(b.chain.Payer, q.asked(t))
	ahead.Store(int64(23 * time.Hour))
	require.Equal(t, "expired", b.state(q).State)
	a := b.confirm(0, q, hash)
	require.Equal(t, 200, a.status, a.body)
	hash = b.pay(b.chain.Payer, late.asked(t))
	ahead.Store(int64(25 * time.Hour))
	a = b.confirm(0, late, hash)
	require.Equal(t, 409, a.status, a.body)
	require.Equal(t, "quote_expired", a.Code)
}

func TestATransactionCountsWhenItIsDeepEnough(t *testing.T) {
	t.Parallel()
	b := openBazaar(t, func(c *marketplace.Config) { c.Chains[0].Confirmations = 4 })
	b.chain.SetMining(false)
	q := b.quote(b.chain.Payer.Address)
	hash := b.send(b.chain.Payer, q.asked(t))
	waits := func(code string) {
		a := b.confirm(0, q, hash)
		require.Equal(t, 409, a.status, a.body)
		require.Equal(t, code, a.Code)
		require.True(t, a.Details.Retryable)
		require.NotEmpty(t, a.retryAfter)
		require.Equal(t, "open", b.state(q).State)
	}
	waits("tx_pending")
	for range 3 {
		require.NoError(t, b.chain.Mine(1))
		waits("tx_pending")
	}
	require.NoError(t, b.chain.Mine(1))
	a := b.confirm(1, q, hash)
	require.Equal(t, 200, a.status, a.body)
}

func TestATransactionThatWasReorganisedAwayBuysNothing(t *testing.T) {
	t.Parallel()
	b := openBazaar(t, func(c *marketplace.Config) { c.Chains[0].Confirmations = 3 })
	q := b.quote(b.chain.Payer.Address)
	hash := b.pay(b.chain.Payer, q.asked(t))
	a := b.confirm(0, q, hash)
	require.Equal(t, "tx_pending", a.Code, a.body)
	require.NoError(t, b.chain.Reorg(1, true))
	require.NoError(t, b.chain.Mine(5))
	a = b.confirm(0, q, hash)
	require.Equal(t, 409, a.status, a.body)
	require.Equal(t, "tx_not_found", a.Code)
	require.True(t, a.Details.Retryable)
	require.Zero(t, b.entitlements(b.chain.Payer.Address))

	paid := b.pay(b.chain.Payer, q.asked(t))
	require.NoError(t, b.chain.Reorg(1, false)) // it is mined again, in another block
	require.NoError(t, b.chain.Mine(5))
	a = b.confirm(0, q, paid)
	require.Equal(t, 200, a.status, a.body)
}

func TestWhileTheChainDoesNotAnswerNothingIsConsumed(t *testing.T) {
	t.Parallel()
	b := openBazaar(t)
	q := b.quote(b.chain.Payer.Address)
	hash := b.pay(b.chain.Payer, q.asked(t))
	b.down.Store(true)
	a := b.confirm(0, q, hash)
	require.Equal(t, 503, a.status, a.body)
	require.Equal(t, "chain_unavailable", a.Code)
	require.NotEmpty(t, a.retryAfter)
	require.Equal(t, "open", b.state(q).State)
	b.down.Store(false)
	a = b.confirm(0, q, hash)
	require.Equal(t, 200, a.status, a.body)
}

func TestOfTwoQuotesThatOneTransactionIsSaidToPayAtOnceOneIsPaid(t *testing.T) {
	t.Parallel()
	b := openBazaar(t)
	var quotes []offerQuote
	for range 6 {
		quotes = append(quotes, b.quote(b.chain.Payer.Address))
	}
	hash := b.pay(b.chain.Payer, quotes[0].asked(t))
	answers := make([]bazaarAnswer, len(quotes))
	var g errgroup.Group
	for i, q := range quotes {
		g.Go(func() (err error) {
			answers[i], err = b.tryConfirm(i, q, hash)
			return err
		})
	}
	require.NoError(t, g.Wait())
	won := 0
	for _, a := range answers {
		if a.status == 200 {
			won++
			continue
		}
		require.Equal(t, 409, a.status, a.body)
		require.Equal(t, "tx_already_used", a.Code)
	}
	require.Equal(t, 1, won)
	require.Equal(t, 1, b.entitlements(b.chain.Payer.Address))
}

// proof is an owner's signature that lets a payer pay.
func (b *bazaar) proof(owner devchain.Account, p marketplace.Proof) x402evm.Signature {
	b.t.Helper()
	key, err := x402evm.ParseSigner(owner.Key)
	require.NoError(b.t, err)
	p.Wallet, p.PayerWallet = strings.ToLower(p.Wallet), strings.ToLower(p.PayerWallet)
	return key.SignMessage([]byte(marketplace.ProofMessage(p)))
}

// malleable is the other signature of the same key over the same message.
func malleable(sig x402evm.Signature) x402evm.Signature {
	s := new(big.Int).Sub(crypto.S256().Params().N, new(big.Int).SetBytes(sig[32:64]))
	s.FillBytes(sig[32:64])
	sig[64] ^= 27 ^ 28
	return sig
}

func TestAnotherWalletPaysOnlyWithTheOwnersProof(t *testing.T) {
	t.Parallel()
	b := openBazaar(t)
	owner, payer := b.rich[0], b.rich[1]
	right := marketplace.Proof{
		OfferID: licence, Wallet: owner.Address.Hex(), PayerWallet: payer.Address.Hex(), OrgRootID: "org.acme.root", ChainID: b.chain.ChainID,
	}
	altered := func(alter func(*marketplace.Proof)) string {
		p := right
		alter(&p)
		return b.proof(owner, p).String()
	}
	good := b.proof(owner, right)
	low := good
	low[64] -= 27
	for name, proof := range map[string]string{
		"forged":            b.proof(payer, right).String(),
		"malleable":         malleable(good).String(),
		"cut short":         good.String()[:130],
		"of another offer":  altered(func(p *marketplace.Proof) { p.OfferID = "edut.other" }),
		"of another wallet": altered(func(p *marketplace.Proof) { p.Wallet = payer.Address.Hex() }),
		"of another payer":  altered(func(p *marketplace.Proof) { p.PayerWallet = b.rich[2].Address.Hex() }),
		"of another org":    altered(func(p *marketplace.Proof) { p.OrgRootID = "org.other" }),
		"of another chain":  altered(func(p *marketplace.Proof) { p.ChainID = 8453 }),
		"no hexadecimal":    "0x9f20...",
	} {
		a, err := b.post(0, "/marketplace/checkout/quote", ask(owner.Address, "payer_wallet", payer.Address.Hex(), "ownership_proof", proof))
		require.NoError(t, err)
		require.Equal(t, 403, a.status, "%s: %s", name, a.body)
		require.Equal(t, "ownership_proof_invalid", a.Code, name)
	}
	a, err := b.post(0, "/marketplace/checkout/quote", ask(owner.Address, "payer_wallet", payer.Address.Hex()))
	require.NoError(t, err)
	require.Equal(t, "ownership_proof_required", a.Code, a.body)
	require.Equal(t, 400, a.status)

	for _, proof := range []string{good.String(), low.String()} {
		q := b.quote(owner.Address, "payer_wallet", payer.Address.Hex(), "ownership_proof", proof)
		a := b.confirm(0, q, b.pay(owner, q.asked(t)))
		require.Equal(t, "payer_mismatch", a.Code, "the owner is not who was to pay: %s", a.body)
		a = b.confirm(0, q, b.pay(payer, q.asked(t)))
		require.Equal(t, 200, a.status, a.body)
	}
	require.Equal(t, 2, b.entitlements(owner.Address))
	require.Zero(t, b.entitlements(payer.Address))

	// Now the owner of the organisation may pay for others of it without one.
	q := b.quote(b.rich[3].Address, "payer_wallet", owner.Address.Hex(), "principal_role", "workspace_member")
	require.NotEmpty(t, q.ID)
	a, err = b.post(0, "/marketplace/checkout/quote", ask(b.rich[3].Address, "payer_wallet", owner.Address.Hex(), "org_root_id", "org.other"))
	require.NoError(t, err)
	require.Equal(t, "ownership_proof_required", a.Code, a.body)
}

func TestAContractWalletProvesItselfByItsContract(t *testing.T) {
	t.Parallel()
	b := openBazaar(t)
	wallet, payer := devchain.WalletAddress, b.rich[1]
	right := marketplace.Proof{
		OfferID: licence, Wallet: wallet.Hex(), PayerWallet: payer.Address.Hex(), OrgRootID: "org.acme.root", ChainID: b.chain.ChainID,
	}
	a, err := b.post(0, "/marketplace/checkout/quote", ask(wallet, "payer_wallet", payer.Address.Hex(), "ownership_proof", b.proof(payer, right).String()))
	require.NoError(t, err)
	require.Equal(t, "ownership_proof_invalid", a.Code, a.body)
	proof := b.proof(b.chain.Payer, right).String() // who owns the contract
	q := b.quote(wallet, "payer_wallet", payer.Address.Hex(), "ownership_proof", proof)
	done := b.confirm(0, q, b.pay(payer, q.asked(t)))
	require.Equal(t, 200, done.status, done.body)
	require.Equal(t, 1, b.entitlements(wallet))
	b.down.Store(true)
	a, err = b.post(0, "/marketplace/checkout/quote", ask(wallet, "payer_wallet", payer.Address.Hex(), "ownership_proof", proof))
	require.NoError(t, err)
	require.Equal(t, "chain_unavailable", a.Code, "who cannot be asked has not agreed: %s", a.body)
}

// page is the first one.
var page store.Page

func amount(units uint64) x402.Amount { return x402.NewAmount(units) }
