package facilitator_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

func TestPolicySaysWhichListRefuses(t *testing.T) {
	t.Parallel()
	amount := x402.NewAmount
	asset := func(min, max uint64) facilitator.Policy {
		return facilitator.Policy{Assets: []facilitator.AssetPolicy{{Network: network, Address: upper(usdc), Min: amount(min), Max: amount(max)}}}
	}
	for name, c := range map[string]struct {
		policy facilitator.Policy
		want   string // the refusal names it; empty if there is none
	}{
		"no policy":               {facilitator.Policy{}, ""},
		"recipient listed":        {facilitator.Policy{PayTo: []string{relayer, shop}}, ""},
		"recipient in other case": {facilitator.Policy{PayTo: []string{upper(shop)}}, ""},
		"recipient not listed":    {facilitator.Policy{PayTo: []string{relayer}}, "payTo: this facilitator does not serve this recipient"},
		"payer listed":            {facilitator.Policy{Payers: []string{upper(alice)}}, ""},
		"payer not listed":        {facilitator.Policy{Payers: []string{shop}}, "payer: this facilitator does not serve this payer"},
		"asset listed":            {asset(0, 0), ""},
		"asset on other network": {facilitator.Policy{Assets: []facilitator.AssetPolicy{{Network: x402.Base, Address: usdc}}},
			"asset: this facilitator does not serve this asset"},
		"other asset": {facilitator.Policy{Assets: []facilitator.AssetPolicy{{Network: network, Address: shop}}},
			"asset: this facilitator does not serve this asset"},
		"at the minimum":    {asset(10000, 0), ""},
		"below the minimum": {asset(10001, 0), "amount: 10000 is less than the minimum of 10001"},
		"at the maximum":    {asset(1, 10000), ""},
		"above the maximum": {asset(0, 9999), "amount: 10000 is more than the maximum of 9999"},
		"every list at once": {facilitator.Policy{PayTo: []string{shop}, Payers: []string{alice},
			Assets: []facilitator.AssetPolicy{{Network: network, Address: usdc}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			journal := memory.New()
			c2 := newChain(newToken(), journal, "a")
			c2.mining = 0
			s, err := facilitator.New(facilitator.Config{Chains: []facilitator.Chain{c2}, Journal: journal, Owner: "a", Policy: c.policy})
			require.NoError(t, err)
			p := pay(x402.V2, 1)
			v, err := s.Verify(t.Context(), p)
			require.NoError(t, err)
			r, err := s.Settle(t.Context(), p)
			require.NoError(t, err)
			require.Equal(t, c.want == "", v.IsValid)
			require.Equal(t, c.want == "", r.Success)
			if c.want != "" {
				require.Equal(t, x402.ReasonPolicy, v.InvalidReason)
				require.Equal(t, x402.ReasonPolicy, r.ErrorReason)
				require.Equal(t, c.want, v.InvalidMessage)
				require.Equal(t, c.want, r.ErrorMessage)
				require.Zero(t, c2.verifies.Load(), "the chain was asked about what policy refuses")
			}
		})
	}
}

func TestBase58AddressesKeepTheirCase(t *testing.T) {
	t.Parallel()
	journal := memory.New()
	c := newChain(newToken(), journal, "a")
	c.network, c.mining = x402.Solana, 0
	const payTo = "2wKupLR9q6wXYppw8Gr2NvWxKBUqm4PPJKkQfoxHDBg4"
	for address, want := range map[string]bool{payTo: true, "2WKUPLR9Q6WXYPPW8GR2NVWXKBUQM4PPJKKQFOXHDBG4": false} {
		s, err := facilitator.New(facilitator.Config{Chains: []facilitator.Chain{c}, Journal: journal, Owner: "a",
			Policy: facilitator.Policy{PayTo: []string{payTo}}})
		require.NoError(t, err)
		v, err := s.Verify(t.Context(), pay(x402.V2, 1, func(b *payload, q *x402.PaymentRequirements) {
			b.Authorization.To, q.PayTo, q.Network = address, address, x402.Solana
		}))
		require.NoError(t, err)
		require.Equal(t, want, v.IsValid, "%+v", v)
	}
}
