package marketplace

import (
	"net/http"

	"github.com/v402/v402/internal/web"
	"github.com/v402/v402/x402"
)

func (a *api) routeOffers(rt *web.Router) {
	rt.Handle("GET /marketplace/offers", a.known(a.getOffers))
	rt.Handle("POST /marketplace/offers", a.change(a.postOffer))
	rt.Handle("GET /marketplace/offers/{offer_id}", a.known(a.getOffer))
	rt.Handle("PUT /marketplace/offers/{offer_id}", a.change(a.putOffer))
	rt.Handle("GET /marketplace/offers/{offer_id}/policy", a.known(a.getPolicy))
	rt.Handle("POST /marketplace/offers/{offer_id}/status", a.change(a.postOfferStatus))
	rt.Handle("POST /marketplace/offers/{offer_id}/approve", a.change(a.postApproveOffer))
	rt.Handle("POST /marketplace/offers/{offer_id}/revoke-policy", a.change(a.postRevokePolicy))
	rt.Handle("GET /marketplace/offers/{offer_id}/approvals", a.known(a.getApprovals))
	rt.Handle("PUT /marketplace/offers/{offer_id}/approvals/{wallet}", a.change(a.putApproval))
	rt.Handle("DELETE /marketplace/offers/{offer_id}/approvals/{wallet}", a.change(a.deleteApproval))
}

// offerView is an offer in a list. What is as usual is left out of it.
type offerView struct {
	ID          string          `json:"offer_id"`
	IssuerID    string          `json:"issuer_id"`
	Title       string          `json:"title"`
	Summary     string          `json:"summary"`
	Status      OfferStatus     `json:"status"`
	Pricing     Pricing         `json:"pricing"`
	Policies    Policies        `json:"policies"`
	AccessClass AccessClass     `json:"access_class,omitempty"`
	Type        EntitlementType `json:"entitlement_type,omitempty"`
	Scope       Scope           `json:"scope,omitempty"`
	TermSeconds int64           `json:"term_seconds,omitempty"`
	Seats       int             `json:"seats,omitempty"`
}

func viewOffer(o Offer) offerView {
	v := offerView{
		ID: o.ID, IssuerID: o.IssuerID, Title: o.Title, Summary: o.Summary, Status: o.Status, Pricing: o.Pricing, Policies: o.Policies,
		AccessClass: o.AccessClass, Type: o.Type, Scope: o.Scope, TermSeconds: o.TermSeconds, Seats: o.Seats,
	}
	if v.AccessClass == Connected {
		v.AccessClass = ""
	}
	if v.Type == ModuleLicense {
		v.Type = ""
	}
	if v.Scope == defaultScope(o.Policies) {
		v.Scope = ""
	}
	return v
}

// defaultScope is the scope of an offer that names none.
func defaultScope(p Policies) Scope {
	if p.WorkspaceBound {
		return ScopeWorkspace
	}
	return ScopeWallet
}

// wholeOfferView is an offer by itself.
type wholeOfferView struct {
	offerView
	AccessClass AccessClass     `json:"access_class"`
	Type        EntitlementType `json:"entitlement_type"`
	Scope       Scope           `json:"scope"`
	LineLabel   string          `json:"line_label,omitempty"`
	Approved    bool            `json:"approved"`
	PolicyHash  string          `json:"policy_hash"`
	CreatedAt   stamp           `json:"created_at"`
	UpdatedAt   stamp           `json:"updated_at"`
}

func viewWholeOffer(o Offer) (wholeOfferView, error) {
	hash, err := o.Policy().Hash()
	return wholeOfferView{
		viewOffer(o), o.AccessClass, o.Type, o.Scope, o.LineLabel, o.Approved, hash, stamp(o.CreatedAt), stamp(o.UpdatedAt),
	}, err
}

// answerOffer answers with an offer by itself.
func (a *api) answerOffer(w http.ResponseWriter, status int, o Offer, err error) error {
	if err != nil {
		return err
	}
	v, err := viewWholeOffer(o)
	if err == nil {
		a.write(w, status, v)
	}
	return err
}

// offersAnswer is a page of offers.
type offersAnswer struct {
	Offers []offerView `json:"offers"`
	Next   string      `json:"next_cursor,omitempty"`
}

