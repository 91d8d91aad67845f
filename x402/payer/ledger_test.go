package payer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/payer"
)

func spending(id string, value uint64, at time.Time) payer.Spending {
	return payer.Spending{
		ID: id, Fingerprint: "f", Host: "h", Network: x402.Base, Asset: "0xa", Amount: x402.NewAmount(value), Currency: "USD",
		Value: x402.NewAmount(value), PayTo: "0xb", Resource: "https://h/", CreatedAt: at, ExpiresAt: at.Add(time.Minute),
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// eachLedger runs a test on every ledger of this package.
func eachLedger(t *testing.T, test func(t *testing.T, l payer.Ledger)) {
	t.Run("memory", func(t *testing.T) { t.Parallel(); test(t, payer.NewMemoryLedger()) })
	t.Run("file", func(t *testing.T) { t.Parallel(); test(t, openFile(t, ledgerFile(t))) })
}

func TestASpendingTakesOnlyAllowedSteps(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, l payer.Ledger) {
		ctx := t.Context()
		allowed := map[payer.State]map[payer.State]bool{
			payer.Reserved: {payer.Paid: true, payer.Released: true, payer.Unknown: true},
			payer.Unknown:  {payer.Paid: true, payer.Released: true, payer.Unknown: true},
			payer.Released: {payer.Paid: true, payer.Released: true},
			payer.Paid:     {payer.Paid: true},
		}
		states := []payer.State{payer.Reserved, payer.Paid, payer.Released, payer.Unknown, "lost"}
		for from := range allowed {
			for _, to := range states {
				id := fmt.Sprintf("%s to %s", from, to)
				require.NoError(t, l.Reserve(ctx, spending(id, 1, noon), nil))
				if from != payer.Reserved {
					require.NoError(t, l.Finish(ctx, id, from, ""))
				}
				err := l.Finish(ctx, id, to, "0x1")
				got, errGet := l.Spending(ctx, id)
				require.NoError(t, errGet)
				if allowed[from][to] {
					require.NoError(t, err, id)
					assert.Equal(t, to, got.State, id)
					assert.Equal(t, "0x1", got.Transaction, id)
					continue
				}
				require.ErrorIs(t, err, payer.ErrSpendingState, id)
				assert.Equal(t, from, got.State, id)
				assert.Empty(t, got.Transaction, id)
			}
		}
	})
}

func TestALedgerKeepsItsPromises(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, l payer.Ledger) {
		ctx := t.Context()
		s := spending("a", 7, noon)
		s.State, s.Payload, s.Transaction = payer.Paid, json.RawMessage(`1`), "0x"
		require.NoError(t, l.Reserve(ctx, s, nil))
		s.State, s.Payload, s.Transaction = payer.Reserved, nil, ""
		got, err := l.Spending(ctx, "a")
		require.NoError(t, err)
		assert.Equal(t, s, got)

		require.ErrorIs(t, l.Reserve(ctx, spending("a", 8, noon), nil), payer.ErrDuplicateSpending)
		require.ErrorIs(t, l.Sign(ctx, "b", json.RawMessage(`{}`)), payer.ErrUnknownSpending)
		require.ErrorIs(t, l.Finish(ctx, "b", payer.Paid, ""), payer.ErrUnknownSpending)
		_, err = l.Spending(ctx, "b")
		require.ErrorIs(t, err, payer.ErrUnknownSpending)
		require.Error(t, l.Reserve(ctx, spending("", 8, noon), nil))

		require.Error(t, l.Sign(ctx, "a", json.RawMessage(`{`)))
		payload := json.RawMessage(`{"x":1}`)
		require.NoError(t, l.Sign(ctx, "a", payload))
		payload[1] = '!' // the caller's
		require.ErrorIs(t, l.Sign(ctx, "a", json.RawMessage(`{}`)), payer.ErrSpendingState)
		got, err = l.Spending(ctx, "a")
		require.NoError(t, err)
		assert.JSONEq(t, `{"x":1}`, string(got.Payload))

		require.NoError(t, l.Finish(ctx, "a", payer.Released, ""))
		require.ErrorIs(t, l.Sign(ctx, "a", json.RawMessage(`{}`)), payer.ErrSpendingState)
		require.NoError(t, l.Reserve(ctx, spending("a", 9, noon.Add(time.Hour)), nil), "a released one gives its place")
		got, err = l.Spending(ctx, "a")
		require.NoError(t, err)
		assert.Equal(t, "9", got.Value.String())
		assert.Empty(t, got.Payload)

		require.NoError(t, l.Reserve(ctx, spending("c", 1, noon), nil))
		require.NoError(t, l.Reserve(ctx, spending("b", 1, noon), nil))
		all, err := l.Spendings(ctx, noon)
		require.NoError(t, err)
		require.Len(t, all, 3)
		assert.Equal(t, []string{"b", "c", "a"}, []string{all[0].ID, all[1].ID, all[2].ID})
		all, err = l.Spendings(ctx, noon.Add(time.Microsecond))
		require.NoError(t, err)
		assert.Len(t, all, 1)

		gone, cancel := context.WithCancel(ctx)
		cancel()
		require.ErrorIs(t, l.Finish(gone, "a", payer.Paid, ""), context.Canceled)
	})
}

