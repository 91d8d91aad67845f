package marketplace

import (
	"net/http"

	"github.com/v402/v402/internal/web"
	"github.com/v402/v402/x402"
)

func (a *api) routeCheckout(rt *web.Router) {
	rt.Handle("POST /marketplace/checkout/quote", a.change(a.postQuote))
	rt.Handle("POST /marketplace/checkout/confirm", a.change(a.postConfirm))
	rt.Handle("POST /marketplace/checkout/nonce", a.secret(a.postNonce))
	rt.Handle("GET /marketplace/checkout/quotes", a.known(a.getQuotes))
	rt.Handle("GET /marketplace/checkout/quotes/{quote_id}", a.open(a.getQuote))
	rt.Handle("POST /marketplace/checkout/quotes/{quote_id}/cancel", a.change(a.postCancel))
}

// quoteBody is the body of POST /marketplace/checkout/quote.
type quoteBody struct {
	Wallet         string `json:"wallet"`
	PayerWallet    string `json:"payer_wallet"`
	OfferID        string `json:"offer_id"`
	OrgRootID      string `json:"org_root_id"`
	PrincipalID    string `json:"principal_id"`
	PrincipalRole  string `json:"principal_role"`
	WorkspaceID    string `json:"workspace_id"`
	OwnershipProof string `json:"ownership_proof"`
	OwnershipNonce string `json:"ownership_nonce"`
	Renews         string `json:"renews"`
}

func (b *quoteBody) request() QuoteRequest {
	return QuoteRequest{
		Buyer: Buyer{
			Wallet: b.Wallet, PayerWallet: b.PayerWallet, OfferID: b.OfferID, OrgRootID: b.OrgRootID,
			PrincipalID: b.PrincipalID, PrincipalRole: b.PrincipalRole, WorkspaceID: b.WorkspaceID,
		},
		OwnershipProof: b.OwnershipProof, ProofNonce: b.OwnershipNonce, Renews: b.Renews,
	}
}

// quoteView is the answer to a request for a quote. The members from state on
// were added to the first version of the API.
type quoteView struct {
	ID            string              `json:"quote_id"`
	Wallet        string              `json:"wallet"`
	PayerWallet   string              `json:"payer_wallet"`
	OfferID       string              `json:"offer_id"`
	OrgRootID     string              `json:"org_root_id"`
	PrincipalID   string              `json:"principal_id"`
	PrincipalRole string              `json:"principal_role"`
	Currency      string              `json:"currency"`
	Amount        string              `json:"amount"`
	AmountAtomic  x402.Amount         `json:"amount_atomic"`
	Total         string              `json:"total_amount"`
	TotalAtomic   x402.Amount         `json:"total_amount_atomic"`
	Decimals      int                 `json:"decimals"`
	Bundled       bool                `json:"membership_activation_included"`
	Lines         []lineView          `json:"line_items"`
	PolicyHash    string              `json:"policy_hash"`
	AccessClass   AccessClass         `json:"access_class"`
	Availability  Availability        `json:"availability_state"`
	ExpiresAt     stamp               `json:"expires_at"`
	Transaction   UnsignedTransaction `json:"tx"`

	State       QuoteState `json:"state"`
	ChainID     uint64     `json:"chain_id"`
	WorkspaceID string     `json:"workspace_id,omitempty"`
	Renews      string     `json:"renews,omitempty"`
}

// lineView is a part of a quote.
type lineView struct {
	Kind         LineKind    `json:"kind"`
	Label        string      `json:"label"`
	Amount       string      `json:"amount"`
	AmountAtomic x402.Amount `json:"amount_atomic"`
	Decimals     int         `json:"decimals"`
	Currency     string      `json:"currency"`
}

