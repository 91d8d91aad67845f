package sqlstore

import (
	"context"
	"strings"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// ProductPayments implements [catalog.PaymentStore].
func (s *DB) ProductPayments(ctx context.Context, of catalog.PaymentFilter, o store.PageNumber) (store.List[catalog.Payment], error) {
	f := paymentFilter(of)
	o = o.Bounded()
	out := store.List[catalog.Payment]{Page: o.Page, Size: o.Size}
	var err error
	if out.Total, err = one(ctx, s.read, column[int64], "SELECT COUNT(*) FROM v402_catalog_payments"+f.String(), f.args...); err != nil {
		return out, s.errorf("count payments: %w", err)
	}
	query := "SELECT " + paymentColumns + " FROM v402_catalog_payments" + f.String() + " ORDER BY created_at DESC, id DESC" + f.limit(o)
	if out.Items, err = all(ctx, s.read, scanPayment, query, f.args...); err != nil {
		return out, s.errorf("list payments: %w", err)
	}
	return out, nil
}

// ProductPaymentsAfter implements [catalog.PaymentStore].
func (s *DB) ProductPaymentsAfter(ctx context.Context, of catalog.PaymentFilter, last catalog.Payment, limit int) ([]catalog.Payment, error) {
	f := paymentFilter(of)
	if last.ID != "" {
		f.args = append(f.args, micros(last.CreatedAt), last.ID)
		f.conditions = append(f.conditions, "(created_at, id) < "+list(len(f.args)-1, 2))
	}
	query := "SELECT " + paymentColumns + " FROM v402_catalog_payments" + f.String() + " ORDER BY created_at DESC, id DESC" +
		f.limit(store.PageNumber{Page: 1, Size: limit})
	payments, err := all(ctx, s.read, scanPayment, query, f.args...)
	if err != nil {
		return nil, s.errorf("list payments: %w", err)
	}
	return payments, nil
}

// paymentFilter is of as conditions.
func paymentFilter(of catalog.PaymentFilter) (f filter) {
	f.text("owner_id = ?", of.OwnerID)
	f.text("user_id = ?", of.UserID)
	f.text("product_id = ?", of.ProductID)
	f.text("chain = ?", of.Chain)
	f.text("status = ?", string(of.Status))
	if network := x402.Ethereum; strings.HasPrefix(of.Payer, "0x") { // no other address looks like one of EVM
		f.text("payer_key = ?", addressKey(network, of.Payer))
	} else {
		f.text("payer_key = ?", of.Payer)
	}
	f.within("created_at", of.From, of.To)
	if of.MinAmount != nil {
		f.add("amount_key >= ?", amountKey(*of.MinAmount))
	}
	if of.MaxAmount != nil {
		f.add("amount_key <= ?", amountKey(*of.MaxAmount))
	}
	return f
}