func TestSumsNeverOverflow(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, l payer.Ledger) {
		ctx := t.Context()
		for i := range 3 {
			require.NoError(t, l.Reserve(ctx, spending(fmt.Sprint(i), math.MaxInt64, noon), nil))
		}
		require.ErrorIs(t, l.Reserve(ctx, spending("x", 1, noon), []payer.Limit{{Amount: x402.NewAmount(math.MaxInt64)}}), payer.ErrOverBudget)
		s := spending("y", math.MaxInt64+1, noon)
		require.ErrorContains(t, l.Reserve(ctx, s, nil), "more than 2^63-1")
	})
}

// TestLimitsHoldWhateverHappens compares ledgers with a model of plain sums, a
// file ledger also across restarts.
func TestLimitsHoldWhateverHappens(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		path := filepath.Join(dir, fmt.Sprint(runs))
		file, err := payer.OpenFile(path)
		require.NoError(t, err)
		defer func() { require.NoError(t, file.Close()) }()
		memory := payer.NewMemoryLedger()
		ctx := context.Background()
		model := map[string]payer.Spending{}
		restarted := false
		now := noon

		both := func(f func(l payer.Ledger) error) error {
			err := f(file)
			if restarted { // the memory ledger has not settled what a restart settles
				return err
			}
			other := f(memory)
			require.Equal(t, err == nil, other == nil, "%v, %v", err, other)
			return err
		}
		ids := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"})
		t.Repeat(map[string]func(*rapid.T){
			"reserve": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "minutes")) * time.Minute)
				s := spending(ids.Draw(t, "id"), uint64(rapid.IntRange(0, 60).Draw(t, "value")), now)
				s.Host = rapid.SampledFrom([]string{"h", "i"}).Draw(t, "host")
				s.Currency = rapid.SampledFrom([]string{"USD", "USD", "EUR"}).Draw(t, "currency")
				limits := []payer.Limit{
					{Amount: x402.NewAmount(100), Since: now.Add(-time.Hour)},
					{Amount: x402.NewAmount(70), Since: now.Add(-time.Hour), Host: s.Host},
					{Amount: x402.NewAmount(300)},
				}
				known, taken := model[s.ID]
				taken = taken && known.State != payer.Released
				fits := true
				for _, l := range limits {
					sum := s.Value.Big().Uint64()
					for _, m := range model {
						if m.Currency == s.Currency && m.State != payer.Released && !m.CreatedAt.Before(l.Since) && (l.Host == "" || l.Host == m.Host) {
							sum += m.Value.Big().Uint64()
						}
					}
					fits = fits && sum <= l.Amount.Big().Uint64()
				}
				err := both(func(l payer.Ledger) error { return l.Reserve(ctx, s, limits) })
				switch {
				case taken:
					require.ErrorIs(t, err, payer.ErrDuplicateSpending)
				case !fits:
					require.ErrorIs(t, err, payer.ErrOverBudget)
				default:
					require.NoError(t, err)
					s.State = payer.Reserved
					model[s.ID] = s
				}
			},
			"sign": func(t *rapid.T) {
				id := ids.Draw(t, "id")
				m, ok := model[id]
				err := both(func(l payer.Ledger) error { return l.Sign(ctx, id, json.RawMessage(`{"p":1}`)) })
				require.Equal(t, ok && m.State == payer.Reserved && m.Payload == nil, err == nil, "%v", err)
				if err == nil {
					m.Payload = json.RawMessage(`{"p":1}`)
					model[id] = m
				}
			},
			"finish": func(t *rapid.T) {
				id := ids.Draw(t, "id")
				to := rapid.SampledFrom([]payer.State{payer.Paid, payer.Released, payer.Unknown}).Draw(t, "state")
				if err := both(func(l payer.Ledger) error { return l.Finish(ctx, id, to, "") }); err == nil {
					m := model[id]
					m.State = to
					model[id] = m
				}
			},
			"restart": func(t *rapid.T) {
				restarted = true
				require.NoError(t, file.Close())
				file, err = payer.OpenFile(path)
				require.NoError(t, err)
				for id, m := range model {
					if m.State == payer.Reserved {
						m.State = payer.Released
						if m.Payload != nil {
							m.State = payer.Unknown
						}
						model[id] = m
					}
				}
			},
			"": func(t *rapid.T) {
				all, err := file.Spendings(ctx, time.Time{})
				require.NoError(t, err)
				require.Len(t, all, len(model))
				for _, s := range all {
					require.Equal(t, model[s.ID].State, s.State)
					require.Equal(t, model[s.ID].Value.String(), s.Value.String())
				}
			},
		})
	})
}

