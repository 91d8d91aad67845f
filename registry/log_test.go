package registry_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/registry"
)

func TestWhateverIsLoggedItsSecretsAreNot(t *testing.T) {
	t.Parallel()
	const secret = "do-not-tell"
	secrets := registry.Secrets{TINNumber: secret, BankAccountNumber: secret, BankRoutingNumber: secret, BankName: secret}
	platform := registry.Platform{
		ID: 7, PlatformName: "Books", PasswordHash: secret, Sealed: secret, CallbackSecrets: secret, KeyHash: secret, Email: secret,
	}
	for _, v := range []any{
		platform, &platform, secrets, &secrets,
		registry.Application{PlatformName: "Books", Password: secret, PasswordConfirmation: secret, TINNumber: secret, BankAccountNumber: secret},
		registry.ApplicationView{Platform: platform, TINNumber: secret, BankName: secret},
		registry.Credentials{Platform: platform, APIKey: secret, CallbackSecret: secret},
		registry.BankDetails{BankName: secret, AccountNumber: secret, RoutingNumber: secret},
		registry.Callback{URL: "https://example.com/?token=" + secret, Secrets: []string{secret}},
		[]registry.Platform{platform}, struct{ Made registry.Credentials }{registry.Credentials{APIKey: secret}},
	} {
		var told bytes.Buffer
		slog.New(slog.NewTextHandler(&told, nil)).Info("made", "what", v)
		if _, logs := v.(slog.LogValuer); logs {
			slog.New(slog.NewJSONHandler(&told, nil)).Info("made", "what", v)
		}
		fmt.Fprintf(&told, "%v %+v %s", v, v, v)
		require.NotContains(t, told.String(), secret, "%T", v)
	}
	require.Equal(t, "platform:7", fmt.Sprint(platform))
	require.Equal(t, `credentials of platform:7`, fmt.Sprint(registry.Credentials{Platform: platform}))
	require.Equal(t, `application:"Books"`, fmt.Sprint(registry.Application{PlatformName: "Books"}))
}
