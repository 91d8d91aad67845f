package evm_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/facilitator/evm"
	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
	x402evm "github.com/v402/v402/x402/evm"
)

// patience is how long a test waits for what takes milliseconds on a machine that
// has nothing else to do.
const patience = 2 * time.Minute

// rig is a facilitator on a chain of its own.
type rig struct {
	t       testing.TB
	dev     *devchain.Chain
	chain   *evm.Chain
	service *facilitator.Service
	journal facilitator.Journal
}

// usdc is the dev chain's token as the default assets know it.
var usdc = x402.Asset{
	Network: x402.BaseSepolia, Address: devchain.TokenAddress.Hex(), Symbol: "USDC", Name: "USDC", Version: "2", Decimals: 6,
}

func asset(address common.Address) x402.Asset {
	a := usdc
	a.Address = address.Hex()
	return a
}

// newRig starts a chain and a facilitator on it, with times short enough for a
// test. change may alter the configuration.
func newRig(t testing.TB, change func(*evm.Config, *devchain.Config)) *rig {
	t.Helper()
	dcfg := devchain.Config{Addr: "127.0.0.1:0"}
	cfg := evm.Config{
		Network: x402.BaseSepolia, Journal: memory.New(), Owner: t.Name(),
		ResendAfter: 200 * time.Millisecond, ReplaceAfter: 400 * time.Millisecond, LeaseFor: 2 * time.Second, RPCTimeout: time.Minute,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if change != nil {
		change(&cfg, &dcfg)
	}
	dev, err := devchain.Start(t.Context(), dcfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	if len(cfg.URLs) == 0 {
		cfg.URLs = []string{dev.URL()}
	}
	if len(cfg.Keys) == 0 {
		cfg.Keys = []string{dev.Relayer.Key}
	}
	r := &rig{t: t, dev: dev, journal: cfg.Journal}
	r.chain, err = evm.New(cfg)
	require.NoError(t, err)
	r.service, err = facilitator.New(facilitator.Config{
		Chains: []facilitator.Chain{r.chain}, Journal: cfg.Journal, Owner: cfg.Owner, LeaseFor: cfg.LeaseFor,
		SettleTimeout: time.Minute, Logger: cfg.Logger,
	})
	require.NoError(t, err)
	return r
}

// run runs the facilitator for the rest of the test.
func (r *rig) run() *rig {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := r.service.Run(ctx); err != nil && ctx.Err() == nil {
			r.t.Error(err)
		}
	})
	r.t.Cleanup(func() { cancel(); wg.Wait() })
	return r
}

// pay signs a payment of units of a by the payer to the dev chain's payee.
func (r *rig) pay(a x402.Asset, units uint64) x402.Payment {
	return r.payAs(r.dev.Payer, a.Requirements(x402.NewAmount(units), r.dev.PayTo.Address.Hex()), time.Now())
}

func (r *rig) payAs(from devchain.Account, q x402.PaymentRequirements, now time.Time) x402.Payment {
	r.t.Helper()
	signer, err := x402evm.ParseSigner(from.Key)
	require.NoError(r.t, err)
	payload, err := signer.Sign(context.Background(), x402.V2, q, now)
	require.NoError(r.t, err)
	return x402.Payment{
		Payload:      x402.PaymentPayload{Version: x402.V2, Accepted: q, Payload: payload},
		Requirements: q,
	}
}

func (r *rig) settle(p x402.Payment) x402.SettleResponse {
	r.t.Helper()
	answer, err := r.service.Settle(context.Background(), p)
	require.NoError(r.t, err)
	return answer
}

func (r *rig) verify(p x402.Payment) x402.VerifyResponse {
	r.t.Helper()
	answer, err := r.service.Verify(context.Background(), p)
	require.NoError(r.t, err)
	return answer
}

func (r *rig) received() int64 {
	r.t.Helper()
	b, err := r.dev.Balance(r.dev.PayTo.Address)
	require.NoError(r.t, err)
	return b.Int64()
}

// row is what the journal says of a payment.
func (r *rig) row(p x402.Payment) facilitator.Settlement {
	r.t.Helper()
	id, err := p.Identity()
	require.NoError(r.t, err)
	s, err := r.journal.SettlementByKey(context.Background(), id.String())
	require.NoError(r.t, err)
	return s
}

// calldata is the call that settles p, for those who submit it themselves.
func calldata(t testing.TB, p x402.Payment) []byte {
	t.Helper()
	e, err := x402evm.Checker{}.Check(p, time.Now())
	require.NoError(t, err)
	return e.Calldata()
}

// submit sends a transaction of somebody who is no relayer of ours.
func (r *rig) submit(from devchain.Account, to common.Address, data []byte) common.Hash {
	r.t.Helper()
	ctx := context.Background()
	client, err := ethclient.Dial(r.dev.URL())
	require.NoError(r.t, err)
	defer client.Close()
	nonce, err := client.PendingNonceAt(ctx, from.Address)
	require.NoError(r.t, err)
	key, err := crypto.ToECDSA(common.FromHex(from.Key))
	require.NoError(r.t, err)
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(new(big.Int).SetUint64(r.dev.ChainID)), &types.DynamicFeeTx{
		ChainID: new(big.Int).SetUint64(r.dev.ChainID), Nonce: nonce, To: &to, Data: data, Gas: 500_000,
		GasTipCap: big.NewInt(2e9), GasFeeCap: big.NewInt(200e9),
	})
	require.NoError(r.t, err)
	require.NoError(r.t, client.SendTransaction(ctx, tx))
	return tx.Hash()
}

// mined waits until a transaction is in a block.
func (r *rig) mined(tx common.Hash) *types.Receipt {
	r.t.Helper()
	client, err := ethclient.Dial(r.dev.URL())
	require.NoError(r.t, err)
	defer client.Close()
	var receipt *types.Receipt
	require.Eventually(r.t, func() bool {
		receipt, err = client.TransactionReceipt(context.Background(), tx)
		return err == nil
	}, patience, 10*time.Millisecond)
	return receipt
}

// extra replaces the EIP-712 domain that a requirement names.
func extra(q x402.PaymentRequirements, name, version string) x402.PaymentRequirements {
	q.Extra, _ = json.Marshal(map[string]string{"name": name, "version": version})
	return q
}

// resign signs the nonce and times of p again under other requirements.
func resign(t testing.TB, key string, p x402.Payment, q x402.PaymentRequirements) x402.Payment {
	t.Helper()
	e, err := x402evm.Checker{}.Check(p, time.Now())
	require.NoError(t, err)
	signer, err := x402evm.ParseSigner(key)
	require.NoError(t, err)
	a := e.Authorization
	a.To, err = x402evm.ParseAddress(q.PayTo)
	require.NoError(t, err)
	payload, err := json.Marshal(map[string]any{"authorization": a, "signature": signer.SignDigest(a.Digest(e.Domain.Separator()))})
	require.NoError(t, err)
	p.Requirements, p.Payload.Accepted, p.Payload.Payload = q, q, payload
	return p
}

// packAggregate encodes aggregate3((address target,bool allowFailure,bytes callData)[]).
func packAggregate(calls any) []byte {
	kind, err := abi.NewType("tuple[]", "", []abi.ArgumentMarshaling{
		{Name: "target", Type: "address"}, {Name: "allowFailure", Type: "bool"}, {Name: "callData", Type: "bytes"},
	})
	if err != nil {
		panic(err)
	}
	packed, err := abi.Arguments{{Type: kind}}.Pack(calls)
	if err != nil {
		panic(err)
	}
	return append(append([]byte{}, x402evm.Aggregate3Selector[:]...), packed...)
}
