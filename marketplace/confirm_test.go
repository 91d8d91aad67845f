package marketplace_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/x402"
)

func TestAPaidQuoteGivesAnEntitlementAndAMembershipAtOnce(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	q := r.quote(roomOffer, 1)
	r.events()
	payment := r.payment(q)
	r.now = r.now.Add(time.Minute)
	c, err := r.settle(q, payment)
	require.NoError(t, err)
	want := marketplace.Entitlement{
		ID: "ent:8453:" + roomWallet(1) + ":000001", OfferID: roomOffer, IssuerID: "edut.firstparty", Wallet: roomWallet(1), PayerWallet: roomWallet(1),
		OrgRootID: "org.acme.root", PrincipalID: "human.joshua", PrincipalRole: "org_root_owner", WorkspaceID: "workspace.work.acme.exec",
		Type: marketplace.ModuleLicense, Scope: marketplace.ScopeWorkspace, State: marketplace.EntitlementActive, AccessClass: marketplace.Connected,
		Availability: marketplace.AvailabilityActive, PolicyHash: q.PolicyHash, WorkspaceBound: true, ChainID: 8453, TxHash: payment.Hash,
		QuoteID: q.ID, IssuedAt: r.now, UpdatedAt: r.now,
	}
	require.Equal(t, want, c.Entitlement)
	require.Equal(t, marketplace.MembershipActive, c.Membership.Status)
	require.Equal(t, r.now, c.ConfirmedAt)
	require.Equal(t, []string{"membership.activated", "entitlement.activated", "quote.consumed"}, r.events())
	stored, err := r.Entitlement(t.Context(), want.ID)
	require.NoError(t, err)
	require.Equal(t, want, stored)
	require.Equal(t, "ent:8453:"+roomWallet(1)+":000002", r.buy(roomOffer, 1).ID)
	require.Equal(t, "ent:8453:"+roomWallet(2)+":000001", r.buy(roomOffer, 2).ID)
}

