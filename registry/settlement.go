package registry

import (
	"context"
	"encoding/json"
	"time"
)

// SettlementMode is how obligations become transfers.
type SettlementMode string

// The modes.
const (
	Bilateral    SettlementMode = "bilateral"    // one document for each pair of platforms
	Multilateral SettlementMode = "multilateral" // positions of all platforms, matched with few transfers
)

// SettlementStatus is where a settlement stands: issued → paid → confirmed;
// issued or paid → disputed → issued or cancelled.
type SettlementStatus string

// The statuses of a settlement. A draft is the result of a dry run and is not
// stored.
const (
	SettlementDraft     SettlementStatus = "draft"
	SettlementIssued    SettlementStatus = "issued"
	SettlementPaid      SettlementStatus = "paid"
	SettlementConfirmed SettlementStatus = "confirmed"
	SettlementDisputed  SettlementStatus = "disputed"
	SettlementCancelled SettlementStatus = "cancelled"
)

// Run is one netting of all that is pending. Documents that were issued together
// share it; its lines are the royalties with its RunID.
type Run struct {
	ID       int64
	Mode     SettlementMode
	Currency string    // "USD"
	From, To time.Time // takes what is pending with DueAt before To: late reports and what was carried forward are older than From
	IssuedAt time.Time
	IssuedBy string // an admin
}

// Settlement is one document: the payer owes the payee Net. What is beside the
// statuses, times, reference, reason and payment never changes once it is issued.
type Settlement struct {
	ID           int64
	Run          Run // RunID and what the run says
	PayerID      int64
	PayerName    string
	PayeeID      int64
	PayeeName    string
	Gross        Money // what the payer owed the payee; in a multilateral transfer the amount
	Counter      Money // what the payee owed the payer; in a multilateral transfer 0
	Net          Money // Gross - Counter, not negative
	Lines        int64 // how many royalties the payer's statement lists
	PayeeLines   int64 // and the payee's: another number only in a multilateral transfer
	Status       SettlementStatus
	Reference    string          // the payer's, such as a transfer's number or a transaction hash
	Reason       string          // of the dispute, or of what resolved it
	PaymentKey   string          // identity of the x402 payment that pays it, or tries to; empty if none
	Payment      json.RawMessage // that payment, an x402.Payment
	PaymentUntil time.Time       // from when on that payment cannot move any more; zero if none
	PaidAt       time.Time
	ConfirmedAt  time.Time
	DisputedAt   time.Time
	CancelledAt  time.Time
	UpdatedAt    time.Time
}

// Owed is the sum of what one platform owes another, adjustments included.
type Owed struct {
	SellerID int64
	OriginID int64
	Amount   Money // may be negative where adjustments prevail
	Count    int64
}

// Netting is what an issue makes of the sums.
type Netting struct {
	Settlements []Settlement
	Carried     [][2]int64 // pairs (in either order) whose royalties stay pending for a later run
}

// SettlementFilter selects settlements; zero fields select all.
type SettlementFilter struct {
	PartyID  int64 // payer or payee
	PayerID  int64
	PayeeID  int64
	RunID    int64
	Status   SettlementStatus
	From, To time.Time // Run.IssuedAt in [From, To)
}

// Refusals of steps that the other party takes, and of those that must wait.
var (
	ErrNotPayer        = &Error{Forbidden, "Only the paying platform can do this"}
	ErrNotPayee        = &Error{Forbidden, "Only the paid platform can do this"}
	ErrPaymentUnderWay = &Error{State, "A payment of this settlement is under way"}
	ErrPaymentUsed     = &Error{State, "The payment belongs to another settlement"}
	ErrNoPayout        = &Error{State, "The paid platform takes no stablecoin"}
)

// Settlement returns one that p pays or is paid; ErrSettlementUnknown for any other.
func (s *Service) Settlement(ctx context.Context, p Platform, id int64) (Settlement, error) {
	d, err := s.AnySettlement(ctx, id)
	if err == nil && !d.Party(p.ID) {
		return Settlement{}, ErrSettlementUnknown
	}
	return d, err
}

// AnySettlement returns one, for an admin.
func (s *Service) AnySettlement(ctx context.Context, id int64) (Settlement, error) {
	d, err := s.store.PlatformSettlement(ctx, id)
	return d, refusal(err, ErrSettlementUnknown, "look for a settlement")
}

// Settlements lists those that p pays or is paid, whatever f says.
func (s *Service) Settlements(ctx context.Context, p Platform, f SettlementFilter, page PageOptions) (List[Settlement], error) {
	f.PartyID = p.ID
	return s.AllSettlements(ctx, f, page)
}

// AllSettlements lists settlements for an admin.
func (s *Service) AllSettlements(ctx context.Context, f SettlementFilter, page PageOptions) (List[Settlement], error) {
	list, err := s.store.PlatformSettlements(ctx, f, page.Bounded())
	return list, refusal(err, nil, "list settlements")
}

// Party says whether a platform pays d or is paid by it.
func (d *Settlement) Party(platformID int64) bool {
	return platformID != 0 && (d.PayerID == platformID || d.PayeeID == platformID)
}
