package marketplace

import (
	"context"
	"net/url"

	"github.com/v402/v402/store"
)

// errForbidden is for whoever may not do something.
func errForbidden(actor Actor) error {
	if actor == (Actor{}) {
		return Refuse(CodeUnauthorized, "Authentication is required.")
	}
	if actor.OwnerID != "" && actor.IssuerID == "" {
		return Refuse(CodeForbidden, "This is not yours to do. Whoever owns several issuers says in %s for which.", HeaderIssuer)
	}
	return Refuse(CodeForbidden, "This is not yours to do.")
}

// PutIssuer creates an issuer or replaces what is said of it. Admins may; an
// issuer may rename itself, and change neither its status nor its owner.
func (s *Service) PutIssuer(ctx context.Context, actor Actor, id string, u IssuerUpdate) (Issuer, error) {
	if u.Status == "" {
		u.Status = IssuerActive
	}
	if !actor.issues(id) {
		return Issuer{}, errForbidden(actor)
	}
	if !ValidID(id) {
		return Issuer{}, Invalid("issuer_id", "issuer_id must be 3 to 128 of a-z, 0-9, dot, underscore and hyphen.")
	}
	if u.OwnerID != nil && !actor.Admin {
		return Issuer{}, errForbidden(actor)
	}
	if err := first(text("name", u.Name, 1, maxName), text("url", u.URL, 0, maxURL), checkURL(u.URL), checkOwner(u.OwnerID),
		oneOf("status", u.Status, IssuerActive, IssuerSuspended)); err != nil {
		return Issuer{}, err
	}
	now := s.now()
	i, err := s.store.PutIssuer(ctx, id, func(i *Issuer, exists bool) (Trail, error) {
		if !actor.Admin && (!exists || i.Status != u.Status) {
			return Trail{}, errForbidden(actor)
		}
		if !exists {
			i.CreatedAt = now
		}
		i.Name, i.URL, i.Status, i.UpdatedAt = u.Name, u.URL, u.Status, now
		detail := map[string]any{"status": u.Status}
		if u.OwnerID != nil {
			i.OwnerID, detail["owner_id"] = *u.OwnerID, *u.OwnerID
		}
		return s.audited(actor, "issuer.put", "issuer:"+id, detail), nil
	})
	return i, refusal(err, nil, "put an issuer")
}

const maxOwner = 128 // characters

func checkOwner(id *string) error {
	if id == nil {
		return nil
	}
	return text("owner_id", *id, 0, maxOwner)
}

func checkURL(s string) error {
	if s == "" {
		return nil
	}
	if u, err := url.Parse(s); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return Invalid("url", "url must be an absolute http or https URL.")
	}
	return nil
}

// Issuer returns one.
func (s *Service) Issuer(ctx context.Context, id string) (Issuer, error) {
	i, err := s.store.Issuer(ctx, id)
	return i, refusal(err, noIssuer(id), "look for an issuer")
}

// HeaderIssuer has the ID of the issuer that somebody acts for who owns several.
const HeaderIssuer = "X-Issuer-Id"

// ActFor is actor, acting for an issuer of its OwnerID: the one with the ID or, if
// that is empty, the only one. An owner of none, or of several, acts for none.
func (s *Service) ActFor(ctx context.Context, actor Actor, issuerID string) (Actor, error) {
	if actor.OwnerID == "" || actor.Admin || actor.IssuerID != "" {
		return actor, nil
	}
	if issuerID != "" {
		i, err := s.Issuer(ctx, issuerID)
		switch {
		case err != nil:
			return actor, err
		case i.OwnerID != actor.OwnerID:
			return actor, Refuse(CodeForbidden, "Issuer %s is not yours.", i.ID)
		}
		actor.IssuerID = i.ID
		return actor, nil
	}
	list, err := s.store.Issuers(ctx, IssuerFilter{OwnerID: actor.OwnerID}, store.Page{Limit: 2})
	if err == nil && len(list.Items) == 1 {
		actor.IssuerID = list.Items[0].ID
	}
	return actor, refusal(err, nil, "look for the issuer of an owner")
}

// Issuers lists issuers.
func (s *Service) Issuers(ctx context.Context, f IssuerFilter, page store.Page) (List[Issuer], error) {
	if err := checkCursor(ctx, page.Cursor, s.store.Issuer); err != nil {
		return List[Issuer]{}, err
	}
	list, err := s.store.Issuers(ctx, f, page)
	return list, refusal(err, nil, "list issuers")
}

// Audit lists the audit log, for admins.
func (s *Service) Audit(ctx context.Context, actor Actor, f AuditFilter, page store.Page) (List[AuditEntry], error) {
	if !actor.Admin {
		return List[AuditEntry]{}, errForbidden(actor)
	}
	list, err := s.store.MarketAudit(ctx, f, page)
	return list, refusal(err, nil, "list the audit log")
}

// audited is the trail of one entry.
func (s *Service) audited(actor Actor, action, subject string, of map[string]any, events ...store.Event) Trail {
	e := AuditEntry{At: s.now(), Actor: actor.String(), Action: action, Subject: subject}
	if len(of) > 0 {
		e.Detail = detail(of)
	}
	return Trail{Audit: []AuditEntry{e}, Events: events}
}
