package marketplace_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/x402"
)

// x402Payment is a payment of q by x402, with the nth nonce.
func x402Payment(q marketplace.CheckoutQuote, n int) x402.Payment {
	return x402PaymentUntil(q, n, time.Unix(1, 0))
}

// x402PaymentUntil is one that expires at a time.
func x402PaymentUntil(q marketplace.CheckoutQuote, n int, until time.Time) x402.Payment {
	requirements := x402.PaymentRequirements{
		Scheme: x402.SchemeExact, Network: x402.Base, Amount: q.Total, Asset: q.Asset, PayTo: q.PayTo, MaxTimeoutSeconds: 60,
	}
	payload := fmt.Sprintf(`{"signature":"0x00","authorization":{"from":%q,"to":%q,"value":"%s","validAfter":"0","validBefore":"%d","nonce":"0x%064x"}}`,
		q.PayerWallet, q.PayTo, q.Total, until.Unix(), n)
	return x402.Payment{
		Payload:      x402.PaymentPayload{Version: x402.V2, Accepted: requirements, Payload: json.RawMessage(payload)},
		Requirements: requirements,
	}
}

func keyOf(t testing.TB, p x402.Payment) string {
	t.Helper()
	identity, err := p.Identity()
	require.NoError(t, err)
	return identity.String()
}

func TestAReservedQuoteIsPaidByX402AndByNothingElse(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	q := r.quote(roomOffer, 1)
	mine, other := x402Payment(q, 1), x402Payment(q, 2)
	for range 2 {
		reserved, err := r.ReserveQuote(t.Context(), q.ID, mine)
		require.NoError(t, err)
		require.Equal(t, keyOf(t, mine), reserved.PaymentKey)
	}
	_, err := r.ReserveQuote(t.Context(), q.ID, other)
	e := refused(t, err, marketplace.CodePaymentUnderWay)
	require.Positive(t, e.RetryAfter)
	_, err = r.settle(q, r.payment(q))
	refused(t, err, marketplace.CodePaymentUnderWay)
	_, err = r.CancelQuote(t.Context(), q.ID, q.Wallet)
	refused(t, err, marketplace.CodePaymentUnderWay)
	_, err = r.ConfirmPaid(t.Context(), q.ID, marketplace.PaidQuote{PaymentKey: keyOf(t, other), Transaction: r.payment(q).Hash})
	refused(t, err, marketplace.CodePaymentUnderWay)

	r.now = r.now.Add(1000 * time.Hour) // however late
	require.NoError(t, r.Sweep(t.Context()))
	paid := marketplace.PaidQuote{PaymentKey: keyOf(t, mine), Transaction: r.payment(q).Hash}
	first, err := r.ConfirmPaid(t.Context(), q.ID, paid)
	require.NoError(t, err)
	require.Equal(t, marketplace.EntitlementActive, first.Entitlement.State)
	require.Equal(t, marketplace.MembershipActive, first.Membership.Status)
	again, err := r.ConfirmPaid(t.Context(), q.ID, paid)
	require.NoError(t, err)
	require.Equal(t, first, again)
	again, err = r.Confirm(t.Context(), confirming(q, paid.Transaction))
	require.NoError(t, err)
	require.Equal(t, first, again)
}

func TestAReservationIsGivenBackWhenItsPaymentFails(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	q := r.quote(roomOffer, 1)
	mine := x402Payment(q, 1)
	_, err := r.ReserveQuote(t.Context(), q.ID, mine)
	require.NoError(t, err)
	released, err := r.ReleaseQuote(t.Context(), q.ID, "another")
	require.NoError(t, err)
	require.NotEmpty(t, released.PaymentKey)
	released, err = r.ReleaseQuote(t.Context(), q.ID, keyOf(t, mine))
	require.NoError(t, err)
	require.Empty(t, released.PaymentKey)
	_, err = r.settle(q, r.payment(q))
	require.NoError(t, err)
}

func TestAQuoteIsReservedOnlyIfItsPaymentWillBuySomething(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	q := r.quote(roomOffer, 1)
	for name, c := range map[string]struct {
		change func(*x402.Payment)
		code   marketplace.Code
	}{
		"another payer":     {func(p *x402.Payment) { *p = x402Payment(r.quote(roomOffer, 2), 1) }, marketplace.CodePayerMismatch},
		"another recipient": {func(p *x402.Payment) { p.Requirements.PayTo = roomContract }, marketplace.CodeRecipientMismatch},
		"another token":     {func(p *x402.Payment) { p.Requirements.Asset = roomContract }, marketplace.CodeRecipientMismatch},
		"too little":        {func(p *x402.Payment) { p.Requirements.Amount = x402.NewAmount(1) }, marketplace.CodeAmountMismatch},
		"another chain":     {func(p *x402.Payment) { p.Requirements.Network = x402.BaseSepolia }, marketplace.CodeChainMismatch},
	} {
		p := x402Payment(q, 1)
		c.change(&p)
		_, err := r.ReserveQuote(t.Context(), q.ID, p)
		require.Error(t, err, name)
		refused(t, err, c.code)
	}
	_, err := r.SetMembership(t.Context(), roomAdmin, roomWallet(1), marketplace.MembershipActive, "")
	require.NoError(t, err)
	_, err = r.SetMembership(t.Context(), roomAdmin, roomWallet(1), marketplace.MembershipSuspended, "")
	require.NoError(t, err)
	_, err = r.ReserveQuote(t.Context(), q.ID, x402Payment(q, 1))
	refused(t, err, marketplace.CodeMembershipRequired)
	_, err = r.SetMembership(t.Context(), roomAdmin, roomWallet(1), marketplace.MembershipActive, "")
	require.NoError(t, err)
	_, err = r.ReserveQuote(t.Context(), q.ID, x402Payment(q, 1))
	refused(t, err, marketplace.CodeMembershipActive) // it has the fee
	q = r.quote(roomOffer, 1)
	two := r.quote(roomOffer, 1)
	_, err = r.ReserveQuote(t.Context(), q.ID, x402Payment(q, 1))
	require.NoError(t, err)
	_, err = r.ReserveQuote(t.Context(), two.ID, x402Payment(q, 1))
	require.Error(t, err, "one payment for two quotes")
	r.now = r.now.Add(time.Hour)
	_, err = r.ReserveQuote(t.Context(), two.ID, x402Payment(two, 2))
	refused(t, err, marketplace.CodeQuoteExpired)
	_, err = r.ReserveQuote(t.Context(), "cq_x", x402Payment(two, 2))
	refused(t, err, marketplace.CodeQuoteNotFound)
}

