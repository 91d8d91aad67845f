package registry

import (
	"net/http"

	"github.com/v402/v402/internal/web"
)

func (a *api) routeContracts(rt *web.Router) {
	rt.Handle("POST /api/contracts/register", a.platform(a.postContracts))
	rt.Handle("POST /api/contracts/validate", a.platform(a.postValidate))
	rt.Handle("PUT /api/contracts/{hash...}/revoke", a.platform(a.putRevoke))
	rt.Handle("GET /api/contracts", a.platform(a.getContracts))
	rt.Handle("GET /api/contracts/{hash...}/royalty", a.platform(a.getQuote))
	rt.Handle("PUT /api/contracts/{hash...}/royalty", a.platform(a.putTerms))
	rt.Handle("DELETE /api/contracts/{hash...}/royalty", a.platform(a.deleteTerms))
	rt.Handle("GET /api/contracts/{hash...}", a.platform(a.getContract))
	rt.Handle("GET /api/publications/{ipfs_hash...}", a.platform(a.getPublication))
}

// registeredView is the answer to a batch of contracts.
type registeredView struct {
	RegisteredCount int      `json:"registered_count"`
	IPFSHash        string   `json:"ipfs_hash"`
	MetadataCID     string   `json:"metadata_cid"`
	ContractHashes  []string `json:"contract_hashes"`
}

func (a *api) postContracts(w http.ResponseWriter, r *http.Request, p Platform) error {
	var in Registration
	if err := read(r, maxBody, &in); err != nil {
		return err
	}
	list, err := a.RegisterContracts(r.Context(), p, in)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusCreated, "Contracts registered successfully", registeredView{
		RegisteredCount: len(list), IPFSHash: in.IPFSHash, MetadataCID: in.MetadataCID,
		ContractHashes: views(list, func(c Contract) string { return c.Hash }),
	})
}

// validView is an active contract as any platform sees it.
type validView struct {
	ContractHash            string         `json:"contract_hash"`
	Status                  ContractStatus `json:"status"`
	IPFSHash                string         `json:"ipfs_hash"`
	MetadataCID             string         `json:"metadata_cid"`
	OriginatingPlatformID   int64          `json:"originating_platform_id"`
	OriginatingPlatformName string         `json:"originating_platform_name"`
	RegisteredAt            stamp          `json:"registered_at"`
}

func viewValid(c Contract) validView {
	return validView{c.Hash, c.Status, c.IPFSHash, c.MetadataCID, c.PlatformID, c.PlatformName, stamp(c.RegisteredAt)}
}

func (a *api) postValidate(w http.ResponseWriter, r *http.Request, _ Platform) error {
	var in ContractQuery
	if err := read(r, maxForm, &in); err != nil {
		return err
	}
	c, err := a.ValidateContract(r.Context(), in)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Contract found", viewValid(c))
}

// revokedView is a contract that was revoked.
type revokedView struct {
	ContractHash string         `json:"contract_hash"`
	Status       ContractStatus `json:"status"`
	RevokedAt    stamp          `json:"revoked_at"`
	Reason       *string        `json:"reason"`
}

func (a *api) putRevoke(w http.ResponseWriter, r *http.Request, p Platform) error {
	var in Revocation
	if err := read(r, maxForm, &in); err != nil {
		return err
	}
	c, err := a.RevokeContract(r.Context(), p, r.PathValue("hash"), in)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Contract revoked successfully",
		revokedView{c.Hash, c.Status, stamp(c.RevokedAt), orNull(c.RevokeReason)})
}

// contractView is a contract as its owner sees it.
type contractView struct {
	validView
	RevokedAt stamp   `json:"revoked_at"`
	Reason    *string `json:"reason"`
	Royalty   *Terms  `json:"royalty"`
}

func viewContract(c Contract) contractView {
	return contractView{viewValid(c), stamp(c.RevokedAt), orNull(c.RevokeReason), c.Terms}
}

func (a *api) getContracts(w http.ResponseWriter, r *http.Request, p Platform) error {
	q := queryOf(r)
	f := ContractFilter{
		PlatformID: p.ID, Status: oneOf(q, "status", ContractActive, ContractRevoked), IPFSHash: q.text("ipfs_hash"), Query: q.text("q"),
	}
	o := q.page()
	if err := q.err(); err != nil {
		return err
	}
	l, err := a.Contracts(r.Context(), f, o)
	if err != nil {
		return err
	}
	return page(a, w, "Contracts retrieved successfully", l, viewContract)
}

