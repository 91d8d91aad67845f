package registry

import (
	"context"
	"time"

	"github.com/v402/v402/store"
)

// Trail is what is saved with a change: who did it, and what others must hear.
type Trail struct {
	Audit  []AuditEntry
	Events []store.Event
}

// Store is the memory of a registry. One method is one atomic operation: its
// trail is saved with the change or not at all. Callbacks run inside of it and
// may run again: they must only compute. IDs are given by the store, from 1, and
// never again. Methods that look for one thing return store.ErrNotFound,
// wrapped; lists are ordered by ID, the newest first, and bounded by their page.
// All hold across processes that share the store. Once a contract was revoked, no
// sale or mirror of it appears.
type Store interface {
	PlatformStore
	ContractStore
	SaleStore
	MirrorStore
	SettlementStore
	AuditStore
}

// PlatformStore keeps platforms and their applications.
type PlatformStore interface {
	// AddPlatform stores an application and returns it with its ID. It returns
	// [ErrEmailTaken] if a platform that is not rejected has the e-mail in
	// whatever case.
	AddPlatform(ctx context.Context, p Platform, trail func(Platform) Trail) (Platform, error)

	// UpdatePlatform lets change alter one platform. An error of change is
	// returned as it is and undoes everything. ID, Email and CreatedAt stay.
	UpdatePlatform(ctx context.Context, id int64, change func(*Platform) (Trail, error)) (Platform, error)

	Platform(ctx context.Context, id int64) (Platform, error)
	// PlatformByEmail returns the newest with the e-mail in whatever case.
	PlatformByEmail(ctx context.Context, email string) (Platform, error)
	// PlatformByKey returns the one with the KeyHash: one indexed read.
	PlatformByKey(ctx context.Context, keyHash string) (Platform, error)
	Platforms(ctx context.Context, f PlatformFilter, page PageOptions) (List[Platform], error)
}

// ContractStore keeps contracts.
type ContractStore interface {
	// RegisterContracts stores all of contracts or, with a [HashesTakenError],
	// none. Their keys differ. It is one transaction of a constant number of
	// statements.
	RegisterContracts(ctx context.Context, contracts []Contract, trail Trail) error

	// Contract returns one by its Key, revoked or not: one indexed read.
	Contract(ctx context.Context, key string) (Contract, error)

	// UpdateContract lets change alter the status, the terms and what belongs to
	// a revocation. An error of change is returned as it is and undoes everything.
	UpdateContract(ctx context.Context, key string, change func(*Contract) (Trail, error)) (Contract, error)

	// ContractUsers returns the platforms that reported a sale of a contract or
	// mirror its publication, ordered by ID; none if there is no such contract.
	ContractUsers(ctx context.Context, key string) ([]int64, error)

	Contracts(ctx context.Context, f ContractFilter, page PageOptions) (List[Contract], error)
	Publication(ctx context.Context, ipfsHash string) (Publication, error)
}

// SaleStore keeps sales and royalties.
type SaleStore interface {
	// AddSales stores sales, each with its royalty, all or none. reports[i].Created
	// is false where the seller has reported the sale before: the same
	// IdempotencyKey, or the same TransactionKey and contract in a sale that is not
	// voided; then what is stored is returned, unchanged. Beside that, a
	// sale whose contract is not active any more is a [ContractInactiveError]. check
	// is called with all reports; its error is returned as it is and undoes
	// everything. trail is called with those that were created.
	AddSales(ctx context.Context, sales []NewSale, check func(reports []Reported) error, trail func(created []Reported) Trail) (reports []Reported, err error)

	// VoidSale voids a reported sale, if check allows it, whose error is returned
	// as it is. Its royalty becomes voided unless it is settling or paid in a run:
	// then it stays and a pending Royalty of the negative amount is added.
	VoidSale(ctx context.Context, id int64, reason string, at time.Time, check func(Sale) error, trail func(Voided) Trail) (Voided, error)

	Sale(ctx context.Context, id int64) (Sale, error)
	Sales(ctx context.Context, f SaleFilter, page PageOptions) (List[Sale], error)
	// SalesAfter returns up to limit sales with an ID above after, the oldest first.
	SalesAfter(ctx context.Context, f SaleFilter, after int64, limit int) ([]Sale, error)

	Royalty(ctx context.Context, id int64) (Royalty, error)
	// UpdateRoyalty lets change alter status and reason.
	UpdateRoyalty(ctx context.Context, id int64, change func(*Royalty) (Trail, error)) (Royalty, error)
	Royalties(ctx context.Context, f RoyaltyFilter, page PageOptions) (List[Royalty], error)
	// RoyaltiesAfter returns up to limit royalties with an ID above after, the oldest first.
	RoyaltiesAfter(ctx context.Context, f RoyaltyFilter, after int64, limit int) ([]Royalty, error)
}

// NewSale is a sale and its royalty, without IDs.
type NewSale struct {
	Sale    Sale
	Royalty Royalty
}

