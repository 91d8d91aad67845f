package webhook

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/v402/v402/store"
)

// Leases of events. A batch that takes longer is cut short, and is leased for as
// long as the last of its events may take.
const (
	eventLease  = time.Minute
	eventMargin = 15 * time.Second // of the lease, for the store
	eventBatch  = 64
)

// An event whose consumers failed is held for as long as it has waited, so that
// its pauses double.
const (
	minHold = time.Second
	maxHold = 5 * time.Minute
)

// publishing takes events out of the outbox.
func (p *Publisher) publishing(ctx context.Context) {
	for pause := time.Duration(0); wait(ctx, pause, nil); {
		n, err := p.publish(ctx)
		if err != nil && ctx.Err() == nil {
			p.log.Error("webhook: events could not be published", "error", err)
		}
		if pause = 0; err != nil || n < eventBatch {
			pause = p.options.Poll
		}
	}
}

// publish deals with one batch of events and returns how many there were.
func (p *Publisher) publish(ctx context.Context) (int, error) {
	calls := len(p.options.Audiences) + len(p.options.Consumers) + 1
	until := p.now().Add(eventLease + time.Duration(calls)*p.options.ConsumerTimeout)
	events, err := p.store.LeaseEvents(ctx, p.options.Owner, p.now(), until, eventBatch)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	end := p.now().Add(eventLease - eventMargin)
	b := batch{Publisher: p, slow: make([]bool, len(p.options.Consumers)), silent: map[string]bool{}}
	var list []Publication
	for _, e := range events {
		if ctx.Err() != nil || p.now().After(end) {
			list = append(list, Publication{Event: e, HoldUntil: p.now()}) // for whoever is next
			continue
		}
		list = append(list, b.publication(ctx, e))
	}
	err = record(ctx, func(ctx context.Context) error {
		return p.store.PublishEvents(ctx, p.options.Owner, list, p.now())
	})
	if err == nil {
		p.queued()
	}
	return len(events), err
}

// batch is the events that are dealt with at once.
type batch struct {
	*Publisher
	slow   []bool          // consumers that took too long: they are not waited for again
	silent map[string]bool // what Config.Admits said of owners: true for those who hear of nothing
}

// publication hands e to the consumers and asks who else hears of it.
func (b *batch) publication(ctx context.Context, e store.Event) Publication {
	out := Publication{Event: e}
	err := b.address(ctx, e, &out)
	for i := range b.options.Consumers {
		err = errors.Join(err, b.consume(ctx, i, e))
	}
	if err != nil {
		now := b.now()
		out.HoldUntil = now.Add(min(max(now.Sub(e.CreatedAt), minHold), maxHold))
		if ctx.Err() == nil {
			b.log.Error("webhook: an event is held back", "event", e.ID, "type", e.Type, "until", out.HoldUntil, "error", err)
		}
	}
	return out
}

// address asks the audiences.
func (b *batch) address(ctx context.Context, e store.Event, out *Publication) error {
	var all error
	for i, audience := range b.options.Audiences {
		err := b.guarded(ctx, func(ctx context.Context) error {
			recipients, err := audience(ctx, e)
			for _, r := range recipients {
				if r.OwnerID != "" {
					out.Owners = append(out.Owners, r.OwnerID)
				}
				if r.Direct != (Direct{}) {
					out.Queues = append(out.Queues, r.Direct.Queue())
				}
			}
			return err
		})
		if err != nil {
			all = errors.Join(all, fmt.Errorf("audience %d: %w", i, err))
		}
	}
	if err := b.guarded(ctx, func(ctx context.Context) error { return b.admit(ctx, out) }); err != nil {
		all = errors.Join(all, fmt.Errorf("look for owners: %w", err))
	}
	return all
}

// admit leaves out the owners whom Config.Admits does not know, or refuses.
func (b *batch) admit(ctx context.Context, out *Publication) error {
	if b.options.Admits == nil {
		return nil
	}
	asked := out.Owners
	out.Owners = nil
	for _, id := range asked {
		silent, known := b.silent[id]
		if !known {
			ok, err := b.options.Admits(ctx, id)
			if err != nil {
				return err
			}
			silent = !ok
			b.silent[id] = silent
		}
		if !silent {
			out.Owners = append(out.Owners, id)
		}
	}
	return nil
}

var errSlow = errors.New("it took too long with an event before")

func (b *batch) consume(ctx context.Context, i int, e store.Event) error {
	if b.slow[i] {
		return fmt.Errorf("consumer %d: %w", i, errSlow)
	}
	start := time.Now()
	err := b.guarded(ctx, func(ctx context.Context) error { return b.options.Consumers[i](ctx, e) })
	if err != nil {
		b.slow[i] = time.Since(start) >= b.options.ConsumerTimeout
		return fmt.Errorf("consumer %d: %w", i, err)
	}
	return nil
}

// guarded calls code of others, whose panics are errors: the event would
// otherwise end each process that takes it up.
func (b *batch) guarded(ctx context.Context, call func(context.Context) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, b.options.ConsumerTimeout)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return call(ctx)
}
