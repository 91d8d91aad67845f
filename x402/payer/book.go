package payer

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/v402/v402/x402"
)

// book holds spendings in memory. Its steps check and return what is to be
// stored; put stores it. It is not safe for concurrent use.
type book struct {
	lines  []line
	index  map[string]int // ID → position in lines
	tidyAt int            // number of lines at which payloads are forgotten next
}

type line struct {
	Spending
	value uint64 // Spending.Value
}

// reserve returns s as it is to be stored, if limits allow it.
func (b *book) reserve(s Spending, limits []Limit) (Spending, error) {
	if s.ID == "" {
		return Spending{}, errors.New("payer: a spending needs an ID")
	}
	value, err := valueOf(s)
	if err != nil {
		return Spending{}, err
	}
	if i, ok := b.index[s.ID]; ok && b.lines[i].State != Released {
		return Spending{}, fmt.Errorf("%w: %q", ErrDuplicateSpending, s.ID)
	}
	for _, l := range limits {
		spent := b.sum(s.Currency, l)
		if most := l.Amount.Big(); most.IsUint64() && (spent > most.Uint64() || value > most.Uint64()-spent) {
			return Spending{}, &OverBudgetError{Currency: s.Currency, Limit: l, Spent: x402.NewAmount(spent), Value: s.Value}
		}
	}
	s.State, s.Payload, s.Transaction = Reserved, nil, ""
	return s, nil
}

// sum is what counts against a limit; it stays at the highest number there is.
func (b *book) sum(currency string, l Limit) uint64 {
	var total uint64
	for i := range b.lines {
		s := &b.lines[i]
		if s.State == Released || s.Currency != currency || (l.Host != "" && s.Host != l.Host) || s.CreatedAt.Before(l.Since) {
			continue
		}
		if s.value > math.MaxUint64-total {
			return math.MaxUint64
		}
		total += s.value
	}
	return total
}

func (b *book) sign(id string, payload json.RawMessage) (Spending, error) {
	s, err := b.spending(id)
	switch {
	case err != nil:
		return Spending{}, err
	case s.State != Reserved || len(s.Payload) > 0:
		return Spending{}, fmt.Errorf("%w: %q is %s and cannot be signed", ErrSpendingState, id, s.State)
	case !json.Valid(payload):
		return Spending{}, errors.New("payer: a payload is JSON")
	}
	s.Payload = slices.Clone(payload)
	return s, nil
}

func (b *book) finish(id string, state State, transaction string) (Spending, error) {
	s, err := b.spending(id)
	if err != nil {
		return Spending{}, err
	}
	if !mayBecome(s.State, state) {
		return Spending{}, fmt.Errorf("%w: %q is %s and cannot become %q", ErrSpendingState, id, s.State, state)
	}
	s.State = state
	if transaction != "" {
		s.Transaction = transaction
	}
	return s, nil
}

// mayBecome is the table of [Ledger].Finish.
func mayBecome(from, to State) bool {
	switch to {
	case Paid:
		return true
	case Released:
		return from != Paid
	case Unknown:
		return from == Reserved || from == Unknown
	default:
		return false
	}
}

// put stores s in place of what has its ID.
func (b *book) put(s Spending) {
	value, err := valueOf(s)
	if err != nil {
		panic(err) // reserve and decodeLedger have checked it
	}
	if i, ok := b.index[s.ID]; ok {
		b.lines[i] = line{s, value}
		return
	}
	if b.index == nil {
		b.index = map[string]int{}
	}
	b.index[s.ID] = len(b.lines)
	b.lines = append(b.lines, line{s, value})
	if len(b.lines) >= b.tidyAt {
		b.forget(s.CreatedAt)
		b.tidyAt = 2*len(b.lines) + 100
	}
}

// forget drops the payloads that are of no use at now: of what was released,
// and of what was paid once it has expired. It says whether there were any.
func (b *book) forget(now time.Time) (changed bool) {
	for i := range b.lines {
		s := &b.lines[i].Spending
		useless := s.State == Released || (s.State == Paid && now.After(s.ExpiresAt))
		if useless && len(s.Payload) > 0 {
			s.Payload, changed = nil, true
		}
	}
	return changed
}

func (b *book) spending(id string) (Spending, error) {
	i, ok := b.index[id]
	if !ok {
		return Spending{}, fmt.Errorf("%w: %q", ErrUnknownSpending, id)
	}
	s := b.lines[i].Spending
	s.Payload = slices.Clone(s.Payload)
	return s, nil
}

func (b *book) since(t time.Time) []Spending {
	var out []Spending
	for _, l := range b.lines {
		if !l.CreatedAt.Before(t) {
			s := l.Spending
			s.Payload = slices.Clone(s.Payload)
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b Spending) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func valueOf(s Spending) (uint64, error) {
	n := s.Value.Big()
	if !n.IsInt64() {
		return 0, fmt.Errorf("payer: spending %q: value %s is more than 2^63-1", s.ID, s.Value)
	}
	return n.Uint64(), nil
}
