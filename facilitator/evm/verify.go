package evm

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/x402"
	x402evm "github.com/v402/v402/x402/evm"
)

// Inspect implements [facilitator.Chain]: the checks that need no chain, and the
// token's EIP-712 name and version as configured. The signature is left to the
// token, which checks it in the simulation: recovering the signer takes longer
// than all else that is done here.
func (c *Chain) Inspect(p x402.Payment, now time.Time) (facilitator.Transfer, error) {
	e, err := c.decode(p, now)
	if err != nil {
		return facilitator.Transfer{}, err
	}
	return facilitator.Transfer{
		Payment: p, Key: c.key(e), Payer: e.Authorization.From.String(),
		ValidBefore: unixTime(e.Authorization.ValidBefore), Decoded: e,
		Prove: func() error { return c.checker.CheckSignature(e) },
	}, nil
}

// key is x402.Payment.Identity of a decoded payment.
func (c *Chain) key(e *x402evm.Exact) string {
	a := &e.Authorization
	return x402.Identity{
		Network: c.cfg.Network, Asset: strings.ToLower(e.Asset.String()),
		Payer: strings.ToLower(a.From.String()), Nonce: hex.EncodeToString(a.Nonce[:]),
	}.String()
}

func (c *Chain) decode(p x402.Payment, now time.Time) (*x402evm.Exact, error) {
	if p.Requirements.Network != c.cfg.Network {
		return nil, x402.Refuse(x402.ReasonInvalidNetwork, "network", "this is "+string(c.cfg.Network))
	}
	e, err := c.checker.CheckUnsigned(p, now)
	if err != nil {
		return nil, err
	}
	if a, ok := c.assets[e.Asset]; ok && a.Name != "" {
		if e.Domain.Name != a.Name {
			return nil, x402.Refuse(x402.ReasonEVMTokenName, "extra.name", fmt.Sprintf("the token's EIP-712 name is %q, not %q", a.Name, e.Domain.Name))
		}
		if e.Domain.Version != a.Version {
			return nil, x402.Refuse(x402.ReasonEVMTokenVersion, "extra.version", fmt.Sprintf("the token's EIP-712 version is %q, not %q", a.Version, e.Domain.Version))
		}
	}
	return e, nil
}

// unixTime is the time at seconds since 1970, as late as time.Time reaches in
// microseconds for those who mean never.
func unixTime(seconds uint64) time.Time {
	const latest = 1<<43 - 1 // the year 280,000; its microseconds fit into 63 bits
	return time.Unix(int64(min(seconds, latest)), 0).UTC()
}

// Verify implements [facilitator.Chain]: one eth_call, shared with whoever
// verifies at the same time, tells whether the transfer would succeed, and if
// not, why.
func (c *Chain) Verify(ctx context.Context, t facilitator.Transfer) error {
	e, ok := t.Decoded.(*x402evm.Exact)
	if !ok {
		return fmt.Errorf("evm: Transfer was not made by Inspect")
	}
	if _, ok := c.assets[e.Asset]; !ok {
		return c.refuseAsset(ctx, e.Asset)
	}
	if c.idlest() == nil {
		return x402.Refuse(x402.ReasonRelayerUnavailable, "", "no relayer can pay the gas now; send the same payment again later")
	}
	if c.tooDear(c.fees()) {
		return x402.Refuse(x402.ReasonRelayerUnavailable, "", "gas is dearer than this facilitator pays; send the same payment again later")
	}
	o, err := c.trials.Do(ctx, trialOf(e))
	if err != nil {
		return err
	}
	if refusal := c.judge(e, &o); refusal != nil {
		if err := c.checker.CheckSignature(e); err != nil {
			return err
		}
		return refusal
	}
	if gas := c.gas.learn(e, o.gas); gas > c.cfg.MaxGas {
		return x402.Refuse(x402.ReasonPolicy, "", fmt.Sprintf("it needs %d gas, the limit is %d", gas, c.cfg.MaxGas))
	}
	return nil
}

// refuseAsset tells an asset that is not served from one that is none.
func (c *Chain) refuseAsset(ctx context.Context, asset x402evm.Address) error {
	var code hexutil.Bytes
	err := c.node.read(ctx, &query{method: "eth_getCode", args: []any{asset.String(), "latest"}, result: &code})
	if err != nil {
		return err
	}
	if len(code) == 0 {
		return x402.Refuse(x402.ReasonEVMAssetNotContract, "asset", "there is no contract at "+asset.String())
	}
	return x402.Refuse(x402.ReasonPolicy, "asset", asset.String()+" is not among the assets of this facilitator")
}

