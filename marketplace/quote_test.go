package marketplace_test

import (
	"encoding/hex"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

func TestAQuoteHasThePriceOfItsOfferAndTheMembershipThatIsMissing(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	r.events()
	q := r.quote(roomOffer, 1)
	require.Regexp(t, regexp.MustCompile(`^cq_[0-9A-HJKMNP-TV-Z]{26}$`), q.ID)
	require.Equal(t, []marketplace.LineItem{
		{Kind: marketplace.LineLicense, Label: "Governance Core License", Amount: x402.NewAmount(499_000_000)},
		{Kind: marketplace.LineMembership, Label: "EDUT Membership Activation", Amount: x402.NewAmount(5_000_000)},
	}, q.Lines)
	require.Equal(t, "499.00", marketplace.DisplayAmount(q.Amount, q.Decimals))
	require.Equal(t, "504.00", marketplace.DisplayAmount(q.Total, q.Decimals))
	require.True(t, q.Bundled())
	require.Equal(t, r.now.Add(15*time.Minute), q.ExpiresAt)
	require.Equal(t, marketplace.AvailabilityActive, q.Availability)
	require.Equal(t, []string{"quote.created"}, r.events())
	stored, err := r.CheckoutQuote(t.Context(), q.ID)
	require.NoError(t, err)
	require.Equal(t, q, stored)
	r.now = q.ExpiresAt
	stored, err = r.CheckoutQuote(t.Context(), q.ID)
	require.NoError(t, err)
	require.Equal(t, marketplace.QuoteExpired, stored.State)
}

func TestTheTransactionOfAQuotePaysIt(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	q := r.quote(roomOffer, 1)
	const mark = 64 // digits, which tell this quote from all others
	data, marked := q.Transaction.Data[:len(q.Transaction.Data)-mark], q.Transaction.Data[len(q.Transaction.Data)-mark:]
	require.Equal(t, marketplace.UnsignedTransaction{To: strings.ToLower(roomUSDC), Value: "0x0", Data: data + marked}, q.Transaction)
	require.Equal(t, "0xa9059cbb"+strings.Repeat("0", 24)+roomTreasury[2:]+strings.Repeat("0", 56)+"1e0a6e00", data) // 504,000,000
	other := r.quote(roomOffer, 1)
	require.True(t, strings.HasPrefix(other.Transaction.Data, data))
	require.NotEqual(t, q.Transaction, other.Transaction)
	r.plain("edut.native", func(in *marketplace.OfferInput) {
		in.Pricing = marketplace.Pricing{Currency: "ETH", Amount: x402.NewAmount(10_000_000_000_000_000), Decimals: 18, ChainID: 8453}
	})
	q = r.quote("edut.native", 1)
	require.Equal(t, marketplace.UnsignedTransaction{To: roomTreasury, Data: "0x", Value: "0x2386f26fc10000"}, q.Transaction)
	require.Equal(t, "0.01", marketplace.DisplayAmount(q.Total, 18))
}

func TestWithACheckoutContractTheTransactionCallsIt(t *testing.T) {
	t.Parallel()
	r := openRoom(t, func(c *marketplace.Config) { c.Chains[0].Contract = roomContract })
	q := r.quote(roomOffer, 1)
	key, mint := evm.Keccak256([]byte(roomOffer)), evm.Keccak256([]byte("mintEntitlement(bytes32,address,bytes32)"))
	require.Equal(t, marketplace.UnsignedTransaction{
		To: roomContract, Value: "0x0",
		Data: "0x" + hex.EncodeToString(mint[:4]) + hex.EncodeToString(key[:]) + strings.Repeat("0", 24) + roomWallet(1)[2:] + q.PolicyHash,
	}, q.Transaction)
	without := openRoom(t, func(c *marketplace.Config) { c.RequireContract = true })
	_, err := without.Quote(t.Context(), ask(roomOffer, 1))
	refused(t, err, marketplace.CodeContractUnconfigured)
}

func TestAmountsAreShownWithTwoDecimalsOrMoreAndNeverRounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		atomic   string
		decimals int
		want     string
	}{
		{"0", 6, "0.00"}, {"500000000", 6, "500.00"}, {"500500000", 6, "500.50"}, {"1", 6, "0.000001"}, {"1234567", 6, "1.234567"},
		{"7", 0, "7.00"}, {"75", 1, "7.50"}, {new(big.Int).Lsh(big.NewInt(1), 255).String(), 0, new(big.Int).Lsh(big.NewInt(1), 255).String() + ".00"},
	} {
		a, err := x402.ParseAtomic(c.atomic)
		require.NoError(t, err)
		require.Equal(t, c.want, marketplace.DisplayAmount(a, c.decimals))
	}
}

