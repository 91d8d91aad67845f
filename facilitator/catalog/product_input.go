package catalog

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/v402/v402/internal/web/v402api"
)

// Draft is a new product. Its JSON is that of the API.
type Draft struct {
	Title          string        `json:"title"`
	Description    string        `json:"description"`
	ContentURL     string        `json:"content_url"`
	Type           ProductType   `json:"type"` // [TypeArticle] if empty
	Category       string        `json:"category"`
	Tags           []string      `json:"tags"`
	Price          Price         `json:"price"`
	Currency       string        `json:"currency"`       // "ETH" if empty
	Scheme         Scheme        `json:"payment_scheme"` // [SchemeExact] if empty
	Thumbnail      string        `json:"thumbnail_url"`
	ContentType    string        `json:"content_type"`
	ContentHash    string        `json:"content_hash"`
	Preview        string        `json:"preview_content"`
	AccessDuration int64         `json:"access_duration"` // seconds; 0: for good
	MaxAccesses    int64         `json:"max_access_count"`
	Slug           string        `json:"slug"`
	Chains         []string      `json:"chains"`
	QuoteURL       string        `json:"quote_url"`
	Status         ProductStatus `json:"status"` // [ProductDraft], or empty
}

// ProductUpdate changes what is not nil.
type ProductUpdate struct {
	Title          *string        `json:"title"`
	Description    *string        `json:"description"`
	ContentURL     *string        `json:"content_url"`
	Type           *ProductType   `json:"type"`
	Category       *string        `json:"category"`
	Tags           *[]string      `json:"tags"`
	Price          *Price         `json:"price"`
	Currency       *string        `json:"currency"`
	Scheme         *Scheme        `json:"payment_scheme"`
	Thumbnail      *string        `json:"thumbnail_url"`
	ContentType    *string        `json:"content_type"`
	ContentHash    *string        `json:"content_hash"`
	Preview        *string        `json:"preview_content"`
	AccessDuration *int64         `json:"access_duration"`
	MaxAccesses    *int64         `json:"max_access_count"`
	Slug           *string        `json:"slug"`
	Chains         *[]string      `json:"chains"`
	QuoteURL       *string        `json:"quote_url"`
	Status         *ProductStatus `json:"status"` // publishes, unpublishes or archives
}

// update sets all that d says on a product that is new.
func (d *Draft) update() *ProductUpdate {
	return &ProductUpdate{
		Title: &d.Title, Description: &d.Description, ContentURL: &d.ContentURL, Type: orNull(d.Type), Category: &d.Category, Tags: &d.Tags,
		Price: &d.Price, Currency: orNull(d.Currency), Scheme: orNull(d.Scheme), Thumbnail: &d.Thumbnail, ContentType: &d.ContentType,
		ContentHash: &d.ContentHash, Preview: &d.Preview, AccessDuration: &d.AccessDuration, MaxAccesses: &d.MaxAccesses,
		Slug: &d.Slug, Chains: &d.Chains, QuoteURL: &d.QuoteURL,
	}
}

// Price is a whole number of the smallest unit of a currency, in decimal digits.
// In JSON it is a string, or a number up to 2^53.
type Price string

// UnmarshalJSON implements [json.Unmarshaler].
func (p *Price) UnmarshalJSON(j []byte) error {
	if j = bytes.TrimSpace(j); j[0] == '"' {
		var s string
		err := json.Unmarshal(j, &s)
		*p = Price(s)
		return err
	}
	const exact = 1 << 53 // above, programs that read numbers as floats have lost digits
	var n json.Number
	if err := json.Unmarshal(j, &n); err != nil {
		return &Fault{Code: v402api.InvalidType, Message: "must be a string of decimal digits"}
	}
	if i, err := n.Int64(); err != nil || i > exact || i < -exact {
		return &Fault{Code: v402api.InvalidFormat, Message: "must be a whole number; above 2^53 it must be a string"}
	}
	*p = Price(n)
	return nil
}

// seconds is n seconds, for what was checked to be at most [maxDuration].
func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }
