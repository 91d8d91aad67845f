package marketplace_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
)

func TestSeatsAreLimitedKeptAndGivenUp(t *testing.T) {
	t.Parallel()
	r := openRoom(t, func(c *marketplace.Config) { c.SeatTTL = time.Hour })
	r.plain("edut.seats", func(in *marketplace.OfferInput) { in.Seats = 2 })
	id, holder := r.buy("edut.seats", 1).ID, marketplace.Actor{Wallet: roomWallet(1)}
	take := func(instance string) error {
		_, err := r.ActivateSeat(t.Context(), holder, marketplace.SeatRequest{EntitlementID: id, InstanceID: instance})
		return err
	}
	require.NoError(t, take("a"))
	require.NoError(t, take("b"))
	require.NoError(t, take("a"), "it has one")
	refused(t, take("c"), marketplace.CodeSeatLimit)
	require.NoError(t, r.ReleaseSeat(t.Context(), holder, id, "b"))
	refused(t, r.ReleaseSeat(t.Context(), holder, id, "b"), marketplace.CodeSeatNotFound)
	require.NoError(t, take("c"))
	r.now = r.now.Add(40 * time.Minute)
	_, err := r.Heartbeat(t.Context(), holder, id, "a")
	require.NoError(t, err)
	_, err = r.Heartbeat(t.Context(), holder, id, "b")
	refused(t, err, marketplace.CodeSeatNotFound)
	r.now = r.now.Add(40 * time.Minute)
	require.NoError(t, take("d"), "c was not seen for long")
	seats, err := r.Seats(t.Context(), holder, id)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "d"}, []string{seats[0].InstanceID, seats[1].InstanceID})
}

func TestSeatsAreForTheHolderOfAValidEntitlement(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	e := r.buy(roomOffer, 1)
	ask := func(actor marketplace.Actor, id, instance string) error {
		_, err := r.ActivateSeat(t.Context(), actor, marketplace.SeatRequest{EntitlementID: id, InstanceID: instance})
		return err
	}
	refused(t, ask(marketplace.Actor{Wallet: roomWallet(2)}, e.ID, "a"), marketplace.CodeForbidden)
	refused(t, ask(roomAdmin, e.ID, ""), marketplace.CodeInvalidRequest)
	refused(t, ask(roomAdmin, "unknown", "a"), marketplace.CodeEntitlementNotFound)
	require.NoError(t, ask(roomIssuer, e.ID, "a"))
	for _, state := range []marketplace.Availability{marketplace.AvailabilityGrace, marketplace.AvailabilityContinuity} {
		require.NoError(t, r.availability(e.ID, state)())
	}
	require.NoError(t, ask(roomAdmin, e.ID, "a"))
	refused(t, ask(roomAdmin, e.ID, "b"), marketplace.CodeAvailabilityState)
	_, err := r.SuspendEntitlement(t.Context(), roomAdmin, e.ID, "")
	require.NoError(t, err)
	refused(t, ask(roomAdmin, e.ID, "a"), marketplace.CodeEntitlementState)
}
