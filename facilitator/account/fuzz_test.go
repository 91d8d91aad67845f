package account_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/store/memory"
)

// FuzzAuthenticate shows that nobody gets in with headers that were made up, and
// that whatever they are the answer is a refusal.
func FuzzAuthenticate(f *testing.F) {
	s := memory.New()
	service, err := account.New(account.Config{
		Store: s, AdminTokens: map[string]string{"root": adminToken}, Now: func() time.Time { return today }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		f.Fatal(err)
	}
	const wallet = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
	if _, err := service.Register(f.Context(), account.Registration{PublicKey: wallet}); err != nil {
		f.Fatal(err)
	}
	f.Add("Bearer v402_"+strings.Repeat("a", 32), "", wallet, "1705315500", "nonce-0001", "0x"+strings.Repeat("ab", 65), "8453", "{}")
	f.Add("Bearer "+wallet, "v402_", "", "1705315500", "nonce-0001", "0x00", "", "")
	f.Add("", "", "11111111111111111111111111111111", "1705315500", "nonce-0001", strings.Repeat("1", 64), "", "")
	f.Fuzz(func(t *testing.T, authorization, key, public, stamp, nonce, signature, chain, body string) {
		r := httptest.NewRequest("POST", "/api/v1/clients/profile", strings.NewReader(body))
		for name, value := range map[string]string{
			"Authorization": authorization, "X-Api-Key": key, "X-Public-Key": public, "X-V402-Timestamp": stamp, "X-V402-Nonce": nonce,
			"X-V402-Signature": signature, "X-V402-Chain-Id": chain,
		} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if strings.Contains(authorization, adminToken) {
			return
		}
		_, err := service.Authenticate(r)
		var refused *account.Error
		require.True(t, errors.As(err, &refused), "%v", err)
		left, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.Equal(t, body, string(left), "the body can still be read")
	})
}

func FuzzParsePublicKey(f *testing.F) {
	for _, s := range []string{"0x742d35cc6cf25a8a8c498d0b3045fc22b2b8f7f9", "0X742D35CC6CF25A8A8C498D0B3045FC22B2B8F7F9", "11111111111111111111111111111111",
		"EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "eip155:8453:0x742d35cc6cf25a8a8c498d0b3045fc22b2b8f7f9", "base:0x", "", "0x", "l0OI"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, ok := account.ParsePublicKey(s)
		if !ok {
			return
		}
		again, ok := account.ParsePublicKey(key)
		require.True(t, ok)
		require.Equal(t, key, again, "there is one form of a key")
	})
}

func TestStatusesMoveAsTheyMayInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		service, err := account.New(account.Config{Store: memory.New(), RequireApproval: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
		require.NoError(t, err)
		made, err := service.Register(t.Context(), account.Registration{})
		require.NoError(t, err)
		root := account.User{ID: "admin:root", Role: account.RoleSuperAdmin}
		status := account.StatusPending
		for _, to := range rapid.SliceOfN(rapid.SampledFrom(account.Statuses()), 1, 12).Draw(t, "statuses") {
			u, err := service.SetStatus(t.Context(), root, made.User.ID, account.StatusChange{Status: to})
			if status.CanBecome(to) {
				require.NoError(t, err)
				require.Equal(t, to, u.Status)
				status = to
			} else {
				require.Error(t, err)
			}
			_, err = service.AuthenticateKey(t.Context(), made.Secret)
			require.Equal(t, status == account.StatusActive, err == nil, "%s: %v", status, err)
		}
		log, err := service.AuditLog(t.Context(), account.AuditFilter{Action: "user.set_status"}, pageOf(500))
		require.NoError(t, err)
		if len(log.Items) > 0 {
			require.Contains(t, string(log.Items[0].Detail), `"to":"`+string(status)+`"`)
		}
	})
}
