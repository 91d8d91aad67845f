package facilitator_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

// on is a chain for another network.
func on(n x402.Network) *chain {
	return &chain{network: n, token: newToken(), journal: memory.New()}
}

func TestNewRefusesAConfigThatCannotWork(t *testing.T) {
	t.Parallel()
	journal := memory.New()
	for name, c := range map[string]struct {
		facilitator.Config
		want string
	}{
		"no chain":              {facilitator.Config{Journal: journal}, "Chains is empty"},
		"no journal":            {facilitator.Config{Chains: []facilitator.Chain{on(network)}}, "Journal is required"},
		"two chains, one net":   {facilitator.Config{Journal: journal, Chains: []facilitator.Chain{on(network), on(network)}}, "two chains serve eip155:84532"},
		"a wildcard":            {facilitator.Config{Journal: journal, Chains: []facilitator.Chain{on("eip155:*")}}, "not one CAIP-2 network"},
		"a v1 name":             {facilitator.Config{Journal: journal, Chains: []facilitator.Chain{on("base")}}, "not one CAIP-2 network"},
		"a negative lease":      {facilitator.Config{Journal: journal, Chains: []facilitator.Chain{on(network)}, LeaseFor: -1}, "must not be negative"},
		"an empty recipient":    {facilitator.Config{Journal: journal, Chains: []facilitator.Chain{on(network)}, Policy: facilitator.Policy{PayTo: []string{""}}}, "empty address"},
		"an asset, no network":  {facilitator.Config{Journal: journal, Chains: []facilitator.Chain{on(network)}, Policy: facilitator.Policy{Assets: []facilitator.AssetPolicy{{Address: usdc}}}}, "without network"},
		"bounds the wrong way":  {facilitator.Config{Journal: journal, Chains: []facilitator.Chain{on(network)}, Policy: facilitator.Policy{Assets: []facilitator.AssetPolicy{{Network: network, Address: usdc, Min: x402.NewAmount(2), Max: x402.NewAmount(1)}}}}, "below minimum"},
		"an asset listed twice": {facilitator.Config{Journal: journal, Chains: []facilitator.Chain{on(network)}, Policy: facilitator.Policy{Assets: []facilitator.AssetPolicy{{Network: network, Address: usdc}, {Network: network, Address: upper(usdc)}}}}, "twice"},
	} {
		_, err := facilitator.New(c.Config)
		require.ErrorContains(t, err, c.want, name)
	}
}

func TestOnlyTheVeryNetworksAreServed(t *testing.T) {
	t.Parallel()
	s := newService(t, memory.New(), "a", on(x402.Base), on(x402.Optimism))
	for _, n := range []x402.Network{x402.BaseSepolia, x402.Ethereum, "eip155:*", "eip155:08453", "base", "", "solana:x"} {
		p := pay(x402.V2, 1, func(_ *payload, q *x402.PaymentRequirements) { q.Network = n })
		v, err := s.Verify(t.Context(), p)
		require.NoError(t, err)
		require.False(t, v.IsValid, n)
		require.Equal(t, x402.ReasonInvalidNetwork, v.InvalidReason, n)
		r, err := s.Settle(t.Context(), p)
		require.NoError(t, err)
		require.False(t, r.Success, n)
		require.Equal(t, x402.ReasonInvalidNetwork, r.ErrorReason, n)
	}
}

func TestSupportedListsEveryChainAndKeysSignersByFamily(t *testing.T) {
	t.Parallel()
	s := newService(t, memory.New(), "a", on(x402.Base), on(x402.Optimism))
	got, err := s.Supported(t.Context())
	require.NoError(t, err)
	require.Len(t, got.Kinds, 4)
	_, ok := got.Kind(x402.V2, x402.SchemeExact, x402.Optimism)
	require.True(t, ok)
	require.Equal(t, map[string][]string{"eip155:*": {relayer}}, got.Signers)
}

