package middleware

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"strings"

	"github.com/v402/v402/x402"
)

// offer is a compiled [Offer].
type offer struct {
	Offer
	asset       x402.Asset
	requirement x402.PaymentRequirements // as far as it is the same for every request
	asks        bool                     // the facilitator adds to Extra, see supported.go
	method      x402.TransferMethod      // how the asset moves on an EVM chain
	nameV1      string                   // of the network; empty if v1 has none
}

func (o Offer) compile(assets *x402.Assets) (*offer, error) {
	network, err := x402.ParseNetwork(string(o.Network))
	if err != nil {
		return nil, err
	}
	o.Network = network
	if o.Scheme == "" {
		o.Scheme = x402.SchemeExact
	}
	if o.MaxTimeoutSeconds == 0 {
		o.MaxTimeoutSeconds = x402.DefaultTimeout
	}
	if s := float64(o.MaxTimeoutSeconds); s < 1 || s > 86400 || s != math.Trunc(s) {
		return nil, fmt.Errorf("MaxTimeoutSeconds %v is not a whole number between 1 and 86400", s)
	}
	c := &offer{Offer: o}
	if c.asset, err = o.lookup(assets); err != nil {
		return nil, err
	}
	amount, err := o.amount(c.asset)
	if err != nil {
		return nil, err
	}
	if o.PayToFunc != nil && o.PayTo != "" {
		return nil, errors.New("both PayTo and PayToFunc are set")
	}
	c.requirement = c.asset.Requirements(amount, o.PayTo)
	c.requirement.Scheme, c.requirement.MaxTimeoutSeconds = o.Scheme, o.MaxTimeoutSeconds
	if c.requirement.Extra, err = mergeExtra(c.requirement.Extra, o.Extra); err != nil {
		return nil, fmt.Errorf("offer.Extra: %w", err)
	}
	if o.PayToFunc == nil {
		if err := checkRequirement(c.requirement); err != nil {
			return nil, err
		}
	}
	c.method = c.transferMethod()
	c.nameV1, _ = network.V1Name()
	c.asks = o.Scheme != x402.SchemeExact || network.Namespace() != "eip155" || c.method != x402.EIP3009
	return c, c.checkDomain()
}

// lookup finds the asset of o. An unknown one will do if the amount is given
// in atomic units.
func (o Offer) lookup(assets *x402.Assets) (x402.Asset, error) {
	if o.Asset == "" {
		return assets.Default(o.Network)
	}
	a, err := assets.Lookup(o.Network, o.Asset)
	if err != nil && o.Price == "" && o.PriceFunc == nil {
		return x402.Asset{Network: o.Network, Address: o.Asset}, nil
	}
	return a, err
}

// amount is the static price in atomic units; zero if PriceFunc gives it.
func (o Offer) amount(asset x402.Asset) (x402.Amount, error) {
	given := 0
	for _, is := range []bool{o.Price != "", !o.Amount.IsZero(), o.PriceFunc != nil} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return x402.Amount{}, errors.New(`exactly one of Price, Amount and PriceFunc is needed (Price "0" for free)`)
	case o.Price != "":
		return asset.Price(o.Price)
	default:
		return o.Amount, nil
	}
}

// checkDomain refuses an EIP-3009 offer that no wallet could sign.
func (o *offer) checkDomain() error {
	if o.Scheme != x402.SchemeExact || o.Network.Namespace() != "eip155" || o.method != x402.EIP3009 {
		return nil
	}
	var domain struct{ Name, Version string }
	if err := json.Unmarshal(o.requirement.Extra, &domain); err != nil || domain.Name == "" || domain.Version == "" {
		return fmt.Errorf("asset %s on %s: the token's EIP-712 name and version are missing; add it to Config.Assets or set Extra", o.asset.Address, o.Network)
	}
	return nil
}

// transferMethod reads the method from Extra.
func (o *offer) transferMethod() x402.TransferMethod {
	var extra struct {
		Method x402.TransferMethod `json:"assetTransferMethod"`
	}
	if json.Unmarshal(o.requirement.Extra, &extra) == nil && extra.Method != "" {
		return extra.Method
	}
	return x402.EIP3009
}

func (o *offer) dynamic() bool { return o.PriceFunc != nil || o.PayToFunc != nil }

func (o *offer) free() bool { return o.PriceFunc == nil && o.requirement.Amount.IsZero() }

// requirementFor is the requirement for one request. extra is what the
// facilitator adds; the seller's own extra wins.
func (o *offer) requirementFor(r *http.Request, extra json.RawMessage) (x402.PaymentRequirements, error) {
	out := o.requirement
	var err error
	if o.PriceFunc != nil {
		price, err := o.PriceFunc(r)
		if err != nil {
			return out, fmt.Errorf("PriceFunc: %w", err)
		}
		if out.Amount, err = o.asset.Price(price); err != nil {
			return out, fmt.Errorf("PriceFunc: %w", err)
		}
		if out.Amount.IsZero() {
			return out, nil // free for this request: nobody is paid
		}
	}
	if o.PayToFunc != nil {
		if out.PayTo, err = o.PayToFunc(r); err == nil {
			err = checkRequirement(out)
		}
		if err != nil {
			return out, fmt.Errorf("PayToFunc: %w", err)
		}
	}
	if len(extra) > 0 {
		out.Extra, err = mergeExtra(extra, out.Extra)
	}
	return out, err
}

// checkRequirement refuses what nobody can or should pay.
func checkRequirement(r x402.PaymentRequirements) error {
	if strings.Trim(r.PayTo, "0x") == "" && r.PayTo != "" && r.Network.Namespace() == "eip155" {
		return errors.New("payTo: the zero address")
	}
	return r.Validate()
}

// mergeExtra lays the members of the JSON object over on those of base.
func mergeExtra(base, over json.RawMessage) (json.RawMessage, error) {
	if len(over) == 0 {
		return base, nil
	}
	var a, b map[string]json.RawMessage
	if err := json.Unmarshal(over, &b); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if len(base) > 0 {
		if err := json.Unmarshal(base, &a); err != nil {
			return nil, fmt.Errorf("not a JSON object: %w", err)
		}
	}
	if len(a) == 0 {
		return over, nil
	}
	maps.Copy(a, b)
	return json.Marshal(a)
}

// clip shortens what a stranger sent for an error text.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
