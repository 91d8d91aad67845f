package registry_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/registry"
)

const (
	platformA = iota + 1
	platformB
	platformC
)

func TestTwoSumsBecomeOnePayment(t *testing.T) {
	t.Parallel()
	for _, mode := range []registry.SettlementMode{registry.Bilateral, registry.Multilateral} {
		n, err := registry.Net(mode, []registry.Owed{
			{SellerID: platformA, OriginID: platformB, Amount: 10_00 + 2_99, Count: 2},
			{SellerID: platformB, OriginID: platformA, Amount: 4_50, Count: 1},
		}, 0)
		require.NoError(t, err)
		require.Empty(t, n.Carried)
		require.Len(t, n.Settlements, 1)
		s := n.Settlements[0]
		require.Equal(t, []int64{platformA, platformB, 3}, []int64{s.PayerID, s.PayeeID, s.Lines})
		require.Equal(t, registry.Money(8_49), s.Net)
		if mode == registry.Bilateral {
			require.Equal(t, []registry.Money{12_99, 4_50}, []registry.Money{s.Gross, s.Counter})
		}
	}
}

func TestARingOfDebtsCancelsOutMultilaterally(t *testing.T) {
	t.Parallel()
	ring := []registry.Owed{
		{SellerID: platformA, OriginID: platformB, Amount: 5_00, Count: 1},
		{SellerID: platformB, OriginID: platformC, Amount: 5_00, Count: 1},
		{SellerID: platformC, OriginID: platformA, Amount: 5_00, Count: 1},
	}
	n, err := registry.Net(registry.Multilateral, ring, 0)
	require.NoError(t, err)
	require.Empty(t, n.Settlements)
	n, err = registry.Net(registry.Bilateral, ring, 0)
	require.NoError(t, err)
	require.Len(t, n.Settlements, 3)
}

func TestSumsThatCancelOutAreADocumentOfNothing(t *testing.T) {
	t.Parallel()
	n, err := registry.Net(registry.Bilateral, []registry.Owed{
		{SellerID: platformA, OriginID: platformB, Amount: 3_00, Count: 1},
		{SellerID: platformB, OriginID: platformA, Amount: 3_00, Count: 2},
	}, 10_00)
	require.NoError(t, err)
	require.Empty(t, n.Carried)
	require.Len(t, n.Settlements, 1)
	require.Zero(t, n.Settlements[0].Net)
	require.EqualValues(t, 3, n.Settlements[0].Lines)
}

func TestLessThanTheMinimumIsCarriedForward(t *testing.T) {
	t.Parallel()
	owed := []registry.Owed{{SellerID: platformB, OriginID: platformA, Amount: 9_99, Count: 1}}
	for _, mode := range []registry.SettlementMode{registry.Bilateral, registry.Multilateral} {
		n, err := registry.Net(mode, owed, 10_00)
		require.NoError(t, err)
		require.Empty(t, n.Settlements)
		require.Equal(t, [][2]int64{{platformA, platformB}}, n.Carried)
		n, err = registry.Net(mode, owed, 9_99)
		require.NoError(t, err)
		require.Len(t, n.Settlements, 1)
		require.Empty(t, n.Carried)
	}
}

func TestWhatCannotBeNettedIsRefused(t *testing.T) {
	t.Parallel()
	one := registry.Owed{SellerID: platformA, OriginID: platformB, Amount: math.MaxInt64, Count: 1}
	other := registry.Owed{SellerID: platformB, OriginID: platformA, Amount: -1, Count: 1}
	for what, owed := range map[string][]registry.Owed{
		"a debt to oneself": {{SellerID: platformA, OriginID: platformA, Amount: 1}},
		"a debt twice":      {one, one},
		"an overflow":       {one, other},
	} {
		for _, mode := range []registry.SettlementMode{registry.Bilateral, registry.Multilateral} {
			_, err := registry.Net(mode, owed, 0)
			require.Error(t, err, "%s, %s", what, mode)
		}
	}
	_, err := registry.Net("sideways", nil, 0)
	require.Error(t, err)
}

// debts draws what a few platforms owe each other, adjustments included.
func debts(t *rapid.T) []registry.Owed {
	platforms := rapid.Int64Range(2, 8).Draw(t, "platforms")
	var owed []registry.Owed
	for seller := int64(1); seller <= platforms; seller++ {
		for origin := int64(1); origin <= platforms; origin++ {
			if seller != origin && rapid.IntRange(0, 2).Draw(t, "owes") > 0 {
				owed = append(owed, registry.Owed{
					SellerID: seller, OriginID: origin, Count: 1,
					Amount: registry.Money(rapid.Int64Range(-5_00, 30_00).Draw(t, "amount")),
				})
			}
		}
	}
	return owed
}

// moved is what settlements change for each platform.
func moved(list []registry.Settlement) map[int64]registry.Money {
	by := map[int64]registry.Money{}
	for _, s := range list {
		by[s.PayeeID] += s.Net
		by[s.PayerID] -= s.Net
	}
	return by
}

func TestWhateverIsOwedEachPlatformPaysAndGetsItsPosition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		owed := debts(t)
		mode := rapid.SampledFrom([]registry.SettlementMode{registry.Bilateral, registry.Multilateral}).Draw(t, "mode")
		minimum := registry.Money(rapid.Int64Range(0, 20_00).Draw(t, "minimum"))
		n, err := registry.Net(mode, owed, minimum)
		require.NoError(t, err)

		carried := map[[2]int64]bool{}
		for _, pair := range n.Carried {
			require.False(t, carried[pair], "carried twice")
			carried[pair] = true
		}
		var kept []registry.Owed
		for _, o := range owed {
			if !carried[[2]int64{min(o.SellerID, o.OriginID), max(o.SellerID, o.OriginID)}] {
				kept = append(kept, o)
			}
		}
		positions, err := registry.Positions(kept)
		require.NoError(t, err)
		by, total, involved := moved(n.Settlements), registry.Money(0), 0
		for _, p := range positions {
			require.Equal(t, p.Amount, by[p.PlatformID], "platform %d", p.PlatformID)
			total += p.Amount
			if p.Amount != 0 {
				involved++
				require.True(t, mode == registry.Bilateral || p.Amount >= minimum || -p.Amount >= minimum)
			}
		}
		require.Zero(t, total, "positions add up to nothing")
		for _, s := range n.Settlements {
			require.Equal(t, s.Net, s.Gross-s.Counter)
			require.NotEqual(t, s.PayerID, s.PayeeID)
			require.True(t, s.Net > 0 || mode == registry.Bilateral && s.Net == 0)
			require.True(t, mode == registry.Multilateral || s.Net == 0 || s.Net >= minimum)
		}
		if mode == registry.Multilateral {
			require.LessOrEqual(t, len(n.Settlements), max(involved-1, 0), "transfers of %d platforms", involved)
		}
		if minimum == 0 {
			require.Empty(t, n.Carried)
		}
	})
}