func TestAReservationHoldsAPlaceUnderTheLimit(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	r.plain("edut.limited", func(in *marketplace.OfferInput) { in.Policies.MaxPerWallet = 1 })
	one, two := r.quote("edut.limited", 1), r.quote("edut.limited", 1)
	_, err := r.ReserveQuote(t.Context(), one.ID, x402Payment(one, 1))
	require.NoError(t, err)
	_, err = r.ReserveQuote(t.Context(), two.ID, x402Payment(two, 2))
	refused(t, err, marketplace.CodeMaxPerWallet)
	_, err = r.settle(two, r.payment(two))
	refused(t, err, marketplace.CodeMaxPerWallet)
	_, err = r.ConfirmPaid(t.Context(), one.ID, marketplace.PaidQuote{PaymentKey: keyOf(t, x402Payment(one, 1)), Transaction: r.payment(one).Hash})
	require.NoError(t, err)
}

func TestOneTransactionCarriesSeveralPaymentsByX402(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	r.plain("edut.plain", nil)
	one, two, three := r.quote("edut.plain", 1), r.quote("edut.plain", 1), r.quote("edut.plain", 1)
	batch := r.payment(one)
	for n, q := range []marketplace.CheckoutQuote{one, two} {
		p := x402Payment(q, n)
		_, err := r.ReserveQuote(t.Context(), q.ID, p)
		require.NoError(t, err)
		_, err = r.ConfirmPaid(t.Context(), q.ID, marketplace.PaidQuote{PaymentKey: keyOf(t, p), Transaction: batch.Hash})
		require.NoError(t, err)
	}
	_, err := r.settle(three, batch)
	refused(t, err, marketplace.CodeTxAlreadyUsed)
	_, err = r.ConfirmPaid(t.Context(), three.ID, marketplace.PaidQuote{Transaction: batch.Hash})
	refused(t, err, marketplace.CodePaymentUnderWay)
}

func TestOnePaymentAtATimeActivatesAMembership(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	first, second := r.quote(roomOffer, 1), r.quote(roomOffer, 1)
	alone, err := r.QuoteMembership(t.Context(), marketplace.MembershipRequest{Wallet: roomWallet(1)})
	require.NoError(t, err)
	paid := x402Payment(first, 1)
	_, err = r.ReserveQuote(t.Context(), first.ID, paid)
	require.NoError(t, err)
	for n, q := range []marketplace.CheckoutQuote{second, alone} {
		_, err = r.ReserveQuote(t.Context(), q.ID, x402Payment(q, 2+n))
		e := refused(t, err, marketplace.CodePaymentUnderWay)
		require.Positive(t, e.RetryAfter)
	}
	_, err = r.ConfirmPaid(t.Context(), first.ID, marketplace.PaidQuote{PaymentKey: keyOf(t, paid), Transaction: r.payment(first).Hash})
	require.NoError(t, err)
	for n, q := range []marketplace.CheckoutQuote{second, alone} {
		_, err = r.ReserveQuote(t.Context(), q.ID, x402Payment(q, 2+n))
		refused(t, err, marketplace.CodeMembershipActive)
	}
	next := r.quote(roomOffer, 1)
	require.False(t, next.Bundled())
	_, err = r.settle(second, r.payment(second)) // by a transaction the money has moved: it buys what it can
	require.NoError(t, err)
}

func TestAnEntitlementIsNotHandedToAWalletThatIsBuyingItsLast(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	r.plain("edut.pass", func(in *marketplace.OfferInput) { in.Policies.Transferable, in.Policies.MaxPerWallet = true, 1 })
	e, q := r.buy("edut.pass", 1), r.quote("edut.pass", 2)
	paid := x402Payment(q, 1)
	_, err := r.ReserveQuote(t.Context(), q.ID, paid)
	require.NoError(t, err)
	hand := func() error {
		_, err := r.TransferEntitlement(t.Context(), marketplace.Actor{Wallet: roomWallet(1)}, e.ID, marketplace.Transfer{Wallet: roomWallet(2)})
		return err
	}
	refused(t, hand(), marketplace.CodeMaxPerWallet)
	_, err = r.ReleaseQuote(t.Context(), q.ID, keyOf(t, paid))
	require.NoError(t, err)
	require.NoError(t, hand())
}