// getContract shows a platform's own contract in whatever status, and another's
// while it is active.
func (a *api) getContract(w http.ResponseWriter, r *http.Request, p Platform) error {
	c, err := a.Contract(r.Context(), r.PathValue("hash"))
	if err == nil && c.PlatformID != p.ID && c.Status != ContractActive {
		err = ErrContractUnknown
	}
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Contract retrieved successfully", viewContract(c))
}

// publicationView is a work with one page of its contracts.
type publicationView struct {
	IPFSHash          string      `json:"ipfs_hash"`
	TotalContracts    int64       `json:"total_contracts"`
	ActiveContracts   int64       `json:"active_contracts"`
	RevokedContracts  int64       `json:"revoked_contracts"`
	TotalPlatforms    int64       `json:"total_platforms"`
	FirstRegisteredAt stamp       `json:"first_registered_at"`
	LastRegisteredAt  stamp       `json:"last_registered_at"`
	Contracts         []validView `json:"contracts"`
}

func (a *api) getPublication(w http.ResponseWriter, r *http.Request, _ Platform) error {
	q := queryOf(r)
	o := q.page()
	if err := q.err(); err != nil {
		return err
	}
	work, err := a.Publication(r.Context(), r.PathValue("ipfs_hash"))
	if err != nil {
		return err
	}
	l, err := a.Contracts(r.Context(), ContractFilter{IPFSHash: work.IPFSHash}, o)
	if err != nil {
		return err
	}
	a.write(w, http.StatusOK, answer{Success: true, Message: "Publication retrieved successfully", Meta: metaOf(l), Data: publicationView{
		IPFSHash: work.IPFSHash, TotalContracts: work.TotalContracts, ActiveContracts: work.ActiveContracts,
		RevokedContracts: work.RevokedContracts, TotalPlatforms: work.Platforms,
		FirstRegisteredAt: stamp(work.FirstRegistered), LastRegisteredAt: stamp(work.LastRegistered),
		Contracts: views(l.Items, viewValid),
	}})
	return nil
}

// quoteView says what royalty a sale owes, and to whom.
type quoteView struct {
	ContractHash            string `json:"contract_hash"`
	OriginatingPlatformID   int64  `json:"originating_platform_id"`
	OriginatingPlatformName string `json:"originating_platform_name"`
	SaleAmount              Money  `json:"sale_amount"`
	RoyaltyAmount           Money  `json:"royalty_amount"`
	BasisPoints             int    `json:"basis_points"`
	Payees                  []Part `json:"payees"`
}

func (a *api) getQuote(w http.ResponseWriter, r *http.Request, _ Platform) error {
	q := queryOf(r)
	amount, err := ParseDecimal(q.text("sale_amount"))
	switch {
	case !q.values.Has("sale_amount"):
		q.faults.add("sale_amount", "The sale amount field is required.")
	case err != nil:
		q.faults.add("sale_amount", "The sale amount must be a number.")
	}
	if err := q.err(); err != nil {
		return err
	}
	quote, err := a.QuoteRoyalty(r.Context(), r.PathValue("hash"), amount)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Royalty calculated successfully", quoteView{
		ContractHash: quote.Contract.Hash, OriginatingPlatformID: quote.Contract.PlatformID, OriginatingPlatformName: quote.Contract.PlatformName,
		SaleAmount: quote.SaleAmount, RoyaltyAmount: quote.RoyaltyAmount, BasisPoints: quote.Contract.Terms.BasisPoints,
		Payees: views(quote.Parts, func(p Part) Part { return p }),
	})
}

func (a *api) putTerms(w http.ResponseWriter, r *http.Request, p Platform) error {
	var in TermsUpdate
	if err := read(r, maxForm, &in); err != nil {
		return err
	}
	return a.setTerms(w, r, p, in, "Royalty terms updated successfully")
}

func (a *api) deleteTerms(w http.ResponseWriter, r *http.Request, p Platform) error {
	return a.setTerms(w, r, p, TermsUpdate{}, "Royalty terms removed successfully")
}

func (a *api) setTerms(w http.ResponseWriter, r *http.Request, p Platform, in TermsUpdate, message string) error {
	c, err := a.SetTerms(r.Context(), p, r.PathValue("hash"), in)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, message, viewContract(c))
}
