package account

import (
	"encoding/json"
	"time"

	"github.com/v402/v402/internal/web/v402api"
)

// userView is a user as they see themselves.
type userView struct {
	ID         string       `json:"id"`
	Role       Role         `json:"role"`
	Status     Status       `json:"status"`
	Username   string       `json:"username"`
	Email      string       `json:"email"`
	Name       string       `json:"name"`
	Website    string       `json:"website"`
	PublicKey  *string      `json:"public_key"`
	Verified   bool         `json:"verified"`
	CreatedAt  v402api.Time `json:"created_at"`
	UpdatedAt  v402api.Time `json:"updated_at"`
	LastSeenAt v402api.Time `json:"last_seen_at"`
}

func viewUser(u User) userView {
	v := userView{
		ID: u.ID, Role: u.Role, Status: u.Status, Username: u.Username, Email: u.Email, Name: u.Name, Website: u.Website, Verified: u.Verified,
		CreatedAt: v402api.Time(u.CreatedAt), UpdatedAt: v402api.Time(u.UpdatedAt), LastSeenAt: v402api.Time(u.LastSeenAt),
	}
	if u.PublicKey != "" {
		v.PublicKey = &u.PublicKey
	}
	return v
}

// adminUserView is a user as admins see them.
type adminUserView struct {
	userView
	StatusReason string `json:"status_reason"`
}

func viewForAdmin(u User) adminUserView { return adminUserView{viewUser(u), u.StatusReason} }

// keyView is an API key as its user sees it.
type keyView struct {
	ID         string       `json:"id"`
	Name       string       `json:"name"`
	Prefix     string       `json:"prefix"`
	CreatedAt  v402api.Time `json:"created_at"`
	LastUsedAt v402api.Time `json:"last_used_at"`
}

func viewKey(k APIKey) keyView {
	return keyView{k.ID, k.Name, k.Prefix, v402api.Time(k.CreatedAt), v402api.Time(k.LastUsedAt)}
}

// shownOnce goes with every new key.
const shownOnce = "Store this API key now: it is not shown again."

// newKeyView shows a new API key.
type newKeyView struct {
	keyView
	APIKey  string `json:"api_key"`
	Warning string `json:"warning"`
}

// auditView is an entry of the audit log.
type auditView struct {
	ID        int64           `json:"id"`
	Actor     string          `json:"actor"`
	Action    string          `json:"action"`
	Subject   string          `json:"subject"`
	Detail    json.RawMessage `json:"detail"`
	CreatedAt v402api.Time    `json:"created_at"`
}

func viewAudit(e AuditEntry) auditView {
	return auditView{e.ID, e.Actor, e.Action, e.Subject, e.Detail, v402api.Time(e.At)}
}

// changeView answers an admin's change of a user.
type changeView struct {
	Message   string        `json:"message"`
	User      adminUserView `json:"user"`
	UpdatedBy string        `json:"updated_by"`
	Timestamp v402api.Time  `json:"timestamp"`
}

func viewChange(message string, u, by User, at time.Time) changeView {
	return changeView{message, viewForAdmin(u), by.ID, v402api.Time(at)}
}
