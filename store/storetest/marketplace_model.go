package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

const (
	modelOffer    = "edut.model"
	modelTerm     = 3 * time.Hour
	modelMost     = 2 // that a wallet may hold
	modelToken    = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
	modelTreasury = "0x1111111111111111111111111111111111111111"
)

var modelAdmin = marketplace.Actor{Name: "admin", Admin: true}

// paidChain knows every transaction that it is told of.
type paidChain struct {
	mu   sync.Mutex
	paid map[string]x402.Transaction
}

func (c *paidChain) Network() x402.Network { return x402.Base }

func (c *paidChain) Transaction(_ context.Context, hash string) (x402.Transaction, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.paid[hash]
	if !ok {
		return t, x402.ErrTransactionNotFound
	}
	return t, nil
}

// pay is a transaction that pays q at a time.
func (c *paidChain) pay(q marketplace.CheckoutQuote, n int, when time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	hash := fmt.Sprintf("0x%064x", n)
	c.paid[hash] = x402.Transaction{
		Network: x402.Base, Hash: hash, Succeeded: true, Confirmations: 1, Block: 1, Time: when, From: q.PayerWallet,
		Transfers: []x402.TokenTransfer{{Asset: modelToken, From: q.PayerWallet, To: modelTreasury, Amount: q.Total}},
	}
	return hash
}

// marketModel is a marketplace in its simplest form: lists of quotes and
// entitlements.
type marketModel struct {
	services     []*marketplace.Service
	chain        *paidChain
	wallets      []string
	now          *time.Time
	used         map[string]int // hash to quote
	quotes       []*modelQuote
	entitlements []*modelEntitlement
}

type modelQuote struct {
	marketplace.CheckoutQuote
	renews *modelEntitlement
	hash   string // that consumed it
	void   bool
}

type modelEntitlement struct {
	id, wallet   string
	state        marketplace.EntitlementState
	availability marketplace.Availability
	end          time.Time
}

func (e *modelEntitlement) stateAt(now time.Time) marketplace.EntitlementState {
	if e.state == marketplace.EntitlementActive && !now.Before(e.end) {
		return marketplace.EntitlementExpired
	}
	return e.state
}

// checkMarketModel does random steps on a marketplace of several replicas and on
// a model.
func checkMarketModel(t *testing.T, replicas []MarketplaceStore) {
	now, wallets, txs := at, 0, 0
	chain := &paidChain{paid: map[string]x402.Transaction{}}
	var services []*marketplace.Service
	for _, s := range replicas {
		service, err := marketplace.New(marketplace.Config{
			Store: s, CacheSize: -1, BundleMembership: true, Clock: func() time.Time { return now },
			Chains: []marketplace.ChainConfig{{
				Network: x402.Base, Chain: chain, Treasury: modelTreasury,
				Currencies: []marketplace.Currency{{Code: "USDC", Address: modelToken, Decimals: 6}},
			}},
		})
		require.NoError(t, err)
		services = append(services, service)
	}
	openModelOffer(t, services[0])
	check(t, func(rt *rapid.T) {
		m := &marketModel{services: services, chain: chain, now: &now, used: map[string]int{}}
		for range 2 {
			wallets++
			m.wallets = append(m.wallets, marketWallet(wallets))
		}
		ctx := t.Context()
		rt.Repeat(map[string]func(*rapid.T){
			"quote":   func(rt *rapid.T) { m.quote(ctx, rt) },
			"confirm": func(rt *rapid.T) { m.confirm(ctx, rt, 0, &txs) },
			"buy": func(rt *rapid.T) {
				m.quote(ctx, rt)
				m.confirm(ctx, rt, len(m.quotes)-2, &txs)
			},
			"cancel": func(rt *rapid.T) { m.cancel(ctx, rt) },
			"manage": func(rt *rapid.T) { m.manage(ctx, rt) },
			"give":   func(rt *rapid.T) { m.give(ctx, rt) },
			"wait": func(rt *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 40).Draw(rt, "minutes")) * time.Minute)
			},
			"sweep": func(rt *rapid.T) { require.NoError(rt, m.service(rt).Sweep(ctx)) },
			"":      func(rt *rapid.T) { m.compare(ctx, rt) },
		})
	})
}

func openModelOffer(t *testing.T, s *marketplace.Service) {
	_, err := s.PutIssuer(t.Context(), modelAdmin, "edut.firstparty", marketplace.IssuerUpdate{Name: "EDUT"})
	require.NoError(t, err)
	_, err = s.CreateOffer(t.Context(), modelAdmin, marketplace.OfferInput{
		ID: modelOffer, IssuerID: "edut.firstparty", Title: "Model", TermSeconds: int64(modelTerm / time.Second),
		Pricing:  marketplace.Pricing{Currency: "USDC", Amount: x402.NewAmount(7), Decimals: 6, ChainID: 8453},
		Policies: marketplace.Policies{Transferable: true, MaxPerWallet: modelMost},
	})
	require.NoError(t, err)
	_, err = s.SetOfferStatus(t.Context(), modelAdmin, modelOffer, marketplace.OfferActive)
	require.NoError(t, err)
}

