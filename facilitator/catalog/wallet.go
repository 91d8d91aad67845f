package catalog

import (
	"time"

	"github.com/v402/v402/x402"
)

// Wallet is where a provider is paid on one network.
type Wallet struct {
	OwnerID   string
	Network   x402.Network
	Address   string
	UpdatedAt time.Time
}

// PaymentOption is one way to pay for a product.
type PaymentOption struct {
	Coin   Coin
	PayTo  string
	Amount x402.Amount // in the smallest unit of Coin
}
