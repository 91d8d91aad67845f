package report_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/facilitator/report"
	"github.com/v402/v402/internal/pgtest"
	"github.com/v402/v402/internal/webtest"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/store/postgres"
	"github.com/v402/v402/store/sqlite"
	"github.com/v402/v402/x402"
)

// shelves is a store that reports read and catalogs write.
type shelves interface {
	catalog.Store
	report.Store
}

// noon is when the offices below are open, a Monday.
var noon = time.Date(2024, 1, 15, 14, 30, 0, 0, time.UTC)

// office is the reports over HTTP, as the provider "o1" sees them unless the
// header X-User says otherwise.
type office struct {
	t       testing.TB
	store   shelves
	service *report.Service
	handler http.Handler
	sold    int
	logged  int
}

// openOffice opens one whose answers are checked against openapi.yaml.
func openOffice(t testing.TB, s shelves) *office {
	t.Helper()
	shop, err := catalog.New(catalog.Config{Store: s})
	require.NoError(t, err)
	o := &office{t: t, store: s}
	o.service, err = report.New(report.Config{
		Store: s, Coins: shop.Coins(), Now: func() time.Time { return noon }, Logger: slog.New(slog.DiscardHandler),
		Authenticate: func(r *http.Request) (account.User, error) {
			u := account.User{ID: "o1", Role: account.RoleContentProvider, Status: account.StatusActive}
			switch name := r.Header.Get("X-User"); name {
			case "":
			case "nobody":
				return account.User{}, account.ErrUnauthenticated
			case "reader":
				u.ID, u.Role = name, account.RoleEndUser
			case "admin":
				u.ID, u.Role = name, account.RoleAdmin
			case "suspended":
				u.Status = account.StatusSuspended
			default:
				u.ID = name
			}
			return u, nil
		},
	})
	require.NoError(t, err)
	o.handler = webtest.Specified(t, "openapi.yaml", o.service.Handler())
	return o
}

// inEachOffice runs a test over each kind of store.
func inEachOffice(t *testing.T, test func(t *testing.T, o *office)) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) shelves{
		"memory": func(*testing.T) shelves { return memory.New() },
		"sqlite": func(t *testing.T) shelves {
			s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "report.db"))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			return s
		},
		"postgres": func(t *testing.T) shelves {
			s, err := postgres.Open(t.Context(), pgtest.Database(t))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, openOffice(t, open(t)))
		})
	}
}

func atomic(t testing.TB, digits string) x402.Amount {
	t.Helper()
	a, err := x402.ParseAtomic(digits)
	require.NoError(t, err)
	return a
}

// sell stores a product of o1's.
func (o *office) sell(id, title, currency string, status catalog.ProductStatus) catalog.Product {
	o.t.Helper()
	p := catalog.Product{
		ID: id, OwnerID: "o1", Title: title, Type: catalog.TypeArticle, ContentURL: "https://example.com/c", Price: atomic(o.t, fiveETH), Currency: currency,
		Scheme: catalog.SchemeExact, Status: status, CreatedAt: noon, UpdatedAt: noon,
	}
	require.NoError(o.t, o.store.AddProducts(o.t.Context(), []catalog.Product{p}))
	return p
}

const fiveETH = "5000000000000000000"

// saw stores views of p.
func (o *office) saw(p catalog.Product, n int64, at time.Time) {
	o.t.Helper()
	err := o.store.CountViews(o.t.Context(), map[string]int64{p.ID: n}, at, func(p catalog.Product, _ int64) store.Event {
		return store.Event{ID: fmt.Sprint(p.ID, at), Type: "product.viewed", Data: []byte("{}"), CreatedAt: at}
	})
	require.NoError(o.t, err)
}

// visited logs visitors from a country, from as many addresses, twice each.
func (o *office) visited(p catalog.Product, n int, country string, at time.Time) {
	o.t.Helper()
	var entries []catalog.LogEntry
	for i := range 2 * n {
		first := catalog.FirstLogID(at)
		entries = append(entries, catalog.LogEntry{
			ID: fmt.Sprintf("%s%06d", first[:len(first)-6], o.logged), ProductID: p.ID, OwnerID: p.OwnerID, Status: catalog.LogRequested,
			IP: fmt.Sprintf("%s-%d", country, i/2), Country: country, Price: p.Price, Currency: p.Currency, CreatedAt: at,
		})
		o.logged++
	}
	require.NoError(o.t, o.store.AddLog(o.t.Context(), catalog.LogBatch{Entries: entries}))
}

// bought stores n confirmed payments for p, of so much each, by as many payers.
func (o *office) bought(p catalog.Product, n int, amount string, network x402.Network, at time.Time, edits ...func(*catalog.Payment)) {
	o.t.Helper()
	for range n {
		o.sold++
		each := atomic(o.t, amount)
		of := catalog.Payment{
			ID: fmt.Sprintf("pay-%d", o.sold), ProductID: p.ID, OwnerID: p.OwnerID, Method: catalog.MethodTransaction, Status: catalog.PaymentPending,
			Scheme: p.Scheme, Network: network, Chain: "ethereum", Currency: p.Currency, Payer: fmt.Sprintf("0x%040X", o.sold), Payee: "0x2",
			Amount: each, CreatedAt: at, ExpiresAt: at.Add(time.Hour), UpdatedAt: at,
		}
		for _, edit := range edits {
			edit(&of)
		}
		_, _, err := o.store.AddProductPayment(o.t.Context(), of, "tester", at)
		require.NoError(o.t, err)
		_, err = o.store.UpdateProductPayment(o.t.Context(), of.ID, func(p *catalog.Payment) ([]store.Event, error) {
			*p = of
			p.Status, p.ConfirmedAt = catalog.PaymentConfirmed, at
			return nil, nil
		})
		require.NoError(o.t, err)
	}
}

// get asks as a user.
func (o *office) get(who, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/api/v1"+path, nil)
	r.Header.Set("X-User", who)
	w := httptest.NewRecorder()
	o.handler.ServeHTTP(w, r)
	return w
}

// read asks as o1 and requires an answer.
func (o *office) read(path string, into any) {
	o.t.Helper()
	w := o.get("", path)
	require.Equal(o.t, http.StatusOK, w.Code, "%s", w.Body)
	require.NoError(o.t, json.Unmarshal(w.Body.Bytes(), into), "%s", w.Body)
}

// shows requires that an answer has what is documented, where it is documented,
// and perhaps more.
func shows(t testing.TB, documented string, got any) {
	t.Helper()
	var want any
	require.NoError(t, json.Unmarshal([]byte(documented), &want))
	within(t, "", want, got)
}

func within(t testing.TB, path string, want, got any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		of, ok := got.(map[string]any)
		require.True(t, ok, path)
		for name := range want {
			within(t, path+"."+name, want[name], of[name])
		}
	case []any:
		require.Len(t, got, len(want), path)
		for i := range want {
			within(t, fmt.Sprint(path, ".", i), want[i], got.([]any)[i])
		}
	default:
		require.Equal(t, want, got, path)
	}
}