func (m *marketModel) service(rt *rapid.T) *marketplace.Service {
	return rapid.SampledFrom(m.services).Draw(rt, "replica")
}

// held is how many a wallet holds that count.
func (m *marketModel) held(wallet string) (n int) {
	for _, e := range m.entitlements {
		if state := e.stateAt(*m.now); e.wallet == wallet && (state == marketplace.EntitlementActive || state == marketplace.EntitlementSuspended) {
			n++
		}
	}
	return n
}

// want requires a refusal with a code, or none if it is empty.
func want(rt *rapid.T, err error, code marketplace.Code) {
	if code == "" {
		require.NoError(rt, err)
		return
	}
	var refused *marketplace.Error
	require.True(rt, errors.As(err, &refused), "%v in place of %s", err, code)
	require.Equal(rt, code, refused.Code, "%v", err)
}

// renewable is why another term of e cannot be bought.
func (m *marketModel) renewable(e *modelEntitlement) marketplace.Code {
	switch state := e.stateAt(*m.now); {
	case state != marketplace.EntitlementActive && state != marketplace.EntitlementExpired:
		return marketplace.CodeEntitlementState
	case state == marketplace.EntitlementExpired && m.held(e.wallet) >= modelMost:
		return marketplace.CodeMaxPerWallet
	}
	return ""
}

func (m *marketModel) quote(ctx context.Context, rt *rapid.T) {
	request := marketplace.QuoteRequest{Buyer: marketplace.Buyer{
		Wallet: rapid.SampledFrom(m.wallets).Draw(rt, "wallet"), OfferID: modelOffer, OrgRootID: "org", PrincipalID: "human", PrincipalRole: "org_root_owner",
	}}
	var renews *modelEntitlement
	code := marketplace.Code("")
	if len(m.entitlements) > 0 && rapid.IntRange(0, 2).Draw(rt, "renews") == 2 {
		renews = rapid.SampledFrom(m.entitlements).Draw(rt, "entitlement")
		request.Renews = renews.id
		if code = m.renewable(renews); renews.wallet != request.Wallet {
			code = marketplace.CodeEntitlementNotFound
		}
	} else if m.held(request.Wallet) >= modelMost {
		code = marketplace.CodeMaxPerWallet
	}
	q, err := m.service(rt).Quote(ctx, request)
	if want(rt, err, code); err == nil {
		m.quotes = append(m.quotes, &modelQuote{CheckoutQuote: q, renews: renews})
	}
}

// confirm pays a quote, one from the nth on, with a new transaction, or with one
// that was used.
func (m *marketModel) confirm(ctx context.Context, rt *rapid.T, from int, txs *int) {
	if len(m.quotes) == 0 {
		return
	}
	n := rapid.IntRange(max(from, 0), len(m.quotes)-1).Draw(rt, "quote")
	q := m.quotes[n]
	hash := ""
	if len(m.used) > 0 && rapid.IntRange(0, 3).Draw(rt, "again") == 3 {
		hash = rapid.SampledFrom(sortedKeys(m.used)).Draw(rt, "transaction")
	} else {
		*txs++
		hash = m.chain.pay(q.CheckoutQuote, *txs, *m.now)
	}
	by, used := m.used[hash]
	code := marketplace.Code("")
	switch {
	case q.hash != "" && q.hash == hash:
	case q.hash != "":
		code = marketplace.CodeQuoteConsumed
	case q.void:
		code = marketplace.CodeQuoteVoid
	case m.now.Sub(q.ExpiresAt) >= 24*time.Hour:
		code = marketplace.CodeQuoteExpired
	case used && by != n && m.quotes[by].PayerWallet == q.PayerWallet:
		code = marketplace.CodeTxAlreadyUsed
	case used && by != n: // another's money, at a time that is checked first
		code = m.elsewhere(hash, q)
	case m.now.After(q.ExpiresAt):
		code = marketplace.CodeQuoteExpired
	case q.renews != nil && q.renews.wallet != q.Wallet:
		code = marketplace.CodeEntitlementNotFound
	case q.renews != nil:
		code = m.renewable(q.renews)
	case m.held(q.Wallet) >= modelMost:
		code = marketplace.CodeMaxPerWallet
	}
	c, err := m.service(rt).Confirm(ctx, marketplace.ConfirmRequest{QuoteID: q.ID, Buyer: q.Buyer, TxHash: hash, ChainID: 8453})
	if want(rt, err, code); err != nil || q.hash != "" {
		return
	}
	q.hash, m.used[hash] = hash, n
	if e := q.renews; e != nil {
		e.state, e.availability = marketplace.EntitlementActive, marketplace.AvailabilityActive
		if e.end.Before(*m.now) {
			e.end = *m.now
		}
		e.end = e.end.Add(modelTerm)
		require.Equal(rt, e.id, c.Entitlement.ID)
		return
	}
	issued := 1
	for _, other := range m.quotes {
		if other != q && other.hash != "" && other.renews == nil && other.Wallet == q.Wallet {
			issued++
		}
	}
	require.Equal(rt, marketplace.EntitlementID(8453, q.Wallet, int64(issued)), c.Entitlement.ID)
	m.entitlements = append(m.entitlements, &modelEntitlement{
		c.Entitlement.ID, q.Wallet, marketplace.EntitlementActive, marketplace.AvailabilityActive, m.now.Add(modelTerm),
	})
}

