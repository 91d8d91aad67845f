package marketplace

import (
	"net/http"
	"time"

	"github.com/v402/v402/internal/web"
)

func (a *api) routeWallet(rt *web.Router) {
	rt.Handle("POST /secret/wallet/intent", a.secret(a.postIntent))
	rt.Handle("POST /secret/wallet/verify", a.secret(a.postVerify))
	rt.Handle("POST /secret/wallet/session/refresh", a.secret(a.postRefresh))
	rt.Handle("POST /secret/wallet/session/revoke", a.secret(a.postRevoke))
}

// intentBody is the body of POST /secret/wallet/intent.
type intentBody struct {
	Wallet  string `json:"wallet"`
	ChainID whole  `json:"chain_id"`
	Origin  string `json:"origin"`
}

// intentView is something to sign.
type intentView struct {
	IntentID        string    `json:"intent_id"`
	Wallet          string    `json:"wallet"`
	DesignationCode string    `json:"designation_code"`
	ChainID         uint64    `json:"chain_id"`
	Nonce           string    `json:"nonce"`
	IssuedAt        stamp     `json:"issued_at"`
	ExpiresAt       stamp     `json:"expires_at"`
	TypedData       TypedData `json:"typed_data"`
}

func (a *api) postIntent(w http.ResponseWriter, r *http.Request, _ Actor) error {
	var b intentBody
	if err := read(r, &b); err != nil {
		return err
	}
	i, err := a.ProposeIntent(r.Context(), IntentRequest{Wallet: b.Wallet, ChainID: uint64(b.ChainID), Origin: b.Origin})
	if err != nil {
		return err
	}
	return a.succeed(w, intentView{
		i.ID, b.Wallet, DesignationCode(i.Wallet), i.ChainID, i.Nonce, stamp(i.IssuedAt), stamp(i.ExpiresAt), i.TypedData(),
	})
}

// verifyBody is the body of POST /secret/wallet/verify.
type verifyBody struct {
	IntentID  string `json:"intent_id"`
	Wallet    string `json:"wallet"`
	Signature string `json:"signature"`
}

// sessionView is a session that has begun.
type sessionView struct {
	Status          string           `json:"status"`
	Wallet          string           `json:"wallet"`
	DesignationCode string           `json:"designation_code"`
	ChainID         uint64           `json:"chain_id"`
	Membership      MembershipStatus `json:"membership_status"`
	VerifiedAt      stamp            `json:"verified_at"`
	Token           string           `json:"session_token"`
	ExpiresAt       stamp            `json:"session_expires_at"`
}

// answerSession answers with a session, in the body and in headers.
func (a *api) answerSession(w http.ResponseWriter, r *http.Request, status string, s OpenedSession) error {
	m, err := a.Membership(r.Context(), s.Wallet)
	if err != nil {
		return err
	}
	w.Header().Set(HeaderSession, s.Token)
	w.Header().Set(HeaderSessionExpires, s.ExpiresAt.UTC().Format(time.RFC3339))
	return a.succeed(w, sessionView{
		status, s.Wallet, DesignationCode(s.Wallet), s.ChainID, m.Status, stamp(s.IssuedAt), s.Token, stamp(s.ExpiresAt),
	})
}

func (a *api) postVerify(w http.ResponseWriter, r *http.Request, _ Actor) error {
	var b verifyBody
	if err := read(r, &b); err != nil {
		return err
	}
	opened, err := a.OpenSession(r.Context(), VerifyWallet(b))
	if err != nil {
		return err
	}
	return a.answerSession(w, r, "signature_verified", opened)
}

func (a *api) postRefresh(w http.ResponseWriter, r *http.Request, _ Actor) error {
	if err := read(r, &struct{}{}); err != nil {
		return err
	}
	opened, err := a.RefreshSession(r.Context(), sessionToken(r))
	if err != nil {
		return err
	}
	return a.answerSession(w, r, "session_refreshed", opened)
}

func (a *api) postRevoke(w http.ResponseWriter, r *http.Request, _ Actor) error {
	if err := read(r, &struct{}{}); err != nil {
		return err
	}
	if err := a.RevokeSession(r.Context(), sessionToken(r)); err != nil {
		return err
	}
	return a.succeed(w, struct {
		Status string `json:"status"`
	}{"session_revoked"})
}
