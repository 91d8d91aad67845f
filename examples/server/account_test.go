package main_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/x402/evm"
)

func TestWalletsSignForThePublicHost(t *testing.T) {
	t.Parallel()
	p := start(t, "-store", "memory:", "-public-url", "https://shop.example")
	signer, err := evm.ParseSigner(p.key)
	require.NoError(t, err)
	register := func(host, nonce string) int {
		answer := p.sendSigned(t, signer, "POST", host, "/api/v1/auth/register", "{}", nonce)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode
	}
	require.Equal(t, 401, register("", "nonce-number-1"))
	require.Equal(t, 201, register("shop.example", "nonce-number-2"))
	p.stop(t)
}

// sendSigned sends what a wallet has signed for a host.
func (p *process) sendSigned(t *testing.T, signer *evm.Signer, method, host, path, body, nonce string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
	require.NoError(t, err)
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	r.Header.Set(account.HeaderPublicKey, signer.Address().String())
	r.Header.Set(account.HeaderTimestamp, stamp)
	r.Header.Set(account.HeaderNonce, nonce)
	text := account.SigningText(method, host+path, []byte(body), stamp, nonce)
	r.Header.Set(account.HeaderSignature, signer.SignMessage([]byte(text)).String())
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	return answer
}

func TestClientsBehindATrustedProxyAreLimitedEachByItself(t *testing.T) {
	t.Parallel()
	p := start(t, "-store", "memory:", "-trusted-proxies", "127.0.0.1, 10.0.0.0/8")
	left := func(forwarded string) string {
		r, err := http.NewRequestWithContext(t.Context(), "POST", p.url+"/api/v1/auth/register", strings.NewReader(`{"role":"king"}`))
		require.NoError(t, err)
		r.Header.Set("X-Forwarded-For", forwarded)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.Header.Get("X-RateLimit-Remaining")
	}
	require.Equal(t, "19", left("203.0.113.1"))
	require.Equal(t, "18", left("203.0.113.1, 10.1.2.3"))
	require.Equal(t, "17", left("198.51.100.9, 203.0.113.1"), "what the client says of others is not believed")
	require.Equal(t, "19", left("203.0.113.2"))
	require.Equal(t, "19", left("2001:db8::1"))
	require.Equal(t, "18", left("2001:db8::2"))
	require.Equal(t, "19", left("nonsense"), "the proxy itself")
	p.stop(t)
}

// v1 sends a request to /api/v1 and reads the answer.
func (p *process) v1(t *testing.T, method, path, body, token string, into any) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+"/api/v1"+path, strings.NewReader(body))
	require.NoError(t, err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.NoError(t, json.NewDecoder(answer.Body).Decode(into))
	return answer.StatusCode
}

func TestUsersRegisterAndTheAdminSuspendsThem(t *testing.T) {
	t.Parallel()
	const public = "0x742d35cc6cf25a8a8c498d0b3045fc22b2b8f7f9"
	p := start(t, "-store", "memory:")
	token := adminToken.FindStringSubmatch(p.out)
	require.NotNil(t, token, p.out)
	var made struct {
		User   struct{ ID string }
		APIKey string `json:"api_key"`
	}
	require.Equal(t, 201, p.v1(t, "POST", "/auth/register", `{"role":"content_provider","public_key":"`+public+`"}`, "", &made))
	var profile struct{ ID string }
	require.Equal(t, 200, p.v1(t, "GET", "/providers/profile", "", made.APIKey, &profile))
	require.Equal(t, 200, p.v1(t, "GET", "/providers/profile", "", public, &profile), "as in the documentation, in dev mode")
	require.Equal(t, made.User.ID, profile.ID)

	var list struct{ Total int }
	require.Equal(t, 200, p.v1(t, "GET", "/admin/users?status=active", "", token[1], &list))
	require.Equal(t, 1, list.Total)
	var refused struct{ Error string }
	require.Equal(t, 200, p.v1(t, "PATCH", "/admin/users/"+profile.ID+"/status?reason=Terms+violation", `{"new_status":"suspended"}`, token[1], &refused))
	require.Equal(t, 403, p.v1(t, "GET", "/providers/profile", "", made.APIKey, &refused))
	require.Equal(t, "ACCOUNT_SUSPENDED", refused.Error)
	require.Equal(t, 404, p.v1(t, "GET", "/nothing", "", "", &refused))
	require.Equal(t, "NOT_FOUND", refused.Error)
	p.stop(t)
}
