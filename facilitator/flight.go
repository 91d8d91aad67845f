package facilitator

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
)

// ErrStopping is returned by Settle once Run is ending: ask another replica,
// or again later, with the same payment.
var ErrStopping = errors.New("facilitator: stopping")

// flightKey is equal for identical payments.
type flightKey struct {
	terms   terms
	payload [sha256.Size]byte
}

// flights are the settlements under way in this process. Identical calls share
// one, and it outlives the calls.
type flights struct {
	mu     sync.Mutex
	open   map[flightKey]*flight
	closed bool
	wait   sync.WaitGroup

	stopping context.Context // ends when the flights must
	stop     context.CancelFunc
}

type flight struct {
	done chan struct{} // closed when row and err are set
	row  Settlement
	err  error
}

func (f *flights) init() {
	f.open = map[flightKey]*flight{}
	f.stopping, f.stop = context.WithCancel(context.Background())
}

// join waits for the flight of key, and starts it with work if there is none.
// work's context has the values of ctx and outlives it.
func (f *flights) join(ctx context.Context, key flightKey, work func(context.Context) (Settlement, error)) (Settlement, error) {
	f.mu.Lock()
	shared, ok := f.open[key]
	if !ok {
		if f.closed {
			f.mu.Unlock()
			return Settlement{}, ErrStopping
		}
		shared = &flight{done: make(chan struct{})}
		f.open[key] = shared
		f.spawn(ctx, func(ctx context.Context) {
			shared.row, shared.err = work(ctx)
			f.mu.Lock()
			delete(f.open, key)
			f.mu.Unlock()
			close(shared.done)
		})
	}
	f.mu.Unlock()
	select {
	case <-shared.done:
		return shared.row, shared.err
	case <-ctx.Done():
		return Settlement{}, context.Cause(ctx)
	}
}

// spawn runs work in a goroutine that close waits for. f.mu must be held, and
// f not be closed.
func (f *flights) spawn(ctx context.Context, work func(context.Context)) {
	f.wait.Add(1)
	go func() {
		defer f.wait.Done()
		ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		defer context.AfterFunc(f.stopping, cancel)()
		work(ctx)
	}()
}

// start is spawn for others; it does nothing once f is closed.
func (f *flights) start(ctx context.Context, work func(context.Context)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.spawn(ctx, work)
	}
}

// close ends the flights, which answer as they stand, and waits for them.
func (f *flights) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.stop()
	f.wait.Wait()
}

func (f *flights) isClosed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed
}
