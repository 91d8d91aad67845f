package payer_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/payer"
)

// FuzzChallenge: whatever a 402 says, the payer does not panic, pays once at
// most, never above its limit, or hands the body on as it came.
func FuzzChallenge(f *testing.F) {
	for _, version := range []int{x402.V1, x402.V2} {
		doc, err := x402.PaymentRequired{Version: version, Accepts: newShop(version).offers}.MarshalJSON()
		require.NoError(f, err)
		f.Add(string(doc), doc)
		f.Add("", doc)
	}
	f.Add(`{"x402Version":2,"accepts":[null,{"amount":"1"}],"extensions":{"payment-identifier":{"info":null}}}`, []byte("{}"))
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		sent := 0
		ledger := payer.NewMemoryLedger()
		p, signer := pays(t, nil, func(c *payer.Config) {
			c.Ledger, c.Resends = ledger, -1
			c.Base = roundTrip(func(r *http.Request) (*http.Response, error) {
				resp := &http.Response{StatusCode: 402, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}
				if header != "" {
					resp.Header.Set("Payment-Required", base64.StdEncoding.EncodeToString([]byte(header)))
				}
				if carries(r) {
					sent++
					resp.StatusCode = 200
				}
				return resp, nil
			})
		})
		resp, err := get(t, p, t.Context())
		require.LessOrEqual(t, sent, 1)
		require.LessOrEqual(t, signer.count(), 1)
		all, errList := ledger.Spendings(t.Context(), time.Time{})
		require.NoError(t, errList)
		for _, s := range all {
			require.LessOrEqual(t, s.Value.Cmp(x402.NewAmount(1_000_000)), 0)
			require.NotEmpty(t, s.PayTo)
		}
		if err != nil {
			require.True(t, errors.Is(err, payer.ErrNoOffer) || len(all) == 1, "%v", err)
			return
		}
		got, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, string(body), string(got))
	})
}

func carries(r *http.Request) bool {
	return r.Header.Get(x402.HeaderPaymentSignature) != "" || r.Header.Get(x402.HeaderPaymentV1) != ""
}

// FuzzLedgerFile: a file is refused and left alone, or read; and what was read
// is read again in the same way, with nothing more to settle.
func FuzzLedgerFile(f *testing.F) {
	path := filepath.Join(f.TempDir(), "seed")
	l, err := payer.OpenFile(path)
	require.NoError(f, err)
	require.NoError(f, l.Reserve(f.Context(), spending("a", 5, noon), nil))
	require.NoError(f, l.Sign(f.Context(), "a", []byte(`{"p":1}`)))
	require.NoError(f, l.Reserve(f.Context(), spending("b", 5, noon), nil))
	require.NoError(f, l.Finish(f.Context(), "b", payer.Paid, "0x1"))
	require.NoError(f, l.Close())
	seed, err := os.ReadFile(path)
	require.NoError(f, err)
	f.Add(seed)
	f.Add(seed[:len(seed)-5])
	f.Add(bytes.ReplaceAll(seed, []byte("reserved"), []byte("unknown")))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, "ledger")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		l, err := payer.OpenFile(path)
		if err != nil {
			require.ErrorIs(t, err, payer.ErrDamaged)
			left, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, data, left)
			return
		}
		first, err := l.Spendings(t.Context(), time.Time{}.AddDate(-1, 0, 0))
		require.NoError(t, err)
		require.NoError(t, l.Close())
		l, err = payer.OpenFile(path)
		require.NoError(t, err)
		second, err := l.Spendings(t.Context(), time.Time{}.AddDate(-1, 0, 0))
		require.NoError(t, err)
		require.NoError(t, l.Close())
		require.Equal(t, len(first), len(second))
		for i := range first {
			require.Equal(t, first[i].ID, second[i].ID)
			require.Equal(t, first[i].State, second[i].State)
			require.NotEqual(t, payer.Reserved, first[i].State)
		}
	})
}
