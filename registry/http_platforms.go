package registry

import (
	"net/http"
	"strconv"
	"time"

	"github.com/v402/v402/internal/web"
)

func (a *api) routePlatforms(rt *web.Router) {
	rt.Handle("POST /api/platforms/register", a.public(a.postPlatform))
	rt.Handle("GET /api/platforms/status/{email...}", a.public(a.getStatus))
	rt.Handle("GET /api/platforms", a.platform(a.getPlatforms))
	rt.Handle("GET /api/platforms/me", a.platform(a.getMe))
	rt.Handle("PUT /api/platforms/me", a.platform(a.putMe))
	rt.Handle("POST /api/platforms/me/api-key/rotate", a.platform(a.postRotateKey))
	rt.Handle("POST /api/platforms/me/callback-secret", a.platform(a.postCallbackSecret))
}

// appliedView is the answer to an application.
type appliedView struct {
	PlatformName     string         `json:"platform_name"`
	Status           PlatformStatus `json:"status"`
	RegistrationDate stamp          `json:"registration_date"`
}

func (a *api) postPlatform(w http.ResponseWriter, r *http.Request) error {
	if err := a.admit(w, r, a.applyLimits); err != nil {
		return err
	}
	var in Application
	if err := read(r, maxForm, &in); err != nil {
		return err
	}
	p, err := a.Apply(r.Context(), in)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusCreated,
		"Platform registration submitted successfully. Your application will be reviewed by BCCCR administrators.",
		appliedView{p.PlatformName, p.Status, stamp(p.CreatedAt)})
}

// statusView is what whoever knows the e-mail may know about an application.
type statusView struct {
	PlatformName     string         `json:"platform_name"`
	Status           PlatformStatus `json:"status"`
	RegistrationDate stamp          `json:"registration_date"`
	ApprovedAt       stamp          `json:"approved_at"`
	AdminNotes       *string        `json:"admin_notes"`
}

func (a *api) getStatus(w http.ResponseWriter, r *http.Request) error {
	if err := a.admit(w, r, a.statusLimits); err != nil {
		return err
	}
	p, err := a.ApplicationStatus(r.Context(), r.PathValue("email"))
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Registration status retrieved",
		statusView{p.PlatformName, p.Status, stamp(p.CreatedAt), stamp(p.ApprovedAt), orNull(p.AdminNotes)})
}

// limit grants each client so many requests per minute.
type limit struct {
	perMinute int
	*web.Limits
}

func newLimit(perMinute int) limit { return limit{perMinute, web.NewLimits(perMinute)} }

// admit counts a request against its client.
func (a *api) admit(w http.ResponseWriter, r *http.Request, l limit) error {
	client := r.RemoteAddr
	if a.options.ClientAddr != nil {
		client = a.options.ClientAddr(r)
	}
	ok, left, wait := l.Allow(web.ClientOf(client), a.now())
	w.Header().Set("X-RateLimit-Limit", strconv.Itoa(l.perMinute))
	w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(left))
	if !ok {
		w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
		return errTooMany
	}
	return nil
}

// listedView is a platform as all others see it.
type listedView struct {
	ID     int64          `json:"id"`
	Name   string         `json:"name"`
	Status PlatformStatus `json:"status"`
}

func (a *api) getPlatforms(w http.ResponseWriter, r *http.Request, _ Platform) error {
	q := queryOf(r)
	f := PlatformFilter{Status: oneOf(q, "status", PlatformActive, PlatformInactive), Query: q.text("q")}
	o := q.page()
	if err := q.err(); err != nil {
		return err
	}
	l, err := a.Platforms(r.Context(), f, o)
	if err != nil {
		return err
	}
	return page(a, w, "Platforms retrieved successfully", l, func(p Platform) listedView {
		return listedView{p.ID, p.PlatformName, p.Status}
	})
}

// profileView is a platform as it sees itself, without what is encrypted.
type profileView struct {
	ID               int64          `json:"id"`
	Name             string         `json:"name"`
	Email            string         `json:"email"`
	PlatformName     string         `json:"platform_name"`
	PlatformAddress  string         `json:"platform_address"`
	PlatformPhone    string         `json:"platform_phone"`
	PlatformEmail    string         `json:"platform_email"`
	APIEndpoint      *string        `json:"api_endpoint"`
	PayoutAddress    *string        `json:"payout_address"`
	Status           PlatformStatus `json:"status"`
	APIKeyPrefix     string         `json:"api_key_prefix"`
	APIKeyCreatedAt  stamp          `json:"api_key_created_at"`
	RegistrationDate stamp          `json:"registration_date"`
	ApprovedAt       stamp          `json:"approved_at"`
}

func viewProfile(p Platform) profileView {
	return profileView{
		ID: p.ID, Name: p.Name, Email: p.Email,
		PlatformName: p.PlatformName, PlatformAddress: p.PlatformAddress, PlatformPhone: p.PlatformPhone, PlatformEmail: p.PlatformEmail,
		APIEndpoint: orNull(p.APIEndpoint), PayoutAddress: orNull(p.PayoutAddress), Status: p.Status, APIKeyPrefix: p.KeyPrefix, APIKeyCreatedAt: stamp(p.KeyCreatedAt),
		RegistrationDate: stamp(p.CreatedAt), ApprovedAt: stamp(p.ApprovedAt),
	}
}

func (a *api) getMe(w http.ResponseWriter, _ *http.Request, p Platform) error {
	return a.succeed(w, http.StatusOK, "Profile retrieved successfully", viewProfile(p))
}

func (a *api) putMe(w http.ResponseWriter, r *http.Request, p Platform) error {
	var in PlatformUpdate
	if err := read(r, maxForm, &in); err != nil {
		return err
	}
	updated, err := a.UpdatePlatform(r.Context(), p, in)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Profile updated successfully",
		updatedView{viewProfile(updated.Platform), updated.CallbackSecret})
}

// updatedView is a profile with its first callback secret, if it has got one.
type updatedView struct {
	profileView
	CallbackSecret string `json:"callback_secret,omitempty"`
}

// keyView shows a new API key, once.
type keyView struct {
	PlatformName string         `json:"platform_name"`
	Status       PlatformStatus `json:"status"`
	APIKey       string         `json:"api_key"`
	RotatedAt    stamp          `json:"rotated_at"`
}

func viewKey(k Credentials) keyView {
	return keyView{k.Platform.PlatformName, k.Platform.Status, k.APIKey, stamp(k.Platform.KeyCreatedAt)}
}

func (a *api) postRotateKey(w http.ResponseWriter, r *http.Request, p Platform) error {
	rotated, err := a.RotateOwnKey(r.Context(), p)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "API key rotated successfully", viewKey(rotated))
}

// secretView shows a new callback secret, once.
type secretView struct {
	PlatformName   string `json:"platform_name"`
	CallbackSecret string `json:"callback_secret"`
	PreviousUntil  stamp  `json:"previous_valid_until"` // null if there was none before
}

func (a *api) postCallbackSecret(w http.ResponseWriter, r *http.Request, p Platform) error {
	made, err := a.RotateCallbackSecret(r.Context(), p.Actor(), p.ID)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Callback secret rotated successfully",
		secretView{made.Platform.PlatformName, made.CallbackSecret, stamp(made.PreviousUntil)})
}
