package e2e_test

import (
	"log/slog"
	"math/big"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/x402"
)

// world is a chain and the accounts on it.
type world struct {
	t       testing.TB
	chain   *devchain.Chain
	client  *ethclient.Client
	network x402.Network
	rich    []devchain.Account // a million USDC each
	tight   devchain.Account   // a little USDC, for some of what it signs
	nosy    devchain.Account   // submits other people's authorizations
	random  *rand.Rand         // for the test's own goroutine
}

func newWorld(t testing.TB, cfg devchain.Config) *world {
	t.Helper()
	cfg.Addr, cfg.Accounts = "127.0.0.1:0", 16
	chain, err := devchain.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, chain.Close()) })
	client, err := ethclient.Dial(chain.URL())
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return &world{
		t: t, chain: chain, client: client, network: x402.Network(chain.Network()),
		rich: chain.Accounts[6:15], nosy: chain.Accounts[15],
		tight:  devchain.TestAccount(100),
		random: newRandom(t),
	}
}

// newRandom prints its seed, so that a run can be repeated with V402_SEED as
// far as time allows.
func newRandom(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(402)
	if s := os.Getenv("V402_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err, "V402_SEED")
	}
	t.Logf("V402_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, seed))
}

// soak multiplies n by V402_SOAK.
func soak(t testing.TB, n int) int {
	t.Helper()
	s := os.Getenv("V402_SOAK")
	if s == "" {
		return n
	}
	by, err := strconv.Atoi(s)
	require.NoError(t, err, "V402_SOAK")
	return n * max(by, 1)
}

// upTo is a random duration below most.
func upTo(r *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(most)))
}

// balance of the test USDC.
func (w *world) balance(of common.Address) *big.Int {
	w.t.Helper()
	units, err := w.chain.Balance(of)
	require.NoError(w.t, err)
	return units
}

// newLog collects what a facilitator in this process logs, and shows its end if
// the test fails.
func newLog(t testing.TB) *slog.Logger {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "*.log")
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(tail(file.Name()))
		}
		_ = file.Close()
	})
	return slog.New(slog.NewTextHandler(file, nil))
}
