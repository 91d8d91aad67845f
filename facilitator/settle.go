package facilitator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// Settle moves the money of p, once however often it is asked: the same
// payment gets the same answer, at once or after a restart, from any replica
// on the journal. While the chain has not decided within
// [Config.SettleTimeout] the answer is settlement_pending; send the same
// payment again to learn how it ended.
//
// The settlement outlives ctx: if ctx ends first Settle returns its error, and
// the work goes on. A refused payment is an answer and leaves no trace. An
// error means that there is no answer yet: the payment may move.
func (s *Service) Settle(ctx context.Context, p x402.Payment) (x402.SettleResponse, error) {
	chain, t, err := s.inspect(p)
	if err != nil {
		chain, t, err = s.recall(ctx, chain, p, err)
	}
	var row Settlement
	if err == nil {
		row, err = s.fly(ctx, chain, t)
	}
	var refusal *x402.Error
	switch {
	case err == nil:
		return row.Response(), nil
	case errors.As(err, &refusal):
		return x402.SettleResponse{
			ErrorReason: refusal.Reason, ErrorMessage: refusal.Message(),
			Payer: payerOf(p, t), Network: p.Requirements.Network,
		}, nil
	default:
		return x402.SettleResponse{}, fmt.Errorf("facilitator: settle on %s: %w", p.Requirements.Network, err)
	}
}

// recall takes back a refusal of p if p was accepted earlier: it may have
// expired since, or the policy may have changed, and still be owed its answer.
// Everything is checked as of then.
func (s *Service) recall(ctx context.Context, chain Chain, p x402.Payment, refusal error) (Chain, Transfer, error) {
	id, err := p.Identity()
	if chain == nil || err != nil {
		return nil, Transfer{}, refusal
	}
	row, err := s.journal.SettlementByKey(ctx, id.String())
	if errors.Is(err, store.ErrNotFound) {
		return nil, Transfer{}, refusal
	}
	if err != nil {
		return nil, Transfer{}, err
	}
	t, err := chain.Inspect(p, row.CreatedAt)
	t.At = row.CreatedAt
	if err != nil {
		return nil, Transfer{}, refusal
	}
	return chain, t, nil
}

// fly settles t in a flight that identical calls share.
func (s *Service) fly(ctx context.Context, chain Chain, t Transfer) (Settlement, error) {
	key := flightKey{termsOf(t), sha256.Sum256(t.Payment.Payload.Payload)}
	return s.flights.join(ctx, key, func(ctx context.Context) (Settlement, error) {
		ctx, cancel := context.WithTimeout(ctx, s.settleTimeout)
		defer cancel()
		return s.guard(func() (Settlement, error) { return s.settle(ctx, chain, t) })
	})
}

// settle carries t to the end of its settlement, or as far as ctx allows.
func (s *Service) settle(ctx context.Context, chain Chain, t Transfer) (Settlement, error) {
	row, err := s.journal.SettlementByKey(ctx, t.Key)
	switch {
	case err == nil:
		return s.resume(ctx, chain, t, row)
	case !errors.Is(err, store.ErrNotFound):
		return Settlement{}, err
	}
	if err := chain.Verify(ctx, t); err != nil {
		return s.refused(ctx, chain, t, err)
	}
	return s.reserve(ctx, chain, t, func(row Settlement) (Settlement, error) {
		return chain.Settle(ctx, row)
	})
}

// resume answers for a settlement that the journal knows.
func (s *Service) resume(ctx context.Context, chain Chain, t Transfer, row Settlement) (Settlement, error) {
	if t.Prove != nil && !bytes.Equal(t.Payment.Payload.Payload, row.Payment.Payload.Payload) { // nobody else has asked who signed
		if err := t.Prove(); err != nil {
			return Settlement{}, err
		}
	}
	switch {
	case termsOf(t) != row.terms():
		return Settlement{}, x402.Refuse(x402.ReasonDuplicateSettlement, "", fmt.Sprintf(
			"the nonce of this payment belongs to settlement %s, which has other terms; sign a new payment with a fresh nonce", row.ID))
	case row.State.Final():
		return row, nil
	case s.limbo.take(row.ID):
		return s.hand(row, func(row Settlement) (Settlement, error) { return chain.Settle(ctx, row) })
	default:
		return s.await(ctx, row)
	}
}

