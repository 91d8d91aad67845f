package registry_test

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/registry"
)

func TestALongStatementIsReadInPartsThatAddUp(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	const sales = 2*registry.StatementPage + 7
	r.register(t, nil, "=formula")
	for range sales {
		_, err := r.ReportSale(t.Context(), r.seller, sale("=formula"))
		require.NoError(t, err)
	}
	d := r.issued(t) // with one more
	require.EqualValues(t, sales+1, d.Lines)

	var total registry.Money
	seen, after := map[int64]bool{}, int64(0)
	for parts := 0; ; parts++ {
		part, err := r.Statement(t.Context(), r.seller, d.ID, after)
		require.NoError(t, err)
		require.LessOrEqual(t, len(part.Lines), registry.StatementPage)
		for _, line := range part.Lines {
			require.False(t, seen[line.RoyaltyID])
			seen[line.RoyaltyID] = true
			total += line.Amount
		}
		if after = part.Next; after == 0 {
			require.Equal(t, 2, parts)
			break
		}
	}
	require.Len(t, seen, sales+1)
	require.Equal(t, d.Net, total)

	var text strings.Builder
	require.NoError(t, r.WriteStatement(t.Context(), r.publisher, d.ID, &text))
	rows, err := csv.NewReader(strings.NewReader(text.String())).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 1+sales+1+1)
	require.Equal(t, []string{"line", fmt.Sprint(d.ID), "1", "royalty", "", "1", "'=formula",
		fmt.Sprint(r.seller.ID), fmt.Sprint(r.publisher.ID), "2.99", "2024-01-20T12:00:00Z"}, rows[1])
	require.Equal(t, d.Net.String(), rows[len(rows)-1][9])
}

func TestOfAMultilateralRunEachPartyReadsItsOwnLinesAlone(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	r.register(t, nil, "publisher's")
	_, err := r.RegisterContracts(t.Context(), r.seller, registry.Registration{
		IPFSHash: "QmOther", MetadataCID: "QmMeta", ContractHashes: []string{"seller's"},
	})
	require.NoError(t, err)
	report := func(by registry.Platform, hash string, royalty registry.Money) {
		s := sale(hash)
		s.RoyaltyAmount = registry.Dollars(royalty)
		_, err := r.ReportSale(t.Context(), by, s)
		require.NoError(t, err)
	}
	report(r.outsider, "seller's", 9_00)    // outsider owes seller
	report(r.seller, "publisher's", 5_00)   // seller owes publisher
	report(r.outsider, "publisher's", 1_00) // outsider owes publisher
	r.now = r.now.AddDate(0, 1, 0)
	run, err := r.RunSettlements(t.Context(), "admin:ada", registry.RunRequest{From: today, To: r.now, Mode: registry.Multilateral})
	require.NoError(t, err)
	require.Len(t, run.Settlements, 2) // the outsider pays 10.00: 6.00 to the publisher, 4.00 to the seller
	for _, d := range run.Settlements {
		require.Equal(t, r.outsider.ID, d.PayerID)
		require.EqualValues(t, []int64{2, 2}, []int64{d.Lines, d.PayeeLines})
		for _, p := range []registry.Platform{r.outsider, r.seller, r.publisher} {
			if !d.Party(p.ID) {
				_, err := r.Statement(t.Context(), p, d.ID, 0)
				require.Equal(t, registry.ErrSettlementUnknown, err)
				continue
			}
			statement, err := r.Statement(t.Context(), p, d.ID, 0)
			require.NoError(t, err)
			require.Len(t, statement.Lines, 2, "as many as the settlement says")
			var position registry.Money
			for _, line := range statement.Lines {
				require.True(t, line.SellerID == p.ID || line.OriginID == p.ID, "the line of another pair")
				position += line.Amount
			}
			// What the payer owes in all, or the payee is owed.
			want := map[int64]registry.Money{r.outsider.ID: 10_00, r.seller.ID: 4_00, r.publisher.ID: 6_00}
			require.Equal(t, want[p.ID], position)
		}
	}
}
