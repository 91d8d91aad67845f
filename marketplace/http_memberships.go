package marketplace

import (
	"net/http"

	"github.com/v402/v402/internal/web"
)

func (a *api) routeMemberships(rt *web.Router) {
	rt.Handle("GET /marketplace/memberships", a.known(a.getMemberships))
	rt.Handle("GET /marketplace/memberships/{wallet}", a.known(a.getMembership))
	for action, status := range map[string]MembershipStatus{
		"suspend": MembershipSuspended, "reinstate": MembershipActive, "revoke": MembershipRevoked,
	} {
		rt.Handle("POST /marketplace/memberships/{wallet}/"+action, a.change(a.setMembership(status)))
	}
	rt.Handle("POST /secret/membership/quote", a.change(a.postMembershipQuote))
	rt.Handle("POST /secret/membership/confirm", a.change(a.postMembershipConfirm))
	rt.Handle("GET /secret/membership/status", a.open(a.getMembershipStatus))
}

// membershipView is the membership of a wallet.
type membershipView struct {
	Wallet          string           `json:"wallet"`
	Status          MembershipStatus `json:"status"`
	DesignationCode string           `json:"designation_code"`
	ChainID         uint64           `json:"chain_id,omitempty"`
	TxHash          string           `json:"tx_hash,omitempty"`
	QuoteID         string           `json:"quote_id,omitempty"`
	Reason          string           `json:"reason,omitempty"`
	ActivatedAt     *stamp           `json:"activated_at,omitempty"`
}

// viewMembership shows more to those who are trusted.
func viewMembership(m Membership, trusted bool) membershipView {
	v := membershipView{
		Wallet: m.Wallet, Status: m.Status, DesignationCode: DesignationCode(m.Wallet), ActivatedAt: optionalStamp(m.ActivatedAt),
	}
	if trusted {
		v.ChainID, v.TxHash, v.QuoteID, v.Reason = m.ChainID, m.TxHash, m.QuoteID, m.Reason
	}
	return v
}

// membershipsAnswer is a page of memberships.
type membershipsAnswer struct {
	Memberships []membershipView `json:"memberships"`
	Next        string           `json:"next_cursor,omitempty"`
}

func (a *api) getMemberships(w http.ResponseWriter, r *http.Request, actor Actor) error {
	q := queryOf(r)
	f := MembershipFilter{Status: among(q, "status", MembershipActive, MembershipSuspended, MembershipRevoked)}
	page := q.page()
	if q.err != nil {
		return q.err
	}
	list, err := a.Memberships(r.Context(), actor, f, page)
	if err != nil {
		return err
	}
	view := func(m Membership) membershipView { return viewMembership(m, true) }
	return a.succeed(w, membershipsAnswer{views(list.Items, view), list.Next})
}

func (a *api) getMembership(w http.ResponseWriter, r *http.Request, actor Actor) error {
	m, err := a.Membership(r.Context(), r.PathValue("wallet"))
	if err != nil {
		return err
	}
	return a.succeed(w, viewMembership(m, actor.Admin || actor.Wallet == m.Wallet))
}

// reasonBody is the body of what an admin does.
type reasonBody struct {
	Reason string `json:"reason"`
}

func (a *api) setMembership(status MembershipStatus) handler {
	return func(w http.ResponseWriter, r *http.Request, actor Actor) error {
		var b reasonBody
		if err := read(r, &b); err != nil {
			return err
		}
		m, err := a.SetMembership(r.Context(), actor, r.PathValue("wallet"), status, b.Reason)
		if err != nil {
			return err
		}
		return a.succeed(w, viewMembership(m, true))
	}
}

// membershipBody is the body of POST /secret/membership/quote.
type membershipBody struct {
	Wallet          string `json:"wallet"`
	PayerWallet     string `json:"payer_wallet"`
	ChainID         whole  `json:"chain_id"`
	DesignationCode string `json:"designation_code"`
	OwnershipProof  string `json:"ownership_proof"`
	OwnershipNonce  string `json:"ownership_nonce"`
}

