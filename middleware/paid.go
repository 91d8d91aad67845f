package middleware

import (
	"context"

	"github.com/v402/v402/x402"
)

// Paid is what a handler can know about the payment of its request.
type Paid struct {
	Key         string // identity of the payment; the same when the request is repeated
	Payer       string // address, as the facilitator verified it
	Requirement x402.PaymentRequirements
	Version     int    // of the protocol
	Settled     bool   // the payment has moved: always so in mode SettleBefore
	Transaction string // once settled
}

type paidKey struct{}

// PaymentFrom returns the payment of the request with context ctx; ok is false
// where nothing was paid for.
func PaymentFrom(ctx context.Context) (p *Paid, ok bool) {
	p, ok = ctx.Value(paidKey{}).(*Paid)
	return p, ok
}

// paid puts the payment into the context of the handler.
func (x *exchange) paid() context.Context {
	p := &Paid{Key: x.key, Payer: x.payer, Requirement: x.payment.Requirements, Version: x.version}
	if x.settlement != nil {
		p.Settled, p.Transaction = true, x.settlement.Transaction
	}
	return context.WithValue(x.r.Context(), paidKey{}, p)
}
