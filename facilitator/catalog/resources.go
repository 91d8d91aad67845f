package catalog

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// ResourceQuery selects what discovery lists; zero fields select all.
type ResourceQuery struct {
	Query   string // words
	Type    string // "http"; there is nothing of another type
	PayTo   string
	Scheme  string
	Network x402.Network
	Limit   int // 1 to 100; 20 if zero
	Offset  int
	Version int    // of the protocol, in which offers are written; 2 if zero
	Origin  string // of the URLs, such as "https://shop.example"; PaymentConfig.PublicURL if that is set
}

// Resources lists what is for sale, as the discovery of x402 has it: the routes
// of PaymentConfig.Guarded and then products, the most bought first. Offers that
// the query does not select are left out, and so are resources of which none is
// left: a page may be shorter than its limit, and the total counts them.
func (s *Service) Resources(ctx context.Context, q ResourceQuery) (x402.DiscoveryPage, error) {
	items, total, err := s.discover(ctx, &q)
	return x402.DiscoveryPage{
		Version: q.Version, Items: items, Pagination: x402.Pagination{Limit: q.Limit, Offset: q.Offset, Total: total},
	}, err
}

// SearchResources finds what is for sale by words.
func (s *Service) SearchResources(ctx context.Context, q ResourceQuery) (x402.SearchPage, error) {
	items, total, err := s.discover(ctx, &q)
	page := x402.SearchPage{Version: q.Version, Resources: items, Pagination: &x402.Cursor{Limit: q.Limit}}
	if next := q.Offset + q.Limit; next < total {
		page.Pagination.Cursor = strconv.Itoa(next)
	}
	return page, err
}

// discover lists one page of resources; total counts all.
func (s *Service) discover(ctx context.Context, q *ResourceQuery) (items []x402.DiscoveredResource, total int, err error) {
	q.bound()
	if q.Type != "" && q.Type != "http" {
		return nil, 0, nil
	}
	guarded := s.guarded(q)
	total = len(guarded)
	items = slices.Clone(guarded[min(q.Offset, total):min(q.Offset+q.Limit, total)])
	products, of, err := s.productsFrom(ctx, q, max(q.Offset-total, 0), q.Limit-len(items))
	if err != nil {
		return nil, 0, err
	}
	for i := range products {
		r, ok, err := s.resource(ctx, q, &products[i])
		if err != nil {
			return nil, 0, err
		}
		if ok {
			items = append(items, r)
		}
	}
	return items, total + of, nil
}

func (q *ResourceQuery) bound() {
	if q.Limit <= 0 {
		q.Limit = 20
	}
	q.Limit, q.Offset = min(q.Limit, 100), max(q.Offset, 0)
	if q.Version != x402.V1 {
		q.Version = x402.V2
	}
}

// guarded are the routes that are for sale beside products.
func (s *Service) guarded(q *ResourceQuery) []x402.DiscoveredResource {
	var list []x402.DiscoveredResource
	words := Words(q.Query)
	for _, r := range s.options.Payments.Guarded {
		text := strings.ToLower(r.Resource + " " + r.Description + " " + r.ServiceName + " " + strings.Join(r.Tags, " "))
		if slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			continue
		}
		if strings.HasPrefix(r.Resource, "/") {
			r.Resource = s.origin(q) + r.Resource
		}
		r.Version = q.Version
		if r.Accepts = q.offers(r.Accepts); len(r.Accepts) > 0 {
			list = append(list, r)
		}
	}
	return list
}

// productsFrom lists products on sale from an offset that need not be that of a page.
func (s *Service) productsFrom(ctx context.Context, q *ResourceQuery, offset, limit int) ([]Product, int, error) {
	search := Search{Words: Words(q.Query), Network: q.Network}
	if q.Network != "" {
		search.Currencies = s.coins.on(q.Network)
	}
	size := max(limit, 1)
	var list []Product
	total := 0
	for n := range 2 {
		page := store.PageNumber{Page: offset/size + 1 + n, Size: size}
		found, err := s.store.SearchProducts(ctx, search, page)
		if err != nil {
			return nil, 0, refusal(err, nil, "find products")
		}
		list, total = append(list, found.Items...), int(found.Total)
		if offset%size == 0 || len(found.Items) < size {
			break
		}
	}
	list = list[min(offset%size, len(list)):]
	return list[:min(limit, len(list))], total, nil
}

// resource is a product as discovery lists it; ok is false if the query leaves
// no way to pay for it.
func (s *Service) resource(ctx context.Context, q *ResourceQuery, p *Product) (r x402.DiscoveredResource, ok bool, err error) {
	options, err := s.Options(ctx, *p)
	if err != nil {
		return r, false, err
	}
	t := &terms{timeout: s.timeout()}
	if err := s.sort(ctx, t, options); err != nil {
		return r, false, err
	}
	var offers []x402.PaymentRequirements
	for _, o := range t.x402 {
		offer := o.Coin.Token.Requirements(o.Amount, o.PayTo)
		offer.MaxTimeoutSeconds = t.timeout
		offers = append(offers, offer)
	}
	if len(offers) == 0 {
		for _, o := range t.plain {
			offers = append(offers, t.requirement(o, t.timeout))
		}
	}
	if offers = q.offers(offers); len(offers) == 0 {
		return r, false, nil
	}
	r = x402.DiscoveredResource{
		Resource: s.origin(q) + "/api/v1/clients/access/" + p.ID, Type: "http", Version: q.Version, Accepts: offers, LastUpdated: p.UpdatedAt,
		Description: shortened(p.Title, maxResource), MimeType: p.ContentType, IconURL: p.Thumbnail,
		Extensions: map[string]json.RawMessage{"bazaar": json.RawMessage(`{"info":{"input":{"type":"http","method":"GET"}}}`)},
		Metadata:   metadataOf(p),
	}
	return r, true, nil
}

func (s *Service) origin(q *ResourceQuery) string {
	if s.options.Payments.PublicURL != "" {
		return strings.TrimRight(s.options.Payments.PublicURL, "/")
	}
	return q.Origin
}

// metadataOf is what discovery tells of a product beside the protocol's own.
func metadataOf(p *Product) json.RawMessage {
	j, err := json.Marshal(struct {
		ID          string      `json:"product_id"`
		Description string      `json:"description,omitempty"`
		Type        ProductType `json:"type"`
		Category    string      `json:"category,omitempty"`
		Tags        []string    `json:"tags,omitempty"`
		Currency    string      `json:"currency"`
		Rating      hundredths  `json:"rating"`
		Purchases   int64       `json:"purchase_count"`
	}{p.ID, p.Description, p.Type, p.Category, p.Tags, p.Currency, hundredths(p.Rating()), p.Purchases})
	if err != nil {
		panic(err) // strings and numbers
	}
	return j
}

// offers are those of list that the query selects.
func (q *ResourceQuery) offers(list []x402.PaymentRequirements) []x402.PaymentRequirements {
	var out []x402.PaymentRequirements
	for _, r := range list {
		if (q.PayTo == "" || r.Network.SameAddress(q.PayTo, r.PayTo)) && (q.Scheme == "" || q.Scheme == r.Scheme) && (q.Network == "" || q.Network == r.Network) {
			out = append(out, r)
		}
	}
	return out
}
