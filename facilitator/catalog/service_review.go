package catalog

import (
	"context"

	"github.com/google/uuid"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/store"
)

// Opinion is what a buyer says.
type Opinion struct {
	Rating  int    `json:"rating"` // 1 to 5
	Comment string `json:"comment"`
}

// Bounds of a review.
const (
	minRating  = 1
	maxRating  = 5
	maxComment = 2000 // characters
)

// Review stores what u says about a product that u has bought, in place of what u
// said before: [ErrProductUnknown], [ErrNotBuyer]. The owner cannot review it.
func (s *Service) Review(ctx context.Context, u account.User, productID string, o Opinion) (r Review, created bool, err error) {
	var f v402api.Faults
	f.Between("rating", int64(o.Rating), minRating, maxRating)
	f.Text("comment", o.Comment, maxComment)
	if err := f.Err(); err != nil {
		return Review{}, false, err
	}
	p, err := s.Product(ctx, productID)
	if err != nil {
		return Review{}, false, err
	}
	if p.OwnerID == u.ID {
		return Review{}, false, ErrNotBuyer
	}
	bought, err := s.store.HasBought(ctx, productID, buyerNames(u))
	switch {
	case err != nil:
		return Review{}, false, refusal(err, nil, "look for a purchase")
	case !bought:
		return Review{}, false, ErrNotBuyer
	}
	now := s.now()
	r = Review{
		ID: uuid.NewString(), ProductID: productID, AuthorID: u.ID, AuthorName: u.DisplayName(), Rating: o.Rating, Comment: o.Comment,
		CreatedAt: now, UpdatedAt: now,
	}
	r, created, err = s.store.PutReview(ctx, r, func(r Review, p Product, created bool) store.Event {
		return newEvent(EventReviewPosted, p.ID, ReviewEvent{p.OwnerID, p.ID, r.ID, r.Rating, !created, now}, now)
	})
	return r, created, refusal(err, ErrProductUnknown, "store a review")
}

// buyerNames are what u may have bought as: the user's ID, and the wallet that
// signs in.
func buyerNames(u account.User) []string {
	names := []string{u.ID}
	if u.PublicKey != "" {
		names = append(names, account.WalletAddress(u.PublicKey))
	}
	return names
}

// Reviews lists what buyers say about a product, the newest first.
func (s *Service) Reviews(ctx context.Context, productID string, page store.PageNumber) (store.List[Review], error) {
	list, err := s.store.Reviews(ctx, productID, page.Bounded())
	return list, refusal(err, nil, "list reviews")
}
