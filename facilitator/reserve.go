package facilitator

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// reservation is what the journal says to one reservation.
type reservation struct {
	stored  Settlement
	created bool
}

// reserve stores a settlement of t under this process's lease and lets finish
// work on it, unless the journal knew the payment already.
func (s *Service) reserve(ctx context.Context, chain Chain, t Transfer,
	finish func(Settlement) (Settlement, error)) (Settlement, error) {
	if s.limbo.isFull() {
		return Settlement{}, errors.New("the journal takes no new settlements")
	}
	row, err := s.newSettlement(t)
	if err != nil {
		return Settlement{}, err
	}
	r, err := s.reservations.Do(ctx, row)
	if err != nil {
		// It may have been stored all the same: Run finds out.
		s.limbo.add(row, s.now())
		return Settlement{}, fmt.Errorf("reserve the settlement: %w", err)
	}
	if !r.created {
		return s.resume(ctx, chain, t, r.stored)
	}
	return s.hand(r.stored, finish)
}

// reserveBatch stores what concurrent calls want to reserve in one commit.
func (s *Service) reserveBatch(ctx context.Context, rows []Settlement) (out []reservation, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = s.panicked(v)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, s.settleTimeout)
	defer cancel()
	stored, created, err := s.journal.ReserveSettlements(ctx, rows, s.lease())
	if err != nil {
		return nil, err
	}
	if len(stored) != len(rows) || len(created) != len(rows) {
		return nil, fmt.Errorf("the journal returned %d settlements for %d", len(stored), len(rows))
	}
	for i := range rows {
		out = append(out, reservation{stored[i], created[i]})
	}
	return out, nil
}

func (s *Service) lease() Lease { return Lease{Owner: s.owner, Until: s.now().Add(s.leaseFor)} }

// hand lets finish work on a settlement that is leased to this process. If it
// does not take it, by an error or a panic, the settlement stays in limbo.
func (s *Service) hand(row Settlement, finish func(Settlement) (Settlement, error)) (Settlement, error) {
	taken := false
	defer func() {
		if !taken {
			s.limbo.add(row, s.now())
		}
	}()
	done, err := finish(row)
	taken = err == nil
	return done, err
}

// guard turns a panic of work into an error.
func (s *Service) guard(work func() (Settlement, error)) (row Settlement, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = s.panicked(v)
		}
	}()
	return work()
}

// panicked logs a panic and turns it into an error for the callers: the
// journal knows how far the settlement came, and other payments go on.
func (s *Service) panicked(v any) error {
	s.log.Error("facilitator: panic while settling", "panic", v, "stack", string(debug.Stack()))
	return fmt.Errorf("panic: %v", v)
}

// limboFor is how long a settlement that cannot be found is looked for: longer
// than a journal takes to commit.
const limboFor = 10 * time.Minute

// maxLimbo bounds the settlements in limbo, of some kilobytes each: while a
// journal can be read and not be written, every payment would add one.
const maxLimbo = 4096

// limbo holds the settlements that are, or may be, leased to this process
// while nobody works on them: since the lease is renewed no other process would.
type limbo struct {
	mu   sync.Mutex
	rows map[string]stranded // by ID
}

type stranded struct {
	row   Settlement
	since time.Time
}

func (l *limbo) add(row Settlement, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rows == nil {
		l.rows = map[string]stranded{}
	}
	l.rows[row.ID] = stranded{row, now}
}

func (l *limbo) isFull() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.rows) >= maxLimbo
}

// take removes a settlement, and says whether it was there: whoever takes it
// works on it.
func (l *limbo) take(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.rows[id]
	delete(l.rows, id)
	return ok
}

func (l *limbo) all() []stranded {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]stranded, 0, len(l.rows))
	for _, r := range l.rows {
		out = append(out, r)
	}
	return out
}
