package registry

import "time"

// RoyaltyStatus is where a royalty stands: pending –(settlement issued)→ settling
// –(settlement confirmed)→ paid; pending → disputed → pending or voided. What is
// in an issued settlement is disputed with the settlement.
type RoyaltyStatus string

// The statuses of a royalty.
const (
	RoyaltyPending  RoyaltyStatus = "pending"
	RoyaltySettling RoyaltyStatus = "settling"
	RoyaltyPaid     RoyaltyStatus = "paid" // also one of 0, at once
	RoyaltyDisputed RoyaltyStatus = "disputed"
	RoyaltyVoided   RoyaltyStatus = "voided"
	RoyaltyInternal RoyaltyStatus = "internal" // seller and origin are one platform: recorded, never netted
)

// Royalty is what the seller of a sale owes the originating platform.
type Royalty struct {
	ID            int64
	SaleID        int64
	ContractHash  string
	SellerID      int64
	SellerName    string
	OriginID      int64
	OriginName    string
	Amount        Money // negative in an adjustment
	Status        RoyaltyStatus
	AdjustsID     int64     // the royalty that this one takes back; 0 if it is none
	RunID         int64     // the settlement run that it is in; 0 if none
	Underreported bool      // less than the contract's terms ask for
	Reason        string    // of the dispute
	DueAt         time.Time // sold_at, or when an adjustment was made: the time that places it in a period
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// RoyaltyFilter selects royalties; zero fields select all.
type RoyaltyFilter struct {
	SellerID int64 // owed by
	OriginID int64 // due to
	PartyID  int64 // seller or origin
	Status   RoyaltyStatus
	RunID    int64
	Between  [2]int64  // these two platforms, in both directions
	From, To time.Time // DueAt in [From, To)
}

// DisputeRequest asks to dispute a royalty or a settlement.
type DisputeRequest struct {
	Reason string // required; at most 500 characters

	faults faults
}