func TestALedgerFileIsHeldByOne(t *testing.T) {
	t.Parallel()
	path := ledgerFile(t)
	first, err := payer.OpenFile(path)
	require.NoError(t, err)
	_, err = payer.OpenFile(path)
	require.ErrorIs(t, err, payer.ErrLocked)
	assert.Contains(t, err.Error(), path)
	require.NoError(t, first.Close())
	require.NoError(t, first.Close(), "closing twice is closing once")
	require.ErrorIs(t, first.Reserve(t.Context(), spending("a", 1, noon), nil), os.ErrClosed)
	openFile(t, path)
}

func TestALedgerFileSurvivesARestartAndShrinks(t *testing.T) {
	t.Parallel()
	path, ctx := ledgerFile(t), t.Context()
	l, err := payer.OpenFile(path)
	require.NoError(t, err)
	recent := time.Now().UTC().Round(time.Microsecond)
	for id, at := range map[string]time.Time{"unsigned": recent, "signed": recent, "paid long ago": noon.AddDate(-1, 0, 0), "paid now": recent, "refused": recent, "unknown": recent} {
		require.NoError(t, l.Reserve(ctx, spending(id, 5, at), nil))
		if id != "unsigned" {
			require.NoError(t, l.Sign(ctx, id, json.RawMessage(`{"secret":"<&>"}`)))
		}
	}
	require.NoError(t, l.Finish(ctx, "paid long ago", payer.Paid, "0x1"))
	require.NoError(t, l.Finish(ctx, "paid now", payer.Paid, "0x2"))
	require.NoError(t, l.Finish(ctx, "refused", payer.Released, ""))
	require.NoError(t, l.Finish(ctx, "unknown", payer.Unknown, ""))
	require.NoError(t, l.Close())
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, 1+6+5+4, strings.Count(string(before), "\n"))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	l = openFile(t, path)
	for id, want := range map[string]struct {
		state   payer.State
		payload bool
	}{
		"unsigned": {payer.Released, false}, "signed": {payer.Unknown, true}, "paid long ago": {payer.Paid, false},
		"paid now": {payer.Paid, true}, "refused": {payer.Released, false}, "unknown": {payer.Unknown, true},
	} {
		s, err := l.Spending(ctx, id)
		require.NoError(t, err)
		assert.Equal(t, want.state, s.State, id)
		assert.Equal(t, want.payload, len(s.Payload) > 0, id)
	}
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, 1+6, strings.Count(string(after), "\n"))
	require.ErrorIs(t, l.Reserve(ctx, spending("next", 81, recent), []payer.Limit{{Amount: x402.NewAmount(100)}}), payer.ErrOverBudget)
	require.NoError(t, l.Reserve(ctx, spending("next", 80, recent), []payer.Limit{{Amount: x402.NewAmount(100)}}))
}

func TestALineTornByACrashIsLeftOut(t *testing.T) {
	t.Parallel()
	path, ctx := ledgerFile(t), t.Context()
	l, err := payer.OpenFile(path)
	require.NoError(t, err)
	require.NoError(t, l.Reserve(ctx, spending("a", 5, noon), nil))
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, l.Sign(ctx, "a", json.RawMessage(`{"p":1}`)))
	require.NoError(t, l.Close())
	signed, err := os.ReadFile(path)
	require.NoError(t, err)
	for cut := len(whole); cut < len(signed); cut++ {
		require.NoError(t, os.WriteFile(path, signed[:cut], 0o600))
		l, err := payer.OpenFile(path)
		require.NoError(t, err, "cut at %d", cut)
		s, err := l.Spending(ctx, "a")
		require.NoError(t, err)
		require.Equal(t, payer.Released, s.State, "what was not on disk was not sent")
		require.NoError(t, l.Reserve(ctx, spending("b", 1, noon), nil))
		require.NoError(t, l.Close())
		l, err = payer.OpenFile(path)
		require.NoError(t, err, "what was written after it can be read")
		require.NoError(t, l.Close())
	}
	zeros := append(append([]byte{}, whole...), make([]byte, 100)...)
	require.NoError(t, os.WriteFile(path, append(zeros, '\n'), 0o600))
	openFile(t, path)
}

