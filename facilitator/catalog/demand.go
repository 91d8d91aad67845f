package catalog

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/store"
)

// DemandQuery says which unpaid requests are analysed: those of the last hours.
type DemandQuery struct {
	Hours       int // 1 to [MaxDemandHours]; 24 if zero
	MinRequests int // of a requester who is listed; 1 if zero
	ProductID   string
}

// Bounds of an analysis.
const (
	MaxDemandHours = 168
	maxRequesters  = 10_000 // that can be listed, page by page
	topRequested   = 10     // products
)

// Demand is what was asked for and not paid for. A request counts if the price
// was told and the same address did not get the product after it.
type Demand struct {
	Requesters store.List[Requester] // by value, the highest first, and then by their last request
	Value      Sums                  // of all requests, also of those who asked too rarely to be listed
	Currency   string                // of most of the requests: by its value requesters are sorted; empty if there are none
	Products   []RequestedProduct    // the most requested, of all requests
	Left       int64                 // attempts that are not in the log, of whatever kind: see [LogConfig]
}

// Requester is an address that asks without paying.
type Requester struct {
	IP          string // empty: of those whose address is unknown
	Requests    int64
	LastRequest time.Time
	ProductIDs  []string // the most requested first
	Country     string   // of the last request
	UserAgent   string   // of the last request
	Value       Sums     // of the prices that were told

	lastID string
}

// RequestedProduct is a product that is asked for.
type RequestedProduct struct {
	ProductID string
	Title     string // empty if the product is gone
	Requests  int64  // that were not paid
}

// UnpaidDemand analyses what was asked for of a provider's products and not paid
// for. Sums are exact for what is in the access log.
func (s *Service) UnpaidDemand(ctx context.Context, ownerID string, q DemandQuery, page store.PageNumber) (Demand, error) {
	page = page.Bounded()
	if page.Offset()+page.Size > maxRequesters {
		return Demand{}, v402api.Invalid("page", v402api.InvalidRange, "page is beyond the first 10000 requesters, who are all that is listed")
	}
	return s.demand(ctx, ownerID, q, page)
}

// demand does so for a page of whatever size, in one pass over the requesters.
func (s *Service) demand(ctx context.Context, ownerID string, q DemandQuery, page store.PageNumber) (Demand, error) {
	f, err := s.demandFilter(ownerID, q)
	if err != nil {
		return Demand{}, err
	}
	offset := (page.Page - 1) * page.Size // which may be above the bounds of a page
	products := tallies{}
	ranking := newRanking(int64(q.MinRequests), offset+page.Size)
	err = s.store.Unpaid(ctx, f, func(n UnpaidCount) error {
		value := n.value()
		products.add(n.ProductID, n.Currency, n.Count, value)
		ranking.add(n, value)
		return nil
	})
	if err != nil {
		return Demand{}, refusal(err, nil, "analyse unpaid requests")
	}
	d := Demand{Value: products.value(), Currency: products.currency()}
	if d.Products, err = s.requestedProducts(ctx, products); err != nil {
		return Demand{}, err
	}
	best, total := ranking.end(d.Currency)
	d.Requesters = store.List[Requester]{Items: best[min(offset, len(best)):], Total: total, Page: page.Page, Size: page.Size}
	if err := s.describe(ctx, d.Requesters.Items); err != nil {
		return Demand{}, err
	}
	d.Left, err = s.store.LogGaps(ctx, ownerID, f.From, time.Time{})
	return d, refusal(err, nil, "analyse unpaid requests")
}

// demandFilter is what q selects of what an owner was asked for, as far as the log
// is kept.
func (s *Service) demandFilter(ownerID string, q DemandQuery) (UnpaidFilter, error) {
	var faults v402api.Faults
	hours := cmp.Or(q.Hours, 24)
	faults.Between("hours", int64(hours), 1, MaxDemandHours)
	if q.MinRequests < 0 {
		faults.Add("min_requests", v402api.InvalidRange, "min_requests must be at least 1")
	}
	span := time.Duration(hours) * time.Hour
	if kept := s.recorder.c.Retention; kept > 0 {
		span = min(span, kept)
	}
	return UnpaidFilter{OwnerID: ownerID, ProductID: q.ProductID, From: s.now().Add(-span)}, faults.Err()
}

func (s *Service) requestedProducts(ctx context.Context, products tallies) ([]RequestedProduct, error) {
	ids := products.ranked()
	var list []RequestedProduct
	for _, id := range ids[:min(len(ids), topRequested)] {
		p, err := s.store.Product(ctx, id)
		if err = refusal(err, ErrProductUnknown, "read a product"); err != nil && err != ErrProductUnknown {
			return nil, err
		}
		list = append(list, RequestedProduct{id, p.Title, products.count(id)})
	}
	return list, nil
}

// describe adds what the log says about the last request of each.
func (s *Service) describe(ctx context.Context, list []Requester) error {
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].lastID
	}
	entries, err := s.store.LogEntriesByID(ctx, ids)
	if err != nil {
		return refusal(err, nil, "read the access log")
	}
	byID := make(map[string]LogEntry, len(entries))
	for _, e := range entries {
		byID[e.ID] = e
	}
	for i := range list {
		r := &list[i]
		e := byID[r.lastID] // purged meanwhile, at worst
		r.Country, r.UserAgent, r.LastRequest = e.Country, e.UserAgent, logTime(r.lastID)
	}
	return nil
}

// logTime is the time that is in an ID of the access log.
func logTime(id string) time.Time {
	u, err := ulid.ParseStrict(strings.TrimPrefix(id, logPrefix))
	if err != nil {
		return time.Time{}
	}
	return ulid.Time(u.Time()).UTC()
}