func TestMembershipIsRequiredUnlessItIsBundled(t *testing.T) {
	t.Parallel()
	r := openRoom(t, func(c *marketplace.Config) { c.BundleMembership = false })
	_, err := r.Quote(t.Context(), ask(roomOffer, 1))
	e := refused(t, err, marketplace.CodeMembershipRequired)
	require.Equal(t, "Active membership is required for checkout.", e.Message)
	require.Equal(t, 403, e.Code.Status())
	_, err = r.SetMembership(t.Context(), roomAdmin, roomWallet(1), marketplace.MembershipActive, "gift")
	require.NoError(t, err)
	require.False(t, r.quoteIsBundled(1))
}

func (r *room) quoteIsBundled(n int) bool {
	q := r.quote(roomOffer, n)
	return q.Bundled()
}

func TestASuspendedOrRevokedMemberCannotBuyWhatIsForMembers(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	for _, status := range []marketplace.MembershipStatus{marketplace.MembershipActive, marketplace.MembershipSuspended, marketplace.MembershipRevoked} {
		_, err := r.SetMembership(t.Context(), roomAdmin, roomWallet(1), status, "")
		require.NoError(t, err)
		_, err = r.Quote(t.Context(), ask(roomOffer, 1))
		if status == marketplace.MembershipActive {
			require.NoError(t, err)
			continue
		}
		refused(t, err, marketplace.CodeMembershipRequired)
	}
}

func TestWhatIsWrongWithAQuoteRequestIsNamedAndNothingIsStored(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	r.events()
	for field, change := range map[string]func(*marketplace.QuoteRequest){
		"wallet":         func(q *marketplace.QuoteRequest) { q.Wallet = "0x12" },
		"wallet ":        func(q *marketplace.QuoteRequest) { q.Wallet = "" },
		"payer_wallet":   func(q *marketplace.QuoteRequest) { q.PayerWallet = roomWallet(2) + "0" },
		"offer_id":       func(q *marketplace.QuoteRequest) { q.OfferID = "" },
		"org_root_id":    func(q *marketplace.QuoteRequest) { q.OrgRootID = "" },
		"org_root_id ":   func(q *marketplace.QuoteRequest) { q.OrgRootID = strings.Repeat("x", 129) },
		"principal_id":   func(q *marketplace.QuoteRequest) { q.PrincipalID = "a\x00b" },
		"principal_role": func(q *marketplace.QuoteRequest) { q.PrincipalRole = "king" },
		"workspace_id":   func(q *marketplace.QuoteRequest) { q.WorkspaceID = "\xff" },
	} {
		request := ask(roomOffer, 1)
		change(&request)
		_, err := r.Quote(t.Context(), request)
		require.Equal(t, strings.TrimSpace(field), refused(t, err, marketplace.CodeInvalidRequest).Field)
	}
	request := ask(roomOffer, 1)
	request.WorkspaceID = ""
	_, err := r.Quote(t.Context(), request)
	require.Equal(t, 400, refused(t, err, marketplace.CodeWorkspaceRequired).Code.Status())
	_, err = r.Quote(t.Context(), ask("edut.unknown", 1))
	refused(t, err, marketplace.CodeOfferNotFound)
	require.ErrorIs(t, err, store.ErrNotFound)
	require.Empty(t, r.events())
}

func TestOnlyActiveOffersOfActiveIssuersAreQuoted(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	for _, status := range []marketplace.OfferStatus{marketplace.OfferPaused, marketplace.OfferActive, marketplace.OfferRetired} {
		_, err := r.SetOfferStatus(t.Context(), roomIssuer, roomOffer, status)
		require.NoError(t, err)
		_, err = r.Quote(t.Context(), ask(roomOffer, 1))
		if status != marketplace.OfferActive {
			require.Equal(t, 409, refused(t, err, marketplace.CodeOfferNotActive).Code.Status())
			continue
		}
		require.NoError(t, err)
	}
	r.plain("edut.other", nil)
	_, err := r.PutIssuer(t.Context(), roomAdmin, "edut.firstparty", marketplace.IssuerUpdate{Name: "EDUT", Status: marketplace.IssuerSuspended})
	require.NoError(t, err)
	_, err = r.Quote(t.Context(), ask("edut.other", 1))
	refused(t, err, marketplace.CodeOfferNotActive)
}

func TestAnOfferThatNeedsApprovalIsQuotedToApprovedWallets(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	r.plain("edut.special", func(in *marketplace.OfferInput) { in.Policies.RequiresAdminApproval = true })
	_, err := r.Quote(t.Context(), ask("edut.special", 1))
	refused(t, err, marketplace.CodeApprovalRequired)
	_, err = r.ApproveBuyer(t.Context(), marketplace.Actor{}, "edut.special", roomWallet(1))
	refused(t, err, marketplace.CodeUnauthorized)
	_, err = r.ApproveBuyer(t.Context(), marketplace.Actor{IssuerID: "somebody"}, "edut.special", roomWallet(1))
	refused(t, err, marketplace.CodeForbidden)
	_, err = r.ApproveBuyer(t.Context(), roomAdmin, "edut.special", strings.ToUpper(roomWallet(1)[2:]))
	refused(t, err, marketplace.CodeInvalidRequest)
	_, err = r.ApproveBuyer(t.Context(), roomAdmin, "edut.special", "0x"+strings.ToUpper(roomWallet(1)[2:]))
	require.NoError(t, err)
	r.quote("edut.special", 1)
	require.NoError(t, r.WithdrawApproval(t.Context(), roomAdmin, "edut.special", roomWallet(1)))
	_, err = r.Quote(t.Context(), ask("edut.special", 1))
	refused(t, err, marketplace.CodeApprovalRequired)
}

