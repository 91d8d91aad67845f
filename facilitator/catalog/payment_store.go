package catalog

import (
	"context"
	"errors"
	"time"

	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// PaymentStore keeps payments, their proofs, and the grants that they bought. As
// everywhere, a method is one atomic operation, callbacks only compute and may
// run again, and what is not there is store.ErrNotFound, wrapped.
type PaymentStore interface {
	// AddProductPayment stores p, unless its Key, which may be empty, is known: then
	// it returns the payment that has it, unchanged. The payment stays leased to
	// owner until then; other owners get it afterwards. Where its product is not
	// there it is not stored: store.ErrNotFound.
	AddProductPayment(ctx context.Context, p Payment, owner string, until time.Time, events ...store.Event) (stored Payment, created bool, err error)

	// UpdateProductPayment lets change alter the status and what belongs to it. Its
	// error is returned as it is and undoes everything. Grants of a payment that
	// becomes refunded or disputed are revoked.
	UpdateProductPayment(ctx context.Context, id string, change func(*Payment) ([]store.Event, error)) (Payment, error)

	// ConfirmProductPayment does the same with a payment whose money has come:
	// change confirms it, or not, and makes the grant that it buys, or nil. The proof
	// is kept with it. It returns [ErrProofUsed] if the transfer proves another
	// payment, or its transaction one of the other method, and [ErrEarlierPayment]
	// if the payment is one by transaction, its proof is not signed, and another open
	// one with its network, asset, payer and payee fits the transfer better: by an
	// amount that is larger, up to that of the transfer, or by the same amount and an
	// earlier creation. The product counts
	// one purchase more with the grant. A grant that the payment has already is no
	// longer revoked and returned in place of the new one.
	ConfirmProductPayment(ctx context.Context, id string, proof Proof, change func(*Payment) (*Grant, []store.Event, error)) (Payment, *Grant, error)

	// LeaseProductPayments gives owner up to limit payments that are pending and
	// expired by now, or processing, and whose lease ran out by now, the oldest first.
	LeaseProductPayments(ctx context.Context, owner string, now, until time.Time, limit int) ([]Payment, error)

	// TakeProductPayment gives owner one payment that is open, unless another owner
	// has it still. If not, ok is false. The payment is as it is now either way.
	TakeProductPayment(ctx context.Context, id, owner string, now, until time.Time) (p Payment, ok bool, err error)
	// FreeProductPayment ends the lease of a payment, if owner has it.
	FreeProductPayment(ctx context.Context, id, owner string) error

	ProductPayment(ctx context.Context, id string) (Payment, error)
	ProductPaymentByKey(ctx context.Context, key string) (Payment, error)
	// ProductPayments are listed by their time of creation, the newest first.
	ProductPayments(ctx context.Context, f PaymentFilter, page store.PageNumber) (store.List[Payment], error)
	// ProductPaymentsAfter lists up to limit of them, those that come after last; all
	// do if that is zero.
	ProductPaymentsAfter(ctx context.Context, f PaymentFilter, last Payment, limit int) ([]Payment, error)

	// AddPaymentRefund lets change refund a payment, as in UpdateProductPayment, and
	// stores the refund with it.
	AddPaymentRefund(ctx context.Context, r Refund, change func(*Payment) ([]store.Event, error)) (Payment, error)
	// SettlePaymentRefund keeps the transaction that paid a refund out.
	SettlePaymentRefund(ctx context.Context, id, transaction string, at time.Time) error
	PaymentRefunds(ctx context.Context, paymentID string) ([]Refund, error)

	// AccessGrant returns one by ID: one indexed read.
	AccessGrant(ctx context.Context, id string) (Grant, error)
	AccessGrantOfPayment(ctx context.Context, paymentID string) (Grant, error)
	// AccessGrantOf returns a live grant of a product that the user or the payer has,
	// whichever is given, the one that lasts longest: one indexed read.
	AccessGrantOf(ctx context.Context, productID, userID, payer string, now time.Time) (Grant, error)
	// UseAccessGrant counts an access if the grant is live. If it is not, ok is false
	// and nothing changes.
	UseAccessGrant(ctx context.Context, id string, now time.Time) (g Grant, ok bool, err error)
	// StartAccessGrant counts the first access, if there was none yet and the grant is
	// live. It returns the grant.
	StartAccessGrant(ctx context.Context, id string, now time.Time) (Grant, error)
	// RepeatAccessGrant says whether the last access, if it was later than since, may
	// be repeated once more: up to most times. It counts those.
	RepeatAccessGrant(ctx context.Context, id string, since time.Time, most int64) (ok bool, err error)
	// AccessGrants lists the live grants of a user or payer for a product, the newest
	// first, at most [MaxGrants].
	AccessGrants(ctx context.Context, productID, userID, payer string, now time.Time) ([]Grant, error)

	// AddAccessQuote stores a quote. AccessQuotes are those for a product, requester
	// and resource that have not expired, the newest first, at most [MaxQuotes]; those
	// that have are deleted by PurgeAccessQuotes, up to limit at once.
	AddAccessQuote(ctx context.Context, q Quote) error
	AccessQuotes(ctx context.Context, productID, requester, resource string, now time.Time) ([]Quote, error)
	PurgeAccessQuotes(ctx context.Context, now time.Time, limit int) (int, error)
}

// Bounds of what a [PaymentStore] lists without pages.
const (
	MaxGrants = 100
	MaxQuotes = 10
)

// What [PaymentStore.ConfirmProductPayment] returns, wrapped.
var (
	ErrProofUsed      = errors.New("the transfer proves another payment")
	ErrEarlierPayment = errors.New("another payment waits for the same transfer")
)

// Proof is the transfer that paid.
type Proof struct {
	Method      PaymentMethod
	Network     x402.Network
	Transaction string
	LogIndex    int64       // of a MethodTransaction; [NativeLog] for native coin
	Amount      x402.Amount // that it moved
	Signed      bool        // the payer has signed that the payment is its own
}

// PaymentFilter selects payments; what is zero selects all.
type PaymentFilter struct {
	OwnerID, UserID, ProductID, Chain, Payer string
	Status                                   PaymentStatus
	From, To                                 time.Time // of the creation, To excluded
	MinAmount, MaxAmount                     *x402.Amount
}

// Matches says whether f selects p.
func (f PaymentFilter) Matches(p Payment) bool {
	return (f.OwnerID == "" || f.OwnerID == p.OwnerID) && (f.UserID == "" || f.UserID == p.UserID) &&
		(f.ProductID == "" || f.ProductID == p.ProductID) && (f.Chain == "" || f.Chain == p.Chain) &&
		(f.Payer == "" || p.Network.SameAddress(f.Payer, p.Payer)) && (f.Status == "" || f.Status == p.Status) &&
		(f.From.IsZero() || !p.CreatedAt.Before(f.From)) && (f.To.IsZero() || p.CreatedAt.Before(f.To)) &&
		(f.MinAmount == nil || p.Amount.Cmp(*f.MinAmount) >= 0) && (f.MaxAmount == nil || p.Amount.Cmp(*f.MaxAmount) <= 0)
}

// MergePayment is was with what may change of it as in changed. It is for
// backends: what a payment is of never changes.
func MergePayment(was, changed Payment) Payment {
	was.Status, was.Refunded = changed.Status, changed.Refunded
	was.Transaction, was.LogIndex, was.Block, was.Confirmations = changed.Transaction, changed.LogIndex, changed.Block, changed.Confirmations
	was.Signed = changed.Signed
	was.FailureCode, was.FailureReason = changed.FailureCode, changed.FailureReason
	was.ConfirmedAt, was.UpdatedAt = changed.ConfirmedAt, changed.UpdatedAt
	return was
}

// Refund is money that goes back to a payer.
type Refund struct {
	ID          string // "refund-" and a ULID
	PaymentID   string
	Amount      x402.Amount
	Reason      string
	Actor       string // who decided it
	Transaction string // that paid it out; empty while it is owed
	CreatedAt   time.Time
	SettledAt   time.Time // zero while it is owed
}

// Quote is a price that was told to somebody who then has some time to pay it.
type Quote struct {
	ID        string
	ProductID string
	Requester string // the user, or the address of the client
	Resource  string // path and query that it was told for
	Amount    x402.Amount
	CreatedAt time.Time
	ExpiresAt time.Time // with the time of grace
}
