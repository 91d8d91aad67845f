package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/store/sqlite"
)

func TestTheRegistryWorksUnderAPrefixWithTheServersOwnUsers(t *testing.T) {
	t.Parallel()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"))
	require.NoError(t, err)
	defer db.Close()
	h, err := newServer(db, bytes.Repeat([]byte{1}, 32), users{"ada": "secret", "bob": ""})
	require.NoError(t, err)
	server := httptest.NewServer(h)
	defer server.Close()

	// do sends a request and reads data.api_key, if there is one.
	do := func(method, path, body, name, value string) (status int, key string) {
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		if name != "" {
			r.Header.Set(name, value)
		}
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer answer.Body.Close()
		if path == "/" {
			return answer.StatusCode, ""
		}
		var got struct {
			Data struct {
				Key string `json:"api_key"`
			}
		}
		require.NoError(t, json.NewDecoder(answer.Body).Decode(&got))
		return answer.StatusCode, got.Data.Key
	}
	basic := func(name, password string) string {
		r := httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth(name, password)
		return r.Header.Get("Authorization")
	}
	status, _ := do("GET", "/", "", "", "")
	require.Equal(t, 200, status)
	status, _ = do("POST", "/royalties/api/platforms/register", `{"name":"Ann","email":"ann@example.com","password":"correct horse","password_confirmation":"correct horse",
		"platform_name":"Books","platform_address":"1 Main St","tin_number":"1","platform_phone":"1","platform_email":"office@example.com",
		"bank_account_number":"1","bank_routing_number":"1","bank_name":"Bank"}`, "", "")
	require.Equal(t, 201, status)

	const approve = "/royalties/api/admin/applications/1/approve"
	for _, c := range []struct {
		authorization string
		status        int
	}{
		{"", 401}, {"Bearer secret", 401}, {basic("ada", "wrong"), 403}, {basic("bob", ""), 403}, {basic("eve", ""), 403},
	} {
		status, _ = do("POST", approve, "", "Authorization", c.authorization)
		require.Equal(t, c.status, status, c.authorization)
	}
	status, key := do("POST", approve, "", "Authorization", basic("ada", "secret"))
	require.Equal(t, 200, status)

	status, _ = do("POST", "/royalties/api/contracts/register", `{"ipfs_hash":"Qm","metadata_cid":"Qm","contract_hashes":["a//b"]}`, "X-API-Key", key)
	require.Equal(t, 201, status)
	status, _ = do("GET", "/royalties/api/contracts/a%2F%2Fb", "", "X-API-Key", key)
	require.Equal(t, 200, status)
	status, _ = do("PUT", "/royalties/api/contracts/a%2F%2Fb/revoke", "", "X-API-Key", key)
	require.Equal(t, 200, status)
	status, _ = do("GET", "/royalties/nothing", "", "", "")
	require.Equal(t, 404, status, "in the form of the API")
}

func TestWithoutAKeyNothingIsServed(t *testing.T) {
	t.Parallel()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"))
	require.NoError(t, err)
	defer db.Close()
	_, err = newServer(db, []byte{}, users{})
	require.Error(t, err)
}