func viewQuote(q CheckoutQuote) quoteView {
	return quoteView{
		ID: q.ID, Wallet: q.SentWallet, PayerWallet: q.SentPayer, OfferID: q.OfferID, OrgRootID: q.OrgRootID,
		PrincipalID: q.PrincipalID, PrincipalRole: q.PrincipalRole, Currency: q.Currency,
		Amount: DisplayAmount(q.Amount, q.Decimals), AmountAtomic: q.Amount, Total: DisplayAmount(q.Total, q.Decimals), TotalAtomic: q.Total,
		Decimals: q.Decimals, Bundled: q.Bundled(), Lines: viewLines(q), PolicyHash: q.PolicyHash, AccessClass: q.Policy.AccessClass,
		Availability: q.Availability, ExpiresAt: stamp(q.ExpiresAt), Transaction: q.Transaction,
		State: q.State, ChainID: q.ChainID, WorkspaceID: q.WorkspaceID, Renews: q.Renews,
	}
}

func viewLines(q CheckoutQuote) []lineView {
	return views(q.Lines, func(l LineItem) lineView {
		return lineView{l.Kind, l.Label, DisplayAmount(l.Amount, q.Decimals), l.Amount, q.Decimals, q.Currency}
	})
}

// postQuote makes a quote. A wallet with a session asks for itself; who asks for
// another wallet needs no session, since what is bought is that wallet's anyway.
func (a *api) postQuote(w http.ResponseWriter, r *http.Request, _ Actor) error {
	var b quoteBody
	if err := read(r, &b); err != nil {
		return err
	}
	q, err := a.Quote(r.Context(), b.request())
	if err != nil {
		return err
	}
	return a.succeed(w, viewQuote(q))
}

// confirmBody is the body of POST /marketplace/checkout/confirm.
type confirmBody struct {
	QuoteID       string `json:"quote_id"`
	Wallet        string `json:"wallet"`
	PayerWallet   string `json:"payer_wallet"`
	OfferID       string `json:"offer_id"`
	OrgRootID     string `json:"org_root_id"`
	PrincipalID   string `json:"principal_id"`
	PrincipalRole string `json:"principal_role"`
	WorkspaceID   string `json:"workspace_id"`
	TxHash        string `json:"tx_hash"`
	ChainID       whole  `json:"chain_id"`
	PolicyHash    string `json:"policy_hash"`
}

func (b *confirmBody) request() ConfirmRequest {
	return ConfirmRequest{
		QuoteID: b.QuoteID, TxHash: b.TxHash, ChainID: uint64(b.ChainID), PolicyHash: b.PolicyHash,
		Buyer: Buyer{
			Wallet: b.Wallet, PayerWallet: b.PayerWallet, OfferID: b.OfferID, OrgRootID: b.OrgRootID,
			PrincipalID: b.PrincipalID, PrincipalRole: b.PrincipalRole, WorkspaceID: b.WorkspaceID,
		},
	}
}

// confirmView is what a payment has bought. It is made of the quote alone, so
// that it stays the same whatever becomes of the entitlement.
type confirmView struct {
	Status        string       `json:"status"`
	EntitlementID string       `json:"entitlement_id,omitempty"`
	OfferID       string       `json:"offer_id"`
	OrgRootID     string       `json:"org_root_id"`
	PrincipalID   string       `json:"principal_id"`
	PrincipalRole string       `json:"principal_role"`
	Wallet        string       `json:"wallet"`
	TxHash        string       `json:"tx_hash"`
	PolicyHash    string       `json:"policy_hash"`
	AccessClass   AccessClass  `json:"access_class"`
	Availability  Availability `json:"availability_state"`
	ActivatedAt   stamp        `json:"activated_at"`

	QuoteID     string `json:"quote_id"`
	PayerWallet string `json:"payer_wallet"`
	WorkspaceID string `json:"workspace_id,omitempty"`
	ChainID     uint64 `json:"chain_id"`
	Bundled     bool   `json:"membership_activated"`
}

// The status of a confirmation.
const (
	statusEntitled = "entitlement_active"
	statusMember   = "membership_active" // of a quote for membership alone
)

func viewConfirmation(c Confirmation) confirmView {
	q := &c.Quote
	v := confirmView{
		Status: statusEntitled, EntitlementID: q.EntitlementID, OfferID: q.OfferID, OrgRootID: q.OrgRootID, PrincipalID: q.PrincipalID,
		PrincipalRole: q.PrincipalRole, Wallet: q.SentWallet, TxHash: q.TxHash, PolicyHash: q.PolicyHash, AccessClass: q.Policy.AccessClass,
		Availability: q.Availability, ActivatedAt: stamp(c.ConfirmedAt),
		QuoteID: q.ID, PayerWallet: q.SentPayer, WorkspaceID: q.WorkspaceID, ChainID: q.ChainID, Bundled: q.Bundled(),
	}
	if q.OfferID == "" {
		v.Status = statusMember
	}
	return v
}

