package facilitator

import (
	"context"
	"errors"
	"fmt"

	"github.com/v402/v402/x402"
)

// Verify says whether p would settle now: by the checks that need no chain,
// the policy, and then the chain, in one round trip. A refused payment is an
// answer; an error means that the chain could not be asked.
func (s *Service) Verify(ctx context.Context, p x402.Payment) (x402.VerifyResponse, error) {
	chain, t, err := s.inspect(p)
	if err == nil {
		err = chain.Verify(ctx, t)
	}
	var refusal *x402.Error
	switch {
	case err == nil:
		return x402.VerifyResponse{IsValid: true, Payer: t.Payer}, nil
	case errors.As(err, &refusal):
		return x402.VerifyResponse{
			InvalidReason: refusal.Reason, InvalidMessage: refusal.Message(), Payer: payerOf(p, t),
		}, nil
	default:
		return x402.VerifyResponse{}, fmt.Errorf("facilitator: verify on %s: %w", p.Requirements.Network, err)
	}
}

// inspect makes every check that needs neither chain nor journal. What it
// refuses is an *x402.Error.
func (s *Service) inspect(p x402.Payment) (Chain, Transfer, error) {
	chain, ok := s.chains[p.Requirements.Network]
	if !ok {
		return nil, Transfer{}, &x402.Error{Reason: x402.ReasonInvalidNetwork}
	}
	if p.Requirements.Scheme == x402.SchemeExact && p.Requirements.Amount.IsZero() {
		return nil, Transfer{}, x402.Refuse(x402.ReasonInvalidRequirements, "amount", "zero: there is nothing to settle")
	}
	now := s.now()
	t, err := chain.Inspect(p, now)
	t.At = now
	if err == nil {
		err = s.rules.check(t)
	}
	return chain, t, err
}

// payerOf names the payer of a refused payment as well as it is known.
func payerOf(p x402.Payment, t Transfer) string {
	if t.Payer != "" {
		return t.Payer
	}
	id, err := p.Identity()
	if err != nil {
		return ""
	}
	return id.Payer
}
