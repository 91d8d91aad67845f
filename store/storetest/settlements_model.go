package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

// netModel is netting in its simplest form: a list of debts, and of documents
// with the debts that they list.
type netModel struct {
	room *ledgerRoom
	owed []*modelDebt
	docs []*modelDocument
	base int // month of the first period
}

// modelDebt is a royalty or an adjustment.
type modelDebt struct {
	id, sale       int64
	seller, origin int64
	amount         registry.Money
	due            time.Time
	adjusts        bool
	voided         bool
	run            int64
	status         registry.RoyaltyStatus
}

type modelDocument struct {
	registry.Settlement
	period int
	lines  []*modelDebt // at the issue
}

// checkSettlementModel does random steps on a registry and on a model.
func checkSettlementModel(t *testing.T, room *ledgerRoom) {
	ctx := t.Context()
	base := 0
	check(t, func(t *rapid.T) {
		room.drain(t, ctx)
		room.addPlatforms(t, ctx, 4)
		base += 3
		m := &netModel{room: room, base: base}
		t.Repeat(map[string]func(*rapid.T){
			"report":  func(t *rapid.T) { m.report(ctx, t) },
			"void":    func(t *rapid.T) { m.void(ctx, t) },
			"run":     func(t *rapid.T) { m.run(ctx, t) },
			"finish":  func(t *rapid.T) { m.finish(ctx, t) },
			"cancel":  func(t *rapid.T) { m.cancel(ctx, t) },
			"dispute": func(t *rapid.T) { m.dispute(ctx, t) },
		})
		m.compare(ctx, t)
	})
}

func (m *netModel) report(ctx context.Context, t *rapid.T) {
	seller := rapid.IntRange(0, 3).Draw(t, "seller")
	origin := (seller + rapid.IntRange(1, 3).Draw(t, "origin")) % 4
	amount := registry.Money(rapid.Int64Range(1, 12_00).Draw(t, "royalty"))
	due, _ := month(m.base + rapid.IntRange(0, 2).Draw(t, "period"))
	r, err := m.room.report(ctx, m.room.stores[0], seller, origin, amount, due)
	require.NoError(t, err)
	m.owed = append(m.owed, &modelDebt{
		id: r.Royalty.ID, sale: r.Sale.ID, seller: r.Royalty.SellerID, origin: r.Royalty.OriginID,
		amount: amount, due: due, status: registry.RoyaltyPending,
	})
}

func (m *netModel) void(ctx context.Context, t *rapid.T) {
	if len(m.owed) == 0 {
		return
	}
	d := rapid.SampledFrom(m.owed).Draw(t, "royalty")
	at, _ := month(m.base + rapid.IntRange(0, 2).Draw(t, "period"))
	v, err := m.room.void(ctx, m.room.stores[0], d.sale, at)
	if d.voided || d.adjusts && m.saleOf(d).voided {
		require.ErrorIs(t, err, registry.ErrSaleVoided)
		return
	}
	require.NoError(t, err)
	d.voided = true
	if d.status == registry.RoyaltyPending {
		d.status = registry.RoyaltyVoided
		require.Nil(t, v.Adjustment)
		return
	}
	require.NotNil(t, v.Adjustment)
	m.owed = append(m.owed, &modelDebt{
		id: v.Adjustment.ID, sale: d.sale, seller: d.seller, origin: d.origin, amount: -d.amount,
		due: at, adjusts: true, status: registry.RoyaltyPending,
	})
}

// saleOf is the royalty of the sale that an adjustment takes back.
func (m *netModel) saleOf(adjustment *modelDebt) *modelDebt {
	i := slices.IndexFunc(m.owed, func(d *modelDebt) bool { return d.sale == adjustment.sale && !d.adjusts })
	return m.owed[i]
}

func samePair(d *modelDebt, a, b int64) bool {
	return d.seller == a && d.origin == b || d.seller == b && d.origin == a
}

