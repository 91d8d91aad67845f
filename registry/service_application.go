package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/v402/v402/store"
)

const minPassword = 8

// Apply stores an application to become a platform, with its tax number and
// bank details encrypted. It returns a [ValidationError] that has all that is
// wrong with it.
func (s *Service) Apply(ctx context.Context, a Application) (Platform, error) {
	f := a.check()
	if !f.has("email") {
		if err := s.emailFree(ctx, a.Email); errors.Is(err, ErrEmailTaken) {
			f.add("email", "The email has already been taken.")
		} else if err != nil {
			return Platform{}, refusal(err, nil, "look for an application")
		}
	}
	if err := f.err(); err != nil {
		return Platform{}, err
	}
	hash, err := hashPassword(a.Password, s.options.PasswordCost)
	if err != nil {
		return Platform{}, refusal(err, nil, "hash a password")
	}
	now := s.now()
	p := Platform{
		Status: PlatformPending, Name: a.Name, Email: a.Email, PlatformName: a.PlatformName, PlatformAddress: a.PlatformAddress,
		PlatformPhone: a.PlatformPhone, PlatformEmail: a.PlatformEmail, APIEndpoint: a.APIEndpoint,
		PasswordHash: hash, CreatedAt: now, UpdatedAt: now,
	}
	s.sealInto(&p, Secrets{a.TINNumber, a.BankAccountNumber, a.BankRoutingNumber, a.BankName})
	p, err = s.store.AddPlatform(ctx, p, func(p Platform) Trail {
		return audited(now, "applicant", "application.submit", p.subject(), nil)
	})
	if errors.Is(err, ErrEmailTaken) {
		return Platform{}, Invalid("email", "The email has already been taken.")
	}
	return p, refusal(err, nil, "store an application")
}

// check collects what is wrong with a by itself.
func (a *Application) check() faults {
	f := a.faults.clone()
	f.required("name", a.Name, maxText)
	f.email("email", a.Email)
	f.required("password", a.Password, maxText)
	if !f.has("password") {
		if utf8.RuneCountInString(a.Password) < minPassword {
			f.add("password", fmt.Sprintf("The password must be at least %d characters.", minPassword))
		}
		if a.Password != a.PasswordConfirmation {
			f.add("password", "The password confirmation does not match.")
		}
	}
	f.required("platform_name", a.PlatformName, maxText)
	f.required("platform_address", a.PlatformAddress, maxText)
	f.required("tin_number", a.TINNumber, maxText)
	f.required("platform_phone", a.PlatformPhone, maxText)
	f.email("platform_email", a.PlatformEmail)
	f.required("bank_account_number", a.BankAccountNumber, maxText)
	f.required("bank_routing_number", a.BankRoutingNumber, maxText)
	f.required("bank_name", a.BankName, maxText)
	f.webURL("api_endpoint", a.APIEndpoint)
	return f
}

// emailFree returns ErrEmailTaken if a platform that is not rejected has email.
func (s *Service) emailFree(ctx context.Context, email string) error {
	p, err := s.store.PlatformByEmail(ctx, email)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err == nil && p.RejectedAt.IsZero():
		return ErrEmailTaken
	default:
		return err
	}
}

// ApplicationStatus returns the newest application with the e-mail, in whatever
// case; ErrApplicationUnknown.
func (s *Service) ApplicationStatus(ctx context.Context, email string) (Platform, error) {
	p, err := s.store.PlatformByEmail(ctx, email)
	return p, refusal(err, ErrApplicationUnknown, "look for an application")
}

// Applications lists applications for an admin, of one status or, if it is
// empty, of all. The read of their tax numbers is audited.
func (s *Service) Applications(ctx context.Context, actor string, status PlatformStatus, page PageOptions) (List[ApplicationView], error) {
	page = page.Bounded()
	list, err := s.store.Platforms(ctx, PlatformFilter{Status: status}, page)
	if err != nil {
		return List[ApplicationView]{}, refusal(err, nil, "list applications")
	}
	views, err := s.views(ctx, actor, list.Items)
	return List[ApplicationView]{views, list.Total, list.Page, list.PerPage}, err
}

