package payer

import (
	"fmt"

	"github.com/v402/v402/x402"
)

// OverBudgetError says which limit a payment would exceed. It matches
// [ErrOverBudget].
type OverBudgetError struct {
	Currency string
	Limit    Limit
	Spent    x402.Amount // what counts against the limit already, in millionths
	Value    x402.Amount // what was asked for, in millionths
}

// Error implements error.
func (e *OverBudgetError) Error() string {
	return fmt.Sprintf("%v: %s %s more would exceed the limit of %s%s, of which %s are spent or may be",
		ErrOverBudget, e.Value.Decimal(6), e.Currency, e.Limit.Amount.Decimal(6), e.Limit.scope(), e.Spent.Decimal(6))
}

// Is makes the error match ErrOverBudget.
func (e *OverBudgetError) Is(target error) bool { return target == ErrOverBudget }

// scope says what a limit counts, with a blank before it, or is empty.
func (l Limit) scope() string {
	s := ""
	if l.Host != "" {
		s += " for " + l.Host
	}
	if !l.Since.IsZero() {
		s += " since " + l.Since.UTC().Format("2006-01-02 15:04:05 MST")
	}
	return s
}