// live are the documents of a period that are not cancelled.
func (m *netModel) live(period int) (docs []*modelDocument) {
	for _, d := range m.docs {
		if d.period == period && d.Status != registry.SettlementCancelled {
			docs = append(docs, d)
		}
	}
	return docs
}

func (m *netModel) run(ctx context.Context, t *rapid.T) {
	period := rapid.IntRange(0, 2).Draw(t, "period")
	mode := rapid.SampledFrom([]registry.SettlementMode{registry.Bilateral, registry.Multilateral}).Draw(t, "mode")
	minimum := registry.Money(rapid.SampledFrom([]int64{0, 5_00, 10_00}).Draw(t, "minimum"))
	from, to := month(m.base + period)
	r, err := m.room.services[0].RunSettlements(ctx, admin, registry.RunRequest{From: from, To: to, Mode: mode, Minimum: &minimum})
	live := m.live(period)
	if len(live) > 0 && live[0].Run.Mode != mode {
		require.ErrorIs(t, err, store.ErrConflict)
		return
	}
	require.NoError(t, err)
	require.Len(t, r.Earlier, len(live))
	if mode == registry.Bilateral {
		m.expectPairs(t, &r, period, to, minimum)
	} else {
		m.expectAll(t, &r, period, to, live)
	}
}

// expectPairs nets each pair for itself, and compares.
func (m *netModel) expectPairs(t *rapid.T, r *registry.RunResult, period int, to time.Time, minimum registry.Money) {
	found := 0
	for i, a := range m.room.platforms {
		for _, b := range m.room.platforms[i+1:] {
			var lines []*modelDebt
			var net registry.Money // from a to b
			for _, d := range m.owed {
				if d.status == registry.RoyaltyPending && d.due.Before(to) && samePair(d, a.ID, b.ID) {
					lines = append(lines, d)
					if d.seller == a.ID {
						net += d.amount
					} else {
						net -= d.amount
					}
				}
			}
			taken := slices.ContainsFunc(m.live(period), func(d *modelDocument) bool { return d.Party(a.ID) && d.Party(b.ID) })
			if len(lines) == 0 || taken || net != 0 && net < minimum && -net < minimum {
				continue
			}
			at := slices.IndexFunc(r.Settlements, func(d registry.Settlement) bool { return d.Party(a.ID) && d.Party(b.ID) })
			require.GreaterOrEqual(t, at, 0, "no document for %d cents between %d and %d", net, a.ID, b.ID)
			d := r.Settlements[at]
			if d.PayerID == b.ID {
				net = -net
			}
			require.Equal(t, net, d.Net)
			found++
			m.issue(d, period, lines)
		}
	}
	require.Len(t, r.Settlements, found)
}

// expectAll checks that each platform pays or gets its position.
func (m *netModel) expectAll(t *rapid.T, r *registry.RunResult, period int, to time.Time, live []*modelDocument) {
	if len(live) > 0 {
		require.Empty(t, r.Settlements)
		return
	}
	var lines []*modelDebt
	position, total := map[int64]registry.Money{}, registry.Money(0)
	for _, d := range m.owed {
		carried := slices.ContainsFunc(r.Carried, func(p [2]int64) bool { return samePair(d, p[0], p[1]) })
		if d.status == registry.RoyaltyPending && d.due.Before(to) && !carried {
			lines = append(lines, d)
			position[d.seller] -= d.amount
			position[d.origin] += d.amount
		}
	}
	for i := range r.Settlements {
		position[r.Settlements[i].PayerID] += r.Settlements[i].Net
		position[r.Settlements[i].PayeeID] -= r.Settlements[i].Net
	}
	for platform, left := range position {
		require.Zero(t, left, "platform %d", platform)
		total += left
	}
	require.Zero(t, total)
	require.Less(t, len(r.Settlements), max(len(position), 1))
	require.Equal(t, len(lines) > 0, r.Run.ID != 0)
	for _, d := range r.Settlements {
		m.issue(d, period, nil)
	}
	for _, line := range lines {
		line.run, line.status = r.Run.ID, registry.RoyaltySettling
		if len(r.Settlements) == 0 {
			line.status = registry.RoyaltyPaid
		}
		for _, d := range m.docs {
			if d.Run.ID == r.Run.ID && (d.Party(line.seller) || d.Party(line.origin)) {
				d.lines = append(d.lines, line)
			}
		}
	}
}