// elsewhere is why the transaction of another payer does not pay q.
func (m *marketModel) elsewhere(hash string, q *modelQuote) marketplace.Code {
	switch mined := m.chain.paid[hash].Time; {
	case mined.After(q.ExpiresAt):
		return marketplace.CodeQuoteExpired
	case mined.Before(q.CreatedAt.Add(-time.Minute)):
		return marketplace.CodeTxTooEarly
	default:
		return marketplace.CodePayerMismatch
	}
}

func (m *marketModel) cancel(ctx context.Context, rt *rapid.T) {
	if len(m.quotes) == 0 {
		return
	}
	q := rapid.SampledFrom(m.quotes).Draw(rt, "quote")
	code := marketplace.Code("")
	switch {
	case q.hash != "":
		code = marketplace.CodeQuoteConsumed
	case !q.void && !m.now.Before(q.ExpiresAt):
		code = marketplace.CodeQuoteExpired
	}
	_, err := m.service(rt).CancelQuote(ctx, q.ID, q.Wallet)
	if want(rt, err, code); err == nil {
		q.void = true
	}
}

// manage does something to an entitlement.
func (m *marketModel) manage(ctx context.Context, rt *rapid.T) {
	if len(m.entitlements) == 0 {
		return
	}
	e, s := rapid.SampledFrom(m.entitlements).Draw(rt, "entitlement"), m.service(rt)
	state := e.stateAt(*m.now)
	refused := map[bool]marketplace.Code{false: marketplace.CodeEntitlementState}
	active, suspended := marketplace.EntitlementActive, marketplace.EntitlementSuspended
	var err error
	switch do := rapid.SampledFrom([]string{"suspend", "reinstate", "revoke", "extend"}).Draw(rt, "do"); do {
	case "suspend":
		_, err = s.SuspendEntitlement(ctx, modelAdmin, e.id, do)
		want(rt, err, refused[state == active || state == suspended])
		state = suspended
	case "reinstate":
		_, err = s.ReinstateEntitlement(ctx, modelAdmin, e.id, do)
		want(rt, err, refused[state == suspended || state == active])
		state = active
	case "revoke":
		_, err = s.RevokeEntitlement(ctx, modelAdmin, e.id, do)
		want(rt, err, refused[state != marketplace.EntitlementExpired])
		state = marketplace.EntitlementRevoked
	case "extend":
		end := m.now.Add(30 * time.Minute)
		_, err = s.ExtendEntitlement(ctx, modelAdmin, e.id, marketplace.Extension{ExpiresAt: end})
		want(rt, err, refused[state != marketplace.EntitlementRevoked])
		if err == nil {
			e.end = end
		}
		if state == marketplace.EntitlementExpired {
			state = active
		}
	}
	if err == nil {
		e.state = state
	}
}

// give transfers an entitlement.
func (m *marketModel) give(ctx context.Context, rt *rapid.T) {
	if len(m.entitlements) == 0 {
		return
	}
	e, to := rapid.SampledFrom(m.entitlements).Draw(rt, "entitlement"), rapid.SampledFrom(m.wallets).Draw(rt, "to")
	code := marketplace.Code("")
	switch {
	case e.stateAt(*m.now) != marketplace.EntitlementActive:
		code = marketplace.CodeEntitlementState
	case e.wallet == to:
		code = marketplace.CodeInvalidRequest
	case m.held(to) >= modelMost:
		code = marketplace.CodeMaxPerWallet
	}
	_, err := m.service(rt).TransferEntitlement(ctx, marketplace.Actor{Wallet: e.wallet}, e.id, marketplace.Transfer{Wallet: to})
	if want(rt, err, code); err == nil {
		e.wallet = to
	}
}

// compare compares what the wallets have.
func (m *marketModel) compare(ctx context.Context, rt *rapid.T) {
	s, found := m.service(rt), 0
	for _, wallet := range m.wallets {
		list, err := s.Entitlements(ctx, marketplace.EntitlementFilter{Wallet: wallet}, store.Page{})
		require.NoError(rt, err)
		found += len(list.Items)
		valid := false
		for _, e := range list.Items {
			valid = valid || e.State == marketplace.EntitlementActive
		}
		v, err := s.VerifyEntitlement(ctx, marketplace.VerifyRequest{Wallet: wallet, OfferID: modelOffer})
		require.NoError(rt, err)
		require.Equal(rt, valid, v.Valid)
	}
	require.Equal(rt, len(m.entitlements), found)
	for _, want := range m.entitlements {
		e, err := s.Entitlement(ctx, want.id)
		require.NoError(rt, err)
		require.Equal(rt, modelEntitlement{e.ID, e.Wallet, e.State, e.Availability, e.ExpiresAt},
			modelEntitlement{want.id, want.wallet, want.stateAt(*m.now), want.availability, want.end})
	}
}

func sortedKeys(of map[string]int) []string { return slices.Sorted(maps.Keys(of)) }
