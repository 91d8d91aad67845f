package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/registry"
)

// checkConcurrentRuns has replicas report, void and net at the same time. In the
// end every royalty is in one document or void, and the documents add up.
func checkConcurrentRuns(t *testing.T, l *ledgerRoom) {
	const workers, rounds = 9, 12
	from, to := month(0)
	_, errs := together(workers, func(i int) (struct{}, error) {
		s, service := l.stores[i%len(l.stores)], l.services[i%len(l.services)]
		var err error
		for n := range rounds {
			if i%3 == 2 {
				_, e := service.RunSettlements(t.Context(), admin, registry.RunRequest{From: from, To: to.Add(time.Duration(n/2) * time.Second)})
				err = errors.Join(err, e)
				continue
			}
			r, e := l.report(t.Context(), s, n%3, (n+1+i%2)%3, registry.Money(1+i*100+n), from)
			if err = errors.Join(err, e); e == nil && n%2 == 0 {
				_, e = l.void(t.Context(), s, r.Sale.ID, from)
				err = errors.Join(err, e)
			}
		}
		return struct{}{}, err
	})
	noErrors(t, errs)
	l.drain(t, t.Context())
	l.audit(t, t.Context())
}

// audit checks every document and royalty of a registry with nothing pending
// and nothing cancelled, all of it bilateral.
func (l *ledgerRoom) audit(t *testing.T, ctx context.Context) {
	t.Helper()
	in, position := map[int64]int64{}, map[int64]registry.Money{}
	type place struct {
		from, to    time.Time
		payer, paid int64
	}
	documents := map[place]bool{}
	list, err := l.services[0].AllSettlements(ctx, registry.SettlementFilter{}, registry.PageOptions{PerPage: 250})
	require.NoError(t, err)
	require.EqualValues(t, len(list.Items), list.Total)
	for _, d := range list.Items {
		at := place{d.Run.From, d.Run.To, min(d.PayerID, d.PayeeID), max(d.PayerID, d.PayeeID)}
		require.False(t, documents[at], "two documents of one period and pair")
		documents[at] = true
		var sum registry.Money
		lines := l.linesOf(t, ctx, d.ID, d.PayerID)
		require.EqualValues(t, d.Lines, len(lines))
		for _, line := range lines {
			require.Zero(t, in[line.ID], "royalty %d is in documents %d and %d", line.ID, in[line.ID], d.ID)
			in[line.ID] = d.ID
			if line.SellerID == d.PayerID {
				sum += line.Amount
			} else {
				sum -= line.Amount
			}
		}
		require.Equal(t, d.Net, sum)
		position[d.PayeeID] += d.Net
		position[d.PayerID] -= d.Net
	}
	all, err := l.stores[0].RoyaltiesAfter(ctx, registry.RoyaltyFilter{}, 0, 10_000)
	require.NoError(t, err)
	for _, r := range all {
		require.NotEqual(t, registry.RoyaltyPending, r.Status)
		require.Equal(t, r.Status != registry.RoyaltyVoided, in[r.ID] != 0, "royalty %d is %s", r.ID, r.Status)
		if r.Status != registry.RoyaltyVoided {
			position[r.SellerID] += r.Amount
			position[r.OriginID] -= r.Amount
		}
	}
	for platform, left := range position {
		require.Zero(t, left, "platform %d", platform)
	}
}
