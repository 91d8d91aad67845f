package middleware

import (
	"context"
	"sync"
	"time"
)

const (
	leaseFor      = 30 * time.Second
	claimsTimeout = 5 * time.Second // of one call of Claims
	claimMargin   = 2 * time.Minute // for clocks that differ and blocks that are late
)

// lease keeps a claim while its request is being served.
type lease struct {
	x     *exchange
	mu    sync.Mutex
	timer *time.Timer
	until time.Time
	ended bool
}

// hold starts to renew the claim that x has won.
func (x *exchange) hold(until time.Time) *lease {
	l := &lease{x: x, until: until}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(leaseFor/3, l.tick)
	return l
}

func (l *lease) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	_ = l.renew() // an error shows in ensure, before money moves
	l.timer.Reset(leaseFor / 3)
}

func (l *lease) renew() error {
	until := l.x.g.cfg.Now().Add(leaseFor)
	ctx, cancel := l.x.claimsContext()
	defer cancel()
	err := l.x.g.cfg.Claims.Renew(ctx, l.x.key, l.x.owner, until)
	if err == nil {
		l.until = until
	}
	return err
}

// ensure returns an error if another owner may have taken the claim.
func (l *lease) ensure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until.Sub(l.x.g.cfg.Now()) > leaseFor/2 {
		return nil
	}
	return l.renew()
}

// end stops the renewal; none is under way when it returns.
func (l *lease) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.timer.Stop()
}

// claimsContext bounds a call of Claims. It outlives the request: a claim must
// be settled with even if the client has gone.
func (x *exchange) claimsContext() (context.Context, context.CancelFunc) {
	if _, ok := x.g.cfg.Claims.(*MemoryClaims); ok {
		return context.Background(), func() {} // they never wait
	}
	return context.WithTimeout(context.WithoutCancel(x.r.Context()), claimsTimeout)
}
