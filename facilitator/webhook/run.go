package webhook

import (
	"context"
	"sync"
	"time"
)

// Run publishes events and delivers them until ctx ends. Then it waits for the
// requests that are under way, for up to Config.Timeout, records what came of
// them, and returns nil. Errors of the store are logged, and tried again. Any
// number of processes may run it on one store.
func (p *Publisher) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { p.publishing(ctx) })
	wg.Go(func() { p.pruning(ctx) })
	failing := max(p.options.Concurrency/4, 1)
	wg.Go(func() { p.delivering(ctx, laneFailing, failing) })
	wg.Go(func() { p.delivering(ctx, laneHealthy, max(p.options.Concurrency-failing, 1)) })
	wg.Wait()
	return nil
}

// Recipients whose last requests all failed have a lane of their own: they may
// hang, and the others must not wait for them.
const (
	laneHealthy = iota
	laneFailing
	lanes
)

// queued wakes the lanes of this process.
func (p *Publisher) queued() {
	for _, wake := range p.wake {
		signal(wake)
	}
}

// signal leaves a token, if there is none.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// wait returns after d, or when there is a token in wake. It reports whether ctx
// still runs.
func wait(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// storeTimeout is how long the store may take to record what was done.
const storeTimeout = 30 * time.Second

// record calls do with a context that outlives ctx: what was done is recorded.
func record(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	return do(ctx)
}

// Pruning.
const (
	pruneEvery  = time.Hour
	pruneAtOnce = 1000
)

// pruning deletes what is older than Config.Retention.
func (p *Publisher) pruning(ctx context.Context) {
	for pause := time.Duration(0); wait(ctx, pause, nil); pause = pruneEvery {
		for ctx.Err() == nil {
			n, err := p.store.PruneDeliveries(ctx, p.now().Add(-p.options.Retention), pruneAtOnce)
			if err != nil && ctx.Err() == nil {
				p.log.Error("webhook: old deliveries could not be deleted", "error", err)
			}
			if err != nil || n < pruneAtOnce {
				break
			}
		}
	}
}
