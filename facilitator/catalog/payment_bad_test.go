package catalog_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/x402"
)

func TestBadInputIsToldByFieldAndChangesNothing(t *testing.T) {
	t.Parallel()
	s := openKiosk(t)
	s.sell("course", ether)
	s.sell("gift", func(p *catalog.Product) { p.Scheme, p.Price = catalog.SchemeFree, x402.NewAmount(0) })
	s.sell("upto", ether, func(p *catalog.Product) { p.Scheme = catalog.SchemeUpto })
	with := func(key string, value any) map[string]any {
		return order("course", func(b map[string]any) { b[key] = value })
	}
	for name, c := range map[string]struct {
		body  any
		field string
		code  string
	}{
		"no product":           {with("product_id", ""), "product_id", "REQUIRED"},
		"no payer":             {with("payer_address", nil), "payer_address", "REQUIRED"},
		"a payer of no shape":  {with("payer_address", "0x12"), "payer_address", "INVALID_ADDRESS"},
		"the payee pays":       {with("payer_address", payTo), "payer_address", "PAYER_MISMATCH"},
		"no chain":             {with("chain", ""), "chain", "REQUIRED"},
		"an unknown chain":     {with("chain", "dogecoin"), "chain", "INVALID_ENUM"},
		"a chain without it":   {with("chain", "base"), "chain", "INVALID_ENUM"},
		"another payee":        {with("payee_address", buyer), "payee_address", "PAYEE_MISMATCH"},
		"too little":           {with("amount", "4999999999999999999"), "amount", "AMOUNT_TOO_LOW"},
		"too much":             {with("amount", "5000000000000000001"), "amount", "AMOUNT_MISMATCH"},
		"an exponent":          {with("amount", "5e18"), "amount", "INVALID_FORMAT"},
		"a sign":               {with("amount", "+5"), "amount", "INVALID_FORMAT"},
		"a leading zero":       {with("amount", "05"), "amount", "INVALID_FORMAT"},
		"below zero":           {with("amount", "-5"), "amount", "INVALID_FORMAT"},
		"a fraction":           {with("amount", 1.5), "amount", "INVALID_FORMAT"},
		"a boolean amount":     {with("amount", true), "amount", "INVALID_TYPE"},
		"another currency":     {with("currency", "USDC"), "currency", "INVALID_ENUM"},
		"another scheme":       {with("payment_scheme", "upto"), "payment_scheme", "INVALID_ENUM"},
		"a long reference":     {with("external_reference", strings.Repeat("x", 201)), "external_reference", "TOO_LONG"},
		"a number for a chain": {with("chain", 1), "chain", "INVALID_TYPE"},
		"an unknown key":       {with("discount", "all"), "discount", "UNKNOWN_FIELD"},
	} {
		details := refused(t, s.send("POST", "/api/v1/clients/payments", c.body), 400, "VALIDATION_ERROR")
		require.Equal(t, c.field, details["field"], name)
		require.Equal(t, c.code, details["code"], name)
	}
	for _, body := range []string{"", "[]", "null", "{", `"x"`, "{}{}"} {
		refused(t, s.send("POST", "/api/v1/clients/payments", body), 400, "VALIDATION_ERROR")
	}
	refused(t, s.send("POST", "/api/v1/clients/payments", order("none")), 404, "NOT_FOUND")
	refused(t, s.send("POST", "/api/v1/clients/payments", order("gift")), 400, "INVALID_STATE")
	refused(t, s.send("POST", "/api/v1/clients/payments", order("upto")), 400, "INVALID_STATE")
	require.Empty(t, s.payments())

	id := s.create("course")
	for _, hash := range []any{"", "0x12", strings.Repeat("z", 66), "0x" + strings.Repeat("g", 64), 7} {
		w := s.send("POST", "/api/v1/clients/payments/"+id+"/confirm", map[string]any{"transaction_hash": hash})
		require.Equal(t, "transaction_hash", refused(t, w, 400, "VALIDATION_ERROR")["field"])
	}
	refused(t, s.send("POST", "/api/v1/clients/payments/none/confirm", map[string]any{"transaction_hash": fmt.Sprintf("0x%064x", 1)}), 404, "NOT_FOUND")
	for query, field := range map[string]string{
		"status=paid": "status", "chain=dogecoin": "chain", "min_amount=1e3": "min_amount", "max_amount=-1": "max_amount",
		"page=0": "page", "size=201": "size", "start_date=yesterday": "start_date",
	} {
		w := s.send("GET", "/api/v1/admin/payments?"+query, nil, "Authorization", "Bearer root")
		require.Equal(t, field, refused(t, w, 400, "VALIDATION_ERROR")["field"], query)
	}
	require.Equal(t, catalog.PaymentPending, s.payments()[0].Status)
}
