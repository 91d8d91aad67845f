package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTwoLicencesAreSoldAndOpenTheReport(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out))
	require.Equal(t, `alice, by a transaction: paid 25.00 USDC, got entitlement_active, reads "the report for org.acme.root"
bob, by x402: paid 25.00 USDC, got entitlement_active, reads "the report for org.acme.root"
`, out.String())
}