func TestTheSameConfirmationAgainHasTheSameAnswer(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	q := r.quote(roomOffer, 1)
	payment := r.payment(q)
	first, err := r.settle(q, payment)
	require.NoError(t, err)
	_, err = r.SuspendEntitlement(t.Context(), roomAdmin, first.Entitlement.ID, "later")
	require.NoError(t, err)
	r.events()
	r.now = r.now.Add(100 * 24 * time.Hour)
	r.chain.down = errDown
	request := confirming(q, "0x"+strings.ToUpper(payment.Hash[2:]))
	again, err := r.Confirm(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Empty(t, r.events())
	_, err = r.Confirm(t.Context(), confirming(q, r.payment(q).Hash))
	require.Equal(t, 409, refused(t, err, marketplace.CodeQuoteConsumed).Code.Status())
}

func TestATransactionThatDoesNotPayIsRefusedAndTheQuoteStaysOpen(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	for name, c := range map[string]struct {
		change func(*x402.Transaction, *marketplace.CheckoutQuote)
		code   marketplace.Code
		retry  bool
	}{
		"underpaid": {func(t *x402.Transaction, q *marketplace.CheckoutQuote) {
			t.Transfers[0].Amount, _ = q.Total.Sub(x402.NewAmount(1))
		}, marketplace.CodeAmountMismatch, false},
		"wrong token":     {func(t *x402.Transaction, _ *marketplace.CheckoutQuote) { t.Transfers[0].Asset = roomContract }, marketplace.CodeRecipientMismatch, false},
		"wrong recipient": {func(t *x402.Transaction, _ *marketplace.CheckoutQuote) { t.Transfers[0].To = roomContract }, marketplace.CodeRecipientMismatch, false},
		"wrong payer":     {func(t *x402.Transaction, _ *marketplace.CheckoutQuote) { t.Transfers[0].From = roomWallet(9) }, marketplace.CodePayerMismatch, false},
		"no transfer":     {func(t *x402.Transaction, _ *marketplace.CheckoutQuote) { t.Transfers = nil }, marketplace.CodeRecipientMismatch, false},
		"coin in place of the token": {func(t *x402.Transaction, q *marketplace.CheckoutQuote) {
			t.Transfers, t.To, t.Value = nil, roomTreasury, q.Total
		}, marketplace.CodeRecipientMismatch, false},
		"reverted":      {func(t *x402.Transaction, _ *marketplace.CheckoutQuote) { t.Succeeded = false }, marketplace.CodeTxFailed, false},
		"not mined":     {func(t *x402.Transaction, _ *marketplace.CheckoutQuote) { t.Confirmations, t.Succeeded = 0, false }, marketplace.CodeTxPending, true},
		"too shallow":   {func(t *x402.Transaction, _ *marketplace.CheckoutQuote) { t.Confirmations = 2 }, marketplace.CodeTxPending, true},
		"too late":      {func(t *x402.Transaction, q *marketplace.CheckoutQuote) { t.Time = q.ExpiresAt.Add(time.Second) }, marketplace.CodeQuoteExpired, false},
		"too early":     {func(t *x402.Transaction, q *marketplace.CheckoutQuote) { t.Time = q.CreatedAt.Add(-2 * time.Minute) }, marketplace.CodeTxTooEarly, false},
		"another chain": {func(t *x402.Transaction, _ *marketplace.CheckoutQuote) { t.Network = x402.BaseSepolia }, marketplace.CodeChainMismatch, false},
	} {
		t.Run(name, func(t *testing.T) {
			q := r.quote(roomOffer, 1)
			payment := r.payment(q)
			good := payment
			good.Transfers = append([]x402.TokenTransfer(nil), payment.Transfers...)
			c.change(&payment, &q)
			r.events()
			_, err := r.settle(q, payment)
			e := refused(t, err, c.code)
			require.Equal(t, c.retry, e.RetryAfter > 0)
			require.Empty(t, r.events())
			_, err = r.settle(q, good)
			require.NoError(t, err, "nothing was used up")
		})
	}
}

func TestWhatTheChainDoesNotKnowOrSayUsesNothingUp(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	q := r.quote(roomOffer, 1)
	payment := r.payment(q)
	_, err := r.Confirm(t.Context(), confirming(q, payment.Hash))
	e := refused(t, err, marketplace.CodeTxNotFound) // not yet there, or reorganised away
	require.Equal(t, 409, e.Code.Status())
	require.Positive(t, e.RetryAfter)
	r.chain.down = errDown
	_, err = r.settle(q, payment)
	e = refused(t, err, marketplace.CodeChainUnavailable)
	require.Equal(t, 503, e.Code.Status())
	require.ErrorIs(t, err, errDown)
	r.chain.down = nil
	_, err = r.settle(q, payment)
	require.NoError(t, err)

	blind := openRoom(t, func(c *marketplace.Config) { c.Chains[0].Chain = nil })
	q = blind.quote(roomOffer, 1)
	_, err = blind.settle(q, payment)
	refused(t, err, marketplace.CodeChainUnavailable)
}

func TestMoreThanTheTotalAndSeveralTransfersPay(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	q := r.quote(roomOffer, 1)
	payment := r.payment(q)
	half := payment.Transfers[0]
	half.Amount = x402.NewAmount(252_000_000)
	other := half
	other.From = roomWallet(9)
	payment.Transfers = []x402.TokenTransfer{half, other, half}
	payment.From = roomWallet(8) // whoever sends the transaction
	_, err := r.settle(q, payment)
	require.NoError(t, err)
	q = r.quote(roomOffer, 2)
	payment = r.payment(q)
	payment.Transfers[0].Amount = x402.NewAmount(1_000_000_000)
	_, err = r.settle(q, payment)
	require.NoError(t, err)
}

func TestATransactionBuysOnce(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	one, two := r.quote(roomOffer, 1), r.quote(roomOffer, 1)
	payment := r.payment(one)
	_, err := r.settle(one, payment)
	require.NoError(t, err)
	_, err = r.settle(two, payment)
	require.Equal(t, 409, refused(t, err, marketplace.CodeTxAlreadyUsed).Code.Status())
	r.now = r.now.Add(10 * time.Minute)
	three := r.quote(roomOffer, 1)
	_, err = r.settle(three, payment)
	refused(t, err, marketplace.CodeTxAlreadyUsed)
}

func TestAConfirmationMustRepeatItsQuote(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	q := r.quote(roomOffer, 1)
	payment := r.payment(q)
	r.chain.put(payment)
	for name, c := range map[string]struct {
		change func(*marketplace.ConfirmRequest)
		code   marketplace.Code
		field  string
	}{
		"wallet":    {func(c *marketplace.ConfirmRequest) { c.Wallet = roomWallet(2) }, marketplace.CodeQuoteMismatch, "wallet"},
		"payer":     {func(c *marketplace.ConfirmRequest) { c.PayerWallet = roomWallet(2) }, marketplace.CodeQuoteMismatch, "payer_wallet"},
		"offer":     {func(c *marketplace.ConfirmRequest) { c.OfferID = "" }, marketplace.CodeQuoteMismatch, "offer_id"},
		"org":       {func(c *marketplace.ConfirmRequest) { c.OrgRootID = "org.other" }, marketplace.CodeQuoteMismatch, "org_root_id"},
		"principal": {func(c *marketplace.ConfirmRequest) { c.PrincipalID = "human.other" }, marketplace.CodeQuoteMismatch, "principal_id"},
		"role":      {func(c *marketplace.ConfirmRequest) { c.PrincipalRole = "workspace_member" }, marketplace.CodeQuoteMismatch, "principal_role"},
		"workspace": {func(c *marketplace.ConfirmRequest) { c.WorkspaceID = "other" }, marketplace.CodeQuoteMismatch, "workspace_id"},
		"chain":     {func(c *marketplace.ConfirmRequest) { c.ChainID = 84532 }, marketplace.CodeChainMismatch, "chain_id"},
		"policy":    {func(c *marketplace.ConfirmRequest) { c.PolicyHash = strings.Repeat("a", 64) }, marketplace.CodePolicyMismatch, "policy_hash"},
		"hash":      {func(c *marketplace.ConfirmRequest) { c.TxHash = payment.Hash[:65] }, marketplace.CodeInvalidRequest, "tx_hash"},
		"no wallet": {func(c *marketplace.ConfirmRequest) { c.Wallet = "" }, marketplace.CodeInvalidRequest, "wallet"},
		"no quote":  {func(c *marketplace.ConfirmRequest) { c.QuoteID = "" }, marketplace.CodeInvalidRequest, "quote_id"},
		"unknown":   {func(c *marketplace.ConfirmRequest) { c.QuoteID = "cq_x" }, marketplace.CodeQuoteNotFound, ""},
	} {
		request := confirming(q, payment.Hash)
		c.change(&request)
		_, err := r.Confirm(t.Context(), request)
		require.Equal(t, c.field, refused(t, err, c.code).Field, name)
	}
	request := confirming(q, payment.Hash)
	request.Wallet, request.PayerWallet, request.PolicyHash = "0x"+strings.ToUpper(q.Wallet[2:]), "", q.PolicyHash
	_, err := r.Confirm(t.Context(), request)
	require.NoError(t, err, "in whatever case")
}

func TestATransactionThatWasMinedInTimeCountsWithinTheGrace(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	late, later := r.quote(roomOffer, 1), r.quote(roomOffer, 2)
	first, second := r.payment(late), r.payment(later)
	r.now = r.now.Add(23 * time.Hour)
	require.NoError(t, r.Sweep(t.Context()))
	q, err := r.CheckoutQuote(t.Context(), late.ID)
	require.NoError(t, err)
	require.Equal(t, marketplace.QuoteExpired, q.State)
	_, err = r.settle(late, first)
	require.NoError(t, err)
	r.now = r.now.Add(2 * time.Hour)
	_, err = r.settle(later, second)
	refused(t, err, marketplace.CodeQuoteExpired)
}

func TestAChangedOfferDoesNotChangeAQuoteButARevokedPolicyDoes(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	q, other := r.quote(roomOffer, 1), r.quote(roomOffer, 2)
	_, err := r.EditOffer(t.Context(), roomAdmin, roomOffer, marketplace.OfferInput{
		IssuerID: "edut.firstparty", Title: "New", Pricing: marketplace.Pricing{Currency: "USDC", Amount: x402.NewAmount(1), Decimals: 6, ChainID: 8453},
	})
	require.NoError(t, err)
	c, err := r.settle(q, r.payment(q))
	require.NoError(t, err)
	require.Equal(t, q.PolicyHash, c.Entitlement.PolicyHash)
	require.True(t, c.Entitlement.WorkspaceBound)
	_, err = r.RevokePolicy(t.Context(), roomIssuer, roomOffer, q.PolicyHash)
	require.NoError(t, err)
	_, err = r.settle(other, r.payment(other))
	refused(t, err, marketplace.CodePolicyMismatch)
	current := r.quote(roomOffer, 3)
	require.NotEqual(t, q.PolicyHash, current.PolicyHash)
	_, err = r.RevokePolicy(t.Context(), roomIssuer, roomOffer, current.PolicyHash)
	refused(t, err, marketplace.CodeOfferState)
}

func TestMembershipAndLimitAreCheckedAgainWhenAQuoteIsPaid(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	q := r.quote(roomOffer, 1)
	for _, status := range []marketplace.MembershipStatus{marketplace.MembershipActive, marketplace.MembershipSuspended} {
		_, err := r.SetMembership(t.Context(), roomAdmin, roomWallet(1), status, "")
		require.NoError(t, err)
	}
	payment := r.payment(q)
	_, err := r.settle(q, payment)
	refused(t, err, marketplace.CodeMembershipRequired)
	_, err = r.SetMembership(t.Context(), roomAdmin, roomWallet(1), marketplace.MembershipActive, "")
	require.NoError(t, err)
	_, err = r.settle(q, payment)
	require.NoError(t, err)

	r.plain("edut.limited", func(in *marketplace.OfferInput) { in.Policies.MaxPerWallet = 1 })
	one, two := r.quote("edut.limited", 1), r.quote("edut.limited", 1)
	_, err = r.settle(one, r.payment(one))
	require.NoError(t, err)
	_, err = r.settle(two, r.payment(two))
	refused(t, err, marketplace.CodeMaxPerWallet)
}

func TestNativeCoinPays(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	r.plain("edut.native", func(in *marketplace.OfferInput) {
		in.Pricing = marketplace.Pricing{Currency: "ETH", Amount: x402.NewAmount(1_000), Decimals: 18, ChainID: 8453}
	})
	for name, c := range map[string]struct {
		from, to string
		value    uint64
		code     marketplace.Code
	}{
		"right": {roomWallet(1), roomTreasury, 1_000, ""}, "underpaid": {roomWallet(1), roomTreasury, 999, marketplace.CodeAmountMismatch},
		"wrong recipient": {roomWallet(1), roomContract, 1_000, marketplace.CodeRecipientMismatch},
		"wrong payer":     {roomWallet(2), roomTreasury, 1_000, marketplace.CodePayerMismatch},
	} {
		q := r.quote("edut.native", 1)
		payment := r.payment(q)
		payment.Transfers, payment.From, payment.To, payment.Value = nil, c.from, c.to, x402.NewAmount(c.value)
		_, err := r.settle(q, payment)
		if c.code == "" {
			require.NoError(t, err, name)
			continue
		}
		refused(t, err, c.code)
	}
}

func TestThroughACheckoutContractTheCallMustBeTheQuotes(t *testing.T) {
	t.Parallel()
	r := openRoom(t, func(c *marketplace.Config) { c.Chains[0].Contract = roomContract })
	q := r.quote(roomOffer, 1)
	payment := r.payment(q)
	_, err := r.settle(q, payment)
	refused(t, err, marketplace.CodeRecipientMismatch)
	payment.To, payment.Input = roomContract, []byte("other")
	_, err = r.settle(q, payment)
	refused(t, err, marketplace.CodeRecipientMismatch)
	payment.Input = decodeHex(t, q.Transaction.Data)
	_, err = r.settle(q, payment)
	require.NoError(t, err)
}

func TestAPaymentIsNotConfirmedForSomebodyElsesQuote(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	r.plain("edut.cheap", func(in *marketplace.OfferInput) { in.Pricing.Amount = x402.NewAmount(1) })
	r.plain("edut.native", func(in *marketplace.OfferInput) {
		in.Pricing = marketplace.Pricing{Currency: "ETH", Amount: x402.NewAmount(1_000), Decimals: 18, ChainID: 8453}
	})
	thief := signer(t, 7)
	steal := func(offer string) marketplace.CheckoutQuote { // the thief lets the victim pay, as everybody may
		b := ask(offer, 1).Buyer
		b.Wallet, b.PayerWallet = strings.ToLower(thief.Address().String()), roomWallet(1)
		proof := marketplace.Proof{OfferID: offer, Wallet: b.Wallet, PayerWallet: b.PayerWallet, OrgRootID: b.OrgRootID, ChainID: 8453}
		q, err := r.Quote(t.Context(), marketplace.QuoteRequest{Buyer: b, OwnershipProof: thief.SignMessage([]byte(marketplace.ProofMessage(proof))).String()})
		require.NoError(t, err)
		return q
	}
	own := r.quote(roomOffer, 1)
	payment := r.payment(own)
	_, err := r.settle(steal("edut.cheap"), payment)
	refused(t, err, marketplace.CodeTxAlreadyUsed)
	_, err = r.settle(r.quote("edut.cheap", 1), payment) // made in the victim's name, to waste what it paid
	refused(t, err, marketplace.CodeTxAlreadyUsed)
	_, err = r.settle(own, payment)
	require.NoError(t, err)

	own = r.quote(roomOffer, 1)
	payment = r.payment(own)
	payment.Input = nil // as from a wallet that makes its own transfer
	_, err = r.settle(steal("edut.cheap"), payment)
	refused(t, err, marketplace.CodePayerMismatch)
	payment.From = roomTreasury // as a facilitator sends what was paid for something else
	_, err = r.settle(own, payment)
	refused(t, err, marketplace.CodePayerMismatch)
	payment.Input = append([]byte("a contract wallet calls: "), decodeHex(t, own.Transaction.Data)...)
	_, err = r.settle(own, payment)
	require.NoError(t, err)

	own = r.quote("edut.native", 1)
	payment = r.payment(own)
	payment.Transfers, payment.To, payment.Value = nil, roomTreasury, x402.NewAmount(1_000)
	_, err = r.settle(steal("edut.native"), payment)
	refused(t, err, marketplace.CodePayerMismatch)
	_, err = r.settle(own, payment)
	require.NoError(t, err)

	sponsored := steal("edut.native") // who does mean to pay for another says so
	payment = r.payment(sponsored)
	payment.Transfers, payment.To, payment.Value = nil, roomTreasury, x402.NewAmount(1_000)
	_, err = r.settle(sponsored, payment)
	require.NoError(t, err)
}

func TestACallerWhoLeavesDoesNotStopAConfirmation(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	q := r.quote(roomOffer, 1)
	payment := r.payment(q)
	r.chain.put(payment)
	ctx, cancel := context.WithCancel(t.Context())
	r.chain.asked = cancel
	_, err := r.Confirm(ctx, confirming(q, payment.Hash))
	require.NoError(t, err)
}
