package catalog

import (
	"time"

	"github.com/v402/v402/x402"
)

// ProductType says what is sold.
type ProductType string

// The types of products; [TypeArticle] if none is given.
const (
	TypeArticle  ProductType = "article"
	TypeVideo    ProductType = "video"
	TypeAudio    ProductType = "audio"
	TypeImage    ProductType = "image"
	TypePDF      ProductType = "pdf"
	TypeAPICall  ProductType = "api_call"
	TypeDataset  ProductType = "dataset"
	TypeSoftware ProductType = "software"
	TypeCourse   ProductType = "course"
	TypeTemplate ProductType = "template"
	TypeOther    ProductType = "other"
)

var productTypes = []ProductType{
	TypeArticle, TypeVideo, TypeAudio, TypeImage, TypePDF, TypeAPICall, TypeDataset, TypeSoftware, TypeCourse, TypeTemplate, TypeOther,
}

// ProductStatus is where a product stands: draft –publish→ active –unpublish→
// inactive –publish→ active; active and inactive –archive→ archived; any –delete→ deleted.
type ProductStatus string

// The statuses of a product.
const (
	ProductDraft    ProductStatus = "draft"
	ProductActive   ProductStatus = "active"
	ProductInactive ProductStatus = "inactive"
	ProductDeleted  ProductStatus = "deleted" // never sold again; what was bought stays open until it expires
	ProductArchived ProductStatus = "archived"
)

var productStatuses = []ProductStatus{ProductDraft, ProductActive, ProductInactive, ProductDeleted, ProductArchived}

// Scheme is how a product is paid.
type Scheme string

// The schemes.
const (
	SchemeExact   Scheme = "exact"   // the price
	SchemeUpto    Scheme = "upto"    // up to the price, by what was used
	SchemeDynamic Scheme = "dynamic" // a price computed for each request
	SchemeFree    Scheme = "free"    // nothing
)

var schemes = []Scheme{SchemeExact, SchemeUpto, SchemeDynamic, SchemeFree}

// Product is something for sale.
type Product struct {
	ID          string // a UUID
	OwnerID     string // the provider
	Slug        string // another name, unique; may be empty
	Title       string
	Description string
	Preview     string // shown to everybody
	Type        ProductType
	Category    string
	Tags        []string
	ContentURL  string // shown to those who paid
	ContentType string // a media type, such as "video/series"
	ContentHash string
	Thumbnail   string // URL

	Price    x402.Amount    // in the smallest unit of Currency: see [Service.Coins]
	Currency string         // such as "ETH" or "USDC"
	Scheme   Scheme         //
	Chains   []x402.Network // where it is paid; empty: wherever its owner has a wallet
	QuoteURL string         // tells the price of a dynamic product; may be empty

	AccessDuration time.Duration // how long a payment opens it; 0: for good
	MaxAccesses    int64         // how often; 0: without bound

	Status     ProductStatus
	Moderation Moderation
	Suspended  bool // its owner is: neither found nor sold

	Views       int64
	Purchases   int64
	RatingSum   int64 // of RatingCount reviews, each of 1 to 5
	RatingCount int64

	CreatedAt   time.Time
	UpdatedAt   time.Time
	PublishedAt time.Time // the first time; zero if it never was
	DeletedAt   time.Time // zero unless it is deleted
}

// Moderation is what an admin has said about a product.
type Moderation struct {
	Flagged  bool // neither found nor sold
	Rejected bool // cannot be published until it is approved; Flagged as well
	Reason   string
	By       string    // ID of the admin
	At       time.Time // zero if nobody has said anything
}

// OnSale says whether p is found by clients and can be bought.
func (p *Product) OnSale() bool {
	return p.Status == ProductActive && !p.Moderation.Flagged && !p.Suspended
}

// Rating is the mean of the reviews in hundredths, rounded half up: 485 is 4.85.
func (p *Product) Rating() int64 { return ratio(p.RatingSum*100, p.RatingCount) }

// ratio is a/b rounded half up; 0 if b is 0. Neither is negative.
func ratio(a, b int64) int64 {
	if b == 0 {
		return 0
	}
	return (2*a + b) / (2 * b)
}

// ProductFilter selects products; zero fields select all but deleted ones, which
// are listed only by their status.
type ProductFilter struct {
	OwnerID  string
	Status   ProductStatus
	Category string
	Search   string // a part of title or description, in whatever case
	Flagged  bool   // only flagged ones
	Sort     ProductSort
	Upward   bool // the least first
}

// ProductSort is what a list of products is sorted by. What is equal is sorted
// by creation, the newest first.
type ProductSort string

// The sort orders; [ByCreated] if none is given.
const (
	ByCreated   ProductSort = "created_at"
	ByUpdated   ProductSort = "updated_at"
	ByTitle     ProductSort = "title"
	ByPrice     ProductSort = "price" // as a number, whatever the currency
	ByViews     ProductSort = "view_count"
	ByPurchases ProductSort = "purchase_count"
	ByRating    ProductSort = "rating"
	ByPublished ProductSort = "published_at"
)

// Provider is how clients see the owner of a product.
type Provider struct {
	ID       string
	Name     string
	Website  string
	Verified bool
}
