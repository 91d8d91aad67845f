package marketplace

import (
	"encoding/json"
	"net/http"

	"github.com/v402/v402/internal/web"
)

func (a *api) routeIssuers(rt *web.Router) {
	rt.Handle("GET /marketplace/issuers", a.known(a.getIssuers))
	rt.Handle("GET /marketplace/issuers/{issuer_id}", a.known(a.getIssuer))
	rt.Handle("PUT /marketplace/issuers/{issuer_id}", a.change(a.putIssuer))
}

// issuerView is an issuer.
type issuerView struct {
	ID        string       `json:"issuer_id"`
	Name      string       `json:"name"`
	URL       string       `json:"url,omitempty"`
	Status    IssuerStatus `json:"status"`
	OwnerID   string       `json:"owner_id,omitempty"` // for admins
	CreatedAt stamp        `json:"created_at"`
	UpdatedAt stamp        `json:"updated_at"`
}

// viewIssuer shows an issuer to actor.
func viewIssuer(actor Actor) func(Issuer) issuerView {
	return func(i Issuer) issuerView {
		if !actor.Admin {
			i.OwnerID = ""
		}
		return issuerView{i.ID, i.Name, i.URL, i.Status, i.OwnerID, stamp(i.CreatedAt), stamp(i.UpdatedAt)}
	}
}

// issuersAnswer is a page of issuers.
type issuersAnswer struct {
	Issuers []issuerView `json:"issuers"`
	Next    string       `json:"next_cursor,omitempty"`
}

func (a *api) getIssuers(w http.ResponseWriter, r *http.Request, actor Actor) error {
	q := queryOf(r)
	f, page := IssuerFilter{Status: among(q, "status", IssuerActive, IssuerSuspended)}, q.page()
	if q.err != nil {
		return q.err
	}
	list, err := a.Issuers(r.Context(), f, page)
	if err != nil {
		return err
	}
	return a.succeed(w, issuersAnswer{views(list.Items, viewIssuer(actor)), list.Next})
}

func (a *api) getIssuer(w http.ResponseWriter, r *http.Request, actor Actor) error {
	i, err := a.Issuer(r.Context(), r.PathValue("issuer_id"))
	if err != nil {
		return err
	}
	return a.succeed(w, viewIssuer(actor)(i))
}

func (a *api) putIssuer(w http.ResponseWriter, r *http.Request, actor Actor) error {
	var b struct {
		Name    string       `json:"name"`
		URL     string       `json:"url"`
		Status  IssuerStatus `json:"status"`
		OwnerID *string      `json:"owner_id"`
	}
	if err := read(r, &b); err != nil {
		return err
	}
	i, err := a.PutIssuer(r.Context(), actor, r.PathValue("issuer_id"), IssuerUpdate(b))
	if err != nil {
		return err
	}
	return a.succeed(w, viewIssuer(actor)(i))
}

// auditView is an entry of the audit log.
type auditView struct {
	ID      int64           `json:"id"`
	At      stamp           `json:"at"`
	Actor   string          `json:"actor"`
	Action  string          `json:"action"`
	Subject string          `json:"subject"`
	Detail  json.RawMessage `json:"detail,omitempty"`
}

func viewAudit(e AuditEntry) auditView {
	return auditView{e.ID, stamp(e.At), e.Actor, e.Action, e.Subject, e.Detail}
}

// auditAnswer is a page of the audit log.
type auditAnswer struct {
	Audit []auditView `json:"audit"`
	Next  string      `json:"next_cursor,omitempty"`
}

func (a *api) getAudit(w http.ResponseWriter, r *http.Request, actor Actor) error {
	q := queryOf(r)
	f := AuditFilter{
		Actor: q.text("actor"), Action: q.text("action"), Subject: q.text("subject"), From: q.moment("from"), To: q.moment("to"),
	}
	page := q.page()
	if q.err != nil {
		return q.err
	}
	list, err := a.Audit(r.Context(), actor, f, page)
	if err != nil {
		return err
	}
	return a.succeed(w, auditAnswer{views(list.Items, viewAudit), list.Next})
}
