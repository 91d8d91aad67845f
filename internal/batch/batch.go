// Package batch lets concurrent callers share one round trip. A batch is not
// waited for: the first caller goes at once, and those who come while it is
// under way go together in the next one. Alone, a call costs what it did before.
package batch

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Func does the work of a batch: one output for each input, in order. An error
// is the error of every caller in the batch.
type Func[In, Out any] func(ctx context.Context, in []In) ([]Out, error)

// Batcher collects calls. It starts no goroutine while nobody calls. Its
// exported fields may be set before the first call.
type Batcher[In, Out any] struct {
	// Share is how many calls must wait before another batch goes beside one that
	// is under way; 1 if zero. A higher number makes fewer, larger batches.
	Share int
	// Linger says how long to wait for company before a batch is taken; nil
	// means not at all.
	Linger func() time.Duration

	max, lanes int
	work       Func[In, Out]

	mu      sync.Mutex
	waiting []*call[In, Out]
	running int
}

type call[In, Out any] struct {
	ctx  context.Context
	in   In
	out  Out
	err  error
	done chan struct{}
}

// New returns a Batcher that gives work at most max inputs at a time, and has
// at most lanes batches under way at once.
func New[In, Out any](max, lanes int, work Func[In, Out]) *Batcher[In, Out] {
	return &Batcher[In, Out]{max: max, lanes: lanes, work: work}
}

// Do takes part in the next batch and returns its own output. If ctx ends
// before, Do returns its error, though the batch may still do the work. The
// work itself runs without the callers' deadlines, since they share it.
func (b *Batcher[In, Out]) Do(ctx context.Context, in In) (Out, error) {
	c := &call[In, Out]{ctx: ctx, in: in, done: make(chan struct{})}
	b.mu.Lock()
	b.waiting = append(b.waiting, c)
	if b.running == 0 || b.running < b.lanes && len(b.waiting) >= b.Share {
		b.running++
		go b.run()
	}
	b.mu.Unlock()
	select {
	case <-c.done:
		return c.out, c.err
	case <-ctx.Done():
		var none Out
		return none, context.Cause(ctx)
	}
}

// run works until nobody waits.
func (b *Batcher[In, Out]) run() {
	for {
		if b.Linger != nil {
			time.Sleep(b.Linger())
		}
		calls := b.next()
		if len(calls) == 0 {
			return
		}
		b.serve(calls)
	}
}

// next takes the calls of one batch, or gives up this lane.
func (b *Batcher[In, Out]) next() []*call[In, Out] {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(b.max, len(b.waiting))
	calls := b.waiting[:n:n]
	b.waiting = b.waiting[n:]
	if n == 0 {
		b.waiting = nil
		b.running--
	}
	return calls
}

func (b *Batcher[In, Out]) serve(calls []*call[In, Out]) {
	live := calls[:0:0]
	for _, c := range calls {
		if c.ctx.Err() == nil {
			live = append(live, c)
		}
	}
	if len(live) == 0 {
		return
	}
	in := make([]In, len(live))
	for i, c := range live {
		in[i] = c.in
	}
	out, err := b.work(context.WithoutCancel(live[0].ctx), in)
	if err == nil && len(out) != len(in) {
		err = fmt.Errorf("batch: %d outputs for %d inputs", len(out), len(in))
	}
	for i, c := range live {
		if c.err = err; err == nil {
			c.out = out[i]
		}
		close(c.done)
	}
}