// postMembershipQuote makes a quote for membership alone. The designation code
// is that of the wallet, whatever is sent.
func (a *api) postMembershipQuote(w http.ResponseWriter, r *http.Request, _ Actor) error {
	var b membershipBody
	if err := read(r, &b); err != nil {
		return err
	}
	code := DesignationCode(b.Wallet)
	if b.DesignationCode != "" && b.DesignationCode != code {
		return Invalid("designation_code", "designation_code is not the one of the wallet.")
	}
	q, err := a.QuoteMembership(r.Context(), MembershipRequest{
		Wallet: b.Wallet, PayerWallet: b.PayerWallet, ChainID: uint64(b.ChainID), DesignationCode: code,
		OwnershipProof: b.OwnershipProof, ProofNonce: b.OwnershipNonce,
	})
	if err != nil {
		return err
	}
	return a.succeed(w, viewMembershipQuote(q))
}

// membershipQuoteView is a quote for membership alone.
type membershipQuoteView struct {
	ID              string              `json:"quote_id"`
	Wallet          string              `json:"wallet"`
	PayerWallet     string              `json:"payer_wallet"`
	DesignationCode string              `json:"designation_code"`
	ChainID         uint64              `json:"chain_id"`
	Currency        string              `json:"currency"`
	Amount          string              `json:"amount"`
	AmountAtomic    string              `json:"amount_atomic"`
	Decimals        int                 `json:"decimals"`
	Lines           []lineView          `json:"line_items"`
	ExpiresAt       stamp               `json:"expires_at"`
	Transaction     UnsignedTransaction `json:"tx"`
}

func viewMembershipQuote(q CheckoutQuote) membershipQuoteView {
	return membershipQuoteView{
		q.ID, q.SentWallet, q.SentPayer, q.DesignationCode, q.ChainID, q.Currency, DisplayAmount(q.Total, q.Decimals), q.Total.String(),
		q.Decimals, viewLines(q), stamp(q.ExpiresAt), q.Transaction,
	}
}

// membershipConfirmBody is the body of POST /secret/membership/confirm.
type membershipConfirmBody struct {
	QuoteID     string `json:"quote_id"`
	Wallet      string `json:"wallet"`
	PayerWallet string `json:"payer_wallet"`
	TxHash      string `json:"tx_hash"`
	ChainID     whole  `json:"chain_id"`
}

// membershipConfirmView is a membership that was paid for.
type membershipConfirmView struct {
	Status          string `json:"status"`
	Wallet          string `json:"wallet"`
	DesignationCode string `json:"designation_code"`
	QuoteID         string `json:"quote_id"`
	TxHash          string `json:"tx_hash"`
	ChainID         uint64 `json:"chain_id"`
	ActivatedAt     stamp  `json:"activated_at"`
}

func (a *api) postMembershipConfirm(w http.ResponseWriter, r *http.Request, _ Actor) error {
	var b membershipConfirmBody
	if err := read(r, &b); err != nil {
		return err
	}
	c, err := a.Confirm(r.Context(), ConfirmRequest{
		QuoteID: b.QuoteID, Buyer: Buyer{Wallet: b.Wallet, PayerWallet: b.PayerWallet}, TxHash: b.TxHash, ChainID: uint64(b.ChainID),
	})
	if err != nil {
		return err
	}
	q := &c.Quote
	return a.succeed(w, membershipConfirmView{
		statusMember, q.SentWallet, DesignationCode(q.Wallet), q.ID, q.TxHash, q.ChainID, stamp(c.ConfirmedAt),
	})
}

func (a *api) getMembershipStatus(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r)
	wallet := q.wallet("wallet")
	switch {
	case q.err != nil:
		return q.err
	case wallet == "":
		return required("wallet")
	}
	m, err := a.Membership(r.Context(), wallet)
	if err != nil {
		return err
	}
	return a.succeed(w, viewMembership(m, false))
}
