package registry_test

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
)

func TestConfigIsCheckedAtOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []registry.Config{
		{}, {Store: memory.New(), VoidWindow: -1}, {Store: memory.New(), MinSettlement: -1},
		{Store: memory.New(), EncryptionKey: []byte("short")}, {Store: memory.New(), OldEncryptionKeys: [][]byte{nil}},
	} {
		_, err := registry.New(c)
		require.Error(t, err)
	}
}

func TestAnApplicationIsToldAllThatIsWrongAtOnce(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	_, err := r.Apply(t.Context(), decode[registry.Application](t, `{"name":7,"email":"nobody","password":"short","password_confirmation":"other",
		"platform_name":"  ","platform_email":"Ann <ann@example.com>","tin_number":"`+strings.Repeat("ü", 256)+`","bank_name":null,"api_endpoint":"ftp://x"}`))
	invalid(t, err, map[string][]string{
		"name":                {"The name must be a string."},
		"email":               {"The email must be a valid email address."},
		"password":            {"The password must be at least 8 characters.", "The password confirmation does not match."},
		"platform_name":       {"The platform name field is required."},
		"platform_address":    {"The platform address field is required."},
		"platform_email":      {"The platform email must be a valid email address."},
		"platform_phone":      {"The platform phone field is required."},
		"tin_number":          {"The tin number must not be greater than 255 characters."},
		"bank_account_number": {"The bank account number field is required."},
		"bank_routing_number": {"The bank routing number field is required."},
		"bank_name":           {"The bank name field is required."},
		"api_endpoint":        {"The api endpoint must be a valid URL."},
	})
	require.ErrorContains(t, json.Unmarshal([]byte(`[]`), &registry.Application{}), "must be a JSON object")
}

// applicationOf asks for a platform of this name and e-mail.
func applicationOf(name, email string) registry.Application {
	return registry.Application{
		Name: "Ada", Email: email, Password: strings.Repeat("pass phrase ", 20), PasswordConfirmation: strings.Repeat("pass phrase ", 20),
		PlatformName: name, PlatformAddress: "1 Main St", TINNumber: "12-3456789", PlatformPhone: "+1 555 0100",
		PlatformEmail: "desk@example.com", BankAccountNumber: "000123", BankRoutingNumber: "021000021", BankName: "First Bank",
	}
}

func TestAnApplicationIsDecidedOnce(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	ctx := t.Context()
	applied, err := r.Apply(ctx, applicationOf("New", "Ada@Example.com"))
	require.NoError(t, err)
	require.Equal(t, registry.PlatformPending, applied.Status)
	require.True(t, applied.CheckPassword(strings.Repeat("pass phrase ", 20)))
	require.False(t, applied.CheckPassword(strings.Repeat("pass phrase ", 19)+"pass phrasf "), "beyond 72 bytes")
	_, err = r.Apply(ctx, applicationOf("New", "ADA@example.COM"))
	invalid(t, err, map[string][]string{"email": {"The email has already been taken."}})
	_, err = r.Platform(ctx, applied.ID)
	require.ErrorIs(t, err, registry.ErrPlatformUnknown, "it is none yet")
	_, err = r.RotateKey(ctx, "admin:me", applied.ID)
	require.ErrorIs(t, err, registry.ErrPlatformState)

	rejected, err := r.Reject(ctx, "admin:me", applied.ID, registry.Decision{Notes: "no papers"})
	require.NoError(t, err)
	require.Equal(t, registry.PlatformInactive, rejected.Status)
	for _, decide := range []func() error{
		func() error { _, err := r.Approve(ctx, "admin:me", applied.ID, registry.Decision{}); return err },
		func() error { _, err := r.Reject(ctx, "admin:me", applied.ID, registry.Decision{}); return err },
	} {
		require.ErrorIs(t, decide(), registry.ErrApplicationDecided)
		require.ErrorIs(t, decide(), store.ErrConflict)
	}
	_, err = r.Reinstate(ctx, "admin:me", applied.ID, registry.Decision{})
	require.ErrorIs(t, err, registry.ErrPlatformState, "it was rejected, not suspended")

	again, err := r.Apply(ctx, applicationOf("New", "ada@example.com"))
	require.NoError(t, err, "who was rejected may apply again")
	require.NotEqual(t, applied.ID, again.ID)
	newest, err := r.ApplicationStatus(ctx, "ADA@EXAMPLE.COM")
	require.NoError(t, err)
	require.Equal(t, again.ID, newest.ID)
	approval, err := r.Approve(ctx, "admin:me", again.ID, registry.Decision{Notes: "welcome"})
	require.NoError(t, err)
	require.Equal(t, registry.PlatformActive, approval.Platform.Status)
	require.Equal(t, today, approval.Platform.ApprovedAt)
	require.NotContains(t, approval.Platform.KeyHash, approval.APIKey)
	_, err = r.Approve(ctx, "admin:me", again.ID, registry.Decision{})
	require.ErrorIs(t, err, registry.ErrApplicationDecided)
	p, err := r.Authenticate(ctx, approval.APIKey)
	require.NoError(t, err, "the first key stays good")
	require.Equal(t, again.ID, p.ID)
	_, err = r.Approve(ctx, "admin:me", 999, registry.Decision{})
	require.ErrorIs(t, err, registry.ErrApplicationUnknown)
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = r.Reject(ctx, "admin:me", again.ID, registry.Decision{Notes: strings.Repeat("n", 2001)})
	invalid(t, err, map[string][]string{"notes": {"The notes must not be greater than 2000 characters."}})
}

