package e2e_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/evm"
	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
	x402evm "github.com/v402/v402/x402/evm"
)

// A contract wallet, on a chain, signs in by what its owner signs.
func TestAContractWalletSignsIn(t *testing.T) {
	t.Parallel()
	dev, err := devchain.Start(t.Context(), devchain.Config{Addr: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	store, log := memory.New(), slog.New(slog.NewTextHandler(io.Discard, nil))
	chain, err := evm.New(evm.Config{Network: x402.BaseSepolia, URLs: []string{dev.URL()}, Keys: []string{dev.Relayer.Key}, Journal: store, Logger: log})
	require.NoError(t, err)
	service, err := account.New(account.Config{Store: store, Chains: []account.Chain{chain}, Logger: log})
	require.NoError(t, err)
	handler := service.Handler()

	nonces := 0
	send := func(owner devchain.Account, method, path string) int {
		nonces++
		signer, err := x402evm.ParseSigner(owner.Key)
		require.NoError(t, err)
		stamp, nonce := strconv.FormatInt(time.Now().Unix(), 10), "nonce-number-"+strconv.Itoa(nonces)
		r := httptest.NewRequest(method, path, http.NoBody)
		r.Header.Set(account.HeaderPublicKey, devchain.WalletAddress.Hex())
		r.Header.Set(account.HeaderTimestamp, stamp)
		r.Header.Set(account.HeaderNonce, nonce)
		r.Header.Set(account.HeaderChainID, "84532")
		r.Header.Set(account.HeaderSignature, signer.SignMessage([]byte(account.SigningText(method, path, nil, stamp, nonce))).String())
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	require.Equal(t, 401, send(dev.PayTo, "POST", "/api/v1/auth/register"), "a stranger does not register the wallet")
	require.Equal(t, 201, send(dev.Payer, "POST", "/api/v1/auth/register"))
	require.Equal(t, 200, send(dev.Payer, "GET", "/api/v1/clients/profile"))
	require.Equal(t, 401, send(dev.PayTo, "GET", "/api/v1/clients/profile"))
}