func TestAWalletIsNotQuotedMoreThanItMayHold(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	r.plain("edut.limited", func(in *marketplace.OfferInput) { in.Policies.MaxPerWallet = 1 })
	e := r.buy("edut.limited", 1)
	_, err := r.Quote(t.Context(), ask("edut.limited", 1))
	refused(t, err, marketplace.CodeMaxPerWallet)
	r.quote("edut.limited", 2)
	_, err = r.RevokeEntitlement(t.Context(), roomAdmin, e.ID, "fraud")
	require.NoError(t, err)
	r.quote("edut.limited", 1)
}

func TestMembershipIsQuotedByItself(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	q, err := r.QuoteMembership(t.Context(), marketplace.MembershipRequest{Wallet: roomWallet(1)})
	require.NoError(t, err)
	require.Empty(t, q.OfferID)
	require.Equal(t, "5.00", marketplace.DisplayAmount(q.Total, q.Decimals))
	c, err := r.settle(q, r.payment(q))
	require.NoError(t, err)
	require.Equal(t, marketplace.MembershipActive, c.Membership.Status)
	require.Empty(t, c.Entitlement.ID)
	require.False(t, r.quoteIsBundled(1))
	_, err = r.QuoteMembership(t.Context(), marketplace.MembershipRequest{Wallet: roomWallet(1)})
	refused(t, err, marketplace.CodeMembershipActive)
	_, err = r.QuoteMembership(t.Context(), marketplace.MembershipRequest{Wallet: roomWallet(2), ChainID: 5})
	refused(t, err, marketplace.CodeInvalidRequest)
}

func TestAnOpenQuoteIsCancelledByItsWallet(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	q := r.quote(roomOffer, 1)
	_, err := r.CancelQuote(t.Context(), q.ID, roomWallet(2))
	refused(t, err, marketplace.CodeQuoteNotFound)
	for range 2 {
		void, err := r.CancelQuote(t.Context(), q.ID, "0x"+strings.ToUpper(q.Wallet[2:]))
		require.NoError(t, err)
		require.Equal(t, marketplace.QuoteVoid, void.State)
	}
	_, err = r.settle(q, r.payment(q))
	refused(t, err, marketplace.CodeQuoteVoid)
	bought := r.buy(roomOffer, 2)
	_, err = r.CancelQuote(t.Context(), bought.QuoteID, roomWallet(2))
	refused(t, err, marketplace.CodeQuoteConsumed)
}

func TestQuotesThatHaveBoughtNothingAreForgottenInTheEnd(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	bought := r.buy(roomOffer, 1)
	expired, void, reserved := r.quote(roomOffer, 2), r.quote(roomOffer, 3), r.quote(roomOffer, 4)
	_, err := r.CancelQuote(t.Context(), void.ID, void.Wallet)
	require.NoError(t, err)
	_, err = r.ReserveQuote(t.Context(), reserved.ID, x402Payment(reserved, 1))
	require.NoError(t, err)
	left := func() (n int) {
		require.NoError(t, r.Sweep(t.Context()))
		for _, id := range []string{expired.ID, void.ID, reserved.ID, bought.QuoteID} {
			if _, err := r.CheckoutQuote(t.Context(), id); err == nil {
				n++
			} else {
				refused(t, err, marketplace.CodeQuoteNotFound)
			}
		}
		return n
	}
	r.now = r.now.Add(30*24*time.Hour + 15*time.Minute)
	require.Equal(t, 4, left())
	page, err := r.CheckoutQuotes(t.Context(), roomAdmin, marketplace.QuoteFilter{}, store.Page{Limit: 2})
	require.NoError(t, err)
	r.now = r.now.Add(time.Microsecond)
	require.Equal(t, 2, left())
	for _, q := range []string{reserved.ID, bought.QuoteID} {
		_, err := r.CheckoutQuote(t.Context(), q)
		require.NoError(t, err, "what has paid, or may yet, is kept")
	}
	_, err = r.CheckoutQuotes(t.Context(), roomAdmin, marketplace.QuoteFilter{}, store.Page{Cursor: page.Next})
	require.NoError(t, err, "whoever reads the list goes on")

	hasty := openRoom(t, func(c *marketplace.Config) { c.KeepQuotes = time.Second })
	require.Equal(t, 24*time.Hour, hasty.Settings().KeepQuotes, "a payment in time may be confirmed for so long")
}
