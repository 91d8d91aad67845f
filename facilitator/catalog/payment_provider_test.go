package catalog_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
)

func TestAProviderSeesItsPaymentsAsTheDocumentationHasThem(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course", ether)
	id := s.create("course")
	s.wait(2 * time.Minute)
	hash := s.chain.put(1, kioskOpening.Add(time.Minute))
	s.confirm(id, hash)
	s.create("course")
	w := s.send("GET", "/api/v1/providers/payments?page=1&size=50&status=confirmed&chain=ethereum&start_date=2024-01-01", nil, "Authorization", "Bearer ann")
	require.Equal(t, 200, w.Code, "%s", w.Body)
	v := answer(t, w)
	for key, want := range map[string]any{"total": 1.0, "page": 1.0, "size": 50.0, "pages": 1.0} {
		require.Equal(t, want, v[key])
	}
	item := v["items"].([]any)[0].(map[string]any)
	for key, want := range map[string]any{
		"id": id, "transaction_hash": hash, "chain": "ethereum", "amount": "5000000000000000000", "facilitator_fee": "125000000000000000",
		"status": "confirmed", "payer_address": buyer, "product_id": "course", "created_at": "2024-01-15T10:30:00Z", "confirmed_at": "2024-01-15T10:32:00Z",
	} {
		require.Equal(t, want, item[key], key)
	}
	require.Equal(t, 200, s.send("GET", "/api/v1/providers/payments/"+id, nil, "Authorization", "Bearer ann").Code)
	refused(t, s.send("GET", "/api/v1/providers/payments/"+id, nil, "Authorization", "Bearer root"), 404, "NOT_FOUND")
	refused(t, s.send("GET", "/api/v1/providers/payments", nil, "Authorization", "Bearer bob"), 403, "FORBIDDEN")
}

func TestARefundIsRecordedPaidOutOnceAndEndsTheAccess(t *testing.T) {
	t.Parallel()
	var fail error
	calls := map[string]int{}
	s := openKiosk(t, func(c *catalog.Config) {
		c.Payments.Refund = func(_ context.Context, _ catalog.Payment, r catalog.Refund) (string, error) {
			calls[r.ID]++
			return "0xback" + r.Amount.String(), fail
		}
	})
	s.sell("course")
	w, _, _ := s.buy("course")
	token := answer(t, w)["access_token"].(string)
	path := "/api/v1/admin/payments/" + s.payments()[0].ID
	root := []string{"Authorization", "Bearer root"}
	for _, body := range []any{map[string]any{"reason": "x", "amount": "10001"}, map[string]any{"reason": "x", "amount": "0"}, map[string]any{}, map[string]any{"reason": "x", "amount": "-1"}} {
		refused(t, s.send("POST", path+"/refund", body, root...), 400, "VALIDATION_ERROR")
	}
	w = s.send("POST", path+"/refund", map[string]any{"reason": "Content unavailable", "amount": "4000", "notify_user": true}, root...)
	require.Equal(t, 200, w.Code, "%s", w.Body)
	v := answer(t, w)
	require.Equal(t, "confirmed", v["payment"].(map[string]any)["status"])
	require.Equal(t, "0xback4000", v["refund"].(map[string]any)["refund_tx"])
	require.Equal(t, 200, s.access("course", catalog.HeaderAccessToken, token).Code)

	fail = errors.New("no gas")
	w = s.send("POST", path+"/refund", map[string]any{"reason": "all of it"}, root...)
	v = answer(t, w)
	require.Equal(t, "refunded", v["payment"].(map[string]any)["status"])
	require.Equal(t, "6000", v["refund"].(map[string]any)["amount"])
	require.Equal(t, true, v["refund"].(map[string]any)["payout_owed"])
	refused(t, s.access("course", catalog.HeaderAccessToken, token), 403, "FORBIDDEN")
	refused(t, s.send("POST", path+"/refund", map[string]any{"reason": "again"}, root...), 409, "PAYMENT_ALREADY_PROCESSED")

	fail = nil
	w = s.send("POST", path+"/reconcile", nil, root...)
	require.Equal(t, 200, w.Code, "%s", w.Body)
	for _, r := range answer(t, w)["refunds"].([]any) {
		require.Equal(t, false, r.(map[string]any)["payout_owed"])
	}
	s.send("POST", path+"/reconcile", nil, root...)
	total := 0
	for _, n := range calls {
		total += n
	}
	require.Equal(t, 3, total, "once each, and once more where it failed")
	refused(t, s.send("POST", path+"/refund", map[string]any{"reason": "x"}, "Authorization", "Bearer ann"), 403, "FORBIDDEN")
}
