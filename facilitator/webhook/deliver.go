package webhook

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/webhook/signature"
)

// leaseMargin is how much longer a queue is leased than it takes to look the
// recipient up and to make a request.
const leaseMargin = 30 * time.Second

// delivering sends what is due in one lane, to at most width recipients at once.
func (p *Publisher) delivering(ctx context.Context, lane, width int) {
	var wg sync.WaitGroup
	defer wg.Wait()
	free := make(chan struct{}, width)
	for range width {
		free <- struct{}{}
	}
	for pause := time.Duration(0); wait(ctx, pause, p.wake[lane]); {
		n := take(ctx, free)
		batches, err := p.lease(ctx, lane, n)
		if err != nil && ctx.Err() == nil {
			p.log.Error("webhook: deliveries could not be leased", "error", err)
		}
		for range n - len(batches) {
			free <- struct{}{}
		}
		for _, b := range batches {
			wg.Go(func() {
				s := p.occupy(free)
				p.deliver(ctx, b)
				s.leave()
				p.queued() // more may be due to it, perhaps in the other lane
			})
		}
		if pause = 0; len(batches) < n || n == 0 {
			pause = p.options.Poll
		}
	}
}

// take takes all tokens there are, and waits for the first.
func take(ctx context.Context, free <-chan struct{}) int {
	n := 0
	select {
	case <-free:
		n++
	case <-ctx.Done():
		return 0
	}
	for {
		select {
		case <-free:
			n++
		default:
			return n
		}
	}
}

// patience is after what time a batch does not keep others from beginning.
const patience = time.Second

// slot is the place in a lane that a batch takes. After patience it is given
// back, if there is room among those that take long: recipients that begin to
// hang all at once do not stop a lane.
type slot struct {
	*Publisher
	free  chan<- struct{}
	timer *time.Timer

	mu    sync.Mutex
	moved bool // to those that take long
	left  bool
}

func (p *Publisher) occupy(free chan<- struct{}) *slot {
	s := &slot{Publisher: p, free: free}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer = time.AfterFunc(patience, s.move)
	return s
}

func (s *slot) move() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left {
		return
	}
	select {
	case s.long <- struct{}{}:
		s.moved = true
		s.free <- struct{}{}
		s.queued()
	default:
	}
}

// leave gives back whatever place the batch has.
func (s *slot) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer.Stop()
	s.left = true
	if s.moved {
		<-s.long
		return
	}
	s.free <- struct{}{}
}

func (p *Publisher) lease(ctx context.Context, lane, limit int) ([]Batch, error) {
	now := p.now()
	until := now.Add(p.options.ConsumerTimeout + p.options.Timeout + leaseMargin)
	return p.store.LeaseDeliveries(ctx, p.options.Owner, now, until, lane == laneFailing, limit, p.options.PerEndpoint)
}

// deliver sends the deliveries of one recipient, all at once, and records what
// came of them. A process that is killed in between leaves them to be sent again.
func (p *Publisher) deliver(ctx context.Context, b Batch) {
	ctx = context.WithoutCancel(ctx)
	target, err := p.target(ctx, &b)
	results := make([]result, len(b.Deliveries))
	var wg sync.WaitGroup
	for i := range b.Deliveries {
		wg.Go(func() {
			results[i] = p.attempt(ctx, target, err, &b.Deliveries[i])
		})
	}
	wg.Wait()
	now := p.now()
	outcomes := make([]Outcome, len(results))
	for i := range results {
		outcomes[i] = p.outcome(&b.Deliveries[i], results[i], b.Standing.Paused(), now)
	}
	v, eventID, standing := judge(results, outcomes), uuid.NewString(), b.Standing
	err = record(ctx, func(ctx context.Context) error {
		return p.store.FinishDeliveries(ctx, p.options.Owner, b.Queue, outcomes, func(e *Endpoint, s *Standing) account.Trail {
			if e != nil {
				return p.reconsider(e, &b, v, eventID, now)
			}
			defer func() { standing = *s }()
			return p.weigh(s, b.Queue, v, eventID, now)
		}, now)
	})
	switch {
	case err != nil:
		p.log.Error("webhook: what was sent could not be recorded and is sent again", "queue", b.Queue, "error", err)
	case standing.Paused() && !b.Standing.Paused():
		p.log.Warn("webhook: a recipient is paused", "queue", b.Queue, "failing_since", standing.FailingSince, "next", standing.ProbeAt)
	case b.Standing.Paused() && !standing.Paused():
		p.log.Info("webhook: a recipient is told again", "queue", b.Queue)
	}
}

// target is where b goes.
func (p *Publisher) target(ctx context.Context, b *Batch) (target, error) {
	if e := b.Endpoint; e != nil {
		if err := p.admits(ctx, e); err != nil {
			return target{}, err
		}
		secrets, err := p.liveSecrets(e)
		return target{e.URL, secrets}, err
	}
	d, ok := directOf(b.Queue)
	find := p.options.Directories[d.Directory]
	if !ok || find == nil {
		return target{}, fmt.Errorf("%w: there is no directory %q", ErrGone, d.Directory)
	}
	ctx, cancel := context.WithTimeout(ctx, p.options.ConsumerTimeout)
	defer cancel()
	found, err := find(ctx, d.Key)
	if err != nil {
		if !errors.Is(err, ErrGone) {
			p.log.Error("webhook: a recipient could not be looked up", "queue", b.Queue, "error", err)
		}
		return target{}, err
	}
	t := target{url: found.URL}
	for _, text := range found.Secrets {
		s, err := signature.ParseSecret(text)
		if err != nil {
			return target{}, err
		}
		t.secrets = append(t.secrets, s)
	}
	return t, nil
}

// errSilent is for what an owner may not hear.
var errSilent = errors.New("the owner of the webhook may not hear of anything now")

func (p *Publisher) admits(ctx context.Context, e *Endpoint) error {
	if p.options.Admits == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.options.ConsumerTimeout)
	defer cancel()
	ok, err := p.options.Admits(ctx, e.OwnerID)
	if err != nil {
		p.log.Error("webhook: an owner could not be looked up", "webhook", e.ID, "error", err)
		return err
	}
	if !ok {
		return errSilent
	}
	return nil
}

// outcome is what r means for d. That a paused recipient fails is no reason to
// give d up.
func (p *Publisher) outcome(d *Delivery, r result, paused bool, now time.Time) Outcome {
	o := Outcome{ID: d.ID, Attempt: r.Attempt, Status: DeliveryDelivered}
	hopeless := r.hopeless || d.Failures >= p.options.Retries
	if paused {
		hopeless = r.hopeless && !r.gone
	}
	switch {
	case r.Error == "":
	case hopeless:
		o.Status = DeliveryDead
		p.log.Warn("webhook: a delivery was given up", "delivery", d.ID, "queue", d.Queue, "event", d.Event.ID, "attempts", r.N, "error", r.Error)
	default:
		o.Status, o.NextAt = DeliveryPending, now.Add(p.pause(d.Failures, r.retryAfter))
	}
	return o
}
