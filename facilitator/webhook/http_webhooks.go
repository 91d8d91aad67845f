package webhook

import (
	"net/http"
	"time"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web/v402api"
)

// maxForm bounds request bodies, in bytes.
const maxForm = 64 << 10

// Pages of lists.
const (
	defaultSize = 20
	maxSize     = 100
)

// webhookView is an endpoint. Its secrets are never shown.
type webhookView struct {
	ID             string         `json:"id"`
	URL            string         `json:"url"`
	Description    string         `json:"description"`
	Events         []string       `json:"events"`
	Status         EndpointStatus `json:"status"`
	DisabledReason *DisableReason `json:"disabled_reason"`
	DisabledAt     v402api.Time   `json:"disabled_at"`
	FailingSince   v402api.Time   `json:"failing_since"`
	DeliveredAt    v402api.Time   `json:"last_delivered_at"`
	SecretExpires  v402api.Time   `json:"previous_secret_expires_at"`
	CreatedAt      v402api.Time   `json:"created_at"`
	UpdatedAt      v402api.Time   `json:"updated_at"`
}

// view shows e as it is at a time.
func view(e Endpoint, now time.Time) webhookView {
	v := webhookView{
		ID: e.ID, URL: e.URL, Description: e.Description, Events: e.Events, Status: e.Status,
		DisabledAt: v402api.Time(e.DisabledAt), FailingSince: v402api.Time(e.FailingSince), DeliveredAt: v402api.Time(e.DeliveredAt),
		CreatedAt: v402api.Time(e.CreatedAt), UpdatedAt: v402api.Time(e.UpdatedAt),
	}
	if e.Reason != "" {
		v.DisabledReason = &e.Reason
	}
	if live := e.live(now); len(live) > 1 {
		v.SecretExpires = v402api.Time(live[1].ExpiresAt)
	}
	return v
}

// createdView is an endpoint with a secret, shown once.
type createdView struct {
	webhookView
	Secret string `json:"secret"`
}

// webhooksView is a list with what can be subscribed to.
type webhooksView struct {
	v402api.Page[webhookView]
	EventTypes []string `json:"event_types"`
}

func (a *api) getWebhooks(w http.ResponseWriter, r *http.Request, u account.User) error {
	q := v402api.QueryOf(r)
	page := q.Page(defaultSize, maxSize)
	if err := q.Err(); err != nil {
		return err
	}
	l, err := a.Endpoints(r.Context(), u.ID, page)
	if err != nil {
		return err
	}
	now := a.now()
	return v402api.JSON(w, http.StatusOK, webhooksView{
		v402api.PageOf(l, func(e Endpoint) webhookView { return view(e, now) }), a.EventTypes(),
	})
}

// registration is the body of a registration.
type registration struct {
	URL         string   `json:"url"`
	Events      []string `json:"events"`
	Description string   `json:"description"`
	Secret      string   `json:"secret"`
}

func (a *api) postWebhook(w http.ResponseWriter, r *http.Request, u account.User) error {
	var in registration
	if err := v402api.Read(r, maxForm, &in); err != nil {
		return err
	}
	c, err := a.AddEndpoint(r.Context(), u.ID, Registration(in))
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusCreated, createdView{view(c.Endpoint, a.now()), c.Secret})
}

func (a *api) getWebhook(w http.ResponseWriter, r *http.Request, u account.User) error {
	e, err := a.Endpoint(r.Context(), u.ID, r.PathValue("id"))
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, view(e, a.now()))
}

// change is the body of a change.
type change struct {
	URL         *string         `json:"url"`
	Events      *[]string       `json:"events"`
	Description *string         `json:"description"`
	Status      *EndpointStatus `json:"status"`
}

func (a *api) putWebhook(w http.ResponseWriter, r *http.Request, u account.User) error {
	var in change
	if err := v402api.Read(r, maxForm, &in); err != nil {
		return err
	}
	e, err := a.UpdateEndpoint(r.Context(), u.ID, r.PathValue("id"), Change(in))
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, view(e, a.now()))
}

// deletedView says that something is no more.
type deletedView struct {
	Message string `json:"message"`
	ID      string `json:"id"`
}

func (a *api) deleteWebhook(w http.ResponseWriter, r *http.Request, u account.User) error {
	id := r.PathValue("id")
	if err := a.DeleteEndpoint(r.Context(), u.ID, id); err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, deletedView{"Webhook deleted", id})
}

// rotation is the body of a rotation.
type rotation struct {
	Secret string `json:"secret"`
}

func (a *api) postRotate(w http.ResponseWriter, r *http.Request, u account.User) error {
	var in rotation
	if err := v402api.Read(r, maxForm, &in); err != nil {
		return err
	}
	c, err := a.RotateSecret(r.Context(), u.ID, r.PathValue("id"), in.Secret)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, createdView{view(c.Endpoint, a.now()), c.Secret})
}

func (a *api) postTest(w http.ResponseWriter, r *http.Request, u account.User) error {
	var in struct{}
	if err := v402api.Read(r, maxForm, &in); err != nil {
		return err
	}
	d, err := a.SendTest(r.Context(), u.ID, r.PathValue("id"))
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusAccepted, viewDelivery(d))
}
