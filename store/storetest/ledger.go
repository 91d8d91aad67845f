package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/payer"
)

// TestLedger shows that open returns an empty ledger that keeps what
// [payer.Ledger] promises.
func TestLedger(t *testing.T, open Open[payer.Ledger]) {
	ledgerPromises.run(t, open.one)
}

// spending is one of value millionths.
func spending(id string, value uint64) payer.Spending {
	most, err := x402.ParseAtomic("115792089237316195423570985008687907853269984665640564039457584007913129639935")
	if err != nil {
		panic(err) // 2^256-1
	}
	return payer.Spending{
		ID: id, Fingerprint: "GET https://api.example.com/quote", Host: "api.example.com",
		Network: x402.BaseSepolia, Asset: "0x036CbD53842c5426634e7929541eC2318f3dCF7e", Amount: most,
		Currency: "USD", Value: x402.NewAmount(value), PayTo: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
		Resource: "https://api.example.com/quote", State: payer.Reserved,
		CreatedAt: epoch, ExpiresAt: epoch.Add(time.Minute),
	}
}

func limitOf(amount uint64) []payer.Limit { return []payer.Limit{{Amount: x402.NewAmount(amount)}} }

// spent reads a spending, with its times in UTC.
func spent(t *testing.T, l payer.Ledger, id string) payer.Spending {
	t.Helper()
	s, err := l.Spending(t.Context(), id)
	require.NoError(t, err)
	return inUTC(s)
}

func inUTC(s payer.Spending) payer.Spending {
	s.CreatedAt, s.ExpiresAt = s.CreatedAt.UTC(), s.ExpiresAt.UTC()
	return s
}