// PendingApplications lists what is pending for an admin, the oldest first, up to
// the first thousand: whoever likes may apply. The read of their tax numbers is
// audited. [Service.Applications] lists them by pages.
func (s *Service) PendingApplications(ctx context.Context, actor string) ([]ApplicationView, error) {
	const most = 1000
	var pending []Platform
	for page := (PageOptions{Page: 1, PerPage: MaxPerPage}); len(pending) < most; page.Page++ {
		list, err := s.store.Platforms(ctx, PlatformFilter{Status: PlatformPending, OldestFirst: true}, page)
		if err != nil {
			return nil, refusal(err, nil, "list applications")
		}
		pending = append(pending, list.Items...)
		if page.Page >= list.LastPage() {
			break
		}
	}
	return s.views(ctx, actor, pending)
}

// Application returns one for an admin; ErrApplicationUnknown. The read of its
// tax number is audited.
func (s *Service) Application(ctx context.Context, actor string, id int64) (ApplicationView, error) {
	p, err := s.store.Platform(ctx, id)
	if err != nil {
		return ApplicationView{}, refusal(err, ErrApplicationUnknown, "look for an application")
	}
	views, err := s.views(ctx, actor, []Platform{p})
	if err != nil {
		return ApplicationView{}, err
	}
	return views[0], nil
}

// views opens what an admin may see of platforms, and audits it first.
func (s *Service) views(ctx context.Context, actor string, platforms []Platform) ([]ApplicationView, error) {
	views := make([]ApplicationView, len(platforms))
	entries := make([]AuditEntry, len(platforms))
	now := s.now()
	for i, p := range platforms {
		secrets, err := s.openSecrets(p)
		if err != nil {
			return nil, err
		}
		views[i] = ApplicationView{p, secrets.TINNumber, secrets.BankName}
		entries[i] = AuditEntry{At: now, Actor: actor, Action: "secrets.read", Subject: p.subject(),
			Detail: detail(map[string]any{"fields": []string{"tin_number", "bank_name"}, "reason": "application"})}
	}
	if len(entries) > 0 {
		if err := s.store.AddAudit(ctx, entries...); err != nil {
			return nil, refusal(err, nil, "audit a read")
		}
	}
	return views, nil
}

// Approve makes a pending application an active platform with an API key, which
// is returned this once; ErrApplicationUnknown, ErrApplicationDecided. Callbacks
// wait until the platform has got a secret, which is no business of the admin:
// see [Service.UpdatePlatform] and [Service.RotateCallbackSecret].
func (s *Service) Approve(ctx context.Context, actor string, id int64, d Decision) (Credentials, error) {
	if err := d.check(); err != nil {
		return Credentials{}, err
	}
	key, now := newKey(), s.now()
	p, err := s.store.UpdatePlatform(ctx, id, func(p *Platform) (Trail, error) {
		if p.Status != PlatformPending {
			return Trail{}, ErrApplicationDecided
		}
		p.Status, p.ApprovedAt, p.UpdatedAt, p.AdminNotes = PlatformActive, now, now, d.Notes
		p.setKey(key, now)
		return audited(now, actor, "application.approve", p.subject(), d.detail()), nil
	})
	if err != nil {
		return Credentials{}, refusal(err, ErrApplicationUnknown, "approve an application")
	}
	return Credentials{Platform: p, APIKey: key}, nil
}

// Reject makes a pending application inactive and its e-mail free;
// ErrApplicationUnknown, ErrApplicationDecided.
func (s *Service) Reject(ctx context.Context, actor string, id int64, d Decision) (Platform, error) {
	if err := d.check(); err != nil {
		return Platform{}, err
	}
	now := s.now()
	p, err := s.store.UpdatePlatform(ctx, id, func(p *Platform) (Trail, error) {
		if p.Status != PlatformPending {
			return Trail{}, ErrApplicationDecided
		}
		p.Status, p.RejectedAt, p.UpdatedAt, p.AdminNotes = PlatformInactive, now, now, d.Notes
		return audited(now, actor, "application.reject", p.subject(), d.detail()), nil
	})
	return p, refusal(err, ErrApplicationUnknown, "reject an application")
}

func (d Decision) check() error {
	f := d.faults.clone()
	f.optional("notes", d.Notes, maxNotes)
	return f.err()
}

func (d Decision) detail() json.RawMessage {
	if d.Notes == "" {
		return nil
	}
	return detail(map[string]any{"notes": d.Notes})
}
