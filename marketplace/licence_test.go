package marketplace_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
)

// licensing is a room that makes licence files.
func licensing(t *testing.T) (*room, ed25519.PublicKey) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	r := openRoom(t, func(c *marketplace.Config) { c.LicenceKey = key })
	public, id, ok := r.LicenceKey()
	require.True(t, ok)
	require.Equal(t, marketplace.LicenceKeyID(public), id)
	return r, public
}

func TestALicenceFileProvesAnEntitlementOffline(t *testing.T) {
	t.Parallel()
	r, key := licensing(t)
	e := r.buy(roomOffer, 1)
	f, err := r.Licence(t.Context(), marketplace.Actor{Wallet: roomWallet(1)}, marketplace.LicenceRequest{EntitlementID: e.ID})
	require.NoError(t, err)
	file, err := json.MarshalIndent(f, "", "  ")
	require.NoError(t, err)
	l, err := marketplace.ReadLicence(file, key, r.now)
	require.NoError(t, err)
	require.Equal(t, e, l.Entitlement)
	require.Equal(t, r.now.Add(7*24*time.Hour), l.ExpiresAt)

	for _, now := range []time.Time{l.ExpiresAt, r.now.Add(-time.Hour)} {
		_, err = marketplace.ReadLicence(file, key, now)
		require.ErrorIs(t, err, marketplace.ErrLicenceExpired)
	}
	other, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	for _, wrong := range []ed25519.PublicKey{other, nil} {
		_, err = marketplace.ReadLicence(file, wrong, r.now)
		require.ErrorIs(t, err, marketplace.ErrLicenceForged)
	}
	f.Payload = bytes.Replace(f.Payload, []byte(roomOffer), []byte("edut.governance.more"), 1)
	file, err = json.Marshal(f)
	require.NoError(t, err)
	_, err = marketplace.ReadLicence(file, key, r.now)
	require.ErrorIs(t, err, marketplace.ErrLicenceForged)
	_, err = marketplace.ReadLicence([]byte("{"), key, r.now)
	require.Error(t, err)
}

func TestALicenceFileNeverOutlivesItsEntitlement(t *testing.T) {
	t.Parallel()
	r, key := licensing(t)
	r.plain("edut.term", func(in *marketplace.OfferInput) { in.TermSeconds = 3600 })
	e := r.buy("edut.term", 1)
	f, err := r.Licence(t.Context(), roomAdmin, marketplace.LicenceRequest{EntitlementID: e.ID})
	require.NoError(t, err)
	file, err := json.Marshal(f)
	require.NoError(t, err)
	l, err := marketplace.ReadLicence(file, key, r.now)
	require.NoError(t, err)
	require.Equal(t, e.ExpiresAt, l.ExpiresAt)
}

func TestLicenceFilesAreMadeForTheHolderOfAValidEntitlement(t *testing.T) {
	t.Parallel()
	r, _ := licensing(t)
	r.plain("edut.seats", func(in *marketplace.OfferInput) { in.Seats = 1 })
	e := r.buy("edut.seats", 1)
	want := func(code marketplace.Code, actor marketplace.Actor, request marketplace.LicenceRequest) {
		t.Helper()
		_, err := r.Licence(t.Context(), actor, request)
		refused(t, err, code)
	}
	want(marketplace.CodeForbidden, marketplace.Actor{Wallet: roomWallet(2)}, marketplace.LicenceRequest{EntitlementID: e.ID, InstanceID: "a"})
	want(marketplace.CodeInvalidRequest, roomAdmin, marketplace.LicenceRequest{EntitlementID: e.ID})
	want(marketplace.CodeInvalidRequest, roomAdmin, marketplace.LicenceRequest{EntitlementID: e.ID, InstanceID: "a", TTL: 8 * 24 * time.Hour})
	want(marketplace.CodeSeatNotFound, roomAdmin, marketplace.LicenceRequest{EntitlementID: e.ID, InstanceID: "a"})
	want(marketplace.CodeEntitlementNotFound, roomAdmin, marketplace.LicenceRequest{EntitlementID: "unknown"})
	_, err := r.ActivateSeat(t.Context(), roomAdmin, marketplace.SeatRequest{EntitlementID: e.ID, InstanceID: "a"})
	require.NoError(t, err)
	_, err = r.Licence(t.Context(), roomAdmin, marketplace.LicenceRequest{EntitlementID: e.ID, InstanceID: "a", TTL: time.Hour})
	require.NoError(t, err)
	_, err = r.SuspendEntitlement(t.Context(), roomAdmin, e.ID, "")
	require.NoError(t, err)
	want(marketplace.CodeEntitlementState, roomAdmin, marketplace.LicenceRequest{EntitlementID: e.ID, InstanceID: "a"})
	none := openRoom(t, nil)
	_, err = none.Licence(t.Context(), roomAdmin, marketplace.LicenceRequest{EntitlementID: e.ID})
	refused(t, err, marketplace.CodeLicenceUnconfigured)
	_, _, ok := none.LicenceKey()
	require.False(t, ok)
}

func FuzzReadLicence(f *testing.F) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	payload := []byte(`{"version":1,"entitlement":{"state":"active"}}`)
	good, err := json.Marshal(marketplace.LicenceFile{Algorithm: "Ed25519", Payload: payload, Signature: ed25519.Sign(key, payload)})
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte(`{"algorithm":"none","payload":"e30","signature":""}`))
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	f.Fuzz(func(t *testing.T, file []byte) {
		_, err := marketplace.ReadLicence(file, other, time.Unix(0, 0))
		require.Error(t, err, "nobody has this key")
	})
}