var ledgerPromises = promises[payer.Ledger]{
	"a spending is stored as it was given, reserved, without payload and transaction": func(t *testing.T, l payer.Ledger) {
		given := spending("1", 10)
		given.State, given.Payload, given.Transaction = payer.Paid, json.RawMessage(`{}`), "0x1"
		require.NoError(t, l.Reserve(t.Context(), given, nil))
		require.Equal(t, inUTC(spending("1", 10)), spent(t, l, "1"))
	},
	"a limit may be reached and not exceeded": func(t *testing.T, l payer.Ledger) {
		require.NoError(t, l.Reserve(t.Context(), spending("1", 60), limitOf(100)))
		err := l.Reserve(t.Context(), spending("2", 41), limitOf(100))
		require.ErrorIs(t, err, payer.ErrOverBudget)
		var over *payer.OverBudgetError
		if errors.As(err, &over) {
			require.Equal(t, "60", over.Spent.String())
			require.Equal(t, "41", over.Value.String())
			require.Equal(t, "100", over.Limit.Amount.String())
			require.Equal(t, "USD", over.Currency)
		}
		_, err = l.Spending(t.Context(), "2")
		require.ErrorIs(t, err, payer.ErrUnknownSpending)
		require.NoError(t, l.Reserve(t.Context(), spending("2", 40), limitOf(100)))
		require.NoError(t, l.Reserve(t.Context(), spending("3", 0), limitOf(100)))
		require.ErrorIs(t, l.Reserve(t.Context(), spending("4", 1), limitOf(0)), payer.ErrOverBudget)
	},
	"all limits hold, each for its host and since its moment": func(t *testing.T, l payer.Ledger) {
		old, other := spending("old", 50), spending("other", 20)
		old.CreatedAt = epoch.Add(-time.Hour)
		other.Host = "other.example.com"
		require.NoError(t, l.Reserve(t.Context(), old, nil))
		require.NoError(t, l.Reserve(t.Context(), other, nil))
		require.NoError(t, l.Reserve(t.Context(), spending("1", 10), nil))
		for _, c := range []struct {
			limit payer.Limit
			spent uint64
		}{
			{payer.Limit{}, 80},
			{payer.Limit{Since: epoch}, 30},
			{payer.Limit{Since: epoch.Add(-time.Hour)}, 80},
			{payer.Limit{Since: epoch.Add(-time.Hour + time.Microsecond)}, 30},
			{payer.Limit{Host: "api.example.com"}, 60},
			{payer.Limit{Host: "api.example.com", Since: epoch}, 10},
			{payer.Limit{Host: "other.example.com"}, 20},
			{payer.Limit{Host: "new.example.com"}, 0},
		} {
			wide := payer.Limit{Amount: x402.NewAmount(1000)}
			c.limit.Amount = x402.NewAmount(c.spent + 4)
			require.ErrorIs(t, l.Reserve(t.Context(), spending("2", 5), []payer.Limit{wide, c.limit}), payer.ErrOverBudget, c)
			c.limit.Amount = x402.NewAmount(c.spent + 5)
			require.NoError(t, l.Reserve(t.Context(), spending("2", 5), []payer.Limit{c.limit, wide}), c)
			require.NoError(t, l.Finish(t.Context(), "2", payer.Released, ""))
		}
	},
	"currencies are counted apart": func(t *testing.T, l payer.Ledger) {
		require.NoError(t, l.Reserve(t.Context(), spending("1", 90), limitOf(100)))
		euro := spending("2", 90)
		euro.Currency = "EUR"
		require.NoError(t, l.Reserve(t.Context(), euro, limitOf(100)))
	},
	"only what is released does not count": func(t *testing.T, l payer.Ledger) {
		require.NoError(t, l.Reserve(t.Context(), spending("1", 90), limitOf(100)))
		for _, state := range []payer.State{payer.Unknown, payer.Paid} {
			require.NoError(t, l.Finish(t.Context(), "1", state, ""))
			require.ErrorIs(t, l.Reserve(t.Context(), spending("2", 11), limitOf(100)), payer.ErrOverBudget, state)
		}
		require.NoError(t, l.Reserve(t.Context(), spending("3", 10), limitOf(100)))
		require.NoError(t, l.Finish(t.Context(), "3", payer.Released, ""))
		require.NoError(t, l.Reserve(t.Context(), spending("4", 10), limitOf(100)))
	},
	"the greatest values are summed without overflow": func(t *testing.T, l payer.Ledger) {
		for i := range 4 {
			require.NoError(t, l.Reserve(t.Context(), spending(fmt.Sprint(i), math.MaxInt64), nil))
		}
		most, err := x402.ParseAtomic("46116860184273879035") // 5 × (2^63-1)
		require.NoError(t, err)
		less, err := most.Sub(x402.NewAmount(1))
		require.NoError(t, err)
		require.ErrorIs(t, l.Reserve(t.Context(), spending("last", math.MaxInt64), []payer.Limit{{Amount: less}}), payer.ErrOverBudget)
		require.NoError(t, l.Reserve(t.Context(), spending("last", math.MaxInt64), []payer.Limit{{Amount: most}}))
	},
	"of 100 callers at once as many get through as the limit allows": func(t *testing.T, l payer.Ledger) {
		_, errs := together(100, func(i int) (struct{}, error) {
			return struct{}{}, l.Reserve(t.Context(), spending(fmt.Sprint(i), 7), limitOf(100))
		})
		through := 0
		for _, err := range errs {
			if err == nil {
				through++
			} else {
				require.ErrorIs(t, err, payer.ErrOverBudget)
			}
		}
		require.Equal(t, 14, through)
	},
	"an ID that is known is refused, unless it was released": func(t *testing.T, l payer.Ledger) {
		require.NoError(t, l.Reserve(t.Context(), spending("1", 1), nil))
		require.NoError(t, l.Sign(t.Context(), "1", json.RawMessage(`{"a":1}`)))
		second := spending("1", 2)
		second.Currency, second.Host = "EUR", "other.example.com"
		for _, state := range []payer.State{"", payer.Unknown} {
			if state != "" {
				require.NoError(t, l.Finish(t.Context(), "1", state, "0x1"))
			}
			require.ErrorIs(t, l.Reserve(t.Context(), second, limitOf(0)), payer.ErrDuplicateSpending)
			require.Equal(t, "1", spent(t, l, "1").Value.String())
		}
		require.NoError(t, l.Finish(t.Context(), "1", payer.Released, ""))
		require.ErrorIs(t, l.Reserve(t.Context(), second, limitOf(1)), payer.ErrOverBudget)
		require.Equal(t, payer.Released, spent(t, l, "1").State)
		require.NoError(t, l.Reserve(t.Context(), second, limitOf(2)))
		require.Equal(t, inUTC(second), spent(t, l, "1"))
		require.NoError(t, l.Finish(t.Context(), "1", payer.Paid, "0x2"))
		require.ErrorIs(t, l.Reserve(t.Context(), second, nil), payer.ErrDuplicateSpending)
	},
	"of 50 callers with one ID exactly one reserves it": func(t *testing.T, l payer.Ledger) {
		_, errs := together(50, func(i int) (struct{}, error) {
			s := spending("1", 1)
			s.Currency = fmt.Sprint("C", i%3)
			return struct{}{}, l.Reserve(t.Context(), s, limitOf(100))
		})
		through := 0
		for _, err := range errs {
			if err == nil {
				through++
			} else {
				require.ErrorIs(t, err, payer.ErrDuplicateSpending)
			}
		}
		require.Equal(t, 1, through)
	},
	"a spending is signed once": func(t *testing.T, l payer.Ledger) {
		require.NoError(t, l.Reserve(t.Context(), spending("1", 1), nil))
		results, errs := together(20, func(i int) (string, error) {
			payload := fmt.Sprintf(`{"n": %d}`, i)
			return payload, l.Sign(t.Context(), "1", json.RawMessage(payload))
		})
		won := ""
		for i, err := range errs {
			if err == nil {
				require.Empty(t, won)
				won = results[i]
			} else {
				require.ErrorIs(t, err, payer.ErrSpendingState)
			}
		}
		require.JSONEq(t, won, string(spent(t, l, "1").Payload))
	},
	"only a reserved spending is signed": func(t *testing.T, l payer.Ledger) {
		require.ErrorIs(t, l.Sign(t.Context(), "no", json.RawMessage(`{}`)), payer.ErrUnknownSpending)
		for i, state := range []payer.State{payer.Paid, payer.Released, payer.Unknown} {
			id := fmt.Sprint(i)
			require.NoError(t, l.Reserve(t.Context(), spending(id, 1), nil))
			require.NoError(t, l.Finish(t.Context(), id, state, ""))
			require.ErrorIs(t, l.Sign(t.Context(), id, json.RawMessage(`{}`)), payer.ErrSpendingState)
			require.Nil(t, spent(t, l, id).Payload)
		}
	},
	"the steps that a spending may take, and no others": func(t *testing.T, l payer.Ledger) {
		states := []payer.State{payer.Reserved, payer.Paid, payer.Released, payer.Unknown}
		allowed := map[[2]payer.State]bool{
			{payer.Reserved, payer.Paid}: true, {payer.Reserved, payer.Released}: true, {payer.Reserved, payer.Unknown}: true,
			{payer.Unknown, payer.Paid}: true, {payer.Unknown, payer.Released}: true, {payer.Unknown, payer.Unknown}: true,
			{payer.Released, payer.Paid}: true, {payer.Released, payer.Released}: true, {payer.Paid, payer.Paid}: true,
		}
		for _, from := range states {
			for _, to := range append(states, "other") {
				id := fmt.Sprint(from, " to ", to)
				require.NoError(t, l.Reserve(t.Context(), spending(id, 1), nil))
				if from != payer.Reserved {
					require.NoError(t, l.Finish(t.Context(), id, from, "0x1"))
				}
				before := spent(t, l, id)
				err := l.Finish(t.Context(), id, to, "0x2")
				if allowed[[2]payer.State{from, to}] {
					require.NoError(t, err, id)
					before.State, before.Transaction = to, "0x2"
				} else {
					require.ErrorIs(t, err, payer.ErrSpendingState, id)
				}
				require.Equal(t, before, spent(t, l, id), id)
			}
		}
		require.ErrorIs(t, l.Finish(t.Context(), "no", payer.Paid, ""), payer.ErrUnknownSpending)
	},
	"an empty transaction leaves what is recorded": func(t *testing.T, l payer.Ledger) {
		require.NoError(t, l.Reserve(t.Context(), spending("1", 1), nil))
		require.NoError(t, l.Finish(t.Context(), "1", payer.Unknown, "0x1"))
		require.NoError(t, l.Finish(t.Context(), "1", payer.Paid, ""))
		require.Equal(t, "0x1", spent(t, l, "1").Transaction)
	},
	"the list begins with the oldest; those of one moment are ordered by ID": func(t *testing.T, l payer.Ledger) {
		for i, id := range []string{"c", "a", "b", "late", "early"} {
			s := spending(id, 1)
			s.CreatedAt = epoch.Add([]time.Duration{0, 0, 0, time.Second, -time.Second}[i])
			require.NoError(t, l.Reserve(t.Context(), s, nil))
		}
		require.NoError(t, l.Finish(t.Context(), "b", payer.Released, ""))
		ids := func(since time.Time) (ids []string) {
			list, err := l.Spendings(t.Context(), since)
			require.NoError(t, err)
			for _, s := range list {
				require.Equal(t, spent(t, l, s.ID), inUTC(s))
				ids = append(ids, s.ID)
			}
			return ids
		}
		require.Equal(t, []string{"early", "a", "b", "c", "late"}, ids(time.Time{}))
		require.Equal(t, []string{"a", "b", "c", "late"}, ids(epoch))
		require.Equal(t, []string{"late"}, ids(epoch.Add(time.Microsecond)))
		require.Empty(t, ids(epoch.Add(time.Minute)))
	},
	"a spending needs an ID": func(t *testing.T, l payer.Ledger) {
		require.Error(t, l.Reserve(t.Context(), spending("", 1), nil))
	},
	"a context that has ended is its error, and nothing changes": func(t *testing.T, l payer.Ledger) {
		require.ErrorIs(t, l.Reserve(cancelled(t), spending("1", 1), nil), cancelled(t).Err())
		_, err := l.Spending(t.Context(), "1")
		require.ErrorIs(t, err, payer.ErrUnknownSpending)
	},
	"whatever the spendings, the sum of what counts stays within the limit": func(t *testing.T, l payer.Ledger) {
		run := 0
		check(t, func(rt *rapid.T) {
			run++
			currency := fmt.Sprint("C", run)
			limit, sum, ids := rapid.Uint64Range(0, 5_000_000).Draw(rt, "limit"), uint64(0), []payer.Spending{}
			rt.Repeat(map[string]func(*rapid.T){
				"reserve": func(rt *rapid.T) {
					s := spending(fmt.Sprint(currency, "-", len(ids)), rapid.Uint64Range(0, 3_000_000).Draw(rt, "value"))
					s.Currency = currency
					value := s.Value.Big().Uint64()
					err := l.Reserve(t.Context(), s, limitOf(limit))
					if sum+value > limit {
						require.ErrorIs(rt, err, payer.ErrOverBudget)
						return
					}
					require.NoError(rt, err)
					sum, ids = sum+value, append(ids, s)
				},
				"release": func(rt *rapid.T) {
					if len(ids) == 0 {
						return
					}
					s := rapid.SampledFrom(ids).Draw(rt, "spending")
					known, err := l.Spending(t.Context(), s.ID)
					require.NoError(rt, err)
					require.NoError(rt, l.Finish(t.Context(), s.ID, payer.Released, ""))
					if known.State != payer.Released {
						sum -= s.Value.Big().Uint64()
					}
				},
			})
		})
	},
}
