package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/x402"
)

// model is the journal in its simplest form, for one account on a network of
// its own, so that every run of a property has a fresh one in the same store.
type model struct {
	journal facilitator.Journal
	run     int64
	account facilitator.Account
	rows    []*modelRow // in the order of reservation
	next    uint64
}

type modelRow struct {
	facilitator.Settlement
	owner string
	until time.Time
	nonce uint64
}

var runs atomic.Int64

// checkModel does random steps on j and on a model, and compares what they say.
func checkModel(t *testing.T, j facilitator.Journal) {
	ctx := t.Context()
	check(t, func(t *rapid.T) {
		run := runs.Add(1)
		m := &model{journal: j, run: run, account: facilitator.Account{Network: x402.EVM(uint64(1_000_000 + run)), Address: "0x0402"}}
		t.Repeat(map[string]func(*rapid.T){
			"reserve": func(t *rapid.T) { m.reserve(ctx, t) },
			"submit":  func(t *rapid.T) { m.submit(ctx, t) },
			"replace": func(t *rapid.T) { m.replace(ctx, t) },
			"finish":  func(t *rapid.T) { m.finish(ctx, t) },
			"lease":   func(t *rapid.T) { m.lease(ctx, t) },
			"renew":   func(t *rapid.T) { m.renew(ctx, t) },
		})
		m.compare(ctx, t)
	})
}

// The small worlds that steps draw from, so that they meet each other.
var (
	owners  = rapid.SampledFrom([]string{"a", "b"})
	minutes = rapid.Custom(func(t *rapid.T) time.Time {
		return epoch.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "minute")) * time.Minute)
	})
	outcomeStates = rapid.SampledFrom([]facilitator.State{
		facilitator.Reserved, facilitator.Unknown, facilitator.Confirmed, facilitator.Failed,
	})
)

func (m *model) settlement(n int) facilitator.Settlement {
	s := settlement(n)
	s.ID, s.Key, s.Network = fmt.Sprintf("%d-%d", m.run, n), fmt.Sprintf("%d|%d", m.run, n), m.account.Network
	return s
}

func (m *model) find(id string) *modelRow {
	for _, row := range m.rows {
		if row.ID == id {
			return row
		}
	}
	return nil
}

func (m *model) drawID(t *rapid.T) string {
	return m.settlement(rapid.IntRange(0, 7).Draw(t, "n")).ID
}

func (m *model) reserve(ctx context.Context, t *rapid.T) {
	lease := facilitator.Lease{Owner: owners.Draw(t, "owner"), Until: minutes.Draw(t, "until")}
	var given []facilitator.Settlement
	var want []*modelRow
	var wantCreated []bool
	for _, n := range rapid.SliceOfN(rapid.IntRange(0, 7), 1, 4).Draw(t, "settlements") {
		s := m.settlement(n)
		row := m.find(s.ID)
		wantCreated = append(wantCreated, row == nil)
		if row == nil {
			row = &modelRow{Settlement: withState(s, facilitator.Reserved), owner: lease.Owner, until: lease.Until}
			m.rows = append(m.rows, row)
		}
		given, want = append(given, s), append(want, row)
	}
	stored, created, err := m.journal.ReserveSettlements(ctx, given, lease)
	require.NoError(t, err)
	require.Equal(t, wantCreated, created)
	for i := range want {
		same(t, want[i].Settlement, stored[i])
	}
}

func (m *model) submit(ctx context.Context, t *rapid.T) {
	owner, floor := owners.Draw(t, "owner"), rapid.Uint64Range(0, 30).Draw(t, "floor")
	var ids []string
	for range rapid.IntRange(0, 4).Draw(t, "count") {
		ids = append(ids, m.drawID(t))
	}
	nonce := floor
	if slices.ContainsFunc(m.rows, func(r *modelRow) bool { return r.Relayer != "" && !r.State.Final() }) {
		nonce = max(floor, m.next)
	}
	var want []*modelRow
	for _, id := range ids {
		row := m.find(id)
		if row == nil || row.State != facilitator.Reserved || row.owner != owner {
			continue
		}
		t := transaction(id, nonce, 0)
		row.State, row.Relayer, row.nonce = facilitator.Submitted, m.account.Address, nonce
		row.Transactions, row.Transaction = append(row.Transactions, t), t.Hash
		nonce++
		m.next = nonce
		want = append(want, row)
	}
	submitted, err := m.journal.SubmitSettlements(ctx, m.account, owner, floor, ids, sign)
	require.NoError(t, err)
	require.Len(t, submitted, len(want))
	for i := range want {
		same(t, want[i].Settlement, submitted[i])
	}
}