func (m *netModel) issue(d registry.Settlement, period int, lines []*modelDebt) {
	m.docs = append(m.docs, &modelDocument{Settlement: d, period: period, lines: lines})
	for _, line := range lines {
		line.run, line.status = d.Run.ID, registry.RoyaltySettling
		if d.Status == registry.SettlementConfirmed {
			line.status = registry.RoyaltyPaid
		}
	}
}

// draw picks a document that is issued.
func (m *netModel) draw(t *rapid.T) *modelDocument {
	var issued []*modelDocument
	for _, d := range m.docs {
		if d.Status == registry.SettlementIssued {
			issued = append(issued, d)
		}
	}
	if len(issued) == 0 {
		return nil
	}
	return rapid.SampledFrom(issued).Draw(t, "document")
}

// siblings are the documents that share the royalties of d.
func (m *netModel) siblings(d *modelDocument) (docs []*modelDocument) {
	for _, other := range m.docs {
		if other == d || d.Run.Mode == registry.Multilateral && other.Run.ID == d.Run.ID {
			docs = append(docs, other)
		}
	}
	return docs
}

func (m *netModel) finish(ctx context.Context, t *rapid.T) {
	d := m.draw(t)
	if d == nil {
		return
	}
	d.Settlement = m.room.finish(t, ctx, d.Settlement)
	siblings := m.siblings(d)
	if slices.ContainsFunc(siblings, func(o *modelDocument) bool { return o.Status != registry.SettlementConfirmed }) {
		return
	}
	for _, debt := range m.owed {
		if debt.run == d.Run.ID && (d.Run.Mode == registry.Multilateral || samePair(debt, d.PayerID, d.PayeeID)) {
			debt.status = registry.RoyaltyPaid
		}
	}
}

func (m *netModel) cancel(ctx context.Context, t *rapid.T) {
	d := m.draw(t)
	if d == nil {
		return
	}
	service := m.room.services[0]
	_, err := service.DisputeSettlement(ctx, registry.Platform{ID: d.PayeeID}, d.ID, registry.DisputeRequest{Reason: "wrong"})
	require.NoError(t, err)
	_, err = service.ResolveSettlement(ctx, admin, d.ID, registry.Resolution{Status: registry.SettlementCancelled, Reason: "indeed"})
	siblings := m.siblings(d)
	if slices.ContainsFunc(siblings, func(o *modelDocument) bool { return o.Status == registry.SettlementConfirmed }) {
		require.True(t, errors.Is(err, registry.ErrSettlementState), "%v", err)
		_, err = service.ResolveSettlement(ctx, admin, d.ID, registry.Resolution{Status: registry.SettlementIssued, Reason: "no"})
		require.NoError(t, err)
		m.reload(ctx, t, d)
		return
	}
	require.NoError(t, err)
	for _, o := range siblings {
		m.reload(ctx, t, o)
		require.Equal(t, registry.SettlementCancelled, o.Status)
	}
	for _, debt := range m.owed {
		if debt.run == d.Run.ID && (d.Run.Mode == registry.Multilateral || samePair(debt, d.PayerID, d.PayeeID)) {
			debt.run, debt.status = 0, registry.RoyaltyPending
		}
	}
}

