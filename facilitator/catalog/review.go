package catalog

import "time"

// Review is what a buyer says about a product: one for each buyer and product,
// and it can be changed.
type Review struct {
	ID         string
	ProductID  string
	AuthorID   string // of the user
	AuthorName string // as it was when the review was written; may be empty
	Rating     int    // 1 to 5
	Comment    string // may be empty
	CreatedAt  time.Time
	UpdatedAt  time.Time
}
