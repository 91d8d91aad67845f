package payer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"time"

	"github.com/v402/v402/x402"
)

// Offer is an acceptable way to pay.
type Offer struct {
	Requirements x402.PaymentRequirements
	Asset        x402.Asset  // what is known about the token
	Currency     string      // what Value counts in
	Value        x402.Amount // the price in millionths of a unit of Currency, rounded up

	signer Signer
}

const microDecimals = 6

var errTooMuch = errors.New("the price is beyond any limit")

// micros converts an amount of an asset into millionths of a unit, rounded up.
func micros(a x402.Amount, decimals int) (x402.Amount, error) {
	n := a.Big()
	n.Mul(n, big.NewInt(1_000_000))
	unit := power10(decimals)
	n.Add(n, unit).Sub(n, big.NewInt(1)).Div(n, unit)
	if !n.IsInt64() {
		return x402.Amount{}, errTooMuch
	}
	return x402.AmountFromBig(n)
}

func power10(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// choose picks the offer to pay, or returns a *NoOfferError.
func (p *Payer) choose(c *challenge, host string) (Offer, error) {
	var good []Offer
	var bad []Rejection
	for _, e := range c.entries {
		err := e.err
		var o Offer
		if err == nil {
			o, err = p.consider(e.requirements)
		}
		if err != nil {
			bad = append(bad, Rejection{e.requirements, err})
			continue
		}
		good = append(good, o)
	}
	if len(good) == 0 {
		return Offer{}, &NoOfferError{Host: host, Rejections: bad}
	}
	pick := cheapest
	if p.cfg.Policy.Choose != nil {
		pick = p.cfg.Policy.Choose
	}
	i, err := pick(slices.Clone(good))
	if err == nil && (i < 0 || i >= len(good)) {
		err = fmt.Errorf("Policy.Choose returned %d of %d offers", i, len(good))
	}
	if err != nil {
		for _, o := range good {
			bad = append(bad, Rejection{o.Requirements, err})
		}
		return Offer{}, &NoOfferError{Host: host, Rejections: bad}
	}
	return good[i], nil
}

// consider applies the policy to one offer.
func (p *Payer) consider(r x402.PaymentRequirements) (Offer, error) {
	if allowed := p.cfg.Policy.Networks; allowed != nil && !slices.Contains(allowed, r.Network) {
		return Offer{}, fmt.Errorf("network %q is not allowed", clip(string(r.Network)))
	}
	o, limit, err := p.price(r)
	if err != nil {
		return Offer{}, err
	}
	if r.Amount.Cmp(limit) > 0 {
		return Offer{}, fmt.Errorf("the price of %s %s exceeds the limit of %s for one request: %w",
			r.Amount.Decimal(o.Asset.Decimals), o.Asset.Symbol, limit.Decimal(o.Asset.Decimals), ErrOverBudget)
	}
	if r.PayTo == "" {
		return Offer{}, errors.New("payTo is empty")
	}
	if err := p.checkTimeout(r.MaxTimeoutSeconds); err != nil {
		return Offer{}, err
	}
	if err := checkFlow(r.Extra); err != nil {
		return Offer{}, err
	}
	for _, s := range p.cfg.Signers {
		if s.Accepts(r) {
			o.signer = s
			return o, nil
		}
	}
	return Offer{}, fmt.Errorf("no signer for scheme %q on %s with this asset", clip(r.Scheme), r.Network)
}

// price finds the asset of r, what it counts in, and the limit for one request
// in atomic units.
func (p *Payer) price(r x402.PaymentRequirements) (o Offer, limit x402.Amount, err error) {
	o = Offer{Requirements: r}
	if i := slices.IndexFunc(p.others, func(a other) bool {
		return a.Network == r.Network && r.Network.SameAddress(a.Address, r.Asset)
	}); i >= 0 {
		o.Asset, o.Currency, limit = p.others[i].Asset.Asset, p.others[i].Currency, p.others[i].max
	} else {
		if o.Asset, err = p.cfg.Policy.Assets.Lookup(r.Network, r.Asset); err != nil {
			return Offer{}, x402.Amount{}, fmt.Errorf("asset %q on %q is not allowed: %w", clip(r.Asset), clip(string(r.Network)), x402.ErrUnknownAsset)
		}
		o.Currency = USD
		if limit, err = atomic(p.perRequest, o.Asset.Decimals); err != nil {
			return Offer{}, x402.Amount{}, err
		}
	}
	if o.Value, err = micros(r.Amount, o.Asset.Decimals); err != nil {
		return Offer{}, x402.Amount{}, fmt.Errorf("%w: %w", err, ErrOverBudget)
	}
	return o, limit, nil
}

// atomic converts millionths of a unit into atomic units, rounded down.
func atomic(micros x402.Amount, decimals int) (x402.Amount, error) {
	n := micros.Big()
	n.Mul(n, power10(decimals)).Div(n, big.NewInt(1_000_000))
	return x402.AmountFromBig(n)
}

func (p *Payer) checkTimeout(s x402.Seconds) error {
	highest := p.cfg.Policy.MaxTimeout
	switch {
	case !(s > 0):
		return fmt.Errorf("maxTimeoutSeconds is %v", float64(s))
	case float64(s) > highest.Seconds():
		return fmt.Errorf("the seller wants to hold the payment for %v s, longer than %v", float64(s), highest)
	}
	return nil
}

// lifetime is s in whole seconds, rounded up, plus one: no signature made at
// some instant is usable longer than that.
func lifetime(s x402.Seconds) time.Duration {
	return time.Duration(math.Ceil(float64(s))+1) * time.Second
}

// checkFlow refuses flows of payment that this package does not know, such as
// escrow ("extra.paymentFlow"; absent means authorization).
func checkFlow(extra json.RawMessage) error {
	var v struct {
		Flow string `json:"paymentFlow"`
	}
	if len(extra) > 0 && json.Unmarshal(extra, &v) != nil {
		return errors.New("extra cannot be read")
	}
	switch v.Flow {
	case "", "authorization", "upfront":
		return nil
	default:
		return fmt.Errorf("payment flow %q is not known", clip(v.Flow))
	}
}

// cheapest returns the least expensive of the offers in the currency of the
// first, the first of equals. It compares exactly, whatever the decimals.
func cheapest(offers []Offer) (int, error) {
	best := 0
	for i, o := range offers {
		if o.Currency == offers[0].Currency && cmpPrice(o, offers[best]) < 0 {
			best = i
		}
	}
	return best, nil
}

func cmpPrice(a, b Offer) int {
	x := new(big.Int).Mul(a.Requirements.Amount.Big(), power10(b.Asset.Decimals))
	y := new(big.Int).Mul(b.Requirements.Amount.Big(), power10(a.Asset.Decimals))
	return x.Cmp(y)
}

// clip shortens what a stranger sent for an error text.
func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
