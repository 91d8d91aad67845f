package e2e_test

import (
	"context"
	"encoding/json"
	"math/big"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

// payment is a signed payment and what its client was told in the end.
type payment struct {
	x402.Payment
	name    string // what is special about it
	mayFail bool
	key     string
	payer   devchain.Account
	answer  x402.SettleResponse // the last one
	again   *payment            // another client that sends the same
}

// body is what the facilitator's API takes.
func (p *payment) body() ([]byte, error) {
	return json.Marshal(map[string]any{
		"x402Version": p.Payload.Version, "paymentPayload": p.Payload, "paymentRequirements": p.Requirements,
	})
}

// requirement asks for units of the test USDC.
func (w *world) requirement(units uint64, valid time.Duration) x402.PaymentRequirements {
	return x402.PaymentRequirements{
		Scheme: x402.SchemeExact, Network: w.network, Amount: x402.NewAmount(units), Asset: w.chain.Token.Hex(),
		PayTo: w.chain.PayTo.Address.Hex(), MaxTimeoutSeconds: x402.Seconds(valid.Seconds()),
		Extra: json.RawMessage(`{"name":"USDC","version":"2"}`),
	}
}

// sign makes a payment of units that is valid for a while from now.
func (w *world) sign(name string, payer devchain.Account, units uint64, valid time.Duration) *payment {
	w.t.Helper()
	signer, err := evm.ParseSigner(payer.Key)
	require.NoError(w.t, err)
	q := w.requirement(units, valid)
	payload, err := signer.Sign(context.Background(), x402.V2, q, time.Now())
	require.NoError(w.t, err)
	p := x402.Payment{Payload: x402.PaymentPayload{Version: x402.V2, Accepted: q, Payload: payload}, Requirements: q}
	id, err := p.Identity()
	require.NoError(w.t, err)
	return &payment{Payment: p, name: name, key: id.String(), payer: payer}
}

const lasting = 20 * time.Minute // longer than blocks run ahead of the clock

// good is a payment that nothing keeps from being settled.
func (w *world) good(i int) *payment {
	return w.sign("good", w.rich[i%len(w.rich)], 1000+uint64(i), lasting)
}

// doubtful is a payment that may fail.
func (w *world) doubtful(name string, payer devchain.Account, units uint64, valid time.Duration) *payment {
	p := w.sign(name, payer, units, valid)
	p.mayFail = true
	return p
}

// mixture makes payments of which most are good. Some have no balance behind
// them, or one for some of them; some expire while they are settled; some are
// submitted by somebody else; and some are sent by two clients at once.
func (w *world) mixture(i int) *payment {
	units := 1000 + uint64(i)
	switch i % 20 {
	case 3:
		return w.doubtful("without balance", w.chain.Poor, units, lasting)
	case 7, 8, 9:
		return w.doubtful("short of balance", w.tight, units, lasting)
	case 12:
		return w.doubtful("soon expired", w.rich[i%len(w.rich)], units, time.Second+upTo(w.random, 4*time.Second))
	case 15:
		return w.sign("submitted by another", w.rich[i%len(w.rich)], units, lasting)
	case 17, 18:
		p := w.sign("sent by two", w.rich[i%len(w.rich)], units, lasting)
		twin := *p
		p.again = &twin
		return p
	default:
		return w.good(i)
	}
}

// fundTight gives the payer who is short of balance enough for about a third
// of n payments of the mixture that are its own. No node lags so far behind
// that it has not heard of it.
func (w *world) fundTight(n int) {
	w.t.Helper()
	units := uint64(n/20+1) * (1000 + uint64(n)/2)
	require.NoError(w.t, w.chain.Mint(w.tight.Address, new(big.Int).SetUint64(units)))
	require.NoError(w.t, w.chain.Mine(mostLag))
}

// submit has somebody else send the transfer that p authorizes.
func (w *world) submit(ctx context.Context, p *payment) {
	w.t.Helper()
	var c evm.Checker
	exact, err := c.Check(p.Payment, time.Now())
	require.NoError(w.t, err)
	w.send(ctx, &types.DynamicFeeTx{To: &w.chain.Token, Data: exact.Calldata(), Gas: 200_000})
}

// fund sends the account an ether.
func (w *world) fund(ctx context.Context, to common.Address) {
	w.t.Helper()
	w.send(ctx, &types.DynamicFeeTx{To: &to, Value: big.NewInt(1e18), Gas: 21_000})
}

// send sends a transaction from the account that nobody else uses.
func (w *world) send(ctx context.Context, tx *types.DynamicFeeTx) {
	w.t.Helper()
	key, err := crypto.HexToECDSA(strings.TrimPrefix(w.nosy.Key, "0x"))
	require.NoError(w.t, err)
	tx.Nonce, err = w.client.PendingNonceAt(ctx, w.nosy.Address)
	require.NoError(w.t, err)
	tx.ChainID = new(big.Int).SetUint64(w.chain.ChainID)
	tx.GasTipCap, tx.GasFeeCap = big.NewInt(1e6), big.NewInt(1e9)
	signed, err := types.SignNewTx(key, types.LatestSignerForChainID(tx.ChainID), tx)
	require.NoError(w.t, err)
	require.NoError(w.t, w.client.SendTransaction(ctx, signed))
}