// MirrorStore keeps mirrors.
type MirrorStore interface {
	// PutMirror stores m, or updates the mirror of the same platform and Key:
	// what was reported replaces what was stored, LastAccessedAt becomes at if the
	// count rose, and MirroredAt stays if m has none. If the contract with the
	// contractKey is not active any more nothing is stored, and it returns a
	// [ContractInactiveError].
	PutMirror(ctx context.Context, m Mirror, contractKey string, at time.Time, trail func(m Mirror, created bool) Trail) (stored Mirror, created bool, err error)
	// CountAccess adds one to the count of a mirror.
	CountAccess(ctx context.Context, id int64, at time.Time) (Mirror, error)
	// DeleteMirror deletes a mirror if check allows it, whose error is returned as it is.
	DeleteMirror(ctx context.Context, id int64, check func(Mirror) error, trail Trail) error
	Mirrors(ctx context.Context, f MirrorFilter, page PageOptions) (List[Mirror], error)
}

// SettlementStore keeps the netting of royalties. Pending royalties are those
// whose status is pending and whose DueAt is before a time, however old: late
// reports and what was carried forward are among them. Sums are made by the
// database and never row by row here. The journal of a facilitator, which the
// same type may be, has settlements of its own: hence the longer names.
type SettlementStore interface {
	// OwedSums returns what a run would net: the sums of royalties that are
	// pending before run.To, by (seller, origin) and in that order. live are the
	// documents, not cancelled, of earlier runs with the same From, To and
	// Currency. It changes nothing: for a dry run.
	OwedSums(ctx context.Context, run Run) (owed []Owed, live []Settlement, err error)

	// IssueSettlements marks what is pending as settling in a new run, lets net
	// make documents of the sums over exactly that, gives back what is carried,
	// and stores the run and its documents, with IDs, and the trail. What is carried
	// is pending as before, but for an UpdatedAt of when the run looked at it. Royalties
	// between platforms whose document is born confirmed are paid at once; a
	// multilateral run's are when all its documents are confirmed, even if it has
	// none. If nothing is netted, nothing is stored and the run returned has ID 0.
	// Royalties marked in one run are in no other: a second issue at the same time
	// waits. An error of net is returned as it is and undoes everything. Net is
	// given what OwedSums would return.
	IssueSettlements(ctx context.Context, run Run, net func(owed []Owed, live []Settlement) (Netting, error),
		trail func(Run, []Settlement) Trail) (Run, []Settlement, error)

	// UpdateSettlement lets change alter status, reference, reason, times and
	// payment of one document, and moves its royalties along: confirmed → paid; a
	// bilateral document cancelled → pending again, in no run. In a multilateral
	// run the royalties are paid when every document is confirmed, and cancelling
	// one alone is store.ErrConflict: see UpdateRun. A PaymentKey that another
	// document has is store.ErrConflict too. The lines of a cancelled
	// document remain listed. An error of change is returned as it is and undoes
	// everything.
	UpdateSettlement(ctx context.Context, id int64, change func(*Settlement) (Trail, error)) (Settlement, error)

	// UpdateRun does the same with all documents of a run, which change must not
	// reorder: to cancel them, which makes the royalties of the run pending again.
	UpdateRun(ctx context.Context, runID int64, change func([]Settlement) (Trail, error)) ([]Settlement, error)

	PlatformSettlement(ctx context.Context, id int64) (Settlement, error)
	PlatformSettlements(ctx context.Context, f SettlementFilter, page PageOptions) (List[Settlement], error)
	SettlementRun(ctx context.Context, id int64) (Run, error)

	// SettlementLines returns up to limit royalties that the statement of a party,
	// payer or payee, lists, with an ID above after, the oldest first: those between
	// payer and payee, in both directions; in a multilateral run those of the run
	// that have the party on either side. They are as they were issued, except for
	// their status; a cancelled document lists what it had. Another party has no
	// lines.
	SettlementLines(ctx context.Context, id, partyID, after int64, limit int) ([]Royalty, error)
}

// AuditStore keeps the audit log.
type AuditStore interface {
	// AddAudit stores entries by themselves: reads that are audited.
	AddAudit(ctx context.Context, entries ...AuditEntry) error
	AuditEntries(ctx context.Context, f AuditFilter, page PageOptions) (List[AuditEntry], error)
	// Stats counts what there is.
	Stats(ctx context.Context) (Stats, error)
}

// Stats are counts and sums over everything.
type Stats struct {
	Platforms        map[PlatformStatus]int64   `json:"platforms"`
	Contracts        map[ContractStatus]int64   `json:"contracts"`
	Sales            map[SaleStatus]int64       `json:"sales"`
	SaleAmount       Money                      `json:"sale_amount"` // of sales that are not voided
	Royalties        map[RoyaltyStatus]int64    `json:"royalties"`
	RoyaltyAmount    map[RoyaltyStatus]Money    `json:"royalty_amount"`
	Mirrors          int64                      `json:"mirrors"`
	Settlements      map[SettlementStatus]int64 `json:"settlements"`
	SettlementAmount map[SettlementStatus]Money `json:"settlement_amount"`
}

// NewStats returns Stats without counts, for a [Store] to add to.
func NewStats() Stats {
	return Stats{
		Platforms: map[PlatformStatus]int64{}, Contracts: map[ContractStatus]int64{}, Sales: map[SaleStatus]int64{},
		Royalties: map[RoyaltyStatus]int64{}, RoyaltyAmount: map[RoyaltyStatus]Money{},
		Settlements: map[SettlementStatus]int64{}, SettlementAmount: map[SettlementStatus]Money{},
	}
}
