package evm

import (
	"context"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	x402evm "github.com/v402/v402/x402/evm"
)

//go:generate npm --prefix contracts install --ignore-scripts
//go:generate npm --prefix contracts run compile

//go:embed contracts/Simulation.json
var simulationJSON []byte

// simulationCode is the creation code of contracts/Simulation.sol, which says
// what it does.
var simulationCode = func() []byte {
	var artifact struct {
		Creation hexutil.Bytes `json:"creation"`
	}
	if err := json.Unmarshal(simulationJSON, &artifact); err != nil || len(artifact.Creation) == 0 {
		panic("evm: contracts/Simulation.json is broken: compile it again")
	}
	return artifact.Creation
}()

const (
	maxTrials     = 64 // in one eth_call; EIP-3860 limits its size
	maxTrialCalls = 4  // eth_calls under way at once
	trialShare    = 8  // payments that wait before another eth_call goes beside one under way
)

// trial is one payment to try; its fields are those of Simulation.Payment.
type trial struct {
	Token common.Address
	From  common.Address
	To    common.Address
	Nonce [32]byte
	Data  []byte
}

func trialOf(e *x402evm.Exact) trial {
	a := &e.Authorization
	return trial{common.Address(e.Asset), common.Address(a.From), common.Address(a.To), a.Nonce, e.Calldata()}
}

// outcome is what came of it: Simulation.Outcome, and its Diagnosis if nothing
// arrived.
type outcome struct {
	success  bool
	received *big.Int
	gas      uint64
	why      *diagnosis
}

// diagnosis is Simulation.Diagnosis.
type diagnosis struct {
	Deployed  bool
	Supported bool
	Used      bool
	Balance   *big.Int
	Separator [32]byte
	Result    []byte
	Name      []byte
	Version   []byte
}

var (
	outcomesABI  = abi.Arguments{{Type: mustType("bytes[]", nil)}}
	diagnosisABI = tupleABI("tuple", "deployed bool,supported bool,used bool,balance uint256,separator bytes32,result bytes,name bytes,version bytes")
)

func tupleABI(kind, fields string) abi.Arguments {
	var parts []abi.ArgumentMarshaling
	for f := range strings.SplitSeq(fields, ",") {
		name, typ, _ := strings.Cut(f, " ")
		parts = append(parts, abi.ArgumentMarshaling{Name: name, Type: typ})
	}
	return abi.Arguments{{Type: mustType(kind, parts)}}
}

func mustType(kind string, parts []abi.ArgumentMarshaling) abi.Type {
	t, err := abi.NewType(kind, "", parts)
	if err != nil {
		panic(err) // the tables above are wrong
	}
	return t
}

// try is the work of c.trials: one eth_call for all of them. Where a node finds
// that too much, it is two of half the size.
func (c *Chain) try(ctx context.Context, trials []trial) ([]outcome, error) {
	if len(trials) == 1 && c.gas.knows(&trials[0]) && c.tryAlone(ctx, &trials[0]) {
		return []outcome{{success: true, received: maxUint256}}, nil
	}
	out, err := c.tryAtOnce(ctx, trials)
	var refusal rpc.Error
	if err == nil || len(trials) == 1 || !errors.As(err, &refusal) {
		return out, err
	}
	half := len(trials) / 2
	first, err := c.try(ctx, trials[:half])
	if err != nil {
		return nil, err
	}
	second, err := c.try(ctx, trials[half:])
	return append(first, second...), err
}

// tryAlone makes a single trial cheaper where the simulation has shown before
// that the token delivers to this recipient: by the bare call of the transfer,
// and the state of the authorization, which some tokens do not mind. It says
// whether the trial succeeds; if not, the simulation finds out why.
func (c *Chain) tryAlone(ctx context.Context, t *trial) bool {
	var used, returned hexutil.Bytes
	state := map[string]any{"to": t.Token, "data": stateCall(t.From, t.Nonce)}
	transfer := map[string]any{"from": c.relayers[0].address, "to": t.Token, "data": hexutil.Bytes(t.Data)}
	queries := []*query{
		{method: "eth_call", args: []any{transfer, "latest"}, result: &returned, spare: true},
		{method: "eth_call", args: []any{state, "latest"}, result: &used},
	}
	news := c.staleNews()
	if err := c.node.read(ctx, append(queries, news.queries...)...); err != nil {
		return false
	}
	c.learn(news)
	return queries[0].err == nil && len(used) == 32 && !isTrue(used)
}

// maxUint256 stands for whatever a trial had to deliver.
var maxUint256 = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))

func (c *Chain) tryAtOnce(ctx context.Context, trials []trial) ([]outcome, error) {
	var answer hexutil.Bytes
	call := map[string]any{
		"from": c.relayers[0].address,
		"data": appendTrials(slices.Clone(simulationCode), trials),
	}
	queries := []*query{{method: "eth_call", args: []any{call, "latest"}, result: &answer}}
	news := c.staleNews()
	if err := c.node.read(ctx, append(queries, news.queries...)...); err != nil {
		return nil, err
	}
	c.learn(news)
	return decodeOutcomes(answer, len(trials))
}

// appendTrials appends the ABI encoding of Payment[]: it is made for every
// request, and several times as fast as by reflection.
func appendTrials(b hexutil.Bytes, trials []trial) hexutil.Bytes {
	const word, fields = 32, 5 // of a Payment, before the bytes of its data
	n := len(trials)
	b = slices.Grow(b, word*(2+n*(1+fields+12)))
	number := func(i int) { b = binary.BigEndian.AppendUint64(append(b, make([]byte, 24)...), uint64(i)) }
	address := func(a common.Address) { b = append(append(b, make([]byte, 12)...), a[:]...) }
	padded := func(size int) int { return (size + word - 1) / word * word }
	number(word)
	number(n)
	for i, offset := 0, n*word; i < n; i++ {
		number(offset)
		offset += word*(fields+1) + padded(len(trials[i].Data))
	}
	for i := range trials {
		t := &trials[i]
		address(t.Token)
		address(t.From)
		address(t.To)
		b = append(b, t.Nonce[:]...)
		number(fields * word)
		number(len(t.Data))
		b = append(b, t.Data...)
		b = append(b, make([]byte, padded(len(t.Data))-len(t.Data))...)
	}
	return b
}

func decodeOutcomes(answer []byte, n int) ([]outcome, error) {
	values, err := outcomesABI.Unpack(answer)
	if err != nil {
		return nil, fmt.Errorf("evm: answer of the simulation: %w", err)
	}
	raw := values[0].([][]byte)
	if len(raw) != n {
		return nil, fmt.Errorf("evm: the simulation answers for %d payments, not %d", len(raw), n)
	}
	out := make([]outcome, n)
	for i, b := range raw {
		if out[i], err = decodeOutcome(b); err != nil {
			return nil, fmt.Errorf("evm: outcome of payment %d in the simulation: %w", i, err)
		}
	}
	return out, nil
}

func decodeOutcome(b []byte) (outcome, error) {
	const words = 3 // of Simulation.Outcome
	if len(b) < words*32 {
		return outcome{}, fmt.Errorf("%d bytes are too few", len(b))
	}
	o := outcome{
		success: b[31] == 1, received: new(big.Int).SetBytes(b[32:64]),
		gas: new(big.Int).SetBytes(b[64:96]).Uint64(),
	}
	if len(b) == words*32 {
		return o, nil
	}
	values, err := diagnosisABI.Unpack(b[words*32:])
	if err != nil {
		return outcome{}, err
	}
	o.why = abi.ConvertType(values[0], new(diagnosis)).(*diagnosis)
	return o, nil
}
