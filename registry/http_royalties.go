package registry

import (
	"net/http"
	"slices"

	"github.com/v402/v402/internal/web"
)

func (a *api) routeRoyalties(rt *web.Router) {
	rt.Handle("GET /api/royalties", a.platform(a.getRoyalties))
	rt.Handle("GET /api/royalties/{id}", a.platform(a.getRoyalty))
	rt.Handle("POST /api/royalties/{id}/dispute", a.platform(a.postDispute))
	rt.Handle("POST /api/admin/royalties/{id}/resolve", a.admin(a.postResolve))
}

// royaltyView is what one platform owes another for a sale.
type royaltyView struct {
	RoyaltyID               int64         `json:"royalty_id"`
	TransactionID           int64         `json:"transaction_id"`
	ContractHash            string        `json:"contract_hash"`
	SellingPlatformID       int64         `json:"selling_platform_id"`
	SellingPlatformName     string        `json:"selling_platform_name"`
	OriginatingPlatformID   int64         `json:"originating_platform_id"`
	OriginatingPlatformName string        `json:"originating_platform_name"`
	Amount                  Money         `json:"amount"`
	Status                  RoyaltyStatus `json:"status"`
	Underreported           bool          `json:"underreported"`
	AdjustsRoyaltyID        *int64        `json:"adjusts_royalty_id"`
	SettlementRunID         *int64        `json:"settlement_run_id"`
	DisputeReason           *string       `json:"dispute_reason"`
	DueAt                   stamp         `json:"due_at"`
	CreatedAt               stamp         `json:"created_at"`
	UpdatedAt               stamp         `json:"updated_at"`
}

func viewRoyalty(r Royalty) royaltyView {
	return royaltyView{
		RoyaltyID: r.ID, TransactionID: r.SaleID, ContractHash: r.ContractHash,
		SellingPlatformID: r.SellerID, SellingPlatformName: r.SellerName, OriginatingPlatformID: r.OriginID, OriginatingPlatformName: r.OriginName,
		Amount: r.Amount, Status: r.Status, Underreported: r.Underreported, AdjustsRoyaltyID: orNull(r.AdjustsID),
		SettlementRunID: orNull(r.RunID), DisputeReason: orNull(r.Reason),
		DueAt: stamp(r.DueAt), CreatedAt: stamp(r.CreatedAt), UpdatedAt: stamp(r.UpdatedAt),
	}
}

// royaltyFilter is what the parameters of a list of royalties select.
func royaltyFilter(q *query, p Platform) RoyaltyFilter {
	f := RoyaltyFilter{
		PartyID: p.ID, From: q.instant("from"), To: q.instant("to"),
		Status: oneOf(q, "status", RoyaltyPending, RoyaltySettling, RoyaltyPaid, RoyaltyDisputed, RoyaltyVoided, RoyaltyInternal),
	}
	other := q.number("counterparty")
	switch oneOf(q, "direction", "owed", "due") {
	case "owed":
		f.SellerID, f.OriginID = p.ID, other
	case "due":
		f.SellerID, f.OriginID = other, p.ID
	default:
		if other != 0 {
			f.Between = [2]int64{p.ID, other}
		}
	}
	return f
}

func (a *api) getRoyalties(w http.ResponseWriter, r *http.Request, p Platform) error {
	q := queryOf(r)
	f, o := royaltyFilter(q, p), q.page()
	if err := q.err(); err != nil {
		return err
	}
	l, err := a.Royalties(r.Context(), p, f, o)
	if err != nil {
		return err
	}
	return page(a, w, "Royalties retrieved successfully", l, viewRoyalty)
}

func (a *api) getRoyalty(w http.ResponseWriter, r *http.Request, p Platform) error {
	id, err := pathID(r, ErrRoyaltyUnknown)
	if err != nil {
		return err
	}
	royalty, err := a.Royalty(r.Context(), p, id)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Royalty retrieved successfully", viewRoyalty(royalty))
}

func (a *api) postDispute(w http.ResponseWriter, r *http.Request, p Platform) error {
	id, err := pathID(r, ErrRoyaltyUnknown)
	if err != nil {
		return err
	}
	var in DisputeRequest
	if err := read(r, maxForm, &in); err != nil {
		return err
	}
	royalty, err := a.DisputeRoyalty(r.Context(), p, id, in)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Royalty disputed successfully", viewRoyalty(royalty))
}

// resolveInput is the body that ends a dispute, with one of the known statuses.
type resolveInput[T ~string] struct {
	Status T
	Reason string
	known  []T
}

func (in *resolveInput[T]) UnmarshalJSON(j []byte) error {
	m, err := readMembers(j)
	if err != nil {
		return err
	}
	var f faults
	var status string
	m.text(&f, "status", &status)
	m.text(&f, "reason", &in.Reason)
	f.required("status", status, maxText)
	f.required("reason", in.Reason, maxReason)
	if in.Status = T(status); !f.has("status") && !slices.Contains(in.known, in.Status) {
		f.add("status", "The selected status is invalid.")
	}
	return f.err()
}

func (a *api) postResolve(w http.ResponseWriter, r *http.Request, actor string) error {
	id, err := pathID(r, ErrRoyaltyUnknown)
	if err != nil {
		return err
	}
	in := resolveInput[RoyaltyStatus]{known: []RoyaltyStatus{RoyaltyPending, RoyaltyVoided}}
	if err := read(r, maxForm, &in); err != nil {
		return err
	}
	royalty, err := a.ResolveDispute(r.Context(), actor, id, in.Status, in.Reason)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Royalty dispute resolved successfully", viewRoyalty(royalty))
}
