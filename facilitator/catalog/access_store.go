package catalog

import "context"

// AccessStore keeps payments and what they opened.
type AccessStore interface {
	PaymentStore

	// HasBought says whether one of buyers, which are user IDs and addresses of
	// wallets, has ever paid for the product.
	HasBought(ctx context.Context, productID string, buyers []string) (bool, error)
}
