package registry_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

// listen gives a platform an api_endpoint and returns its first secret.
func (r *room) listen(t *testing.T, p registry.Platform, url string) string {
	t.Helper()
	made, err := r.UpdatePlatform(t.Context(), p, registry.PlatformUpdate{APIEndpoint: &url})
	require.NoError(t, err)
	return made.CallbackSecret
}

// newest is the newest event of a type.
func (r *room) newest(t *testing.T, kind string) store.Event {
	t.Helper()
	events, err := r.store.LeaseEvents(t.Context(), "reader", r.now, r.now, 1000)
	require.NoError(t, err)
	for i := range events {
		if e := events[len(events)-1-i]; e.Type == kind {
			return e
		}
	}
	require.Fail(t, "no event", kind)
	return store.Event{}
}

func TestACallbackSecretIsMadeWithTheFirstEndpointAndShownOnce(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	ctx := t.Context()
	_, err := r.Callback(ctx, r.seller.ID)
	require.ErrorIs(t, err, registry.ErrNoCallback)
	secret := r.listen(t, r.seller, "https://seller.example/hook")
	require.Regexp(t, `^whsec_[A-Za-z0-9+/]{43}=$`, secret)
	require.Empty(t, r.listen(t, r.seller, "https://seller.example/other"), "it has one")
	c, err := r.Callback(ctx, r.seller.ID)
	require.NoError(t, err)
	require.Equal(t, registry.Callback{URL: "https://seller.example/other", Secrets: []string{secret}}, c)

	p, err := r.Platform(ctx, r.seller.ID)
	require.NoError(t, err)
	stored, err := json.Marshal(p)
	require.NoError(t, err)
	for _, text := range []string{secret, p.CallbackSecrets, p.Sealed, p.PasswordHash, p.KeyHash} {
		require.NotEmpty(t, text)
		require.NotContains(t, string(stored), text)
	}
	require.NotContains(t, p.CallbackSecrets, strings.TrimPrefix(secret, "whsec_"), "it is encrypted")

	applied := applicationOf("Late", "late@example.com")
	applied.APIEndpoint = "https://late.example"
	late, err := r.Apply(ctx, applied)
	require.NoError(t, err)
	_, err = r.RotateCallbackSecret(ctx, "admin:me", late.ID)
	require.ErrorIs(t, err, registry.ErrPlatformState)
	approved, err := r.Approve(ctx, "admin:me", late.ID, registry.Decision{})
	require.NoError(t, err)
	require.Empty(t, approved.CallbackSecret)
	_, err = r.Callback(ctx, late.ID)
	require.ErrorIs(t, err, registry.ErrNoCallback, "nobody could check what is sent")
	made, err := r.RotateCallbackSecret(ctx, approved.Platform.Actor(), late.ID)
	require.NoError(t, err)
	require.Zero(t, made.PreviousUntil)
	c, err = r.Callback(ctx, late.ID)
	require.NoError(t, err)
	require.Equal(t, registry.Callback{URL: "https://late.example", Secrets: []string{made.CallbackSecret}}, c)
}

func TestForADayTwoCallbackSecretsLive(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	first := r.listen(t, r.seller, "https://seller.example/hook")
	rotate := func() string {
		made, err := r.RotateCallbackSecret(t.Context(), r.seller.Actor(), r.seller.ID)
		require.NoError(t, err)
		require.Equal(t, r.now.Add(24*time.Hour), made.PreviousUntil)
		return made.CallbackSecret
	}
	secrets := func() []string {
		c, err := r.Callback(t.Context(), r.seller.ID)
		require.NoError(t, err)
		return c.Secrets
	}
	second := rotate()
	require.Equal(t, []string{second, first}, secrets())
	third := rotate()
	require.Equal(t, []string{third, second}, secrets(), "whoever rotates twice ends what was stolen")
	r.now = r.now.Add(24*time.Hour - time.Microsecond)
	require.Equal(t, []string{third, second}, secrets())
	r.now = r.now.Add(time.Microsecond)
	require.Equal(t, []string{third}, secrets())
	require.Contains(t, r.actions(t), "platform.rotate_callback_secret")
}

func TestAnEventIsToldToThePlatformsThatItConcerns(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	ctx := t.Context()
	told := func(kind string) []int64 {
		ids, err := r.Audience(ctx, r.newest(t, kind))
		require.NoError(t, err)
		return ids
	}
	r.register(t, nil, "0xAB")
	_, err := r.ReportSale(ctx, r.seller, sale("0xAB"))
	require.NoError(t, err)
	require.Empty(t, told(registry.EventSaleReported), "nobody has an endpoint")
	for _, p := range []registry.Platform{r.publisher, r.seller, r.outsider} {
		r.listen(t, p, "https://example.com/hook")
	}
	require.Equal(t, []int64{r.publisher.ID, r.seller.ID}, told(registry.EventSaleReported))
	require.Equal(t, []int64{r.publisher.ID}, told(registry.EventContractRegistered))

	_, _, err = r.ReportMirror(ctx, r.outsider, registry.MirrorReport{ContractHash: "0xab", MirroredIPFSHash: "QmCopy"})
	require.NoError(t, err)
	_, err = r.RevokeContract(ctx, r.publisher, "0xAb", registry.Revocation{})
	require.NoError(t, err)
	require.Equal(t, []int64{r.publisher.ID, r.seller.ID, r.outsider.ID}, told(registry.EventContractRevoked), "who sold it and who mirrors it")
	require.NotContains(t, string(r.newest(t, registry.EventContractRevoked).Data), r.outsider.PlatformName)
	require.Contains(t, string(r.newest(t, registry.EventContractRevoked).Data), `"platform_ids":[1],`, "nobody learns who else does")

	_, err = r.Suspend(ctx, "admin:me", r.seller.ID, registry.Decision{})
	require.NoError(t, err)
	require.Equal(t, []int64{r.publisher.ID, r.outsider.ID}, told(registry.EventContractRevoked))
	ids, err := r.Audience(ctx, store.Event{Type: "settlement.confirmed", Data: []byte(`{"platform_ids":[1]}`)})
	require.NoError(t, err)
	require.Empty(t, ids, "it is a facilitator's")
	_, err = r.Audience(ctx, store.Event{Type: registry.EventSaleVoided, Data: []byte(`[]`)})
	require.Error(t, err)
}

func TestASettlementIsToldToBothParties(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	for _, p := range []registry.Platform{r.publisher, r.seller, r.outsider} {
		r.listen(t, p, "https://example.com/hook")
	}
	d := r.issued(t)
	require.NoError(t, steps["pay"](t, r, r.seller, d.ID))
	for _, kind := range []string{registry.EventSettlementIssued, registry.EventSettlementPaid} {
		ids, err := r.Audience(t.Context(), r.newest(t, kind))
		require.NoError(t, err)
		require.Equal(t, []int64{r.publisher.ID, r.seller.ID}, ids)
	}
}
