package catalog

import "github.com/v402/v402/x402"

// Search selects products that are on sale; zero fields select all.
type Search struct {
	Words      []string // of title, tags, category or description: see [Words]
	Prefix     bool     // the last of Words is the beginning of a word
	Any        bool     // one of Words is enough
	Category   string
	Type       ProductType
	Media      string // content type
	Currency   string
	MinPrice   *x402.Amount
	MaxPrice   *x402.Amount
	Network    x402.Network // on which it can be paid
	Currencies []string     // of Network; set by the [Service]
	Sort       SearchSort
}

// SearchSort is what found products are sorted by. What is equal is sorted by
// publication, the newest first.
type SearchSort string

// The sort orders; [ByRelevance] if none is given.
const (
	ByRelevance SearchSort = "relevance" // title before tags, category, description; most bought first without Words
	Cheapest    SearchSort = "price"     // as a number of smallest units, whatever the currency
	BestRated   SearchSort = "rating"
	Newest      SearchSort = "recent"
)

// CategoryCount is a category of products that are on sale.
type CategoryCount struct {
	Category string
	Products int64
}

// Trend is a product with what happened to it lately.
type Trend struct {
	Product   Product
	Views     int64 // within the period
	Purchases int64
}
