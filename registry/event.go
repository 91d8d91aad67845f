package registry

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/v402/v402/store"
)

// Types of the events that a registry saves with its changes.
const (
	EventContractRegistered  = "contract.registered" // one for each batch; the data is a [RegisteredEvent]
	EventContractRevoked     = "contract.revoked"    // a [RevokedEvent]
	EventSaleReported        = "sale.reported"       // a [SaleEvent]
	EventSaleVoided          = "sale.voided"         // a [SaleEvent]
	EventSettlementIssued    = "registry.settlement.issued"
	EventSettlementPaid      = "registry.settlement.paid"
	EventSettlementConfirmed = "registry.settlement.confirmed"
	EventSettlementDisputed  = "registry.settlement.disputed"
	EventSettlementCancelled = "registry.settlement.cancelled"
)

var eventTypes = []string{
	EventContractRegistered, EventContractRevoked, EventSaleReported, EventSaleVoided, EventSettlementIssued,
	EventSettlementPaid, EventSettlementConfirmed, EventSettlementDisputed, EventSettlementCancelled,
}

// RegisteredEvent is the data of contract.registered.
type RegisteredEvent struct {
	PlatformIDs    []int64   `json:"platform_ids"` // who may be told
	PlatformID     int64     `json:"platform_id"`
	IPFSHash       string    `json:"ipfs_hash"`
	MetadataCID    string    `json:"metadata_cid"`
	ContractHashes []string  `json:"contract_hashes"`
	RegisteredAt   time.Time `json:"registered_at"`
}

// RevokedEvent is the data of contract.revoked. Platforms that sold the contract
// or mirror its publication are told too: see [Service.Audience].
type RevokedEvent struct {
	PlatformIDs  []int64   `json:"platform_ids"` // the publisher
	PlatformID   int64     `json:"platform_id"`
	ContractHash string    `json:"contract_hash"`
	IPFSHash     string    `json:"ipfs_hash"`
	Reason       string    `json:"reason"`
	RevokedAt    time.Time `json:"revoked_at"`
}

// SaleEvent is the data of sale.reported and sale.voided.
type SaleEvent struct {
	PlatformIDs           []int64    `json:"platform_ids"` // the originating and the selling platform
	TransactionID         int64      `json:"transaction_id"`
	RoyaltyID             int64      `json:"royalty_id"`
	AdjustmentID          int64      `json:"adjustment_id,omitempty"`
	ContractHash          string     `json:"contract_hash"`
	SellingPlatformID     int64      `json:"selling_platform_id"`
	OriginatingPlatformID int64      `json:"originating_platform_id"`
	SaleAmount            Money      `json:"sale_amount"`
	RoyaltyAmount         Money      `json:"royalty_amount"`
	Status                SaleStatus `json:"status"`
	SoldAt                time.Time  `json:"sold_at"`
	VoidedAt              *time.Time `json:"voided_at,omitempty"`
}

// newEvent makes an event. Every event's data has platform_ids: the platforms
// that it concerns, and that may be told.
func newEvent(kind, subject string, data any, at time.Time) store.Event {
	j, err := json.Marshal(data)
	if err != nil {
		panic(err) // structs of ours
	}
	return store.Event{ID: uuid.NewString(), Type: kind, Subject: subject, Data: j, CreatedAt: at}
}