func (a *api) postConfirm(w http.ResponseWriter, r *http.Request, _ Actor) error {
	var b confirmBody
	if err := read(r, &b); err != nil {
		return err
	}
	c, err := a.Confirm(r.Context(), b.request())
	if err != nil {
		return err
	}
	return a.succeed(w, viewConfirmation(c))
}

// nonceView is a nonce for an ownership proof.
type nonceView struct {
	Wallet    string `json:"wallet"`
	Nonce     string `json:"ownership_nonce"`
	ExpiresAt stamp  `json:"expires_at"`
}

func (a *api) postNonce(w http.ResponseWriter, r *http.Request, _ Actor) error {
	var b struct {
		Wallet string `json:"wallet"`
	}
	if err := read(r, &b); err != nil {
		return err
	}
	c, err := a.ProofNonce(r.Context(), b.Wallet)
	if err != nil {
		return err
	}
	return a.succeed(w, nonceView{b.Wallet, c.ID, stamp(c.ExpiresAt)})
}

// wholeQuoteView is a quote with what has become of it.
type wholeQuoteView struct {
	quoteView
	Asset          string `json:"asset,omitempty"` // the token; left out for native coin
	PayTo          string `json:"pay_to"`
	PaymentPending bool   `json:"payment_pending"` // a payment by x402 is under way
	CreatedAt      stamp  `json:"created_at"`
	ConsumedAt     *stamp `json:"consumed_at,omitempty"`
	TxHash         string `json:"tx_hash,omitempty"`
	EntitlementID  string `json:"entitlement_id,omitempty"`
}

func viewWholeQuote(q CheckoutQuote) wholeQuoteView {
	return wholeQuoteView{
		quoteView: viewQuote(q), Asset: q.Asset, PayTo: q.PayTo, PaymentPending: q.PaymentKey != "" && q.State != QuoteConsumed,
		CreatedAt: stamp(q.CreatedAt), ConsumedAt: optionalStamp(q.ConsumedAt), TxHash: q.TxHash, EntitlementID: q.EntitlementID,
	}
}

// getQuote shows a quote to whoever knows its ID.
func (a *api) getQuote(w http.ResponseWriter, r *http.Request) error {
	q, err := a.CheckoutQuote(r.Context(), r.PathValue("quote_id"))
	if err != nil {
		return err
	}
	return a.succeed(w, viewWholeQuote(q))
}

// quotesAnswer is a page of quotes.
type quotesAnswer struct {
	Quotes []wholeQuoteView `json:"quotes"`
	Next   string           `json:"next_cursor,omitempty"`
}

func (a *api) getQuotes(w http.ResponseWriter, r *http.Request, actor Actor) error {
	q := queryOf(r)
	f := QuoteFilter{
		Wallet: q.wallet("wallet"), PayerWallet: q.wallet("payer_wallet"), OfferID: q.text("offer_id"), IssuerID: q.text("issuer_id"),
		State: among(q, "state", QuoteOpen, QuoteConsumed, QuoteExpired, QuoteVoid),
	}
	page := q.page()
	if q.err != nil {
		return q.err
	}
	list, err := a.CheckoutQuotes(r.Context(), actor, f, page)
	if err != nil {
		return err
	}
	return a.succeed(w, quotesAnswer{views(list.Items, viewWholeQuote), list.Next})
}

func (a *api) postCancel(w http.ResponseWriter, r *http.Request, _ Actor) error {
	var b struct {
		Wallet string `json:"wallet"`
	}
	if err := read(r, &b); err != nil {
		return err
	}
	q, err := a.CancelQuote(r.Context(), r.PathValue("quote_id"), b.Wallet)
	if err != nil {
		return err
	}
	return a.succeed(w, viewWholeQuote(q))
}
