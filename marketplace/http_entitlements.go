package marketplace

import (
	"context"
	"net/http"
	"time"

	"github.com/v402/v402/internal/web"
)

func (a *api) routeEntitlements(rt *web.Router) {
	rt.Handle("GET /marketplace/entitlements", a.known(a.getEntitlements))
	rt.Handle("POST /marketplace/entitlements/verify", a.open(a.postVerifyEntitlement))
	rt.Handle("GET /marketplace/entitlements/{entitlement_id}", a.known(a.getEntitlement))
	rt.Handle("POST /marketplace/entitlements/{entitlement_id}/suspend", a.change(a.changeState(a.SuspendEntitlement)))
	rt.Handle("POST /marketplace/entitlements/{entitlement_id}/reinstate", a.change(a.changeState(a.ReinstateEntitlement)))
	rt.Handle("POST /marketplace/entitlements/{entitlement_id}/revoke", a.change(a.changeState(a.RevokeEntitlement)))
	rt.Handle("POST /marketplace/entitlements/{entitlement_id}/extend", a.change(a.postExtend))
	rt.Handle("POST /marketplace/entitlements/{entitlement_id}/transfer", a.change(a.postTransfer))
	rt.Handle("POST /marketplace/entitlements/{entitlement_id}/availability", a.change(a.postAvailability))
}

// entitlementView is an entitlement as everybody may see it. The members from
// wallet on were added to the first version of the API.
type entitlementView struct {
	ID            string           `json:"entitlement_id"`
	OfferID       string           `json:"offer_id"`
	WalletAddress string           `json:"wallet_address"`
	WorkspaceID   string           `json:"workspace_id"`
	OrgRootID     string           `json:"org_root_id"`
	State         EntitlementState `json:"state"`
	AccessClass   AccessClass      `json:"access_class"`
	Availability  Availability     `json:"availability_state"`
	PolicyHash    string           `json:"policy_hash"`
	IssuedAt      stamp            `json:"issued_at"`

	Wallet    string          `json:"wallet"`
	IssuerID  string          `json:"issuer_id"`
	Type      EntitlementType `json:"entitlement_type"`
	Scope     Scope           `json:"scope"`
	ChainID   uint64          `json:"chain_id"`
	ExpiresAt *stamp          `json:"expires_at,omitempty"`

	*heldView // for its holder and whoever manages it
}

// heldView is what not everybody may see of an entitlement.
type heldView struct {
	PrincipalID   string `json:"principal_id"`
	PrincipalRole string `json:"principal_role"`
	PayerWallet   string `json:"payer_wallet"`
	Transferable  bool   `json:"transferable"`
	Seats         int    `json:"seats,omitempty"`
	TermSeconds   int64  `json:"term_seconds,omitempty"`
	QuoteID       string `json:"quote_id"`
	TxHash        string `json:"tx_hash"`
	Reason        string `json:"reason,omitempty"`
	UpdatedAt     stamp  `json:"updated_at"`
}

// viewEntitlement shows e as the actor may see it.
func viewEntitlement(actor Actor) func(Entitlement) entitlementView {
	return func(e Entitlement) entitlementView {
		v := entitlementView{
			ID: e.ID, OfferID: e.OfferID, WalletAddress: e.Wallet, WorkspaceID: e.WorkspaceID, OrgRootID: e.OrgRootID, State: e.State,
			AccessClass: e.AccessClass, Availability: e.Availability, PolicyHash: e.PolicyHash, IssuedAt: stamp(e.IssuedAt),
			Wallet: e.Wallet, IssuerID: e.IssuerID, Type: e.Type, Scope: e.Scope, ChainID: e.ChainID, ExpiresAt: optionalStamp(e.ExpiresAt),
		}
		if actor.holds(&e) {
			v.heldView = &heldView{
				e.PrincipalID, e.PrincipalRole, e.PayerWallet, e.Transferable, e.Seats, e.TermSeconds, e.QuoteID, e.TxHash, e.Reason,
				stamp(e.UpdatedAt),
			}
		}
		return v
	}
}

// entitlementsAnswer is a page of entitlements.
type entitlementsAnswer struct {
	Entitlements []entitlementView `json:"entitlements"`
	Next         string            `json:"next_cursor,omitempty"`
}

// getEntitlements lists what a wallet has. Admins may list all, and issuers all of
// their own, without a wallet.
func (a *api) getEntitlements(w http.ResponseWriter, r *http.Request, actor Actor) error {
	q := queryOf(r)
	f := EntitlementFilter{
		Wallet: q.wallet("wallet"), OfferID: q.text("offer_id"), IssuerID: q.text("issuer_id"), OrgRootID: q.text("org_root_id"),
		WorkspaceID: q.text("workspace_id"),
		State:       among(q, "state", EntitlementActive, EntitlementSuspended, EntitlementRevoked, EntitlementExpired),
	}
	page := q.page()
	if q.err != nil {
		return q.err
	}
	switch managed := actor.Admin || actor.IssuerID != ""; {
	case f.Wallet == "" && !managed:
		return required("wallet")
	case managed && !actor.Admin && (f.Wallet == "" || a.options.PrivateEntitlements):
		f.IssuerID = actor.IssuerID
	case a.options.PrivateEntitlements && !managed && actor.Wallet != f.Wallet:
		return errNoSession()
	}
	list, err := a.Entitlements(r.Context(), f, page)
	if err != nil {
		return err
	}
	return a.succeed(w, entitlementsAnswer{views(list.Items, viewEntitlement(actor)), list.Next})
}

