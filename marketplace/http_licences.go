package marketplace

import (
	"encoding/base64"
	"net/http"
	"time"

	"github.com/v402/v402/internal/web"
)

func (a *api) routeLicences(rt *web.Router) {
	rt.Handle("POST /marketplace/entitlements/{entitlement_id}/licence", a.secret(a.postLicence))
	rt.Handle("GET /marketplace/licence-key", a.open(a.getLicenceKey))
}

// postLicence answers with a licence file: see [ReadLicence].
func (a *api) postLicence(w http.ResponseWriter, r *http.Request, actor Actor) error {
	var b struct {
		InstanceID string `json:"instance_id"`
		TTLSeconds whole  `json:"ttl_seconds"`
	}
	if err := read(r, &b); err != nil {
		return err
	}
	const century = 100 * 365 * 24 * 60 * 60 // seconds
	file, err := a.Licence(r.Context(), actor, LicenceRequest{
		EntitlementID: r.PathValue("entitlement_id"), InstanceID: b.InstanceID, TTL: time.Duration(min(b.TTLSeconds, century)) * time.Second,
	})
	if err != nil {
		return err
	}
	return a.succeed(w, file)
}

// licenceKeyView is the key that licence files are checked with.
type licenceKeyView struct {
	Algorithm string `json:"algorithm"`
	KeyID     string `json:"key_id"`
	PublicKey string `json:"public_key"` // 32 bytes in base64url without padding
}

func (a *api) getLicenceKey(w http.ResponseWriter, _ *http.Request) error {
	key, id, ok := a.LicenceKey()
	if !ok {
		return Refuse(CodeLicenceUnconfigured, "No licence files are made here.")
	}
	return a.succeed(w, licenceKeyView{licenceAlgorithm, id, base64.RawURLEncoding.EncodeToString(key)})
}