func TestVerifyAnswersWhatEachCheckSays(t *testing.T) {
	t.Parallel()
	journal, k := memory.New(), newToken()
	s := newService(t, journal, "a", newChain(k, journal, "a"))
	used := pay(x402.V2, 9)
	k.execute(key(t, used), "0x1")
	for name, c := range map[string]struct {
		p    x402.Payment
		want x402.Reason
	}{
		"valid":       {pay(x402.V2, 1), ""},
		"valid in v1": {pay(x402.V1, 1), ""},
		"forged":      {pay(x402.V2, 1, func(b *payload, _ *x402.PaymentRequirements) { b.Signature = "bad" }), x402.ReasonEVMSignature},
		"expired":     {pay(x402.V2, 1, func(b *payload, _ *x402.PaymentRequirements) { b.Authorization.ValidBefore = "1" }), x402.ReasonEVMExpired},
		"one too few": {pay(x402.V2, 1, func(b *payload, _ *x402.PaymentRequirements) { b.Authorization.Value = "9999" }), x402.ReasonEVMAmount},
		"nothing":     {pay(x402.V2, 1, func(b *payload, q *x402.PaymentRequirements) { b.Authorization.Value, q.Amount = "0", x402.Amount{} }), x402.ReasonInvalidRequirements},
		"used":        {used, x402.ReasonEVMNonceUsed},
		"scheme":      {pay(x402.V2, 1, func(_ *payload, q *x402.PaymentRequirements) { q.Scheme = "exactly" }), x402.ReasonUnsupportedScheme},
	} {
		got, err := s.Verify(t.Context(), c.p)
		require.NoError(t, err, name)
		require.Equal(t, c.want == "", got.IsValid, name)
		require.Equal(t, c.want, got.InvalidReason, name)
		require.Equal(t, c.want == "", got.InvalidMessage == "", name)
		require.True(t, c.p.Requirements.Network.SameAddress(alice, got.Payer), "%s: payer %q", name, got.Payer)
	}
}

func TestAnUnknownSettlementIsNotFound(t *testing.T) {
	t.Parallel()
	s := newService(t, memory.New(), "a", on(network))
	_, err := s.Settlement(t.Context(), "nowhere")
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestLeasesAreKeptWhileTheProcessRunsAndTakenOverAfterItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		journal, k := memory.New(), newToken()
		ca, cb := newChain(k, journal, "a"), newChain(k, journal, "b")
		ca.mining = 50 * time.Second
		a, b := newService(t, journal, "a", ca), newService(t, journal, "b", cb)
		stop := run(t, a)
		run(t, b)
		go func() { _, _ = a.Settle(context.Background(), pay(x402.V2, 1)) }()
		time.Sleep(40 * time.Second)
		require.Zero(t, cb.sent.Load(), "the lease ran out although its owner lives")
		require.EqualValues(t, 1, ca.sent.Load())
		time.Sleep(20 * time.Second)

		ca.down.Store(true) // it submits, and then nothing: as good as dead
		pending := pay(x402.V2, 2)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := a.Settle(ctx, pending)
		require.ErrorIs(t, err, errDown, "verification needs the chain")
		ca.down.Store(false)
		stop()
		_, _, err = journal.ReserveSettlements(t.Context(), []facilitator.Settlement{{
			ID: "left", Key: key(t, pending), Network: network, Payment: pending, Scheme: x402.SchemeExact,
			PayTo: shop, Amount: x402.NewAmount(10000), CreatedAt: time.Now(),
		}}, facilitator.Lease{Owner: "a", Until: time.Now().Add(15 * time.Second)})
		require.NoError(t, err)
		start := time.Now()
		got, err := b.Settle(t.Context(), pending)
		require.NoError(t, err)
		require.True(t, got.Success, "%+v", got)
		require.Equal(t, "left", settlementID(t, got))
		require.InDelta(t, 15, time.Since(start).Seconds(), 2)
	})
}

func TestRunReportsAChainThatCannotBeFollowed(t *testing.T) {
	t.Parallel()
	broken := errors.New("wrong chain ID")
	s := newService(t, memory.New(), "a", on(x402.Base), &failing{on(x402.Optimism), broken})
	err := s.Run(t.Context())
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, string(x402.Optimism))
	require.ErrorIs(t, s.Run(t.Context()), facilitator.ErrStopping)
}

func TestTheProcessOwnerStaysTheSame(t *testing.T) {
	t.Parallel()
	require.NotEmpty(t, facilitator.ProcessOwner())
	require.Equal(t, facilitator.ProcessOwner(), facilitator.ProcessOwner())
}

// failing is a chain whose Run ends at once.
type failing struct {
	*chain
	err error
}

func (c *failing) Run(context.Context) error { return c.err }
