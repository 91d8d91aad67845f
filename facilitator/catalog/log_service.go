package catalog

import (
	"context"
	"net/http"
	"time"

	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/store"
)

// Record takes note of an attempt to reach p that was not made through this
// package, by a caller at the address remote, with or without a port. It never
// waits for the store and never fails: see [LogConfig] for what is kept. Of e,
// Status, UserAgent, PaymentID and Payer are used, and Price and Currency if they
// are not those of p.
func (s *Service) Record(p Product, e LogEntry, remote string) { s.record(&p, e, remote) }

// record is [Service.Record] of an attempt that is made through this package.
func (s *Service) record(p *Product, e LogEntry, remote string) {
	e.ProductID, e.OwnerID = p.ID, p.OwnerID
	if e.Currency == "" {
		e.Price, e.Currency = p.Price, p.Currency
	}
	s.recorder.add(e, remote)
}

// LogPage is a page of the access log, and how much of it there is not.
type LogPage struct {
	store.List[LogEntry]
	Left int64 // attempts of the provider's products in that time that are not in the log
}

// AccessLog lists the attempts to reach a provider's products, the newest first.
// An address is looked for as it is kept.
func (s *Service) AccessLog(ctx context.Context, ownerID string, f LogFilter, page store.PageNumber) (LogPage, error) {
	f, err := s.logFilter(ownerID, f)
	if err != nil {
		return LogPage{}, err
	}
	page = page.Bounded()
	out := LogPage{List: store.List[LogEntry]{Page: page.Page, Size: page.Size}}
	if out.Total, err = s.store.CountLog(ctx, f); err != nil {
		return out, refusal(err, nil, "count the access log")
	}
	if out.Items, err = s.store.LogEntries(ctx, f, "", page.Offset(), page.Size); err != nil {
		return out, refusal(err, nil, "list the access log")
	}
	out.Left, err = s.store.LogGaps(ctx, ownerID, f.From, f.To)
	return out, refusal(err, nil, "list the access log")
}

// logFilter is f as it selects entries of one provider.
func (s *Service) logFilter(ownerID string, f LogFilter) (LogFilter, error) {
	var faults v402api.Faults
	f.OwnerID = ownerID
	if f.Paid && f.Unpaid {
		faults.Add("unpaid_only", v402api.InvalidRange, "unpaid_only and paid_only exclude each other")
	}
	if f.Status != "" {
		v402api.Enum(&faults, "status", f.Status, logStatuses...)
	}
	if f.IP != "" {
		if addr := address(f.IP); addr.IsValid() {
			f.IP = s.recorder.c.shown(addr)
		} else {
			faults.Add("ip_address", v402api.InvalidAddress, "ip_address must be an IPv4 or IPv6 address")
		}
	}
	if f.Country != "" {
		if f.Country = country(f.Country); f.Country == "" {
			faults.Add("country_code", v402api.InvalidFormat, "country_code must have two letters")
		}
	}
	checkRange(&faults, f.From, f.To)
	return f, faults.Err()
}

// checkRange checks that a range of time, whose end is not within, does not end
// before it begins.
func checkRange(f *v402api.Faults, from, to time.Time) {
	if !from.IsZero() && !to.IsZero() && to.Before(from) {
		f.Add("end_date", v402api.InvalidRange, "end_date must not be before start_date")
	}
}

// clientAddr is the address of whoever sent r.
func (s *Service) clientAddr(r *http.Request) string {
	if s.options.ClientAddr == nil {
		return r.RemoteAddr
	}
	return s.options.ClientAddr(r)
}

// FlushLog stores the attempts that were noted and not stored yet. [Service.Run]
// does so every Config.Log.FlushEvery.
func (s *Service) FlushLog(ctx context.Context) error {
	return refusal(s.recorder.flush(ctx), nil, "store the access log")
}