// refused decides what becomes of a payment that the chain does not accept
// now. It may be settled all the same: by another replica, which took it after
// the journal was read, or by somebody else's transaction.
func (s *Service) refused(ctx context.Context, chain Chain, t Transfer, cause error) (Settlement, error) {
	row, err := s.journal.SettlementByKey(ctx, t.Key)
	switch {
	case err == nil:
		return s.resume(ctx, chain, t, row)
	case !errors.Is(err, store.ErrNotFound):
		return Settlement{}, err
	}
	var refusal *x402.Error
	if !errors.As(cause, &refusal) || !mayBeSettled(refusal.Reason) {
		return Settlement{}, cause
	}
	found, err := chain.FindSettled(ctx, t)
	switch {
	case err != nil:
		return Settlement{}, fmt.Errorf("look for the transaction that used the payment: %w", err)
	case found == nil:
		return Settlement{}, refusal
	}
	return s.reserve(ctx, chain, t, func(row Settlement) (Settlement, error) {
		return s.confirm(ctx, row, *found)
	})
}

// mayBeSettled says whether a refusal is what a payment meets that has
// already moved its money.
func mayBeSettled(r x402.Reason) bool {
	return r.Is(x402.ReasonEVMNonceUsed) || r.Is(x402.ReasonEVMExpired) || r.Is(x402.ReasonPaymentAlreadyUsed)
}

// confirm ends a settlement that somebody else's transaction made.
func (s *Service) confirm(ctx context.Context, row Settlement, found Found) (Settlement, error) {
	outcome := row.Confirm(found.Transaction, found.Block, s.now())
	if _, err := s.journal.FinishSettlements(ctx, []Outcome{outcome}); err != nil {
		return Settlement{}, err
	}
	return s.journal.Settlement(ctx, row.ID)
}

// await polls for the end of a settlement that somebody else works on.
func (s *Service) await(ctx context.Context, row Settlement) (Settlement, error) {
	for pause := 20 * time.Millisecond; !row.State.Final(); pause = min(pause*3/2, time.Second) {
		select {
		case <-ctx.Done():
			return row, nil
		case <-time.After(pause):
		}
		next, err := s.journal.Settlement(ctx, row.ID)
		if ctx.Err() != nil {
			return row, nil
		}
		if err != nil {
			return Settlement{}, err
		}
		row = next
	}
	return row, nil
}

// terms are what makes two payments with one key the same: what must move,
// from whom and to whom.
type terms struct {
	key, scheme, payTo, amount string
}

func (s *Settlement) terms() terms {
	return terms{s.Key, s.Scheme, fold(s.PayTo), s.Amount.String()}
}

func termsOf(t Transfer) terms {
	q := t.Payment.Requirements
	return terms{t.Key, q.Scheme, fold(q.PayTo), q.Amount.String()}
}

// newSettlement is the journal's row for t. It was created when t was inspected:
// verification may have taken long, and t is judged as of then again.
func (s *Service) newSettlement(t Transfer) (Settlement, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Settlement{}, err
	}
	q := t.Payment.Requirements
	return Settlement{
		ID: id.String(), Key: t.Key, State: Reserved, Payment: t.Payment,
		Network: q.Network, Scheme: q.Scheme, Payer: t.Payer, PayTo: q.PayTo, Asset: q.Asset, Amount: q.Amount,
		ValidBefore: t.ValidBefore, CreatedAt: t.At, UpdatedAt: s.now(),
	}, nil
}