func (a *api) getEntitlement(w http.ResponseWriter, r *http.Request, actor Actor) error {
	e, err := a.Entitlement(r.Context(), r.PathValue("entitlement_id"))
	switch {
	case err != nil:
		return err
	case a.options.PrivateEntitlements && !actor.holds(&e):
		return errNoSession()
	}
	return a.succeed(w, viewEntitlement(actor)(e))
}

// verifyEntitlementBody is the body of POST /marketplace/entitlements/verify.
type verifyEntitlementBody struct {
	Wallet        string `json:"wallet"`
	EntitlementID string `json:"entitlement_id"`
	OfferID       string `json:"offer_id"`
	OrgRootID     string `json:"org_root_id"`
	WorkspaceID   string `json:"workspace_id"`
}

// verificationView says whether somebody may use something, and why not.
type verificationView struct {
	Valid        bool             `json:"valid"`
	Code         VerifyCode       `json:"code"`
	Entitlement  string           `json:"entitlement_id,omitempty"` // the one that is valid or comes closest
	OfferID      string           `json:"offer_id,omitempty"`
	State        EntitlementState `json:"state,omitempty"`
	AccessClass  AccessClass      `json:"access_class,omitempty"`
	Availability Availability     `json:"availability_state,omitempty"`
	PolicyHash   string           `json:"policy_hash,omitempty"`
	ExpiresAt    *stamp           `json:"expires_at,omitempty"`
	CheckedAt    stamp            `json:"checked_at"`
}

func (a *api) postVerifyEntitlement(w http.ResponseWriter, r *http.Request) error {
	var b verifyEntitlementBody
	if err := read(r, &b); err != nil {
		return err
	}
	v, err := a.VerifyEntitlement(r.Context(), VerifyRequest(b))
	if err != nil {
		return err
	}
	e := &v.Entitlement
	return a.succeed(w, verificationView{
		v.Valid, v.Code, e.ID, e.OfferID, e.State, e.AccessClass, e.Availability, e.PolicyHash, optionalStamp(e.ExpiresAt), stamp(v.CheckedAt),
	})
}

// answerEntitlement answers with one that was changed.
func (a *api) answerEntitlement(w http.ResponseWriter, actor Actor, e Entitlement, err error) error {
	if err != nil {
		return err
	}
	return a.succeed(w, viewEntitlement(actor)(e))
}

// changeState changes an entitlement for a reason.
func (a *api) changeState(change func(context.Context, Actor, string, string) (Entitlement, error)) handler {
	return func(w http.ResponseWriter, r *http.Request, actor Actor) error {
		var b reasonBody
		if err := read(r, &b); err != nil {
			return err
		}
		e, err := change(r.Context(), actor, r.PathValue("entitlement_id"), b.Reason)
		return a.answerEntitlement(w, actor, e, err)
	}
}

func (a *api) postExtend(w http.ResponseWriter, r *http.Request, actor Actor) error {
	var b struct {
		ExpiresAt *moment `json:"expires_at"`
		Forever   bool    `json:"forever"`
		Reason    string  `json:"reason"`
	}
	if err := read(r, &b); err != nil {
		return err
	}
	x := Extension{Reason: b.Reason}
	switch {
	case b.ExpiresAt == nil && !b.Forever:
		return required("expires_at")
	case b.ExpiresAt != nil && b.Forever:
		return Invalid("forever", "Either expires_at or forever is needed, not both.")
	case b.ExpiresAt != nil:
		x.ExpiresAt = time.Time(*b.ExpiresAt)
	}
	e, err := a.ExtendEntitlement(r.Context(), actor, r.PathValue("entitlement_id"), x)
	return a.answerEntitlement(w, actor, e, err)
}

func (a *api) postTransfer(w http.ResponseWriter, r *http.Request, actor Actor) error {
	var b struct {
		Wallet        string `json:"wallet"`
		OrgRootID     string `json:"org_root_id"`
		PrincipalID   string `json:"principal_id"`
		PrincipalRole string `json:"principal_role"`
		WorkspaceID   string `json:"workspace_id"`
		Reason        string `json:"reason"`
	}
	if err := read(r, &b); err != nil {
		return err
	}
	e, err := a.TransferEntitlement(r.Context(), actor, r.PathValue("entitlement_id"), Transfer(b))
	return a.answerEntitlement(w, actor, e, err)
}

func (a *api) postAvailability(w http.ResponseWriter, r *http.Request, actor Actor) error {
	var b struct {
		State  Availability `json:"state"`
		Reason string       `json:"reason"`
	}
	if err := read(r, &b); err != nil {
		return err
	}
	e, err := a.SetAvailability(r.Context(), actor, r.PathValue("entitlement_id"), b.State, b.Reason)
	return a.answerEntitlement(w, actor, e, err)
}
