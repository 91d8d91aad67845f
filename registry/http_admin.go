package registry

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/v402/v402/internal/web"
)

func (a *api) routeAdmin(rt *web.Router) {
	rt.Handle("GET /api/admin/applications/pending", a.admin(a.getPending))
	rt.Handle("POST /api/admin/applications/{id}/approve", decision(a, ErrApplicationUnknown, a.Approve, "Platform application approved successfully", viewApproved))
	rt.Handle("POST /api/admin/applications/{id}/reject", decision(a, ErrApplicationUnknown, a.Reject, "Platform application rejected", viewDecided))
	rt.Handle("GET /api/admin/applications", a.admin(a.getApplications))
	rt.Handle("GET /api/admin/applications/{id}", a.admin(a.getApplication))
	rt.Handle("POST /api/admin/platforms/{id}/suspend", decision(a, ErrPlatformUnknown, a.Suspend, "Platform suspended successfully", viewDecided))
	rt.Handle("POST /api/admin/platforms/{id}/reinstate", decision(a, ErrPlatformUnknown, a.Reinstate, "Platform reinstated successfully", viewDecided))
	rt.Handle("POST /api/admin/platforms/{id}/rotate-key", a.admin(a.postRotateKeyOf))
	rt.Handle("GET /api/admin/audit", a.admin(a.getAudit))
	rt.Handle("GET /api/admin/stats", a.admin(a.getStats))
}

// pendingView is an application that waits for a decision.
type pendingView struct {
	ID              int64   `json:"id"`
	Name            string  `json:"name"`
	Email           string  `json:"email"`
	PlatformName    string  `json:"platform_name"`
	PlatformAddress string  `json:"platform_address"`
	TINNumber       string  `json:"tin_number"`
	PlatformPhone   string  `json:"platform_phone"`
	PlatformEmail   string  `json:"platform_email"`
	BankName        string  `json:"bank_name"`
	CreatedAt       stamp   `json:"created_at"`
	AdminNotes      *string `json:"admin_notes"`
}

func viewPending(v ApplicationView) pendingView {
	return pendingView{
		ID: v.ID, Name: v.Name, Email: v.Email, PlatformName: v.PlatformName, PlatformAddress: v.PlatformAddress,
		TINNumber: v.TINNumber, PlatformPhone: v.PlatformPhone, PlatformEmail: v.PlatformEmail, BankName: v.BankName,
		CreatedAt: stamp(v.CreatedAt), AdminNotes: orNull(v.AdminNotes),
	}
}

func (a *api) getPending(w http.ResponseWriter, r *http.Request, actor string) error {
	list, err := a.PendingApplications(r.Context(), actor)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Pending applications retrieved", views(list, viewPending))
}

// applicationView is an application in whatever status.
type applicationView struct {
	pendingView
	APIEndpoint  *string        `json:"api_endpoint"`
	Status       PlatformStatus `json:"status"`
	APIKeyPrefix *string        `json:"api_key_prefix"`
	ApprovedAt   stamp          `json:"approved_at"`
	RejectedAt   stamp          `json:"rejected_at"`
}

func viewApplication(v ApplicationView) applicationView {
	return applicationView{
		pendingView: viewPending(v), APIEndpoint: orNull(v.APIEndpoint), Status: v.Status, APIKeyPrefix: orNull(v.KeyPrefix),
		ApprovedAt: stamp(v.ApprovedAt), RejectedAt: stamp(v.RejectedAt),
	}
}

func (a *api) getApplications(w http.ResponseWriter, r *http.Request, actor string) error {
	q := queryOf(r)
	status, o := oneOf(q, "status", PlatformPending, PlatformActive, PlatformInactive), q.page()
	if err := q.err(); err != nil {
		return err
	}
	l, err := a.Applications(r.Context(), actor, status, o)
	if err != nil {
		return err
	}
	return page(a, w, "Applications retrieved successfully", l, viewApplication)
}

func (a *api) getApplication(w http.ResponseWriter, r *http.Request, actor string) error {
	id, err := pathID(r, ErrApplicationUnknown)
	if err != nil {
		return err
	}
	v, err := a.Application(r.Context(), actor, id)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Application retrieved successfully", viewApplication(v))
}

// approvedView is an approved platform with its new API key.
type approvedView struct {
	PlatformName string         `json:"platform_name"`
	Status       PlatformStatus `json:"status"`
	ApprovedAt   stamp          `json:"approved_at"`
	APIKey       string         `json:"api_key"`
}

func viewApproved(k Credentials) any {
	return approvedView{k.Platform.PlatformName, k.Platform.Status, stamp(k.Platform.ApprovedAt), k.APIKey}
}

// decidedView is a platform after a decision.
type decidedView struct {
	PlatformName string         `json:"platform_name"`
	Status       PlatformStatus `json:"status"`
}

func viewDecided(p Platform) any { return decidedView{p.PlatformName, p.Status} }

// decision serves what an admin decides about the application or platform with
// the ID in the path.
func decision[T any](a *api, unknown error, decide func(ctx context.Context, actor string, id int64, d Decision) (T, error), message string, view func(T) any) http.HandlerFunc {
	return a.admin(func(w http.ResponseWriter, r *http.Request, actor string) error {
		id, err := pathID(r, unknown)
		if err != nil {
			return err
		}
		var in Decision
		if err := read(r, maxForm, &in); err != nil {
			return err
		}
		decided, err := decide(r.Context(), actor, id, in)
		if err != nil {
			return err
		}
		return a.succeed(w, http.StatusOK, message, view(decided))
	})
}

func (a *api) postRotateKeyOf(w http.ResponseWriter, r *http.Request, actor string) error {
	id, err := pathID(r, ErrPlatformUnknown)
	if err != nil {
		return err
	}
	rotated, err := a.RotateKey(r.Context(), actor, id)
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "API key rotated successfully", viewKey(rotated))
}

// auditView is an entry of the audit log.
type auditView struct {
	ID      int64           `json:"id"`
	At      stamp           `json:"at"`
	Actor   string          `json:"actor"`
	Action  string          `json:"action"`
	Subject string          `json:"subject"`
	Detail  json.RawMessage `json:"detail"`
}

func (a *api) getAudit(w http.ResponseWriter, r *http.Request, _ string) error {
	q := queryOf(r)
	f := AuditFilter{Actor: q.text("actor"), Action: q.text("action"), Subject: q.text("subject"), From: q.instant("from"), To: q.instant("to")}
	o := q.page()
	if err := q.err(); err != nil {
		return err
	}
	l, err := a.Audit(r.Context(), f, o)
	if err != nil {
		return err
	}
	return page(a, w, "Audit log retrieved successfully", l, func(e AuditEntry) auditView {
		return auditView{e.ID, stamp(e.At), e.Actor, e.Action, e.Subject, e.Detail}
	})
}

func (a *api) getStats(w http.ResponseWriter, r *http.Request, _ string) error {
	stats, err := a.Stats(r.Context())
	if err != nil {
		return err
	}
	return a.succeed(w, http.StatusOK, "Statistics retrieved successfully", stats)
}
