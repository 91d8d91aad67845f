package facilitator_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

// step is something that happens to two replicas on one journal.
type step struct {
	Do      string // settle, crash, preempt, cancel, nodeDown, nodeUp, wait
	Replica int
	Payment int
	Fault   fault // of a crash: how the replica's new process will end
	At      int
	Seconds int
}

const payments = 4

var steps = rapid.Custom(func(t *rapid.T) step {
	return step{
		Do:      rapid.SampledFrom([]string{"settle", "settle", "settle", "crash", "preempt", "cancel", "nodeDown", "nodeUp", "wait"}).Draw(t, "do"),
		Replica: rapid.IntRange(0, 1).Draw(t, "replica"),
		Payment: rapid.IntRange(0, payments-1).Draw(t, "payment"),
		Fault:   rapid.SampledFrom([]fault{none, failBefore, failAfter, panicBefore, panicAfter, dieBefore, dieAfter}).Draw(t, "fault"),
		At:      rapid.IntRange(1, 12).Draw(t, "at"),
		Seconds: rapid.IntRange(1, 20).Draw(t, "seconds"),
	}
})

// TestWhateverHappensAPaymentMovesOnceAndItsAnswerStands: crashes, faults,
// strangers who submit or cancel and nodes that are gone, in any order.
func TestWhateverHappensAPaymentMovesOnceAndItsAnswerStands(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		history := rapid.SliceOfN(steps, 1, 25).Draw(rt, "history")
		var err error
		synctest.Test(t, func(*testing.T) { err = play(history) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// world is two replicas, their journal and their chain.
type world struct {
	journal  *memory.Store
	token    *token
	replicas [2]*replica
	started  int
	final    map[int]x402.SettleResponse // answers that must stand
}

type replica struct {
	service *facilitator.Service
	chain   *chain
	process *process
	stop    func()
}

func (w *world) start(i int, f fault, at int) {
	w.started++
	owner := fmt.Sprintf("process %d", w.started)
	r := &replica{process: &process{Journal: w.journal, fault: f, at: at}}
	r.chain = newChain(w.token, r.process, owner)
	var err error
	r.service, err = facilitator.New(facilitator.Config{
		Chains: []facilitator.Chain{r.chain}, Journal: r.process, Owner: owner, Logger: slog.New(slog.DiscardHandler),
		SettleTimeout: 10 * time.Second,
	})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.service.Run(ctx)
	}()
	r.stop = func() {
		r.process.kill()
		cancel()
		<-done
	}
	w.replicas[i] = r
}

// play runs a history and then heals everything. It returns what went wrong.
func play(history []step) error {
	w := &world{journal: memory.New(), token: newToken(), final: map[int]x402.SettleResponse{}}
	w.start(0, none, 0)
	w.start(1, none, 0)
	defer func() {
		w.replicas[0].stop()
		w.replicas[1].stop()
	}()
	all := make([]x402.Payment, payments)
	for i := range all {
		all[i] = pay(x402.V2, i, func(b *payload, _ *x402.PaymentRequirements) { b.Authorization.ValidBefore = "9999999999" })
	}
	for _, s := range history {
		if err := w.do(s, all); err != nil {
			return fmt.Errorf("%+v: %w", s, err)
		}
	}
	for i := range w.replicas {
		w.replicas[i].stop()
		w.start(i, none, 0)
	}
	time.Sleep(time.Minute)
	return w.check(all)
}

func (w *world) do(s step, all []x402.Payment) error {
	r := w.replicas[s.Replica]
	id, err := all[s.Payment].Identity()
	if err != nil {
		return err
	}
	switch s.Do {
	case "settle":
		return w.settle(r, s.Payment, all[s.Payment])
	case "crash":
		r.stop()
		w.start(s.Replica, s.Fault, s.At)
	case "preempt":
		w.token.execute(id.String(), "0xstranger")
	case "cancel":
		w.token.mu.Lock()
		defer w.token.mu.Unlock()
		if w.token.moved[id.String()] == "" {
			w.token.cancelled[id.String()] = true
		}
	case "nodeDown":
		r.chain.down.Store(true)
	case "nodeUp":
		r.chain.down.Store(false)
	case "wait":
		time.Sleep(time.Duration(s.Seconds) * time.Second)
	}
	return nil
}

// settle asks once and remembers an answer that must stand.
func (w *world) settle(r *replica, i int, p x402.Payment) error {
	got, err := r.service.Settle(context.Background(), p)
	if err != nil || got.ErrorReason == x402.ReasonSettlementPending {
		return nil
	}
	if got.Success && w.token.count() == 0 {
		return errors.New("success, and nothing moved")
	}
	if want, known := w.final[i]; known && (want.Success != got.Success || want.Transaction != got.Transaction) {
		return fmt.Errorf("the answer was %+v and is %+v", want, got)
	}
	if got.Success || len(got.Extra) > 0 { // a refusal leaves no trace and may change
		w.final[i] = got
	}
	return nil
}

// check compares journal, chain and answers once all is calm.
func (w *world) check(all []x402.Payment) error {
	moved := 0
	for i, p := range all {
		if err := w.settle(w.replicas[i%2], i, p); err != nil {
			return err
		}
		id, err := p.Identity()
		if err != nil {
			return err
		}
		hash, _ := w.token.by(id.String())
		if hash != "" {
			moved++
		}
		row, err := w.journal.SettlementByKey(context.Background(), id.String())
		if err != nil {
			continue // refused, or never asked for
		}
		switch {
		case !row.State.Final():
			return fmt.Errorf("payment %d is left %s", i, row.State)
		case row.State == facilitator.Confirmed && hash == "":
			return fmt.Errorf("payment %d is confirmed and did not move", i)
		case row.State == facilitator.Failed && hash != "":
			return fmt.Errorf("payment %d is failed and moved in %s", i, hash)
		case row.State == facilitator.Confirmed && row.Transaction != hash:
			return fmt.Errorf("payment %d moved in %s, not in %s", i, hash, row.Transaction)
		}
		if n := len(events(w.journal, row.ID)); n != 1 {
			return fmt.Errorf("payment %d has %d events", i, n)
		}
	}
	if moved != w.token.count() {
		return fmt.Errorf("%d transfers for %d payments", w.token.count(), moved)
	}
	return nil
}
