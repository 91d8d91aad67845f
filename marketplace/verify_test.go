package marketplace_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
)

func TestAVerificationSaysWhetherSomebodyMayUseSomething(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	r.plain("edut.term", func(in *marketplace.OfferInput) { in.TermSeconds = 3600 })
	e := r.buy("edut.term", 1)
	other := r.buy(roomOffer, 2)
	held := func() marketplace.VerifyRequest {
		return marketplace.VerifyRequest{Wallet: roomWallet(1), OfferID: "edut.term"}
	}
	for name, c := range map[string]struct {
		change func(*marketplace.VerifyRequest)
		want   marketplace.VerifyCode
	}{
		"held":                   {func(*marketplace.VerifyRequest) {}, marketplace.VerifyValid},
		"by its ID":              {func(v *marketplace.VerifyRequest) { *v = marketplace.VerifyRequest{EntitlementID: e.ID} }, marketplace.VerifyValid},
		"by ID, offer, wallet":   {func(v *marketplace.VerifyRequest) { v.EntitlementID = e.ID }, marketplace.VerifyValid},
		"with what it is for":    {func(v *marketplace.VerifyRequest) { v.OrgRootID, v.WorkspaceID = e.OrgRootID, e.WorkspaceID }, marketplace.VerifyValid},
		"another wallet":         {func(v *marketplace.VerifyRequest) { v.Wallet = roomWallet(2) }, marketplace.VerifyNotFound},
		"another offer":          {func(v *marketplace.VerifyRequest) { v.OfferID = roomOffer }, marketplace.VerifyNotFound},
		"unknown ID":             {func(v *marketplace.VerifyRequest) { v.EntitlementID = "ent:1:0x:1" }, marketplace.VerifyNotFound},
		"ID of another offer":    {func(v *marketplace.VerifyRequest) { v.EntitlementID = other.ID }, marketplace.VerifyOfferMismatch},
		"ID of another wallet":   {func(v *marketplace.VerifyRequest) { v.EntitlementID, v.OfferID = other.ID, "" }, marketplace.VerifyWalletMismatch},
		"another organisation":   {func(v *marketplace.VerifyRequest) { v.OrgRootID = "org.other" }, marketplace.VerifyBoundaryMismatch},
		"another workspace":      {func(v *marketplace.VerifyRequest) { v.WorkspaceID = "other" }, marketplace.VerifyWorkspaceMismatch},
		"wallet in another case": {func(v *marketplace.VerifyRequest) { v.Wallet = "0x" + fmt.Sprintf("%X", decodeHex(t, v.Wallet)) }, marketplace.VerifyValid},
	} {
		request := held()
		c.change(&request)
		for range 2 { // read, and remembered
			v, err := r.VerifyEntitlement(t.Context(), request)
			require.NoError(t, err)
			require.Equal(t, c.want, v.Code, name)
			require.Equal(t, c.want == marketplace.VerifyValid, v.Valid)
		}
	}
	for _, request := range []marketplace.VerifyRequest{{}, {Wallet: roomWallet(1)}, {Wallet: "0x1", OfferID: "edut.term"}, {OfferID: "edut.term"}} {
		_, err := r.VerifyEntitlement(t.Context(), request)
		refused(t, err, marketplace.CodeInvalidRequest)
	}
}

func TestEveryChangeIsSeenByTheNextVerification(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	r.plain("edut.term", func(in *marketplace.OfferInput) { in.TermSeconds, in.Policies.Transferable = 3600, true })
	request := marketplace.VerifyRequest{Wallet: roomWallet(1), OfferID: "edut.term"}
	is := func(want marketplace.VerifyCode, e marketplace.Entitlement) {
		t.Helper()
		for _, request := range []marketplace.VerifyRequest{request, {EntitlementID: e.ID}} {
			v, err := r.VerifyEntitlement(t.Context(), request)
			require.NoError(t, err)
			require.Equal(t, want, v.Code)
		}
	}
	v, err := r.VerifyEntitlement(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, marketplace.VerifyNotFound, v.Code)
	e := r.buy("edut.term", 1)
	is(marketplace.VerifyValid, e)
	for _, c := range []struct {
		do   func() error
		want marketplace.VerifyCode
	}{
		{func() error { _, err := r.SuspendEntitlement(t.Context(), roomAdmin, e.ID, ""); return err }, marketplace.VerifySuspended},
		{func() error { _, err := r.ReinstateEntitlement(t.Context(), roomAdmin, e.ID, ""); return err }, marketplace.VerifyValid},
		{r.availability(e.ID, marketplace.AvailabilityGrace), marketplace.VerifyValid},
		{r.availability(e.ID, marketplace.AvailabilityContinuity), marketplace.VerifyValid},
		{r.availability(e.ID, marketplace.AvailabilityParked), marketplace.VerifyParked},
		{r.availability(e.ID, marketplace.AvailabilityActive), marketplace.VerifyValid},
		{func() error { r.now = r.now.Add(time.Hour); return nil }, marketplace.VerifyExpired},
		{func() error {
			_, err := r.ExtendEntitlement(t.Context(), roomAdmin, e.ID, marketplace.Extension{ExpiresAt: r.now.Add(time.Hour)})
			return err
		}, marketplace.VerifyValid},
		{func() error { _, err := r.RevokeEntitlement(t.Context(), roomAdmin, e.ID, ""); return err }, marketplace.VerifyRevoked},
	} {
		require.NoError(t, c.do())
		is(c.want, e)
	}
	e = r.buy("edut.term", 1)
	is(marketplace.VerifyValid, e)
	_, err = r.TransferEntitlement(t.Context(), roomAdmin, e.ID, marketplace.Transfer{Wallet: roomWallet(2)})
	require.NoError(t, err)
	v, err = r.VerifyEntitlement(t.Context(), request)
	require.NoError(t, err)
	require.False(t, v.Valid)
	v, err = r.VerifyEntitlement(t.Context(), marketplace.VerifyRequest{Wallet: roomWallet(2), OfferID: "edut.term"})
	require.NoError(t, err)
	require.True(t, v.Valid)
}

