package catalog

import (
	"cmp"
	"context"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
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

// Sums are amounts by currency, in its smallest unit.
type Sums map[string]*big.Int

// add adds price n times.
func (s Sums) add(currency string, price x402.Amount, n int64) {
	sum := s[currency]
	if sum == nil {
		sum = new(big.Int)
		s[currency] = sum
	}
	sum.Add(sum, new(big.Int).Mul(price.Big(), big.NewInt(n)))
}

// In is the sum in a currency, 0 if there is none.
func (s Sums) In(currency string) *big.Int {
	if sum := s[currency]; sum != nil {
		return sum
	}
	return new(big.Int)
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

// demand does so for a page of whatever size.
func (s *Service) demand(ctx context.Context, ownerID string, q DemandQuery, page store.PageNumber) (Demand, error) {
	f, least, err := s.demandFilter(ownerID, q)
	if err != nil {
		return Demand{}, err
	}
	counts, err := s.store.UnpaidByProduct(ctx, f)
	if err != nil {
		return Demand{}, refusal(err, nil, "analyse unpaid requests")
	}
	d := Demand{Value: Sums{}, Currency: mostRequested(counts, func(c UnpaidCount) string { return c.Currency })}
	for _, c := range counts {
		d.Value.add(c.Currency, c.Price, c.Count)
	}
	if d.Products, err = s.requestedProducts(ctx, counts); err != nil {
		return Demand{}, err
	}
	d.Requesters = store.List[Requester]{Page: page.Page, Size: page.Size}
	if d.Requesters.Items, d.Requesters.Total, err = s.requesters(ctx, f, least, d.Currency, page); err != nil {
		return Demand{}, err
	}
	d.Left, err = s.store.LogGaps(ctx, ownerID, f.From, f.To)
	return d, refusal(err, nil, "analyse unpaid requests")
}

func (s *Service) demandFilter(ownerID string, q DemandQuery) (f UnpaidFilter, least int64, err error) {
	var faults v402api.Faults
	if q.Hours == 0 {
		q.Hours = 24
	}
	if q.MinRequests == 0 {
		q.MinRequests = 1
	}
	faults.Between("hours", int64(q.Hours), 1, MaxDemandHours)
	if q.MinRequests < 1 {
		faults.Add("min_requests", v402api.InvalidRange, "min_requests must be at least 1")
	}
	now := s.now()
	// What was flushed this moment belongs to it.
	f = UnpaidFilter{OwnerID: ownerID, ProductID: q.ProductID, From: now.Add(-time.Duration(q.Hours) * time.Hour), To: now.Add(time.Second)}
	return f, int64(q.MinRequests), faults.Err()
}

// mostRequested is the key with the most requests, the first by name of several.
func mostRequested(counts []UnpaidCount, key func(UnpaidCount) string) string {
	requests, best := map[string]int64{}, ""
	for _, c := range counts {
		k := key(c)
		requests[k] += c.Count
		if n := requests[best]; best == "" || requests[k] > n || requests[k] == n && k < best {
			best = k
		}
	}
	return best
}

func (s *Service) requestedProducts(ctx context.Context, counts []UnpaidCount) ([]RequestedProduct, error) {
	requests := map[string]int64{}
	for _, c := range counts {
		requests[c.ProductID] += c.Count
	}
	ids := byCount(requests)
	var list []RequestedProduct
	for _, id := range ids[:min(len(ids), topRequested)] {
		p, err := s.store.Product(ctx, id)
		if err = refusal(err, ErrProductUnknown, "read a product"); err != nil && err != ErrProductUnknown {
			return nil, err
		}
		list = append(list, RequestedProduct{id, p.Title, requests[id]})
	}
	return list, nil
}

// byCount are the keys of counts, the most counted first.
func byCount(counts map[string]int64) []string {
	keys := make([]string, 0, len(counts))
	for k := range counts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b)) })
	return keys
}

// requesters lists a page of those who asked at least so often, and how many they
// are. It holds no more of them than up to that page.
func (s *Service) requesters(ctx context.Context, f UnpaidFilter, least int64, currency string, page store.PageNumber) ([]Requester, int64, error) {
	offset := (page.Page - 1) * page.Size // which may be above the bounds of a page
	most := offset + page.Size
	var total int64
	var best []Requester
	keep := func(r Requester) {
		if r.Requests < least {
			return
		}
		total++
		if best = append(best, r); len(best) >= 2*most+64 {
			best = foremost(best, currency, most)
		}
	}
	var c collector
	err := s.store.UnpaidByRequester(ctx, f, func(n UnpaidCount) error {
		if r, ended := c.next(n.IP); ended {
			keep(r)
		}
		c.add(n)
		return nil
	})
	if err != nil {
		return nil, 0, refusal(err, nil, "analyse unpaid requests")
	}
	if r, any := c.end(); any {
		keep(r)
	}
	best = foremost(best, currency, most)
	best = best[min(offset, len(best)):]
	return best, total, s.describe(ctx, best)
}

// foremost sorts requesters and returns the first so many.
func foremost(list []Requester, currency string, most int) []Requester {
	slices.SortFunc(list, func(a, b Requester) int {
		return cmp.Or(b.Value.In(currency).Cmp(a.Value.In(currency)), strings.Compare(b.lastID, a.lastID))
	})
	return slices.Clip(list[:min(len(list), most)])
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

// collector adds up the counts of one requester after another.
type collector struct {
	r        Requester
	products map[string]int64 // nil: nobody's counts were added
}

// next returns whose counts are complete, if those of ip begin.
func (c *collector) next(ip string) (r Requester, ended bool) {
	if c.products == nil || c.r.IP == ip {
		return Requester{}, false
	}
	return c.end()
}

func (c *collector) add(n UnpaidCount) {
	if c.products == nil {
		c.r, c.products = Requester{IP: n.IP, Value: Sums{}}, map[string]int64{}
	}
	c.r.Requests += n.Count
	c.r.Value.add(n.Currency, n.Price, n.Count)
	c.r.lastID = max(c.r.lastID, n.LastID)
	c.products[n.ProductID] += n.Count
}

// end returns whose counts were added last, if anybody's.
func (c *collector) end() (r Requester, any bool) {
	if c.products == nil {
		return Requester{}, false
	}
	r = c.r
	r.ProductIDs = byCount(c.products)
	*c = collector{}
	return r, true
}
