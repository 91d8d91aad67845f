package account_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/store/sqlite"
)

func pageOf(size int) store.PageNumber { return store.PageNumber{Size: size} }

// BenchmarkAuthenticate is the cost of an API key among 10,000 users.
func BenchmarkAuthenticate(b *testing.B) {
	for name, open := range map[string]func() account.Store{
		"memory": func() account.Store { return memory.New() },
		"sqlite": func() account.Store {
			s, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "account.db"))
			require.NoError(b, err)
			b.Cleanup(func() { require.NoError(b, s.Close()) })
			return s
		},
	} {
		b.Run(name, func(b *testing.B) {
			service, err := account.New(account.Config{Store: open(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
			require.NoError(b, err)
			var last account.Registered
			for n := range 10_000 {
				last, err = service.Register(b.Context(), account.Registration{Username: fmt.Sprint("user ", n)})
				require.NoError(b, err)
			}
			r := httptest.NewRequest("GET", "/api/v1/clients/profile", nil)
			r.Header.Set("Authorization", "Bearer "+last.Secret)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := service.Authenticate(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAuthenticateWallet is the cost of a signed request, whose nonce is
// stored.
func BenchmarkAuthenticateWallet(b *testing.B) {
	a := newAPI(b, memory.New())
	w := a.wallet()
	a.want(a.send(w.request("POST", "/api/v1/auth/register", `{}`)), 201)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		r := w.requestWith("GET", "/api/v1/clients/profile", "", today, fmt.Sprint("nonce-number-", n))
		b.StartTimer()
		if _, err := a.service.Authenticate(r); err != nil {
			b.Fatal(err)
		}
	}
}
