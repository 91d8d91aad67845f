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

// checkConcurrentSteps has replicas confirm the documents of multilateral runs at the
// same time, or one confirm while another has them all cancelled. In the end the
// royalties are paid, or pending and all documents cancelled.
func checkConcurrentSteps(t *testing.T, l *ledgerRoom) {
	for n := range 6 {
		owed := l.owe(t, n, 0, 1, 30_00)
		l.owe(t, n, 0, 2, 20_00)
		documents := l.run(t, n, registry.Multilateral, 0).Settlements
		require.Len(t, documents, 2)
		cancelled := n%2 == 1
		if cancelled {
			_, err := l.services[0].DisputeSettlement(t.Context(), registry.Platform{ID: documents[1].PayerID}, documents[1].ID, registry.DisputeRequest{Reason: "wrong"})
			require.NoError(t, err)
		}
		_, errs := together(2, func(i int) (struct{}, error) {
			service, d := l.services[i], documents[i]
			if cancelled && i == 1 {
				_, err := service.ResolveSettlement(t.Context(), admin, d.ID, registry.Resolution{Status: registry.SettlementCancelled, Reason: "indeed"})
				return struct{}{}, err
			}
			_, err := service.PaySettlement(t.Context(), registry.Platform{ID: d.PayerID}, d.ID, registry.PayRequest{Reference: "wire 7"})
			if err == nil {
				_, err = service.ConfirmSettlement(t.Context(), registry.Platform{ID: d.PayeeID}, d.ID)
			}
			return struct{}{}, err
		})
		var stands []registry.SettlementStatus
		for _, d := range documents {
			now, err := l.stores[0].PlatformSettlement(t.Context(), d.ID)
			require.NoError(t, err)
			stands = append(stands, now.Status)
		}
		status := l.royalty(t, t.Context(), owed.Royalty.ID).Status
		switch {
		case !cancelled:
			noErrors(t, errs)
			require.Equal(t, registry.RoyaltyPaid, status)
		case errs[1] == nil:
			require.ErrorIs(t, errs[0], registry.ErrSettlementState)
			require.Equal(t, []registry.SettlementStatus{registry.SettlementCancelled, registry.SettlementCancelled}, stands)
			require.Equal(t, registry.RoyaltyPending, status)
		default:
			require.ErrorIs(t, errs[1], registry.ErrSettlementState)
			require.NoError(t, errs[0])
			require.Equal(t, []registry.SettlementStatus{registry.SettlementConfirmed, registry.SettlementDisputed}, stands)
			require.Equal(t, registry.RoyaltySettling, status)
		}
	}
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
