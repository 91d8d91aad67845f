package facilitator_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/x402"
)

var (
	errDead  = errors.New("this process is dead")
	errFault = errors.New("the journal failed")
)

// fault is what happens at one call of the journal.
type fault int

const (
	none       fault = iota
	failBefore       // the call fails and changes nothing
	failAfter        // the call takes place, and its answer is lost
	panicBefore
	panicAfter
	dieBefore // the process dies: neither this call nor any later one is made
	dieAfter
)

var faults = map[string]fault{
	"fails before": failBefore, "fails after": failAfter,
	"panics before": panicBefore, "panics after": panicAfter,
	"dies before": dieBefore, "dies after": dieAfter,
}

// process is the journal as one process sees it, with a fault at one call.
type process struct {
	facilitator.Journal
	delay time.Duration // of every call
	at    int           // the call of the fault, from 1
	fault fault

	mu    sync.Mutex
	n     int
	names []string
	dead  bool
}

func (p *process) calls(name string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, called := range p.names {
		if called == name {
			n++
		}
	}
	return n
}

func (p *process) total() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

// heal takes away a fault that was not reached.
func (p *process) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = 0
}

// call makes a call, with the fault if it is due.
func (p *process) call(name string, do func() error) error {
	time.Sleep(p.delay)
	f, err := p.next(name)
	if err != nil {
		return err
	}
	switch f {
	case failBefore:
		return errFault
	case panicBefore:
		panic(errFault)
	case dieBefore:
		p.kill()
		return errDead
	}
	err = do()
	switch f {
	case failAfter:
		return errFault
	case panicAfter:
		panic(errFault)
	case dieAfter:
		p.kill()
		return errDead
	}
	return err
}

func (p *process) next(name string) (fault, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return none, errDead
	}
	p.n++
	p.names = append(p.names, name)
	if p.n == p.at {
		return p.fault, nil
	}
	return none, nil
}

func (p *process) ReserveSettlements(ctx context.Context, s []facilitator.Settlement, lease facilitator.Lease) (stored []facilitator.Settlement, created []bool, err error) {
	err = p.call("ReserveSettlements", func() (err error) {
		stored, created, err = p.Journal.ReserveSettlements(ctx, s, lease)
		return err
	})
	return stored, created, err
}

func (p *process) SubmitSettlements(ctx context.Context, account facilitator.Account, owner string, floor uint64, ids []string,
	sign func(*facilitator.Settlement, uint64) (facilitator.Transaction, error)) (out []facilitator.Settlement, err error) {
	err = p.call("SubmitSettlements", func() (err error) {
		out, err = p.Journal.SubmitSettlements(ctx, account, owner, floor, ids, sign)
		return err
	})
	return out, err
}

func (p *process) FinishSettlements(ctx context.Context, outcomes []facilitator.Outcome) (changed []bool, err error) {
	err = p.call("FinishSettlements", func() (err error) {
		changed, err = p.Journal.FinishSettlements(ctx, outcomes)
		return err
	})
	return changed, err
}

func (p *process) Settlement(ctx context.Context, id string) (s facilitator.Settlement, err error) {
	err = p.call("Settlement", func() (err error) {
		s, err = p.Journal.Settlement(ctx, id)
		return err
	})
	return s, err
}

func (p *process) SettlementByKey(ctx context.Context, key string) (s facilitator.Settlement, err error) {
	err = p.call("SettlementByKey", func() (err error) {
		s, err = p.Journal.SettlementByKey(ctx, key)
		return err
	})
	return s, err
}

// Leasing and renewing fail in a dead process only: the faults of the calls
// above come at the same place in every run.

func (p *process) LeaseSettlements(ctx context.Context, n x402.Network, lease facilitator.Lease, now time.Time, limit int) ([]facilitator.Settlement, error) {
	if p.isDead() {
		return nil, errDead
	}
	return p.Journal.LeaseSettlements(ctx, n, lease, now, limit)
}

func (p *process) RenewLeases(ctx context.Context, n x402.Network, lease facilitator.Lease) (int, error) {
	if p.isDead() {
		return 0, errDead
	}
	return p.Journal.RenewLeases(ctx, n, lease)
}

func (p *process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}
