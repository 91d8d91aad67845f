package sqlite_test

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
)

func TestAuthenticationIsOneRead(t *testing.T) {
	t.Parallel()
	s, c := openCounted(t)
	service, err := account.New(account.Config{Store: s})
	require.NoError(t, err)
	made, err := service.Register(t.Context(), account.Registration{})
	require.NoError(t, err)
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-API-Key", made.Secret)
	_, err = service.Authenticate(r) // the first time writes that the user was seen
	require.NoError(t, err)
	for range 3 {
		before := c.statements.Load()
		_, err = service.Authenticate(r)
		require.NoError(t, err)
		require.EqualValues(t, 1, c.statements.Load()-before)
	}
	before := c.statements.Load()
	for _, key := range []string{"", "v402_", made.Secret + "x", "secret"} {
		_, err := service.AuthenticateKey(t.Context(), key)
		require.ErrorIs(t, err, account.ErrInvalidCredentials)
	}
	require.Equal(t, before, c.statements.Load(), "what is no key is not looked up")
}
