package account

import (
	"net/http"

	"github.com/v402/v402/internal/web/v402api"
)

const (
	usersOnPage = 50
	mostOnPage  = 200
	maxSearch   = 255 // characters
)

func (a *api) routeAdmin(rt *v402api.Router) {
	rt.Handle("GET /api/v1/admin/users", a.admin(a.getUsers))
	rt.Handle("GET /api/v1/admin/users/{id}", a.admin(a.getUser))
	rt.Handle("PATCH /api/v1/admin/users/{id}", a.admin(a.patchUser))
	rt.Handle("PATCH /api/v1/admin/users/{id}/status", a.admin(a.patchStatus))
	rt.Handle("POST /api/v1/admin/users/{id}/reset-api-key", a.admin(a.postReset))
	rt.Handle("GET /api/v1/admin/audit-log", a.admin(a.getAuditLog))
}

func (a *api) getUsers(w http.ResponseWriter, r *http.Request, _ User) error {
	q := v402api.QueryOf(r)
	f := Filter{
		Role: v402api.OneOf(q, "role", Roles()...), Status: v402api.OneOf(q, "status", Statuses()...), Search: q.Text("search", maxSearch),
		From: q.Time("created_after"), Before: q.Until("created_before"),
	}
	page := q.Page(usersOnPage, mostOnPage)
	if err := q.Err(); err != nil {
		return err
	}
	l, err := a.Users(r.Context(), f, page)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, v402api.PageOf(l, viewForAdmin))
}

func (a *api) getUser(w http.ResponseWriter, r *http.Request, _ User) error {
	u, err := a.User(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	keys, err := a.Keys(r.Context(), u.ID)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, struct {
		adminUserView
		APIKeys int `json:"api_keys"`
	}{viewForAdmin(u), len(keys)})
}

// patchUser changes what admins decide about a user besides the status.
func (a *api) patchUser(w http.ResponseWriter, r *http.Request, by User) error {
	var in struct {
		Role     *Role `json:"role"`
		Verified *bool `json:"verified"`
	}
	if err := v402api.Read(r, maxBody, &in); err != nil {
		return err
	}
	u, err := a.Decide(r.Context(), by, r.PathValue("id"), Decision{Role: in.Role, Verified: in.Verified})
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, viewChange("User updated successfully", u, by, a.now()))
}

// patchStatus takes the reason from the query or the body, which wins.
func (a *api) patchStatus(w http.ResponseWriter, r *http.Request, by User) error {
	var in struct {
		NewStatus Status  `json:"new_status"`
		Reason    *string `json:"reason"`
	}
	if err := v402api.Read(r, maxBody, &in); err != nil {
		return err
	}
	q := v402api.QueryOf(r)
	change := StatusChange{Status: in.NewStatus, Reason: q.Text("reason", maxReason)}
	if err := q.Err(); err != nil {
		return err
	}
	if in.Reason != nil {
		change.Reason = *in.Reason
	}
	u, err := a.SetStatus(r.Context(), by, r.PathValue("id"), change)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, viewChange("User status updated successfully", u, by, a.now()))
}

func (a *api) postReset(w http.ResponseWriter, r *http.Request, by User) error {
	secret, err := a.ResetKeys(r.Context(), by, r.PathValue("id"))
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, map[string]string{"message": "API key reset successfully", "api_key": secret, "warning": shownOnce})
}

func (a *api) getAuditLog(w http.ResponseWriter, r *http.Request, _ User) error {
	q := v402api.QueryOf(r)
	f := AuditFilter{
		Actor: q.Text("actor", maxSearch), Action: q.Text("action", maxSearch), Subject: q.Text("subject", maxSearch),
		From: q.Time("start_date"), Before: q.Until("end_date"),
	}
	page := q.Page(usersOnPage, mostOnPage)
	if err := q.Err(); err != nil {
		return err
	}
	l, err := a.AuditLog(r.Context(), f, page)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, v402api.PageOf(l, viewAudit))
}
