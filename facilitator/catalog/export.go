package catalog

import (
	"context"

	"github.com/v402/v402/store"
)

// MaxExport is how many rows an export has at most: the newest of a log, the
// oldest of products.
const MaxExport = 100_000

// exportStep is how many rows are read at once.
const exportStep = store.MaxLimit

// EachLogEntry calls use with the attempts that [Service.AccessLog] lists, up to
// [MaxExport], the newest first, without holding them in memory. An error of use
// ends it and is returned.
func (s *Service) EachLogEntry(ctx context.Context, ownerID string, f LogFilter, use func(LogEntry) error) error {
	f, err := s.logFilter(ownerID, f)
	if err != nil {
		return err
	}
	before := ""
	return each(func() ([]LogEntry, error) {
		list, err := s.store.LogEntries(ctx, f, before, 0, exportStep)
		if len(list) > 0 {
			before = list[len(list)-1].ID
		}
		return list, refusal(err, nil, "export the access log")
	}, use)
}

// EachProduct calls use with the products that [Service.Products] lists, up to
// [MaxExport], the oldest first: each once, whatever is added or sold meanwhile.
func (s *Service) EachProduct(ctx context.Context, f ProductFilter, use func(Product) error) error {
	f = f.trimmed()
	var place int64
	return each(func() (list []Product, err error) {
		list, place, err = s.store.ProductsAfter(ctx, f, place, exportStep)
		return list, refusal(err, nil, "export products")
	}, use)
}

// EachPayment calls use with the payments that [Service.Payments] lists, up to
// [MaxExport], the newest first: each once, and none that is added meanwhile.
func (s *Service) EachPayment(ctx context.Context, f PaymentFilter, use func(Payment) error) error {
	var last Payment
	return each(func() ([]Payment, error) {
		list, err := s.store.ProductPaymentsAfter(ctx, f, last, exportStep)
		if len(list) > 0 {
			last = list[len(list)-1]
		}
		return list, refusal(err, nil, "export payments")
	}, use)
}

// EachRequester calls use with those that [Service.UnpaidDemand] lists, the most
// valuable first, and the currency by which they are sorted.
func (s *Service) EachRequester(ctx context.Context, ownerID string, q DemandQuery, use func(r Requester, currency string) error) error {
	d, err := s.demand(ctx, ownerID, q, store.PageNumber{Page: 1, Size: maxRequesters})
	if err != nil {
		return err
	}
	for _, r := range d.Requesters.Items {
		if err := use(r, d.Currency); err != nil {
			return err
		}
	}
	return nil
}

// each calls use with what next returns, a step at a time, up to [MaxExport].
func each[T any](next func() ([]T, error), use func(T) error) error {
	for range MaxExport / exportStep {
		list, err := next()
		if err != nil {
			return err
		}
		for _, item := range list {
			if err := use(item); err != nil {
				return err
			}
		}
		if len(list) < exportStep {
			return nil
		}
	}
	return nil
}
