package registry

import (
	"encoding/json"
	"time"
)

// SaleStatus is where a sale stands: reported –void→ voided.
type SaleStatus string

// The statuses of a sale.
const (
	SaleReported SaleStatus = "reported"
	SaleVoided   SaleStatus = "voided"
)

// Sale is a sale of a contract by a platform, the transaction of the API.
type Sale struct {
	ID                 int64
	RoyaltyID          int64
	ContractID         int64
	ContractHash       string // as registered
	SellerID           int64
	SellerName         string // read from the platform
	OriginID           int64  // the platform that registered the contract
	OriginName         string
	BuyerWalletAddress string
	Amount             Money
	RoyaltyAmount      Money
	TransactionHash    string          // as given; empty if not given
	TransactionKey     string          // what a repeated report is recognised by: TransactionHash, or its lower-case form
	IdempotencyKey     string          // empty if not given
	Metadata           json.RawMessage // a JSON object, or nil
	Status             SaleStatus
	SoldAt             time.Time
	ReportedAt         time.Time
	VoidedAt           time.Time // zero unless voided
	VoidReason         string
}

// SaleReport reports a sale.
type SaleReport struct {
	ContractHash       string
	BuyerWalletAddress string // at most 42 characters
	SaleAmount         Decimal
	RoyaltyAmount      Decimal
	TransactionHash    string
	Metadata           json.RawMessage // a JSON object of at most 16 KiB
	SoldAt             time.Time       // now if zero
	IdempotencyKey     string          // from the header of that name; not part of the body

	faults faults
}

// Reported is the answer to a SaleReport.
type Reported struct {
	Sale    Sale
	Royalty Royalty
	Created bool // false if the same report was stored before
}

// VoidRequest asks to void a sale.
type VoidRequest struct {
	Reason string // at most 500 characters

	faults faults
}

// Voided is a voided sale. Adjustment is nil unless the royalty was in an issued
// settlement: then it takes the royalty back in the next one.
type Voided struct {
	Sale       Sale
	Royalty    Royalty
	Adjustment *Royalty
}

// SaleFilter selects sales; zero fields select all.
type SaleFilter struct {
	SellerID    int64
	OriginID    int64
	PartyID     int64  // seller or origin
	ContractKey string // see Contract.Key
	Status      SaleStatus
	From, To    time.Time // SoldAt in [From, To)
}
