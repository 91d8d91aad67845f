package catalog

import (
	"context"
	"time"

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
	for range MaxExport / exportStep {
		list, err := s.store.LogEntries(ctx, f, before, 0, exportStep)
		if err != nil {
			return refusal(err, nil, "export the access log")
		}
		for _, e := range list {
			if err := use(e); err != nil {
				return err
			}
			before = e.ID
		}
		if len(list) < exportStep {
			break
		}
	}
	return nil
}

// EachProduct calls use with the products that [Service.Products] lists, up to
// [MaxExport], the oldest first.
func (s *Service) EachProduct(ctx context.Context, f ProductFilter, use func(Product) error) error {
	f.Sort, f.Upward = ByCreated, true // what is added meanwhile comes last
	return eachPage(ctx, func(ctx context.Context, page store.PageNumber) (store.List[Product], error) {
		return s.Products(ctx, f, page)
	}, use)
}

// EachPayment calls use with the payments that [Service.Payments] lists and that
// were there when it began, up to [MaxExport], the newest first.
func (s *Service) EachPayment(ctx context.Context, f PaymentFilter, use func(Payment) error) error {
	if now := s.now(); f.To.IsZero() || f.To.After(now) {
		f.To = now.Add(time.Microsecond) // what is added meanwhile would move the pages
	}
	return eachPage(ctx, func(ctx context.Context, page store.PageNumber) (store.List[Payment], error) {
		return s.Payments(ctx, f, page)
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

// eachPage calls use with what list lists, page by page, up to [MaxExport].
func eachPage[T any](ctx context.Context, list func(context.Context, store.PageNumber) (store.List[T], error), use func(T) error) error {
	for page := 1; page <= MaxExport/exportStep; page++ {
		l, err := list(ctx, store.PageNumber{Page: page, Size: exportStep})
		if err != nil {
			return err
		}
		for _, item := range l.Items {
			if err := use(item); err != nil {
				return err
			}
		}
		if len(l.Items) < exportStep {
			break
		}
	}
	return nil
}