// getOffers lists what is for sale. Offers of another status are for those who
// may change them.
func (a *api) getOffers(w http.ResponseWriter, r *http.Request, actor Actor) error {
	q := queryOf(r)
	f := OfferFilter{
		IssuerID: q.text("issuer_id"), Currency: q.text("currency"), ChainID: q.number("chain_id"), Search: q.text("q"),
		Status: among(q, "status", OfferDraft, OfferActive, OfferPaused, OfferRetired),
	}
	if f.IssuerID == "" {
		f.IssuerID = q.text("merchant_id") // another name of the same
	}
	if f.Status == "" {
		f.Status = OfferActive
	}
	page := q.page()
	if q.err != nil {
		return q.err
	}
	if f.Status != OfferActive && !actor.Admin {
		if actor.IssuerID == "" || f.IssuerID != "" && f.IssuerID != actor.IssuerID {
			return errForbidden(actor)
		}
		f.IssuerID = actor.IssuerID
	}
	list, err := a.Offers(r.Context(), f, page)
	if err != nil {
		return err
	}
	return a.succeed(w, offersAnswer{views(list.Items, viewOffer), list.Next})
}

// visibleOffer is the offer of the path, unless it is a draft of somebody else.
func (a *api) visibleOffer(r *http.Request, actor Actor) (Offer, error) {
	o, err := a.Offer(r.Context(), r.PathValue("offer_id"))
	if err == nil && o.Status == OfferDraft && !actor.issues(o.IssuerID) {
		return Offer{}, noOffer(o.ID)
	}
	return o, err
}

func (a *api) getOffer(w http.ResponseWriter, r *http.Request, actor Actor) error {
	o, err := a.visibleOffer(r, actor)
	return a.answerOffer(w, http.StatusOK, o, err)
}

// getPolicy answers with the bytes whose SHA-256 is the policy hash.
func (a *api) getPolicy(w http.ResponseWriter, r *http.Request, actor Actor) error {
	o, err := a.visibleOffer(r, actor)
	if err != nil {
		return err
	}
	canonical, err := o.Policy().Canonical()
	if err != nil {
		return err
	}
	hash, err := o.Policy().Hash()
	if err != nil {
		return err
	}
	h := w.Header()
	web.Secure(h)
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Policy-Hash", hash)
	_, _ = w.Write(canonical)
	return nil
}

// offerBody is the body of POST and PUT of an offer.
type offerBody struct {
	ID          string          `json:"offer_id"`
	IssuerID    string          `json:"issuer_id"`
	Title       string          `json:"title"`
	Summary     string          `json:"summary"`
	Pricing     *pricingBody    `json:"pricing"`
	Policies    *policiesBody   `json:"policies"`
	AccessClass AccessClass     `json:"access_class"`
	Type        EntitlementType `json:"entitlement_type"`
	Scope       Scope           `json:"scope"`
	TermSeconds whole           `json:"term_seconds"`
	Seats       whole           `json:"seats"`
	LineLabel   string          `json:"line_label"`
}

type pricingBody struct {
	Currency string       `json:"currency"`
	Amount   *x402.Amount `json:"amount_atomic"`
	Decimals *whole       `json:"decimals"`
	ChainID  whole        `json:"chain_id"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *pricingBody) UnmarshalJSON(j []byte) error {
	type plain pricingBody
	return decodeMember(j, (*plain)(p))
}

type policiesBody struct {
	MemberOnly            *bool `json:"member_only"`
	WorkspaceBound        *bool `json:"workspace_bound"`
	Transferable          *bool `json:"transferable"`
	InternalUseOnly       *bool `json:"internal_use_only"`
	MultiTenant           *bool `json:"multi_tenant"`
	MaxPerWallet          whole `json:"max_per_wallet"`
	RequiresAdminApproval bool  `json:"requires_admin_approval"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *policiesBody) UnmarshalJSON(j []byte) error {
	type plain policiesBody
	return decodeMember(j, (*plain)(p))
}

// input is what the body says, if nothing that is needed is missing.
func (b *offerBody) input() (OfferInput, error) {
	in := OfferInput{
		ID: b.ID, IssuerID: b.IssuerID, Title: b.Title, Summary: b.Summary, AccessClass: b.AccessClass, Type: b.Type, Scope: b.Scope,
		TermSeconds: int64(b.TermSeconds), Seats: int(b.Seats), LineLabel: b.LineLabel,
	}
	switch p := b.Pricing; {
	case p == nil:
		return in, required("pricing")
	case p.Amount == nil:
		return in, required("pricing.amount_atomic")
	case p.Decimals == nil:
		return in, required("pricing.decimals")
	default:
		in.Pricing = Pricing{Currency: p.Currency, Amount: *p.Amount, Decimals: int(*p.Decimals), ChainID: uint64(p.ChainID)}
	}
	p := b.Policies
	if p == nil {
		return in, required("policies")
	}
	for _, flag := range []struct {
		name string
		from *bool
		to   *bool
	}{
		{"member_only", p.MemberOnly, &in.Policies.MemberOnly}, {"workspace_bound", p.WorkspaceBound, &in.Policies.WorkspaceBound},
		{"transferable", p.Transferable, &in.Policies.Transferable}, {"internal_use_only", p.InternalUseOnly, &in.Policies.InternalUseOnly},
		{"multi_tenant", p.MultiTenant, &in.Policies.MultiTenant},
	} {
		if flag.from == nil {
			return in, required("policies." + flag.name)
		}
		*flag.to = *flag.from
	}
	in.Policies.MaxPerWallet, in.Policies.RequiresAdminApproval = int(p.MaxPerWallet), p.RequiresAdminApproval
	return in, nil
}

