package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/x402"
)

// newQuote is the nth quote, of the wallet.
func newQuote(n int, wallet string) marketplace.CheckoutQuote {
	o := newOffer(1)
	return marketplace.CheckoutQuote{
		ID: fmt.Sprintf("cq_%026d", n), State: marketplace.QuoteOpen,
		Buyer: marketplace.Buyer{
			Wallet: wallet, PayerWallet: marketWallet(99), OfferID: o.ID, OrgRootID: "org.acme.root", PrincipalID: "human.joshua",
			PrincipalRole: "org_root_owner", WorkspaceID: "workspace.1",
		},
		SentWallet: "0xAB", SentPayer: "0xCD", IssuerID: o.IssuerID, ChainID: 8453, Currency: "USDC", Decimals: 6,
		Amount: o.Pricing.Amount, Total: x402.NewAmount(504_000_000),
		Lines: []marketplace.LineItem{
			{Kind: marketplace.LineLicense, Label: "Licence", Amount: o.Pricing.Amount},
			{Kind: marketplace.LineMembership, Label: "Membership", Amount: x402.NewAmount(5_000_000)},
		},
		PolicyHash: "abcd", Policy: o.Policy(), Availability: marketplace.AvailabilityActive, Asset: marketWallet(7), PayTo: marketWallet(8),
		Transaction: marketplace.UnsignedTransaction{To: "0x1", Data: "0xdeadbeef", Value: "0x0"},
		CreatedAt:   at, ExpiresAt: at.Add(15 * time.Minute),
	}
}

func addQuote(t *testing.T, s MarketplaceStore, q marketplace.CheckoutQuote) marketplace.CheckoutQuote {
	t.Helper()
	require.NoError(t, s.AddCheckoutQuote(t.Context(), q, "", marketplace.Trail{}))
	return q
}

func ids(quotes []marketplace.CheckoutQuote) (out []string) {
	for _, q := range quotes {
		out = append(out, q.ID)
	}
	return out
}

// newEntitlement is what a checkout issues, at a time.
func newEntitlement(c *marketplace.Checkout, when time.Time) marketplace.Entitlement {
	q := &c.Quote
	return marketplace.Entitlement{
		ID: marketplace.EntitlementID(q.ChainID, q.Wallet, c.Number), OfferID: q.OfferID, IssuerID: q.IssuerID, Wallet: q.Wallet,
		PayerWallet: q.PayerWallet, OrgRootID: q.OrgRootID, PrincipalID: q.PrincipalID, PrincipalRole: q.PrincipalRole, WorkspaceID: q.WorkspaceID,
		Type: marketplace.ModuleLicense, Scope: marketplace.ScopeWorkspace, State: marketplace.EntitlementActive, AccessClass: marketplace.Connected,
		Availability: marketplace.AvailabilityActive, PolicyHash: q.PolicyHash, Transferable: true, MaxPerWallet: 2, WorkspaceBound: true,
		Seats: 3, TermSeconds: 3600, ChainID: q.ChainID, TxHash: "0x01", QuoteID: q.ID, Reason: "because",
		IssuedAt: when, ExpiresAt: when.Add(time.Hour), UpdatedAt: when,
	}
}

// txClaim is the use of the nth transaction.
func txClaim(n int) *marketplace.TransactionClaim {
	return &marketplace.TransactionClaim{Network: x402.Base, Hash: fmt.Sprintf("0x%064x", n), Payer: marketWallet(99)}
}

// sell consumes a quote by the nth transaction.
func sell(t *testing.T, s MarketplaceStore, quoteID string, n int, when time.Time) (marketplace.Checkout, error) {
	return s.CheckOut(t.Context(), quoteID, when, func(c *marketplace.Checkout) (marketplace.Trail, error) {
		if c.Quote.State == marketplace.QuoteConsumed {
			return marketplace.Trail{}, errRefused
		}
		e := newEntitlement(c, when.UTC())
		c.Issue, c.Use = &e, txClaim(n)
		c.Quote.State, c.Quote.TxHash, c.Quote.EntitlementID, c.Quote.ConsumedAt = marketplace.QuoteConsumed, c.Use.Hash, e.ID, when.UTC()
		return marketTrail("sell " + quoteID), nil
	})
}

// sold adds a quote of a wallet and consumes it.
func sold(t *testing.T, s MarketplaceStore, n int, wallet string) marketplace.Entitlement {
	t.Helper()
	q := addQuote(t, s, newQuote(n, wallet))
	c, err := sell(t, s, q.ID, n, at.Add(time.Duration(n)*time.Second))
	require.NoError(t, err)
	return *c.Issue
}
