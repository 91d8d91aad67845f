package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/emptydb"
	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/sqlite"
	"github.com/v402/v402/x402"
)

// marketVictim names the file in the process that is killed.
const marketVictim = "V402_TEST_SQLITE_MARKET_VICTIM"

const (
	marketToken    = "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"
	marketTreasury = "0x1111111111111111111111111111111111111111"
)

func TestAnEntitlementAndAllThatBelongsToItSurviveAKillTogether(t *testing.T) {
	if path := os.Getenv(marketVictim); path != "" {
		license(t, path)
	}
	t.Parallel()
	for _, after := range []int{1, 23} {
		path := emptydb.SQLite(t)
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), marketVictim+"="+path)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		confirmed := 0
		for lines := bufio.NewScanner(out); lines.Scan(); confirmed++ {
			if confirmed == after {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		require.Error(t, cmd.Wait(), "it was killed")
		requireWholeEntitlements(t, open(t, path), confirmed)
	}
}

// requireWholeEntitlements requires that what was confirmed is there, and that
// each entitlement has its quote, membership, transaction, audit entry and event.
func requireWholeEntitlements(t *testing.T, s *sqlite.Store, confirmed int) {
	t.Helper()
	list, err := s.Entitlements(t.Context(), marketplace.EntitlementFilter{}, store.Page{})
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(list.Items), confirmed)
	for _, e := range list.Items {
		q, err := s.CheckoutQuote(t.Context(), e.QuoteID)
		require.NoError(t, err)
		require.Equal(t, marketplace.QuoteConsumed, q.State)
		require.Equal(t, e.ID, q.EntitlementID)
		m, err := s.Membership(t.Context(), e.Wallet)
		require.NoError(t, err)
		require.Equal(t, marketplace.MembershipActive, m.Status)
		used, err := s.TransactionUsed(t.Context(), marketplace.TransactionClaim{Network: x402.Base, Hash: e.TxHash, Payer: e.Wallet}, "another")
		require.NoError(t, err)
		require.True(t, used)
	}
	consumed, err := s.CheckoutQuotes(t.Context(), marketplace.QuoteFilter{State: marketplace.QuoteConsumed}, store.Page{})
	require.NoError(t, err)
	require.Len(t, consumed.Items, len(list.Items))
	audit, err := s.MarketAudit(t.Context(), marketplace.AuditFilter{Action: "quote.confirm"}, store.Page{})
	require.NoError(t, err)
	require.Len(t, audit.Items, len(list.Items))
	events, err := s.LeaseEvents(t.Context(), "reader", time.Now(), time.Now(), 1_000_000)
	require.NoError(t, err)
	activated := 0
	for _, e := range events {
		if e.Type == marketplace.EventEntitlementActivated {
			activated++
		}
	}
	require.Equal(t, len(list.Items), activated)
}

// payAll is a chain on which every transaction pays enough: its hash ends with
// the payer's number.
type payAll struct{}

func (payAll) Network() x402.Network { return x402.Base }

func (payAll) Transaction(_ context.Context, hash string) (x402.Transaction, error) {
	return x402.Transaction{
		Network: x402.Base, Hash: hash, Succeeded: true, Confirmations: 1, Block: 1, Time: time.Now(), From: "0x" + hash[26:],
		Transfers: []x402.TokenTransfer{{Asset: marketToken, From: "0x" + hash[26:], To: marketTreasury, Amount: x402.NewAmount(1_000_000_000)}},
	}, nil
}

// openMarket opens a marketplace with one offer for members.
func openMarket(t testing.TB, s marketplace.Store) *marketplace.Service {
	t.Helper()
	service, err := marketplace.New(marketplace.Config{
		Store: s, BundleMembership: true, CacheSize: -1,
		Chains: []marketplace.ChainConfig{{
			Network: x402.Base, Chain: payAll{}, Treasury: marketTreasury, Currencies: []marketplace.Currency{{Code: "USDC", Address: marketToken, Decimals: 6}},
		}},
	})
	require.NoError(t, err)
	admin := marketplace.Actor{Admin: true}
	_, err = service.PutIssuer(t.Context(), admin, "edut.firstparty", marketplace.IssuerUpdate{Name: "EDUT"})
	require.NoError(t, err)
	_, err = service.CreateOffer(t.Context(), admin, marketplace.OfferInput{
		ID: "edut.offer", IssuerID: "edut.firstparty", Title: "Offer", Policies: marketplace.Policies{MemberOnly: true},
		Pricing: marketplace.Pricing{Currency: "USDC", Amount: x402.NewAmount(499_000_000), Decimals: 6, ChainID: 8453},
	})
	require.NoError(t, err)
	_, err = service.SetOfferStatus(t.Context(), admin, "edut.offer", marketplace.OfferActive)
	require.NoError(t, err)
	return service
}

// marketWallet is the nth wallet.
func marketWallet(n int) string { return fmt.Sprintf("0x%040x", n) }

// license sells to wallets and prints a line for each, until it is killed.
func license(t *testing.T, path string) {
	s, err := sqlite.Open(t.Context(), path)
	require.NoError(t, err)
	service := openMarket(t, s)
	for n := 1; ; n++ {
		buyer := marketplace.Buyer{Wallet: marketWallet(n), OfferID: "edut.offer", OrgRootID: "org", PrincipalID: "human", PrincipalRole: "org_root_owner"}
		q, err := service.Quote(t.Context(), marketplace.QuoteRequest{Buyer: buyer})
		require.NoError(t, err)
		hash := "0x" + strings.Repeat("0", 24) + buyer.Wallet[2:]
		_, err = service.Confirm(t.Context(), marketplace.ConfirmRequest{QuoteID: q.ID, Buyer: buyer, TxHash: hash, ChainID: 8453})
		require.NoError(t, err)
		fmt.Println(n)
	}
}
