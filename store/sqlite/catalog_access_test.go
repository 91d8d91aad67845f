package sqlite_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/sqlite"
	"github.com/v402/v402/x402"
)

// grantAccess sells a product of max accesses to bob, who has paid, and to many
// others, and returns a catalog over s.
func grantAccess(t testing.TB, s *sqlite.Store, others int, max int64) *catalog.Service {
	t.Helper()
	at := time.Now().UTC().Truncate(time.Second)
	require.NoError(t, s.AddProducts(t.Context(), []catalog.Product{{
		ID: "course", OwnerID: "ann", Title: "A course", ContentURL: "https://example.com/course", Price: x402.NewAmount(1), Currency: "ETH",
		Scheme: catalog.SchemeExact, Status: catalog.ProductActive, CreatedAt: at, UpdatedAt: at,
	}}))
	for n := range others + 1 {
		user := fmt.Sprint("user-", n)
		if n == others {
			user = "bob"
		}
		p := catalog.Payment{
			ID: fmt.Sprint("pay-", n), ProductID: "course", OwnerID: "ann", UserID: user, Method: catalog.MethodTransaction, Status: catalog.PaymentPending,
			Network: x402.Base, Payer: fmt.Sprintf("0x%040x", n), Payee: "0x01", Amount: x402.NewAmount(1), CreatedAt: at, ExpiresAt: at.Add(time.Hour), UpdatedAt: at,
		}
		_, _, err := s.AddProductPayment(t.Context(), p, "", at)
		require.NoError(t, err)
		proof := catalog.Proof{Method: p.Method, Network: p.Network, Transaction: fmt.Sprint(n), Amount: p.Amount}
		_, _, err = s.ConfirmProductPayment(t.Context(), p.ID, proof, func(p *catalog.Payment) (*catalog.Grant, []store.Event, error) {
			p.Status, p.ConfirmedAt = catalog.PaymentConfirmed, at
			return &catalog.Grant{
				ID: "grant-" + p.ID, ProductID: "course", PaymentID: p.ID, UserID: p.UserID, Payer: p.Payer, CreatedAt: at, MaxAccesses: max,
			}, nil, nil
		})
		require.NoError(t, err)
	}
	service, err := catalog.New(catalog.Config{Store: s, Payments: catalog.PaymentConfig{Secret: bytes.Repeat([]byte{1}, 32)}})
	require.NoError(t, err)
	return service
}

func TestAnAccessByALiveGrantIsTwoReads(t *testing.T) {
	t.Parallel()
	for max, want := range map[int64]int64{0: 2, 100: 5} { // what is counted is a transaction, too
		s, c := openCounted(t)
		service := grantAccess(t, s, 3, max)
		request := catalog.AccessRequest{ProductID: "course", URL: "https://shop.example/course", User: account.User{ID: "bob"}}
		got, err := service.Access(t.Context(), request)
		require.NoError(t, err)
		for name, r := range map[string]catalog.AccessRequest{
			"user":  request,
			"payer": {ProductID: "course", URL: request.URL, Payer: fmt.Sprintf("0x%040x", 3)},
			"token": {ProductID: "course", URL: request.URL, Token: got.Token},
		} {
			before := c.statements.Load()
			_, err = service.Access(t.Context(), r)
			require.NoError(t, err, name)
			require.Equal(t, want, c.statements.Load()-before, name)
		}
	}
}

// BenchmarkAccess opens a product that 10,000 have bought, by the grant of a user
// and by an access token.
func BenchmarkAccess(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "v402.db"))
	service := grantAccess(b, s, 10_000, 0)
	request := catalog.AccessRequest{ProductID: "course", URL: "https://shop.example/course", User: account.User{ID: "bob"}}
	got, err := service.Access(context.Background(), request)
	require.NoError(b, err)
	for name, r := range map[string]catalog.AccessRequest{"user": request, "token": {ProductID: "course", URL: request.URL, Token: got.Token}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := service.Access(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
