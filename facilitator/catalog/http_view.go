package catalog

import (
	"strconv"

	"github.com/v402/v402/internal/web/v402api"
)

// hundredths is a number with two decimals: 485 is 4.85 in JSON.
type hundredths int64

// MarshalJSON implements [json.Marshaler].
func (h hundredths) MarshalJSON() ([]byte, error) {
	b := strconv.AppendInt(nil, int64(h)/100, 10)
	switch part := int64(h) % 100; {
	case part == 0:
	case part%10 == 0:
		b = append(b, '.', byte('0'+part/10))
	default:
		b = append(b, '.', byte('0'+part/10), byte('0'+part%10))
	}
	return b, nil
}

// orNull is v, or nil for the zero value: null in JSON, and what is not given.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// orEmpty is [] in JSON, never null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// productView is a product as its owner and admins see it. First come the keys
// that the documentation shows, in its order.
type productView struct {
	ID             string         `json:"id"`
	OwnerID        string         `json:"owner_id"`
	Title          string         `json:"title"`
	Status         ProductStatus  `json:"status"`
	Price          string         `json:"price"`
	Views          int64          `json:"view_count"`
	Purchases      int64          `json:"purchase_count"`
	Rating         hundredths     `json:"rating"` // 0 while nobody has rated it
	CreatedAt      v402api.Time   `json:"created_at"`
	UpdatedAt      v402api.Time   `json:"updated_at"`
	PublishedAt    v402api.Time   `json:"published_at"`
	DeletedAt      v402api.Time   `json:"deleted_at"`
	Description    string         `json:"description"`
	ContentURL     string         `json:"content_url"`
	Type           ProductType    `json:"type"`
	Category       string         `json:"category"`
	Tags           []string       `json:"tags"`
	Currency       string         `json:"currency"`
	Scheme         Scheme         `json:"payment_scheme"`
	Thumbnail      *string        `json:"thumbnail_url"`
	ContentType    *string        `json:"content_type"`
	ContentHash    *string        `json:"content_hash"`
	Preview        *string        `json:"preview_content"`
	AccessDuration *int64         `json:"access_duration"`
	MaxAccesses    *int64         `json:"max_access_count"`
	Slug           *string        `json:"slug"`
	Chains         []string       `json:"chains"`
	QuoteURL       *string        `json:"quote_url"`
	ReviewCount    int64          `json:"review_count"`
	OnSale         bool           `json:"on_sale"`
	Moderation     moderationView `json:"moderation"`
}

// moderationView is what an admin has said.
type moderationView struct {
	Flagged  bool         `json:"flagged"`
	Rejected bool         `json:"rejected"`
	Reason   *string      `json:"reason"`
	At       v402api.Time `json:"moderated_at"`
}

func viewProduct(p Product) productView {
	return productView{
		ID: p.ID, OwnerID: p.OwnerID, Title: p.Title, Status: p.Status, Price: p.Price.String(), Views: p.Views, Purchases: p.Purchases,
		Rating: hundredths(p.Rating()), CreatedAt: v402api.Time(p.CreatedAt), UpdatedAt: v402api.Time(p.UpdatedAt),
		PublishedAt: v402api.Time(p.PublishedAt), DeletedAt: v402api.Time(p.DeletedAt), Description: p.Description, ContentURL: p.ContentURL,
		Type: p.Type, Category: p.Category, Tags: orEmpty(p.Tags), Currency: p.Currency, Scheme: p.Scheme, Thumbnail: orNull(p.Thumbnail),
		ContentType: orNull(p.ContentType), ContentHash: orNull(p.ContentHash), Preview: orNull(p.Preview), AccessDuration: orNull(duration(p)),
		MaxAccesses: orNull(p.MaxAccesses), Slug: orNull(p.Slug), Chains: chainNames(p.Chains), QuoteURL: orNull(p.QuoteURL),
		ReviewCount: p.RatingCount, OnSale: p.OnSale(),
		Moderation: moderationView{p.Moderation.Flagged, p.Moderation.Rejected, orNull(p.Moderation.Reason), v402api.Time(p.Moderation.At)},
	}
}

// duration is how many seconds a payment opens p.
func duration(p Product) int64 { return int64(p.AccessDuration.Seconds()) }
