package marketplace_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
)

// guarded asks a guarded handler as the nth wallet, or as nobody.
func guarded(guard func(http.Handler) http.Handler, wallet, workspace string) *httptest.ResponseRecorder {
	h := guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, _ := marketplace.EntitlementFrom(r.Context())
		_, _ = w.Write([]byte(e.ID))
	}))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Wallet", wallet)
	r.Header.Set("X-Workspace", workspace)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAGuardLetsThroughWhoHasAnEntitlement(t *testing.T) {
	t.Parallel()
	r, store := counted(t, nil)
	e := r.buy("edut.plain", 1)
	guard := r.RequireThat(marketplace.Requirement{
		OfferID:   "edut.plain",
		Wallet:    func(r *http.Request) (string, error) { return r.Header.Get("X-Wallet"), nil },
		Workspace: func(r *http.Request) string { return r.Header.Get("X-Workspace") },
	})
	w := guarded(guard, roomWallet(1), "")
	require.Equal(t, 200, w.Code)
	require.Equal(t, e.ID, w.Body.String())
	require.Equal(t, 200, guarded(guard, roomWallet(1), e.WorkspaceID).Code)
	require.Equal(t, 403, guarded(guard, roomWallet(1), "other").Code)
	require.Equal(t, 403, guarded(guard, roomWallet(2), "").Code)
	require.Equal(t, 401, guarded(guard, "", "").Code)
	_, err := r.SuspendEntitlement(t.Context(), roomAdmin, e.ID, "")
	require.NoError(t, err)
	w = guarded(guard, roomWallet(1), "")
	require.Equal(t, 403, w.Code)
	require.Contains(t, w.Body.String(), `"error":"entitlement_required"`)
	_, err = r.ReinstateEntitlement(t.Context(), roomAdmin, e.ID, "")
	require.NoError(t, err)
	store.fail.Store(true)
	require.Equal(t, 500, guarded(guard, roomWallet(1), "").Code, "what cannot be known is refused")
	require.Equal(t, 401, guarded(r.Require("edut.plain"), roomWallet(1), "").Code, "a wallet is not taken on trust")
}

func TestAGuardSaysWhyAnEntitlementIsNotEnough(t *testing.T) {
	t.Parallel()
	r, _ := counted(t, nil)
	e := r.buy("edut.plain", 1)
	guard := r.RequireThat(marketplace.Requirement{
		OfferID: "edut.plain",
		Wallet:  func(r *http.Request) (string, error) { return r.Header.Get("X-Wallet"), nil },
		OrgRoot: func(r *http.Request) string { return r.Header.Get("X-Workspace") },
	})
	require.Equal(t, 200, guarded(guard, roomWallet(1), "org.acme.root").Code)
	w := guarded(guard, roomWallet(1), "org.other")
	require.Equal(t, 403, w.Code)
	require.Contains(t, w.Body.String(), `"error":"boundary_mismatch"`)
	for _, to := range []marketplace.Availability{marketplace.AvailabilityGrace, marketplace.AvailabilityContinuity, marketplace.AvailabilityParked} {
		require.Equal(t, 200, guarded(guard, roomWallet(1), "").Code)
		_, err := r.SetAvailability(t.Context(), roomAdmin, e.ID, to, "")
		require.NoError(t, err)
	}
	w = guarded(guard, roomWallet(1), "")
	require.Equal(t, 403, w.Code)
	require.Contains(t, w.Body.String(), `"error":"availability_parked"`)
}