func (m *model) replace(ctx context.Context, t *rapid.T) {
	row := m.find(m.drawID(t))
	if row == nil {
		return
	}
	tx := transaction(row.ID, row.nonce, len(row.Transactions))
	err := m.journal.AddTransaction(ctx, row.ID, tx)
	if row.State.Final() || row.Relayer == "" {
		require.Error(t, err)
		return
	}
	require.NoError(t, err)
	row.Transactions, row.Transaction = append(row.Transactions, tx), tx.Hash
}

func (m *model) finish(ctx context.Context, t *rapid.T) {
	var outcomes []facilitator.Outcome
	var want []bool
	for range rapid.IntRange(1, 4).Draw(t, "count") {
		o := facilitator.Outcome{
			ID: m.drawID(t), State: outcomeStates.Draw(t, "state"), Block: rapid.Uint64Range(0, 2).Draw(t, "block"),
			Transaction: rapid.SampledFrom([]string{"", "0x1"}).Draw(t, "hash"),
			Message:     rapid.SampledFrom([]string{"", "a reason"}).Draw(t, "message"),
		}
		outcomes, want = append(outcomes, o), append(want, m.apply(o))
	}
	changed, err := m.journal.FinishSettlements(ctx, outcomes)
	require.NoError(t, err)
	require.Equal(t, want, changed, outcomes)
}

func (m *model) apply(o facilitator.Outcome) bool {
	row := m.find(o.ID)
	if row == nil || row.State.Final() {
		return false
	}
	was := row.Settlement
	row.State, row.Block, row.Reason, row.Message = o.State, o.Block, o.Reason, o.Message
	if o.Transaction != "" {
		row.Transaction = o.Transaction
	}
	changed := row.State != was.State || row.Block != was.Block || row.Message != was.Message || row.Transaction != was.Transaction
	if changed && o.State == facilitator.Reserved {
		row.Relayer, row.nonce = "", 0
	}
	return changed
}

func (m *model) lease(ctx context.Context, t *rapid.T) {
	lease := facilitator.Lease{Owner: owners.Draw(t, "owner"), Until: minutes.Draw(t, "until")}
	now, limit := minutes.Draw(t, "now"), rapid.IntRange(0, 5).Draw(t, "limit")
	var free []*modelRow
	for _, row := range m.rows {
		if !row.State.Final() && !row.until.After(now) {
			free = append(free, row)
		}
	}
	slices.SortFunc(free, func(a, b *modelRow) int { return a.CreatedAt.Compare(b.CreatedAt) })
	free = free[:min(limit, len(free))]
	leased, err := m.journal.LeaseSettlements(ctx, m.account.Network, lease, now, limit)
	require.NoError(t, err)
	require.Len(t, leased, len(free))
	for i, row := range free {
		row.owner, row.until = lease.Owner, lease.Until
		same(t, row.Settlement, leased[i])
	}
}

func (m *model) renew(ctx context.Context, t *rapid.T) {
	lease := facilitator.Lease{Owner: owners.Draw(t, "owner"), Until: minutes.Draw(t, "until")}
	want := 0
	for _, row := range m.rows {
		if !row.State.Final() && row.owner == lease.Owner {
			row.until = lease.Until
			want++
		}
	}
	n, err := m.journal.RenewLeases(ctx, m.account.Network, lease)
	require.NoError(t, err)
	require.Equal(t, want, n)
}

// compare reads everything back.
func (m *model) compare(ctx context.Context, t *rapid.T) {
	unfinished := map[uint64]string{}
	for _, row := range m.rows {
		got, err := m.journal.Settlement(ctx, row.ID)
		require.NoError(t, err)
		same(t, row.Settlement, got)
		if row.Relayer != "" && !row.State.Final() {
			unfinished[row.nonce] = row.ID
		}
	}
	nonces, err := m.journal.UnfinishedNonces(ctx, m.account, 0)
	require.NoError(t, err)
	got := map[uint64]string{}
	for nonce, s := range nonces {
		got[nonce] = s.ID
	}
	require.Equal(t, unfinished, got)
}
