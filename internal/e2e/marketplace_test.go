package e2e_test

import (
	"math/big"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
	x402evm "github.com/v402/v402/x402/evm"
)

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
