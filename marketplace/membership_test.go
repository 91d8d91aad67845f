package marketplace_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/v402/v402/marketplace"
)

func TestAMembershipGoesFromStatusToStatusAsDocumented(t *testing.T) {
	t.Parallel()
	const none, active, suspended, revoked = marketplace.MembershipNone, marketplace.MembershipActive, marketplace.MembershipSuspended, marketplace.MembershipRevoked
	ways := map[marketplace.MembershipStatus][]marketplace.MembershipStatus{
		none: {}, active: {active}, suspended: {active, suspended}, revoked: {active, revoked},
	}
	follow := map[marketplace.MembershipStatus][]marketplace.MembershipStatus{
		none: {active}, active: {active, suspended, revoked}, suspended: {suspended, active, revoked}, revoked: {revoked},
	}
	r := openRoom(t, nil)
	n := 0
	for from, way := range ways {
		for _, to := range []marketplace.MembershipStatus{active, suspended, revoked} {
			n++
			for _, step := range way {
				_, err := r.SetMembership(t.Context(), roomAdmin, roomWallet(n), step, "")
				require.NoError(t, err)
			}
			r.events()
			m, err := r.SetMembership(t.Context(), roomAdmin, roomWallet(n), to, "because")
			switch {
			case !slices.Contains(follow[from], to):
				refused(t, err, marketplace.CodeMembershipState)
				require.Empty(t, r.events())
				m, err = r.Membership(t.Context(), roomWallet(n))
				require.NoError(t, err)
				require.Equal(t, from, m.Status)
			case from == to:
				require.NoError(t, err)
				require.Empty(t, r.events(), "told once")
			default:
				require.NoError(t, err)
				require.Equal(t, to, m.Status)
				kind := map[marketplace.MembershipStatus]string{active: "activated", suspended: "suspended", revoked: "revoked"}[to]
				if from == suspended && to == active {
					kind = "reinstated"
				}
				require.Equal(t, []string{"membership." + kind}, r.events())
			}
		}
	}
	_, err := r.SetMembership(t.Context(), roomAdmin, roomWallet(99), none, "")
	refused(t, err, marketplace.CodeInvalidRequest)
}

func TestOfManyPaymentsForMembershipAtOnceOneActivatesIt(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	replica, err := marketplace.New(r.config)
	require.NoError(t, err)
	var sends []func() error
	results := make([]error, 6)
	for i := range results {
		q := r.quote(roomOffer, 1)
		require.True(t, q.Bundled())
		p := x402Payment(q, i)
		sends = append(sends, func() error {
			_, results[i] = []*marketplace.Service{r.Service, replica}[i%2].ReserveQuote(t.Context(), q.ID, p)
			return nil
		})
	}
	var g errgroup.Group
	for _, send := range sends {
		g.Go(send)
	}
	require.NoError(t, g.Wait())
	reserved := 0
	for i, err := range results {
		if err == nil {
			reserved++
			continue
		}
		refused(t, err, marketplace.CodePaymentUnderWay)
		require.Positive(t, refused(t, err, marketplace.CodePaymentUnderWay).RetryAfter, fmt.Sprint(i))
	}
	require.Equal(t, 1, reserved, "the fee is paid once")
}
