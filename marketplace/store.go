package marketplace

import (
	"context"
	"errors"
	"time"

	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// Trail is what is saved with a change: who did it, and what others must hear.
type Trail struct {
	Audit  []AuditEntry
	Events []store.Event
}

// Errors that a [Store] returns, wrapped, beside store.ErrNotFound,
// store.ErrConflict and [ErrCursor].
var (
	// ErrTransactionUsed: the transaction has paid another quote.
	ErrTransactionUsed = errors.New("the transaction has paid another quote")
	// ErrPaymentUsed: another quote is reserved for the payment.
	ErrPaymentUsed = errors.New("the payment is for another quote")
)

// Store is the memory of a marketplace. One method is one atomic operation: its
// trail is saved with the change or not at all. Callbacks run inside of it and
// may run again: they must only compute. An error of a callback is returned as
// it is and undoes everything. Methods that look for one thing return
// store.ErrNotFound, wrapped. Lists are in the order of IDs, of wallets where those
// stand for them, and the audit log with the newest first; pages are bounded by
// [PageSize]. Wallets are in lower case. All hold across processes that share the store.
type Store interface {
	IssuerStore
	OfferStore
	CheckoutStore
	EntitlementStore
	SeatStore
	WalletStore
	// MarketAudit lists the audit log.
	MarketAudit(ctx context.Context, f AuditFilter, page store.Page) (List[AuditEntry], error)
}

// IssuerStore keeps issuers.
type IssuerStore interface {
	// PutIssuer lets change alter an issuer, or fill in a new one that has
	// nothing but its ID.
	PutIssuer(ctx context.Context, id string, change func(i *Issuer, exists bool) (Trail, error)) (Issuer, error)
	Issuer(ctx context.Context, id string) (Issuer, error)
	Issuers(ctx context.Context, f IssuerFilter, page store.Page) (List[Issuer], error)
}

// OfferStore keeps offers.
type OfferStore interface {
	// AddOffer returns store.ErrConflict if the ID is taken.
	AddOffer(ctx context.Context, o Offer, trail Trail) error
	// UpdateOffer lets change alter everything but ID, IssuerID and CreatedAt.
	UpdateOffer(ctx context.Context, id string, change func(*Offer) (Trail, error)) (Offer, error)
	Offer(ctx context.Context, id string) (Offer, error)
	Offers(ctx context.Context, f OfferFilter, page store.Page) (List[Offer], error)

	// ApproveBuyer stores an approval, in place of an earlier one.
	ApproveBuyer(ctx context.Context, a Approval, trail Trail) error
	// WithdrawApproval returns store.ErrNotFound if there is none.
	WithdrawApproval(ctx context.Context, offerID, wallet string, trail Trail) error
	BuyerApproval(ctx context.Context, offerID, wallet string) (Approval, error)
	BuyerApprovals(ctx context.Context, offerID string, page store.Page) (List[Approval], error)
}

// CheckoutStore keeps quotes and memberships.
type CheckoutStore interface {
	// AddChallenge stores c and forgets those that have expired at c.CreatedAt.
	AddChallenge(ctx context.Context, c Challenge) error
	// AddCheckoutQuote stores a quote. A nonce that is not empty is the ID of a
	// [Challenge] of the quote's wallet: it is used up, or store.ErrNotFound is
	// returned if it is not there or has expired at q.CreatedAt.
	AddCheckoutQuote(ctx context.Context, q CheckoutQuote, nonce string, trail Trail) error
	CheckoutQuote(ctx context.Context, id string) (CheckoutQuote, error)
	CheckoutQuotes(ctx context.Context, f QuoteFilter, page store.Page) (List[CheckoutQuote], error)
	// UpdateCheckoutQuote lets change alter state and reservation.
	UpdateCheckoutQuote(ctx context.Context, id string, change func(*CheckoutQuote) (Trail, error)) (CheckoutQuote, error)
	// ExpireCheckoutQuotes marks up to limit open quotes without a reservation
	// that have expired at now, and returns them.
	ExpireCheckoutQuotes(ctx context.Context, now time.Time, limit int, trail func(CheckoutQuote) Trail) ([]CheckoutQuote, error)
	// DropCheckoutQuotes forgets up to limit quotes that are expired or void, are
	// not reserved, and have expired before a time, and returns how many.
	DropCheckoutQuotes(ctx context.Context, before time.Time, limit int) (int, error)

	// CheckOut is what a payment does, in one write: decide is given what the
	// quote is about, as nobody else can change it meanwhile, and alters it. Of
	// all that check out for one wallet one is at work at a time. It returns
	// [ErrTransactionUsed] or [ErrPaymentUsed] if another quote has the same.
	CheckOut(ctx context.Context, quoteID string, now time.Time, decide func(*Checkout) (Trail, error)) (Checkout, error)

	// TransactionUsed says whether CheckOut would return [ErrTransactionUsed] for
	// a quote.
	TransactionUsed(ctx context.Context, c TransactionClaim, quoteID string) (bool, error)

	// Membership of a wallet: with MembershipNone if it never had one.
	Membership(ctx context.Context, wallet string) (Membership, error)
	Memberships(ctx context.Context, f MembershipFilter, page store.Page) (List[Membership], error)
	UpdateMembership(ctx context.Context, wallet string, change func(*Membership) (Trail, error)) (Membership, error)
}

// Checkout is what a payment for a quote may read and alter.
type Checkout struct {
	Quote      CheckoutQuote // state, reservation and what was bought may be altered
	Membership Membership    // of the wallet
	Held       int           // entitlements of the wallet and offer that are active or suspended at the time
	Reserved   int           // entitlements that are added to Held by payments that other quotes of the wallet are reserved for
	Joining    bool          // such a payment activates the membership
	Number     int64         // of the next entitlement of the wallet on the chain, from 1
	Renewed    *Entitlement  // that the quote renews, to be altered; nil if none

	Issue *Entitlement      // set it to store a new one; its ID has the Number
	Use   *TransactionClaim // set it to use up the transaction that paid
}

// Await counts what another open quote of the wallet gives, which is reserved for
// a payment. The entitlement that it renews is nil if it renews none.
func (c *Checkout) Await(other *CheckoutQuote, renewed *Entitlement, now time.Time) {
	c.Joining = c.Joining || other.Bundled()
	switch {
	case other.OfferID != c.Quote.OfferID, other.OfferID == "":
	case other.Renews == "", other.Renews != c.Quote.Renews && (renewed == nil || !renewed.Counts(now)):
		c.Reserved++
	}
}

// TransactionClaim says that a transaction is used up for a quote, as far as it
// moved money of one payer.
type TransactionClaim struct {
	Network x402.Network
	Hash    string // in lower case
	Payer   string // in lower case
	// Shared is for payments by x402, of which one transaction may carry several
	// of one payer. Each is held by its PaymentKey; none of them is a whole
	// transaction for another quote.
	Shared bool
}

// EntitlementStore keeps entitlements.
type EntitlementStore interface {
	Entitlement(ctx context.Context, id string) (Entitlement, error)
	Entitlements(ctx context.Context, f EntitlementFilter, page store.Page) (List[Entitlement], error)
	// HeldEntitlements are the newest, at most limit, of a wallet and offer, the
	// newest first: one indexed read.
	HeldEntitlements(ctx context.Context, wallet, offerID string, limit int) ([]Entitlement, error)
	// UpdateEntitlement lets change alter state, availability, reason, end and
	// UpdatedAt.
	UpdateEntitlement(ctx context.Context, id string, change func(*Entitlement) (Trail, error)) (Entitlement, error)
	// TransferEntitlement lets change alter wallet and what belongs to it, given
	// how many active or suspended ones of the offer the wallet to has at now, with
	// those that its quotes are reserved for. All seats are given up.
	TransferEntitlement(ctx context.Context, id, to string, now time.Time, change func(e *Entitlement, held int) (Trail, error)) (Entitlement, error)
	// ExpireEntitlements marks up to limit active ones that have expired at now,
	// and returns them.
	ExpireEntitlements(ctx context.Context, now time.Time, limit int, trail func(Entitlement) Trail) ([]Entitlement, error)
}

// SeatStore keeps activations.
type SeatStore interface {
	// ActivateSeat stores a, or what of it changes if the instance has a seat
	// already: name and LastSeenAt. It first asks decide, with the entitlement
	// and the number of seats that others have; those not seen since stale do not
	// count and, once decide agrees, lose their seats.
	ActivateSeat(ctx context.Context, a Activation, stale time.Time, decide func(e Entitlement, taken int, has bool) (Trail, error)) (Activation, error)
	// TouchSeat sets LastSeenAt, which never goes back.
	TouchSeat(ctx context.Context, entitlementID, instanceID string, at time.Time) (Activation, error)
	ReleaseSeat(ctx context.Context, entitlementID, instanceID string, trail Trail) error
	// Seats are those of an entitlement, by InstanceID, at most MaxPage.
	Seats(ctx context.Context, entitlementID string) ([]Activation, error)
}