func TestAKeyIsGoodUntilItIsRotatedOrItsPlatformSuspended(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	ctx := t.Context()
	first, err := r.RotateKey(ctx, r.seller.Actor(), r.seller.ID)
	require.NoError(t, err)
	second, err := r.RotateKey(ctx, "admin:me", r.seller.ID)
	require.NoError(t, err)
	require.NotEqual(t, first.APIKey, second.APIKey)
	require.True(t, strings.HasPrefix(second.APIKey, second.Platform.KeyPrefix))
	for _, key := range []string{"", "bcccr_", first.APIKey, second.APIKey + "x", second.Platform.KeyHash} {
		_, err := r.Authenticate(ctx, key)
		require.ErrorIs(t, err, registry.ErrInvalidKey)
	}
	_, err = r.Suspend(ctx, "admin:me", r.seller.ID, registry.Decision{Notes: "unpaid"})
	require.NoError(t, err)
	_, err = r.Authenticate(ctx, second.APIKey)
	require.ErrorIs(t, err, registry.ErrPlatformInactive)
	_, err = r.Suspend(ctx, "admin:me", r.seller.ID, registry.Decision{})
	require.ErrorIs(t, err, registry.ErrPlatformState)
	_, err = r.Reinstate(ctx, "admin:me", r.seller.ID, registry.Decision{})
	require.NoError(t, err)
	p, err := r.Authenticate(ctx, second.APIKey)
	require.NoError(t, err)
	require.Equal(t, "unpaid", p.AdminNotes)
	require.Equal(t, []string{"platform.rotate_key", "platform.rotate_key", "platform.suspend", "platform.reinstate"}, r.actions(t)[6:])
}

func TestSecretsAreSealedForTheirPlatformAndReadsAudited(t *testing.T) {
	t.Parallel()
	oldKey, newKey := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 16)
	r := newRoom(t, func(c *registry.Config) { c.EncryptionKey = oldKey })
	ctx := t.Context()
	require.True(t, strings.HasPrefix(r.publisher.Sealed, "v1:"))
	for _, secret := range []string{"12-3456789", "000123", "021000021", "First Bank"} {
		require.NotContains(t, r.publisher.Sealed, secret)
	}
	require.NotEqual(t, r.publisher.Sealed, r.seller.Sealed, "with a nonce of their own")
	want := registry.Secrets{TINNumber: "12-3456789", BankAccountNumber: "000123", BankRoutingNumber: "021000021", BankName: "First Bank"}
	got, err := r.Secrets(ctx, "admin:me", r.publisher.ID, "settlement 12")
	require.NoError(t, err)
	require.Equal(t, want, got)
	list, err := r.Audit(ctx, registry.AuditFilter{Action: "secrets.read"}, registry.PageOptions{})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	require.Equal(t, r.publisher.Actor(), list.Items[0].Subject)
	require.JSONEq(t, `{"fields":["tin_number","bank"],"reason":"settlement 12"}`, string(list.Items[0].Detail))

	rotated, err := registry.New(registry.Config{Store: r.store, EncryptionKey: newKey, OldEncryptionKeys: [][]byte{oldKey}})
	require.NoError(t, err)
	bank := "Second Bank"
	_, err = rotated.UpdatePlatform(ctx, r.publisher, registry.PlatformUpdate{BankName: &bank})
	require.NoError(t, err)
	got, err = rotated.Secrets(ctx, "admin:me", r.publisher.ID, "check")
	require.NoError(t, err)
	want.BankName = bank
	require.Equal(t, want, got)
	_, err = r.Secrets(ctx, "admin:me", r.publisher.ID, "check")
	require.ErrorContains(t, err, "not configured", "it is sealed with the new key")

	_, err = r.store.UpdatePlatform(ctx, r.outsider.ID, func(p *registry.Platform) (registry.Trail, error) {
		p.Sealed = r.seller.Sealed // moved to another row
		return registry.Trail{}, nil
	})
	require.NoError(t, err)
	_, err = r.Secrets(ctx, "admin:me", r.outsider.ID, "check")
	require.ErrorContains(t, err, "from another place")
}

