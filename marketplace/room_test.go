package marketplace_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

const (
	roomUSDC     = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
	roomTreasury = "0x1111111111111111111111111111111111111111"
	roomContract = "0x2222222222222222222222222222222222222222"
	roomOffer    = "edut.governance.core"
)

var (
	roomAdmin  = marketplace.Actor{Name: "admin:test", Admin: true}
	roomIssuer = marketplace.Actor{Name: "issuer:test", IssuerID: "edut.firstparty"}
)

// blockchain is a chain that knows what it is told.
type blockchain struct {
	mu           sync.Mutex
	transactions map[string]x402.Transaction
	down         error
	signed       func(wallet string, digest [32]byte, signature []byte) (bool, error)
	asked        func() // called with each question
}

func (c *blockchain) Network() x402.Network { return x402.Base }

func (c *blockchain) Transaction(_ context.Context, hash string) (x402.Transaction, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked != nil {
		c.asked()
	}
	t, ok := c.transactions[hash]
	switch {
	case c.down != nil:
		return x402.Transaction{}, c.down
	case !ok:
		return x402.Transaction{}, x402.ErrTransactionNotFound
	}
	return t, nil
}

func (c *blockchain) ValidSignature(_ context.Context, wallet string, digest [32]byte, signature []byte) (bool, error) {
	if c.signed == nil {
		return false, nil
	}
	return c.signed(wallet, digest, signature)
}

func (c *blockchain) put(t x402.Transaction) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.transactions[t.Hash] = t
}

// room is a marketplace with the seed's offer, a chain and a clock.
type room struct {
	*marketplace.Service
	t      testing.TB
	store  *memory.Store
	chain  *blockchain
	config marketplace.Config
	now    time.Time
	txs    int
}

// openRoom opens a marketplace that bundles memberships; change alters that.
func openRoom(t testing.TB, change func(*marketplace.Config)) *room {
	t.Helper()
	r := &room{
		t: t, store: memory.New(), now: time.Date(2026, 2, 17, 7, 29, 30, 0, time.UTC),
		chain: &blockchain{transactions: map[string]x402.Transaction{}},
	}
	r.config = marketplace.Config{
		Store: r.store, BundleMembership: true, Clock: func() time.Time { return r.now },
		Chains: []marketplace.ChainConfig{{
			Network: x402.Base, Chain: r.chain, Treasury: roomTreasury, Confirmations: 3,
			Currencies: []marketplace.Currency{
				{Code: "USDC", Address: roomUSDC, Decimals: 6}, {Code: "ETH", Decimals: 18, MembershipFee: x402.NewAmount(1_000_000_000_000_000)},
			},
		}},
	}
	if change != nil {
		change(&r.config)
	}
	var err error
	r.Service, err = marketplace.New(r.config)
	require.NoError(t, err)
	_, err = r.PutIssuer(t.Context(), roomAdmin, "edut.firstparty", marketplace.IssuerUpdate{Name: "EDUT"})
	require.NoError(t, err)
	r.offer(roomOffer, nil)
	return r
}

// offer makes an active offer, as the seed's unless change alters it.
func (r *room) offer(id string, change func(*marketplace.OfferInput)) marketplace.Offer {
	r.t.Helper()
	in := marketplace.OfferInput{
		ID: id, IssuerID: "edut.firstparty", Title: "EDUT Governance Core", Summary: "First paid runtime license.", LineLabel: "Governance Core License",
		Pricing:  marketplace.Pricing{Currency: "USDC", Amount: x402.NewAmount(499_000_000), Decimals: 6, ChainID: 8453},
		Policies: marketplace.Policies{MemberOnly: true, WorkspaceBound: true, InternalUseOnly: true},
	}
	if change != nil {
		change(&in)
	}
	_, err := r.CreateOffer(r.t.Context(), roomAdmin, in)
	require.NoError(r.t, err)
	o, err := r.SetOfferStatus(r.t.Context(), roomAdmin, id, marketplace.OfferActive)
	require.NoError(r.t, err)
	return o
}

// plain makes an offer without any condition.
func (r *room) plain(id string, change func(*marketplace.OfferInput)) marketplace.Offer {
	return r.offer(id, func(in *marketplace.OfferInput) {
		in.Policies = marketplace.Policies{}
		if change != nil {
			change(in)
		}
	})
}

func roomWallet(n int) string { return fmt.Sprintf("0x%040x", 0xabc0+n) }

// ask is the request of the nth wallet for an offer.
func ask(offerID string, n int) marketplace.QuoteRequest {
	return marketplace.QuoteRequest{Buyer: marketplace.Buyer{
		Wallet: roomWallet(n), OfferID: offerID, OrgRootID: "org.acme.root", PrincipalID: "human.joshua",
		PrincipalRole: "org_root_owner", WorkspaceID: "workspace.work.acme.exec",
	}}
}

func (r *room) quote(offerID string, n int) marketplace.CheckoutQuote {
	r.t.Helper()
	q, err := r.Quote(r.t.Context(), ask(offerID, n))
	require.NoError(r.t, err)
	return q
}

// payment is a new transaction that pays q.
func (r *room) payment(q marketplace.CheckoutQuote) x402.Transaction {
	r.txs++
	return x402.Transaction{
		Network: x402.Base, Hash: fmt.Sprintf("0x%064x", r.txs), Succeeded: true, From: q.PayerWallet, To: roomUSDC, Confirmations: 3, Block: 9, Time: r.now, Input: decodeHex(r.t, q.Transaction.Data),
		Transfers: []x402.TokenTransfer{{Asset: strings.ToLower(roomUSDC), From: q.PayerWallet, To: roomTreasury, Amount: q.Total}},
	}
}

// confirming is the request to confirm q by a transaction.
func confirming(q marketplace.CheckoutQuote, hash string) marketplace.ConfirmRequest {
	return marketplace.ConfirmRequest{QuoteID: q.ID, Buyer: q.Buyer, TxHash: hash, ChainID: q.ChainID}
}

// settle confirms q by t.
func (r *room) settle(q marketplace.CheckoutQuote, t x402.Transaction) (marketplace.Confirmation, error) {
	r.chain.put(t)
	return r.Confirm(r.t.Context(), confirming(q, t.Hash))
}

// buy sells an offer to the nth wallet.
func (r *room) buy(offerID string, n int) marketplace.Entitlement {
	r.t.Helper()
	q := r.quote(offerID, n)
	c, err := r.settle(q, r.payment(q))
	require.NoError(r.t, err)
	return c.Entitlement
}

// refused requires that err is a refusal with a code.
func refused(t testing.TB, err error, code marketplace.Code) *marketplace.Error {
	t.Helper()
	var e *marketplace.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code, "%v", err)
	return e
}

// events are the types of the events since the last call.
func (r *room) events() (types []string) {
	r.t.Helper()
	list, err := r.store.LeaseEvents(r.t.Context(), "reader", r.now, r.now, 10_000)
	require.NoError(r.t, err)
	var ids []string
	for _, e := range list {
		types, ids = append(types, e.Type), append(ids, e.ID)
	}
	require.NoError(r.t, r.store.AckEvents(r.t.Context(), "reader", ids))
	return types
}

// roomKey is the nth key.
func roomKey(t testing.TB, n int) *evm.Signer {
	t.Helper()
	s, err := evm.ParseSigner(fmt.Sprintf("0x%064x", n+1))
	require.NoError(t, err)
	return s
}

var errDown = errors.New("connection refused")

func decodeHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.TrimPrefix(s, "0x"))
	require.NoError(t, err)
	return b
}
