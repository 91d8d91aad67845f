package marketplace_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/v402/v402/marketplace"
)

// bought buys an offer for a wallet by the nth transaction, with more members in
// the request for the quote; once is what confirms it.
func (d *desk) bought(offer, wallet string, n int, more string) (once func() error) {
	d.t.Helper()
	body := strings.Replace(quoteBody(wallet), offerID, offer, 1)
	w := d.do("POST", "/marketplace/checkout/quote", strings.TrimSuffix(body, "}")+more+"}")
	d.want(w, 200)
	var q quoted
	d.read(w, &q)
	d.chain.mine(d.paid(q, n))
	confirm := strings.Replace(confirmBody(q, wallet, n), offerID, offer, 1)
	return func() error {
		if w := d.do("POST", "/marketplace/checkout/confirm", confirm); w.Code != 200 {
			return fmt.Errorf("%d: %s", w.Code, w.Body)
		}
		return nil
	}
}

func TestRenewalsAtOnceEachAddATerm(t *testing.T) {
	overEachStore(t, func(t *testing.T, d *desk) {
		d.sell("term", `"title"`, `"term_seconds":3600,"title"`, `"member_only":true`, `"member_only":false`)
		require.NoError(t, d.bought("term", buyer, 1, "")())
		const id = "ent:8453:" + buyer + ":000001"
		var g errgroup.Group
		for n := range 4 {
			g.Go(d.bought("term", buyer, 2+n, `,"renews":"`+id+`"`))
		}
		require.NoError(t, g.Wait())
		e, err := d.service.Entitlement(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, e.IssuedAt.Add(5*time.Hour), e.ExpiresAt)
	})
}

func TestOfManyTransfersOfAnEntitlementAtOnceOneIsMade(t *testing.T) {
	overEachStore(t, func(t *testing.T, d *desk) {
		d.sell("pass", `"transferable":false`, `"transferable":true`, `"member_only":true`, `"member_only":false`, `"workspace_bound":true`, `"workspace_bound":false`)
		require.NoError(t, d.bought("pass", buyer, 1, "")())
		const id = "ent:8453:" + buyer + ":000001"
		var g errgroup.Group
		results := make([]error, 5)
		for n := range results {
			g.Go(func() error {
				_, results[n] = d.service.TransferEntitlement(t.Context(), marketplace.Actor{Wallet: buyer}, id, marketplace.Transfer{Wallet: roomWallet(n)})
				return nil
			})
		}
		require.NoError(t, g.Wait())
		holder, err := d.service.Entitlement(t.Context(), id)
		require.NoError(t, err)
		for n, err := range results {
			if holder.Wallet == roomWallet(n) {
				require.NoError(t, err)
				continue
			}
			refused(t, err, marketplace.CodeForbidden)
		}
		require.NotEqual(t, buyer, holder.Wallet)
		for n := range results {
			v, err := d.service.VerifyEntitlement(t.Context(), marketplace.VerifyRequest{Wallet: roomWallet(n), OfferID: "pass"})
			require.NoError(t, err)
			require.Equal(t, holder.Wallet == roomWallet(n), v.Valid)
		}
	})
}