func (m *netModel) dispute(ctx context.Context, t *rapid.T) {
	d := m.draw(t)
	if d == nil {
		return
	}
	service := m.room.services[0]
	_, err := service.DisputeSettlement(ctx, registry.Platform{ID: d.PayerID}, d.ID, registry.DisputeRequest{Reason: "wrong"})
	require.NoError(t, err)
	_, err = service.PaySettlement(ctx, registry.Platform{ID: d.PayerID}, d.ID, registry.PayRequest{Reference: "wire"})
	require.ErrorIs(t, err, registry.ErrSettlementState)
	_, err = service.ResolveSettlement(ctx, admin, d.ID, registry.Resolution{Status: registry.SettlementIssued, Reason: "right"})
	require.NoError(t, err)
	m.reload(ctx, t, d)
}

// reload reads what may have changed of a document, and requires that nothing
// else did.
func (m *netModel) reload(ctx context.Context, t *rapid.T, d *modelDocument) {
	got, err := m.room.stores[0].PlatformSettlement(ctx, d.ID)
	require.NoError(t, err)
	require.Equal(t, unchanging(d.Settlement), unchanging(got))
	d.Settlement = got
}

// unchanging is what an issued document says for ever.
func unchanging(d registry.Settlement) registry.Settlement {
	return registry.Settlement{
		ID: d.ID, Run: d.Run, PayerID: d.PayerID, PayerName: d.PayerName, PayeeID: d.PayeeID, PayeeName: d.PayeeName,
		Gross: d.Gross, Counter: d.Counter, Net: d.Net, Lines: d.Lines, PayeeLines: d.PayeeLines,
	}
}

// compare reads everything back: royalties as the model has them, and documents
// as they were issued, with the lines that they had.
func (m *netModel) compare(ctx context.Context, t *rapid.T) {
	for _, debt := range m.owed {
		r := m.room.royalty(t, ctx, debt.id)
		require.Equal(t, []any{debt.status, debt.run, debt.amount}, []any{r.Status, r.RunID, r.Amount}, "royalty %d", debt.id)
	}
	in := map[int64]int64{} // royalty to the live run that lists it
	for _, d := range m.docs {
		got, err := m.room.stores[0].PlatformSettlement(ctx, d.ID)
		require.NoError(t, err)
		require.Equal(t, d.Settlement, got)
		m.compareLines(ctx, t, in, d, d.PayerID, d.Lines, m.paid(d, d.PayerID))
		m.compareLines(ctx, t, in, d, d.PayeeID, d.PayeeLines, -m.paid(d, d.PayeeID))
	}
}

// paid is what a party of d pays by it, and in a multilateral run by all of the
// run; less what it gets.
func (m *netModel) paid(d *modelDocument, party int64) (sum registry.Money) {
	for _, o := range m.siblings(d) {
		switch party {
		case o.PayerID:
			sum += o.Net
		case o.PayeeID:
			sum -= o.Net
		}
	}
	return sum
}

// compareLines reads the statement of a party: it has as many lines as the
// document says, those that it had at the issue, and they add up.
func (m *netModel) compareLines(ctx context.Context, t *rapid.T, in map[int64]int64, d *modelDocument, party, count int64, total registry.Money) {
	lines := m.room.linesOf(t, ctx, d.ID, party)
	require.EqualValues(t, count, len(lines))
	var listed int64
	for _, l := range d.lines {
		if l.seller == party || l.origin == party {
			listed++
		}
	}
	require.Equal(t, listed, count)
	var sum registry.Money
	for i := range lines {
		require.True(t, slices.ContainsFunc(d.lines, func(l *modelDebt) bool { return l.id == lines[i].ID }))
		if (lines[i].SellerID == party) == (party == d.PayerID) {
			sum += lines[i].Amount
		} else {
			sum -= lines[i].Amount
		}
		if d.Status != registry.SettlementCancelled {
			run, taken := in[lines[i].ID]
			require.True(t, !taken || run == d.Run.ID, "royalty %d is in two runs", lines[i].ID)
			in[lines[i].ID] = d.Run.ID
		}
	}
	require.Equal(t, total, sum)
}
