package catalog

import (
	"net/http"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web/v402api"
)

func (a *api) routeModeration(rt *v402api.Router) {
	rt.Handle("GET /api/v1/admin/products", a.admin(a.getAllProducts))
	rt.Handle("POST /api/v1/admin/products/{id}/moderate", a.admin(a.postModerate))
}

func (a *api) getAllProducts(w http.ResponseWriter, r *http.Request, _ account.User) error {
	q := v402api.QueryOf(r)
	f := filterOf(q)
	f.Flagged, f.OwnerID = q.Bool("flagged_only"), q.Text("owner_id", maxShort)
	page := q.Page(defaultSize, maxAdminSize)
	if err := q.Err(); err != nil {
		return err
	}
	list, err := a.Products(r.Context(), f, page)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, v402api.PageOf(list, viewProduct))
}

// moderatedView is what an action has come to.
type moderatedView struct {
	Message     string           `json:"message"`
	Product     productView      `json:"product"`
	Action      ModerationAction `json:"moderation_action"`
	ModeratedBy string           `json:"moderated_by"`
	Timestamp   v402api.Time     `json:"timestamp"`
}

func (a *api) postModerate(w http.ResponseWriter, r *http.Request, u account.User) error {
	q := v402api.QueryOf(r)
	action, reason := ModerationAction(q.Text("moderation_action", maxShort)), q.Text("reason", maxReason)
	if action == "" {
		q.Add("moderation_action", v402api.Required, "moderation_action is required")
	}
	if err := q.Err(); err != nil {
		return err
	}
	p, err := a.Moderate(r.Context(), u, r.PathValue("id"), action, reason)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, moderatedView{"Product moderated", viewProduct(p), action, u.ID, v402api.Time(p.Moderation.At)})
}