func TestADamagedLedgerFileIsNotBelievedAndNotChanged(t *testing.T) {
	t.Parallel()
	path, ctx := ledgerFile(t), t.Context()
	l, err := payer.OpenFile(path)
	require.NoError(t, err)
	require.NoError(t, l.Reserve(ctx, spending("a", 5, noon), nil))
	require.NoError(t, l.Reserve(ctx, spending("b", 5, noon), nil))
	require.NoError(t, l.Close())
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	for what, bad := range map[string]string{
		"the first line": "hello\n",
		"first line":     "",
		"line 2":         strings.Replace(string(good), `{"id":"a"`, `{"id":`, 1),
		"line 3":         strings.Replace(string(good), `{"id":"b"`, `{"id":""`, 1),
		"unknown state":  strings.Replace(string(good), `"state":"reserved"`, `"state":"gone"`, 1),
		"2^63-1":         strings.Replace(string(good), `"value":"5"`, `"value":"9223372036854775808"`, 1),
		"not a decimal":  strings.Replace(string(good), `"value":"5"`, `"value":"-5"`, 1),
	} {
		require.NoError(t, os.WriteFile(path, []byte(bad), 0o600))
		_, err := payer.OpenFile(path)
		require.ErrorIs(t, err, payer.ErrDamaged, what)
		assert.Contains(t, err.Error(), what)
		left, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, bad, string(left))
	}
}

func TestALedgerInADirectoryThatIsNotThereIsAnError(t *testing.T) {
	t.Parallel()
	_, err := payer.OpenFile(filepath.Join(t.TempDir(), "no", "ledger"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestALedgerThatFailsStopsThePayment(t *testing.T) {
	t.Parallel()
	s := newShop(x402.V2)
	full := errors.New("disk full")
	p, signer := pays(t, s, func(c *payer.Config) { c.Ledger = failingLedger{payer.NewMemoryLedger(), full} })
	_, err := get(t, p, t.Context())
	require.ErrorIs(t, err, full)
	assert.Zero(t, signer.count())
	assert.Zero(t, s.sendings())
}

type failingLedger struct {
	payer.Ledger
	err error
}

func (l failingLedger) Reserve(context.Context, payer.Spending, []payer.Limit) error { return l.err }

func TestAfterAFailedWriteALedgerFileTakesNothingMore(t *testing.T) {
	t.Parallel()
	path, ctx := ledgerFile(t), t.Context()
	l, err := payer.OpenFile(path)
	require.NoError(t, err)
	require.NoError(t, l.Reserve(ctx, spending("a", 1, noon), nil))
	l.Break()
	require.ErrorContains(t, l.Reserve(ctx, spending("b", 1, noon), nil), "open it again")
	require.ErrorContains(t, l.Finish(ctx, "a", payer.Paid, ""), "open it again")
	_, err = l.Spending(ctx, "b")
	require.ErrorIs(t, err, payer.ErrUnknownSpending)
	s, err := l.Spending(ctx, "a")
	require.NoError(t, err)
	assert.Equal(t, payer.Reserved, s.State)
	_ = l.Close()
	l = openFile(t, path)
	assert.Equal(t, "a", only(t, l).ID)
}

func TestPaymentsThatWereMadeAndHaveExpiredAreForgotten(t *testing.T) {
	t.Parallel()
	l, ctx := payer.NewMemoryLedger(), t.Context()
	const n = 1000
	for i := range n {
		id := fmt.Sprint(i)
		require.NoError(t, l.Reserve(ctx, spending(id, 1, noon.Add(time.Duration(i)*time.Minute)), nil))
		require.NoError(t, l.Sign(ctx, id, json.RawMessage(`{}`)))
		if i > 0 {
			require.NoError(t, l.Finish(ctx, id, payer.Paid, ""))
		}
	}
	all, err := l.Spendings(ctx, time.Time{})
	require.NoError(t, err)
	require.Len(t, all, n)
	kept := 0
	for _, s := range all {
		if len(s.Payload) > 0 {
			kept++
		}
	}
	assert.Less(t, kept, n/2+200)
	assert.NotEmpty(t, all[0].Payload, "what may still be sent again is kept")
	assert.NotEmpty(t, all[n-1].Payload)
}
