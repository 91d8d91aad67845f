package memory

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/payer"
)

// Reserve implements [payer.Ledger].
func (s *Store) Reserve(ctx context.Context, spending payer.Spending, limits []payer.Limit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if spending.ID == "" {
		return fmt.Errorf("memory: reserve a spending: it needs an ID")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, known := s.spendings[spending.ID]; known && old.State != payer.Released {
		return fmt.Errorf("memory: reserve spending %s: %w", spending.ID, payer.ErrDuplicateSpending)
	}
	for _, limit := range limits {
		if err := s.within(limit, spending); err != nil {
			return err
		}
	}
	spending.State, spending.Payload, spending.Transaction = payer.Reserved, nil, ""
	s.spendings[spending.ID] = spending
	return nil
}

// within returns an [payer.OverBudgetError] if spending would exceed limit.
func (s *Store) within(limit payer.Limit, spending payer.Spending) error {
	sum := new(big.Int)
	for _, old := range s.spendings {
		if old.State != payer.Released && old.Currency == spending.Currency &&
			(limit.Host == "" || limit.Host == old.Host) && !old.CreatedAt.Before(limit.Since) {
			sum.Add(sum, old.Value.Big())
		}
	}
	if new(big.Int).Add(sum, spending.Value.Big()).Cmp(limit.Amount.Big()) <= 0 {
		return nil
	}
	spent, err := x402.AmountFromBig(sum)
	if err != nil {
		return fmt.Errorf("memory: reserve spending %s: %w", spending.ID, err)
	}
	return &payer.OverBudgetError{Limit: limit, Spent: spent, Value: spending.Value, Currency: spending.Currency}
}

// Sign implements [payer.Ledger].
func (s *Store) Sign(ctx context.Context, id string, payload json.RawMessage) error {
	return s.spend(ctx, "sign", id, func(old *payer.Spending) bool {
		allowed := old.State == payer.Reserved && old.Payload == nil
		old.Payload = append(json.RawMessage{}, payload...)
		return allowed
	})
}

// Finish implements [payer.Ledger].
func (s *Store) Finish(ctx context.Context, id string, state payer.State, transaction string) error {
	return s.spend(ctx, "finish", id, func(old *payer.Spending) bool {
		allowed := slices.Contains(before[state], old.State)
		old.State = state
		if transaction != "" {
			old.Transaction = transaction
		}
		return allowed
	})
}

// before lists the states from which a spending may come to a state.
var before = map[payer.State][]payer.State{
	payer.Paid:     {payer.Reserved, payer.Unknown, payer.Released, payer.Paid},
	payer.Released: {payer.Reserved, payer.Unknown, payer.Released},
	payer.Unknown:  {payer.Reserved, payer.Unknown},
}

// spend changes a spending, unless step does not allow it.
func (s *Store) spend(ctx context.Context, what, id string, step func(*payer.Spending) (allowed bool)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	spending, known := s.spendings[id]
	if !known {
		return fmt.Errorf("memory: %s spending %s: %w", what, id, payer.ErrUnknownSpending)
	}
	was := spending.State
	if !step(&spending) {
		return fmt.Errorf("memory: %s spending %s: %w: %s", what, id, payer.ErrSpendingState, was)
	}
	s.spendings[id] = spending
	return nil
}

// Spending implements [payer.Ledger].
func (s *Store) Spending(ctx context.Context, id string) (payer.Spending, error) {
	if err := ctx.Err(); err != nil {
		return payer.Spending{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	spending, known := s.spendings[id]
	if !known {
		return payer.Spending{}, fmt.Errorf("memory: spending %s: %w", id, payer.ErrUnknownSpending)
	}
	spending.Payload = bytes.Clone(spending.Payload)
	return spending, nil
}

// Spendings implements [payer.Ledger].
func (s *Store) Spendings(ctx context.Context, since time.Time) ([]payer.Spending, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []payer.Spending
	for _, spending := range s.spendings {
		if !spending.CreatedAt.Before(since) {
			spending.Payload = bytes.Clone(spending.Payload)
			list = append(list, spending)
		}
	}
	slices.SortFunc(list, func(a, b payer.Spending) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list, nil
}
