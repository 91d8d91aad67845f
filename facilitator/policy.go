package facilitator

import (
	"fmt"
	"strings"

	"github.com/v402/v402/x402"
)

// Policy says which payments a facilitator takes on; an empty list restricts
// nothing. A facilitator that anybody can reach and that has neither a list of
// recipients nor [Config.Authorize] is an open relay: strangers settle what
// they like, and its relayers pay the gas.
type Policy struct {
	PayTo  []string      // recipients, on any network
	Payers []string      // payers, on any network
	Assets []AssetPolicy // assets, each with its bounds
}

// AssetPolicy lets payments in one asset through.
type AssetPolicy struct {
	Network x402.Network
	Address string      // contract or mint address
	Min     x402.Amount // atomic units; less is refused, for it does not earn its gas
	Max     x402.Amount // atomic units; more is refused; zero is no limit
}

// rules is a Policy made ready for look-ups.
type rules struct {
	payTo, payers map[string]bool
	assets        map[string]AssetPolicy
}

func (p Policy) compile() (rules, error) {
	r := rules{payTo: addressSet(p.PayTo), payers: addressSet(p.Payers)}
	if r.payTo[""] || r.payers[""] {
		return rules{}, fmt.Errorf("facilitator: policy lists an empty address")
	}
	for _, a := range p.Assets {
		if a.Address == "" || a.Network.Namespace() == "" {
			return rules{}, fmt.Errorf("facilitator: policy lists an asset without network or address: %q on %q", a.Address, a.Network)
		}
		if !a.Max.IsZero() && a.Max.Cmp(a.Min) < 0 {
			return rules{}, fmt.Errorf("facilitator: policy of %s on %s: maximum %s is below minimum %s", a.Address, a.Network, a.Max, a.Min)
		}
		key := assetKey(a.Network, a.Address)
		if _, ok := r.assets[key]; ok {
			return rules{}, fmt.Errorf("facilitator: policy lists asset %s on %s twice", a.Address, a.Network)
		}
		if r.assets == nil {
			r.assets = map[string]AssetPolicy{}
		}
		r.assets[key] = a
	}
	return r, nil
}

// check returns an *x402.Error that says which list refuses t.
func (r rules) check(t Transfer) error {
	q := t.Payment.Requirements
	if len(r.payTo) > 0 && !r.payTo[fold(q.PayTo)] {
		return x402.Refuse(x402.ReasonPolicy, "payTo", "this facilitator does not serve this recipient")
	}
	if len(r.payers) > 0 && !r.payers[fold(t.Payer)] {
		return x402.Refuse(x402.ReasonPolicy, "payer", "this facilitator does not serve this payer")
	}
	if r.assets == nil {
		return nil
	}
	a, ok := r.assets[assetKey(q.Network, q.Asset)]
	switch {
	case !ok:
		return x402.Refuse(x402.ReasonPolicy, "asset", "this facilitator does not serve this asset")
	case q.Amount.Cmp(a.Min) < 0:
		return x402.Refuse(x402.ReasonPolicy, "amount", fmt.Sprintf("%s is less than the minimum of %s", q.Amount, a.Min))
	case !a.Max.IsZero() && q.Amount.Cmp(a.Max) > 0:
		return x402.Refuse(x402.ReasonPolicy, "amount", fmt.Sprintf("%s is more than the maximum of %s", q.Amount, a.Max))
	}
	return nil
}

func addressSet(addresses []string) map[string]bool {
	set := make(map[string]bool, len(addresses))
	for _, a := range addresses {
		set[fold(a)] = true
	}
	return set
}

func assetKey(n x402.Network, address string) string { return string(n) + "/" + fold(address) }

// fold makes spellings of one address equal: hexadecimal ones have no case,
// and the base58 of other chains, which has, never begins with "0x".
func fold(address string) string {
	if len(address) > 2 && address[0] == '0' && (address[1] == 'x' || address[1] == 'X') {
		return strings.ToLower(address)
	}
	return address
}