func TestApplicationsAreListedWithoutAccountNumbers(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	for _, name := range []string{"one", "two"} {
		_, err := r.Apply(t.Context(), applicationOf(name, name+"@example.com"))
		require.NoError(t, err)
	}
	pending, err := r.PendingApplications(t.Context(), "admin:me")
	require.NoError(t, err)
	require.Len(t, pending, 2)
	require.Equal(t, "one", pending[0].PlatformName, "the oldest first")
	require.Equal(t, "12-3456789", pending[0].TINNumber)
	require.Equal(t, "First Bank", pending[0].BankName)
	require.Equal(t, []string{"secrets.read", "secrets.read"}, r.actions(t)[8:])
	all, err := r.Applications(t.Context(), "admin:me", "", registry.PageOptions{PerPage: 2})
	require.NoError(t, err)
	require.EqualValues(t, 5, all.Total)
	require.Equal(t, 3, all.LastPage())
}

func TestAProfileIsUpdatedFieldByField(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	ctx := t.Context()
	r.now = today.Add(time.Hour)
	updated, err := r.UpdatePlatform(ctx, r.seller, decode[registry.PlatformUpdate](t, `{"platform_phone":"+44","api_endpoint":"https://example.com/hook","email":"x",
		"payout_address":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C"}`))
	require.NoError(t, err)
	p, want := updated.Platform, r.seller
	want.PlatformPhone, want.APIEndpoint, want.UpdatedAt = "+44", "https://example.com/hook", r.now
	want.PayoutAddress, want.CallbackSecrets = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C", p.CallbackSecrets
	require.Equal(t, want, p, "and nothing else, the secrets neither")
	_, err = r.UpdatePlatform(ctx, r.seller, decode[registry.PlatformUpdate](t, `{"name":"","platform_email":"x","api_endpoint":"x","bank_name":{},"payout_address":"0x12"}`))
	invalid(t, err, map[string][]string{
		"name": {"The name field is required."}, "platform_email": {"The platform email must be a valid email address."},
		"api_endpoint": {"The api endpoint must be a valid URL."}, "bank_name": {"The bank name must be a string."},
		"payout_address": {"The payout address must be an address such as 0x and 40 hexadecimal digits."},
	})
	updated, err = r.UpdatePlatform(ctx, r.seller, decode[registry.PlatformUpdate](t, `{"api_endpoint":""}`))
	require.NoError(t, err)
	require.Empty(t, updated.Platform.APIEndpoint)
}

func TestABearerTokenNamesTheAdmin(t *testing.T) {
	t.Parallel()
	admin := registry.BearerToken("ada", "s3cret")
	for header, want := range map[string]error{
		"": registry.ErrAdminRequired, "Bearer": registry.ErrAdminRequired, "Basic s3cret": registry.ErrAdminRequired,
		"Bearer other": registry.ErrAdminForbidden, "Bearer s3cret": nil, "bearer s3cret": nil,
	} {
		req := httptest.NewRequest("GET", "/", nil)
		req.Header.Set("Authorization", header)
		actor, err := admin(req)
		require.ErrorIs(t, err, want, header)
		if want == nil {
			require.Equal(t, "admin:ada", actor)
		}
	}
	req := httptest.NewRequest("GET", "/", nil)
	req.Header.Set("Authorization", "Bearer  ")
	_, err := registry.BearerToken("ada", "")(req)
	require.Error(t, err, "an empty token admits nobody")
}