func (r *room) availability(id string, to marketplace.Availability) func() error {
	return func() error {
		_, err := r.SetAvailability(r.t.Context(), roomAdmin, id, to, "")
		return err
	}
}

func TestOneOfManyEntitlementsIsEnough(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	r.plain("edut.many", nil)
	first := r.buy("edut.many", 1)
	for range 80 {
		r.now = r.now.Add(time.Second)
		e := r.buy("edut.many", 1)
		_, err := r.RevokeEntitlement(t.Context(), roomAdmin, e.ID, "")
		require.NoError(t, err)
	}
	for range 2 {
		v, err := r.VerifyEntitlement(t.Context(), marketplace.VerifyRequest{Wallet: roomWallet(1), OfferID: "edut.many"})
		require.NoError(t, err)
		require.True(t, v.Valid)
		require.Equal(t, first.ID, v.Entitlement.ID)
		v, err = r.VerifyEntitlement(t.Context(), marketplace.VerifyRequest{Wallet: roomWallet(1), OfferID: "edut.many", WorkspaceID: "other"})
		require.NoError(t, err)
		require.False(t, v.Valid)
	}
}

// counting counts what is read of entitlements, and can fail.
type counting struct {
	marketplace.Store
	reads atomic.Int64
	fail  atomic.Bool
}

func (c *counting) HeldEntitlements(ctx context.Context, wallet, offerID string, limit int) ([]marketplace.Entitlement, error) {
	c.reads.Add(1)
	if c.fail.Load() {
		return nil, errDown
	}
	return c.Store.HeldEntitlements(ctx, wallet, offerID, limit)
}

// counted is a room with a counting store.
func counted(t *testing.T, change func(*marketplace.Config)) (*room, *counting) {
	store := &counting{}
	r := openRoom(t, func(c *marketplace.Config) {
		store.Store, c.Store = c.Store, store
		if change != nil {
			change(c)
		}
	})
	r.plain("edut.plain", nil)
	return r, store
}

// reads is how many reads it takes to verify the nth wallet, which must be right.
func (c *counting) verify(t *testing.T, r *room, n int, valid bool) int64 {
	t.Helper()
	before := c.reads.Load()
	v, err := r.VerifyEntitlement(t.Context(), marketplace.VerifyRequest{Wallet: roomWallet(n), OfferID: "edut.plain"})
	require.NoError(t, err)
	require.Equal(t, valid, v.Valid)
	return c.reads.Load() - before
}

func TestAVerificationIsOneReadAndThenNoneForAWhile(t *testing.T) {
	t.Parallel()
	r, store := counted(t, nil)
	r.buy("edut.plain", 1)
	require.EqualValues(t, 1, store.verify(t, r, 1, true))
	require.Zero(t, store.verify(t, r, 1, true))
	r.now = r.now.Add(5 * time.Second)
	require.EqualValues(t, 1, store.verify(t, r, 1, true))
	require.EqualValues(t, 1, store.verify(t, r, 2, false))
	require.EqualValues(t, 1, store.verify(t, r, 2, false), "that there is none is not remembered")
}

func TestWithoutACacheEveryVerificationReads(t *testing.T) {
	t.Parallel()
	r, store := counted(t, func(c *marketplace.Config) { c.CacheSize = -1 })
	r.buy("edut.plain", 1)
	require.EqualValues(t, 1, store.verify(t, r, 1, true))
	require.EqualValues(t, 1, store.verify(t, r, 1, true))
}

func TestTheCacheIsBoundedAndKeepsWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	r, store := counted(t, func(c *marketplace.Config) { c.CacheSize = 10 })
	for n := range 40 {
		r.buy("edut.plain", n)
	}
	for n := range 40 {
		require.EqualValues(t, 1, store.verify(t, r, n, true))
	}
	read := int64(0)
	for n := range 40 {
		read += store.verify(t, r, 39-n, true)
	}
	require.GreaterOrEqual(t, read, int64(30), "no more than ten are remembered")
	require.Less(t, read, int64(40))
}

func TestWhatAnotherProcessChangesIsSeenAfterItsEventOrTheAgeOfTheCache(t *testing.T) {
	t.Parallel()
	r, store := counted(t, nil)
	replica, err := marketplace.New(r.config)
	require.NoError(t, err)
	e := r.buy("edut.plain", 1)
	require.EqualValues(t, 1, store.verify(t, r, 1, true))
	r.events()
	_, err = replica.SuspendEntitlement(t.Context(), roomAdmin, e.ID, "")
	require.NoError(t, err)
	require.Zero(t, store.verify(t, r, 1, true), "not yet")
	events, err := r.store.LeaseEvents(t.Context(), "reader", r.now, r.now, 10)
	require.NoError(t, err)
	for range 2 {
		for _, event := range events {
			require.NoError(t, r.Observe(t.Context(), event))
		}
	}
	require.EqualValues(t, 1, store.verify(t, r, 1, false))
	_, err = replica.ReinstateEntitlement(t.Context(), roomAdmin, e.ID, "")
	require.NoError(t, err)
	require.Zero(t, store.verify(t, r, 1, false))
	r.now = r.now.Add(5 * time.Second)
	require.EqualValues(t, 1, store.verify(t, r, 1, true))
	for _, kind := range []string{"entitlement.suspended", "user.suspended"} {
		require.NoError(t, r.Observe(t.Context(), storeEvent(kind, "no JSON")), "of somebody else")
	}
}

func storeEvent(kind, data string) store.Event {
	return store.Event{ID: "1", Type: kind, Subject: "1", Data: []byte(data)}
}

func TestAVerificationThatCannotBeMadeFails(t *testing.T) {
	t.Parallel()
	r, store := counted(t, nil)
	r.buy("edut.plain", 1)
	store.fail.Store(true)
	v, err := r.VerifyEntitlement(t.Context(), marketplace.VerifyRequest{Wallet: roomWallet(1), OfferID: "edut.plain"})
	require.ErrorIs(t, err, errDown)
	require.False(t, v.Valid)
}

func TestAnIDIsNotTakenForAWalletEvenIfItIsRemembered(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	e := r.buy(roomOffer, 1)
	v, err := r.VerifyEntitlement(t.Context(), marketplace.VerifyRequest{EntitlementID: e.ID})
	require.NoError(t, err)
	require.True(t, v.Valid)
	v, err = r.VerifyEntitlement(t.Context(), marketplace.VerifyRequest{Wallet: e.ID})
	refused(t, err, marketplace.CodeInvalidRequest)
	require.False(t, v.Valid)
}

// strange is a store whose entitlements are in a state that nobody knows.
type strange struct {
	*memory.Store
	alter func(*marketplace.Entitlement)
}

func (s *strange) HeldEntitlements(ctx context.Context, wallet, offerID string, limit int) ([]marketplace.Entitlement, error) {
	list, err := s.Store.HeldEntitlements(ctx, wallet, offerID, limit)
	for i := range list {
		s.alter(&list[i])
	}
	return list, err
}

func TestAStateThatIsNotKnownIsNotValid(t *testing.T) {
	t.Parallel()
	for _, alter := range []func(*marketplace.Entitlement){
		func(e *marketplace.Entitlement) { e.State = "frozen" }, func(e *marketplace.Entitlement) { e.State = "" },
		func(e *marketplace.Entitlement) { e.Availability = "away" }, func(e *marketplace.Entitlement) { e.Availability = "" },
	} {
		r := openRoom(t, func(c *marketplace.Config) { c.Store = &strange{c.Store.(*memory.Store), alter} })
		r.buy(roomOffer, 1)
		v, err := r.VerifyEntitlement(t.Context(), marketplace.VerifyRequest{Wallet: roomWallet(1), OfferID: roomOffer})
		require.NoError(t, err)
		require.False(t, v.Valid)
		require.Equal(t, marketplace.VerifyUnknownState, v.Code)
	}
}

func TestWhatWasSoldOutlivesItsOffer(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	r.buy(roomOffer, 1)
	for _, to := range []marketplace.OfferStatus{marketplace.OfferPaused, marketplace.OfferRetired} {
		_, err := r.SetOfferStatus(t.Context(), roomAdmin, roomOffer, to)
		require.NoError(t, err)
		v, err := r.VerifyEntitlement(t.Context(), marketplace.VerifyRequest{Wallet: roomWallet(1), OfferID: roomOffer})
		require.NoError(t, err)
		require.True(t, v.Valid)
	}
}
