package x402_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
)

func TestAPaymentExpiresWithItsAuthorizationOrItsRequirement(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	minute, year := now.Add(time.Minute), now.AddDate(1, 0, 0)
	for payload, want := range map[string]time.Time{
		`{}`:                     minute,
		`[]`:                     minute,
		`{"transaction":"AQ=="}`: minute,
		`{"authorization":{}}`:   minute,
		`{"authorization":{"validBefore":"1700000001"}}`:           minute,
		`{"authorization":{"validBefore":"1700003600"}}`:           now.Add(time.Hour),
		`{"permit2Authorization":{"deadline":"1700003600"}}`:       now.Add(time.Hour),
		`{"authorization":{"validBefore":"99999999999999999999"}}`: year,
		`{"authorization":{"validBefore":"soon"}}`:                 year,
	} {
		p := x402.Payment{Payload: x402.PaymentPayload{Payload: json.RawMessage(payload)}}
		p.Requirements.MaxTimeoutSeconds = 60
		require.True(t, want.Equal(p.Expires(now)), "%s: %s", payload, p.Expires(now))
	}
}