// judge turns the outcome of a simulation into a refusal, or nil.
func (c *Chain) judge(e *x402evm.Exact, o *outcome) error {
	a, value := &e.Authorization, e.Authorization.Value.Big()
	if o.success && (o.received.Cmp(value) >= 0 || a.From == a.To) {
		return nil
	}
	if o.why == nil {
		return x402.Refuse(x402.ReasonEVMTransferEvent, "asset", fmt.Sprintf("the token would deliver %s of %s", o.received, value))
	}
	switch {
	case !o.why.Deployed:
		return x402.Refuse(x402.ReasonEVMAssetNotContract, "asset", "there is no contract at "+e.Asset.String())
	case !o.why.Supported:
		return x402.Refuse(x402.ReasonEVMNoEIP3009, "asset", e.Asset.String()+" does not answer authorizationState")
	case o.why.Used:
		return x402.Refuse(x402.ReasonEVMNonceUsed, "payload.authorization.nonce", "the authorization was already used or cancelled")
	case o.success:
		return x402.Refuse(x402.ReasonEVMTransferEvent, "asset", fmt.Sprintf("the token would deliver none of %s", value))
	}
	if err := judgeDomain(e, o.why); err != nil {
		return err
	}
	if o.why.Balance.Cmp(value) < 0 {
		return x402.Refuse(x402.ReasonEVMInsufficientFunds, "payload.authorization.value", fmt.Sprintf("the payer has %s of %s", o.why.Balance, value))
	}
	return refuseRevert(o.why.Result)
}

// judgeDomain compares what was signed under with the token's own domain.
func judgeDomain(e *x402evm.Exact, o *diagnosis) error {
	if x402evm.Hash(o.Separator) == e.Domain.Separator() {
		return nil
	}
	if name, ok := abiString(o.Name); ok && name != e.Domain.Name {
		return x402.Refuse(x402.ReasonEVMTokenName, "extra.name", fmt.Sprintf("the token's name is %q, not %q", name, e.Domain.Name))
	}
	if version, ok := abiString(o.Version); ok && version != e.Domain.Version {
		return x402.Refuse(x402.ReasonEVMTokenVersion, "extra.version", fmt.Sprintf("the token's version is %q, not %q", version, e.Domain.Version))
	}
	if o.Separator != [32]byte{} {
		return x402.Refuse(x402.ReasonEVMDomain, "extra", "the token's DOMAIN_SEPARATOR is another")
	}
	return nil
}

// refuseRevert reads the revert texts that only the token's clock or its
// owner's lists can cause, as Circle's FiatToken writes them.
func refuseRevert(result []byte) error {
	text, err := abi.UnpackRevert(result)
	if err != nil {
		text = "the token reverts with " + hexutil.Encode(result)
	}
	reason, field := x402.ReasonEVMSimulation, ""
	switch {
	case strings.Contains(text, "not yet valid"):
		reason, field = x402.ReasonEVMNotYetValid, "payload.authorization.validAfter"
	case strings.Contains(text, "expired"):
		reason, field = x402.ReasonEVMExpired, "payload.authorization.validBefore"
	}
	return x402.Refuse(reason, field, text)
}

var stringABI = abi.Arguments{{Type: mustType("string", nil)}}

func abiString(b []byte) (string, bool) {
	values, err := stringABI.Unpack(b)
	if err != nil || len(values) != 1 {
		return "", false
	}
	s, ok := values[0].(string)
	return s, ok
}

// gasTable remembers what transfers of an asset to a recipient cost.
type gasTable struct {
	mu   sync.Mutex
	used map[[40]byte]uint64
}

const maxGasEntries = 4096

func gasKey(e *x402evm.Exact) (k [40]byte) {
	copy(k[:20], e.Asset[:])
	copy(k[20:], e.Authorization.To[:])
	return k
}

// learn takes in the gas of a simulated call, and returns the gas limit.
func (g *gasTable) learn(e *x402evm.Exact, gas uint64) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.used == nil || len(g.used) >= maxGasEntries {
		g.used = map[[40]byte]uint64{}
	}
	k := gasKey(e)
	g.used[k] = max(g.used[k], gas)
	return gasLimit(e, g.used[k])
}

// knows says whether a transfer like t was simulated before.
func (g *gasTable) knows(t *trial) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ok := g.used[[40]byte(append(t.Token.Bytes(), t.To.Bytes()...))]
	return ok
}

// limit is the gas limit for e, or 0 if nothing like it was simulated yet.
func (g *gasTable) limit(e *x402evm.Exact) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	used, ok := g.used[gasKey(e)]
	if !ok {
		return 0
	}
	return gasLimit(e, used)
}

// gasLimit adds to the call's own gas what the transaction costs (21,000 and
// its calldata), what the simulation had warmed, and a quarter for safety.
func gasLimit(e *x402evm.Exact, used uint64) uint64 {
	total := uint64(21_000)
	for _, b := range e.Calldata() {
		if b == 0 {
			total += 4
		} else {
			total += 16
		}
	}
	const warmed = 10_000 // the token's account and three of its slots
	return total + used + used/4 + warmed
}
