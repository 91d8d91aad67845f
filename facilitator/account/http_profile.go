package account

import (
	"net/http"

	"github.com/v402/v402/internal/web/v402api"
)

// routeProfile serves a user's own profile and keys, to those whom guard admits.
func (a *api) routeProfile(rt *v402api.Router, at string, guard func(userHandler) http.Handler) {
	rt.Handle("GET "+at+"/profile", guard(getProfile))
	rt.Handle("PUT "+at+"/profile", guard(withAccount(a.putProfile)))
	rt.Handle("GET "+at+"/api-keys", guard(withAccount(a.getKeys)))
	rt.Handle("POST "+at+"/api-keys", guard(withAccount(a.postKey)))
	rt.Handle("DELETE "+at+"/api-keys/{id}", guard(withAccount(a.deleteKey)))
	rt.Handle("POST "+at+"/api-keys/{id}/rotate", guard(withAccount(a.postRotate)))
}

// registeredView answers a registration.
type registeredView struct {
	User    userView `json:"user"`
	APIKey  string   `json:"api_key"`
	Warning string   `json:"warning"`
}

// postRegister makes an account. Who names a wallet signs the request with it.
func (a *api) postRegister(w http.ResponseWriter, r *http.Request) error {
	var in Registration
	var signer string
	if signatureHeader(r.Header) != "" {
		var err error
		if signer, err = a.VerifySigned(r); err != nil {
			return err
		}
	}
	if err := v402api.Read(r, maxBody, &in); err != nil {
		return err
	}
	key, ok := ParsePublicKey(in.PublicKey)
	if in.PublicKey == "" || ok && key == WalletAddress(signer) {
		in.PublicKey, key = signer, signer
	}
	if ok && key != signer && !a.options.AllowUnsignedPublicKey {
		return v402api.Invalid("public_key", v402api.InvalidSignature, "Sign this request with the wallet of public_key, or leave public_key out")
	}
	done, err := a.Register(r.Context(), in)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusCreated, registeredView{viewUser(done.User), done.Secret, shownOnce})
}

// postWallet connects the wallet that signed the request with the account whose
// API key is in X-API-Key.
func (a *api) postWallet(w http.ResponseWriter, r *http.Request, u User) error {
	publicKey, err := a.VerifySigned(r)
	if err != nil {
		return err
	}
	if u, err = a.ConnectWallet(r.Context(), u.ID, publicKey); err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, viewUser(u))
}

func getProfile(w http.ResponseWriter, _ *http.Request, u User) error {
	return v402api.JSON(w, http.StatusOK, viewUser(u))
}

func (a *api) putProfile(w http.ResponseWriter, r *http.Request, u User) error {
	var in ProfileUpdate
	if err := v402api.Read(r, maxBody, &in); err != nil {
		return err
	}
	u, err := a.UpdateProfile(r.Context(), u.ID, in)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, viewUser(u))
}

func (a *api) getKeys(w http.ResponseWriter, r *http.Request, u User) error {
	keys, err := a.Keys(r.Context(), u.ID)
	if err != nil {
		return err
	}
	views := make([]keyView, len(keys))
	for i, k := range keys {
		views[i] = viewKey(k)
	}
	return v402api.JSON(w, http.StatusOK, map[string]any{"items": views, "total": len(views)})
}

func (a *api) postKey(w http.ResponseWriter, r *http.Request, u User) error {
	var in struct {
		Name string `json:"name"`
	}
	if err := v402api.Read(r, maxBody, &in); err != nil {
		return err
	}
	secret, k, err := a.CreateKey(r.Context(), u.ID, in.Name)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusCreated, newKeyView{viewKey(k), secret, shownOnce})
}

func (a *api) postRotate(w http.ResponseWriter, r *http.Request, u User) error {
	secret, k, err := a.RotateKey(r.Context(), u.ID, r.PathValue("id"))
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, newKeyView{viewKey(k), secret, shownOnce})
}

func (a *api) deleteKey(w http.ResponseWriter, r *http.Request, u User) error {
	k, err := a.RevokeKey(r.Context(), u.ID, r.PathValue("id"))
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, map[string]any{"message": "API key revoked", "id": k.ID})
}