func required(field string) *Error { return Invalid(field, "%s is required.", field) }

func (a *api) postOffer(w http.ResponseWriter, r *http.Request, actor Actor) error {
	in, err := readOffer(r)
	if err != nil {
		return err
	}
	if in.IssuerID == "" {
		in.IssuerID = actor.IssuerID
	}
	o, err := a.CreateOffer(r.Context(), actor, in)
	return a.answerOffer(w, http.StatusCreated, o, err)
}

func readOffer(r *http.Request) (OfferInput, error) {
	var b offerBody
	if err := read(r, &b); err != nil {
		return OfferInput{}, err
	}
	return b.input()
}

func (a *api) putOffer(w http.ResponseWriter, r *http.Request, actor Actor) error {
	in, err := readOffer(r)
	if err != nil {
		return err
	}
	if in.IssuerID == "" {
		in.IssuerID = actor.IssuerID
	}
	o, err := a.EditOffer(r.Context(), actor, r.PathValue("offer_id"), in)
	return a.answerOffer(w, http.StatusOK, o, err)
}

func (a *api) postOfferStatus(w http.ResponseWriter, r *http.Request, actor Actor) error {
	var b struct {
		Status OfferStatus `json:"status"`
	}
	if err := read(r, &b); err != nil {
		return err
	}
	o, err := a.SetOfferStatus(r.Context(), actor, r.PathValue("offer_id"), b.Status)
	return a.answerOffer(w, http.StatusOK, o, err)
}

func (a *api) postApproveOffer(w http.ResponseWriter, r *http.Request, actor Actor) error {
	if err := read(r, &struct{}{}); err != nil {
		return err
	}
	o, err := a.ApproveOffer(r.Context(), actor, r.PathValue("offer_id"))
	return a.answerOffer(w, http.StatusOK, o, err)
}

func (a *api) postRevokePolicy(w http.ResponseWriter, r *http.Request, actor Actor) error {
	var b struct {
		Hash string `json:"policy_hash"`
	}
	if err := read(r, &b); err != nil {
		return err
	}
	o, err := a.RevokePolicy(r.Context(), actor, r.PathValue("offer_id"), b.Hash)
	return a.answerOffer(w, http.StatusOK, o, err)
}

// approvalView is a wallet that may buy an offer.
type approvalView struct {
	OfferID string `json:"offer_id"`
	Wallet  string `json:"wallet"`
	By      string `json:"approved_by"`
	At      stamp  `json:"approved_at"`
}

func viewApproval(p Approval) approvalView {
	return approvalView{p.OfferID, p.Wallet, p.By, stamp(p.At)}
}

// approvalsAnswer is a page of approvals.
type approvalsAnswer struct {
	Approvals []approvalView `json:"approvals"`
	Next      string         `json:"next_cursor,omitempty"`
}

func (a *api) getApprovals(w http.ResponseWriter, r *http.Request, actor Actor) error {
	q := queryOf(r)
	page := q.page()
	if q.err != nil {
		return q.err
	}
	list, err := a.BuyerApprovals(r.Context(), actor, r.PathValue("offer_id"), page)
	if err != nil {
		return err
	}
	return a.succeed(w, approvalsAnswer{views(list.Items, viewApproval), list.Next})
}

func (a *api) putApproval(w http.ResponseWriter, r *http.Request, actor Actor) error {
	approval, err := a.ApproveBuyer(r.Context(), actor, r.PathValue("offer_id"), r.PathValue("wallet"))
	if err != nil {
		return err
	}
	return a.succeed(w, viewApproval(approval))
}

func (a *api) deleteApproval(w http.ResponseWriter, r *http.Request, actor Actor) error {
	offerID, wallet := r.PathValue("offer_id"), r.PathValue("wallet")
	if err := a.WithdrawApproval(r.Context(), actor, offerID, wallet); err != nil {
		return err
	}
	return a.succeed(w, struct {
		Status  string `json:"status"`
		OfferID string `json:"offer_id"`
		Wallet  string `json:"wallet"`
	}{"approval_withdrawn", offerID, wallet})
}
