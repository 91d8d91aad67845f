package main_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

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
