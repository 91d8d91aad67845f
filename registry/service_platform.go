package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// Authenticate returns the active platform that has the API key; ErrInvalidKey,
// or ErrPlatformInactive for one that is suspended.
func (s *Service) Authenticate(ctx context.Context, apiKey string) (Platform, error) {
	if !strings.HasPrefix(apiKey, keyPrefix) {
		return Platform{}, ErrInvalidKey
	}
	p, err := s.store.PlatformByKey(ctx, hashKey(apiKey))
	switch {
	case err != nil:
		return Platform{}, refusal(err, ErrInvalidKey, "look for an API key")
	case p.Status != PlatformActive:
		return Platform{}, ErrPlatformInactive
	default:
		return p, nil
	}
}

// Platform returns one that was approved; ErrPlatformUnknown.
func (s *Service) Platform(ctx context.Context, id int64) (Platform, error) {
	p, err := s.store.Platform(ctx, id)
	if err == nil && p.ApprovedAt.IsZero() {
		return Platform{}, ErrPlatformUnknown
	}
	return p, refusal(err, ErrPlatformUnknown, "look for a platform")
}

// Platforms is the directory: platforms that were approved.
func (s *Service) Platforms(ctx context.Context, f PlatformFilter, page PageOptions) (List[Platform], error) {
	f.Approved = true
	list, err := s.store.Platforms(ctx, f, page.Bounded())
	return list, refusal(err, nil, "list platforms")
}

// UpdatePlatform changes a platform's own profile. If it sets an api_endpoint and
// has no callback secret it gets one, which is returned this once.
func (s *Service) UpdatePlatform(ctx context.Context, p Platform, u PlatformUpdate) (Credentials, error) {
	if err := u.check(); err != nil {
		return Credentials{}, err
	}
	secret, first, now := newCallbackSecret(), false, s.now()
	updated, err := s.store.UpdatePlatform(ctx, p.ID, func(p *Platform) (Trail, error) {
		secrets, err := s.openSecrets(*p)
		if err != nil {
			return Trail{}, err
		}
		before := secrets
		var changed []string
		for _, field := range u.fields() {
			if field.from == nil {
				continue
			}
			if to := field.to(p, &secrets); *to != *field.from {
				*to = *field.from
				changed = append(changed, field.name)
			}
		}
		if secrets != before {
			s.sealInto(p, secrets)
		}
		if first = u.APIEndpoint != nil && p.APIEndpoint != "" && p.CallbackSecrets == ""; first {
			s.sealCallbackSecrets(p, callbackSecrets{Current: secret})
		}
		p.UpdatedAt = now
		return audited(now, p.Actor(), "platform.update", p.subject(), detail(map[string]any{"fields": changed})), nil
	})
	if err != nil {
		return Credentials{}, refusal(err, ErrPlatformUnknown, "update a platform")
	}
	made := Credentials{Platform: updated}
	if first {
		made.CallbackSecret = secret
	}
	return made, nil
}

// updateField says where one field of an update goes.
type updateField struct {
	name string
	from *string
	to   func(*Platform, *Secrets) *string
}

func (u *PlatformUpdate) fields() []updateField {
	return []updateField{
		{"name", u.Name, func(p *Platform, _ *Secrets) *string { return &p.Name }},
		{"platform_address", u.PlatformAddress, func(p *Platform, _ *Secrets) *string { return &p.PlatformAddress }},
		{"platform_phone", u.PlatformPhone, func(p *Platform, _ *Secrets) *string { return &p.PlatformPhone }},
		{"platform_email", u.PlatformEmail, func(p *Platform, _ *Secrets) *string { return &p.PlatformEmail }},
		{"api_endpoint", u.APIEndpoint, func(p *Platform, _ *Secrets) *string { return &p.APIEndpoint }},
		{"payout_address", u.PayoutAddress, func(p *Platform, _ *Secrets) *string { return &p.PayoutAddress }},
		{"bank_account_number", u.BankAccountNumber, func(_ *Platform, x *Secrets) *string { return &x.BankAccountNumber }},
		{"bank_routing_number", u.BankRoutingNumber, func(_ *Platform, x *Secrets) *string { return &x.BankRoutingNumber }},
		{"bank_name", u.BankName, func(_ *Platform, x *Secrets) *string { return &x.BankName }},
	}
}

func (u *PlatformUpdate) check() error {
	f := u.faults.clone()
	for _, field := range u.fields() {
		switch {
		case field.from == nil:
		case field.name == "api_endpoint":
			f.webURL(field.name, *field.from)
		case field.name == "payout_address":
			f.address(field.name, *field.from)
		case field.name == "platform_email":
			f.email(field.name, *field.from)
		default:
			f.required(field.name, *field.from, maxText)
		}
	}
	return f.err()
}

// Suspend makes an active platform inactive: its key is refused until it is
// reinstated; ErrPlatformUnknown, ErrPlatformState.
func (s *Service) Suspend(ctx context.Context, actor string, id int64, d Decision) (Platform, error) {
	return s.switchPlatform(ctx, actor, id, d, "platform.suspend", PlatformActive, PlatformInactive)
}

// Reinstate makes a suspended platform active again, with the key it had;
// ErrPlatformUnknown, ErrPlatformState.
func (s *Service) Reinstate(ctx context.Context, actor string, id int64, d Decision) (Platform, error) {
	return s.switchPlatform(ctx, actor, id, d, "platform.reinstate", PlatformInactive, PlatformActive)
}

func (s *Service) switchPlatform(ctx context.Context, actor string, id int64, d Decision, action string, from, to PlatformStatus) (Platform, error) {
	if err := d.check(); err != nil {
		return Platform{}, err
	}
	now := s.now()
	p, err := s.store.UpdatePlatform(ctx, id, func(p *Platform) (Trail, error) {
		if p.Status != from || p.ApprovedAt.IsZero() {
			return Trail{}, ErrPlatformState
		}
		p.Status, p.UpdatedAt = to, now
		if d.Notes != "" {
			p.AdminNotes = d.Notes
		}
		return audited(now, actor, action, p.subject(), d.detail()), nil
	})
	return p, refusal(err, ErrPlatformUnknown, "change a platform's status")
}

// RotateKey gives a platform that was approved another API key, for an admin; the
// old one is invalid at once. ErrPlatformUnknown, ErrPlatformState.
func (s *Service) RotateKey(ctx context.Context, actor string, id int64) (Credentials, error) {
	return s.rotateKey(ctx, actor, id, func(p *Platform) error {
		if p.ApprovedAt.IsZero() {
			return ErrPlatformState
		}
		return nil
	})
}

// RotateOwnKey gives p another API key in place of the one that it was
// authenticated by. Of several rotations at once one succeeds; to the others that
// key is invalid by then: ErrInvalidKey. So it is to whoever stole the old one.
func (s *Service) RotateOwnKey(ctx context.Context, p Platform) (Credentials, error) {
	return s.rotateKey(ctx, p.Actor(), p.ID, func(now *Platform) error {
		switch {
		case now.KeyHash != p.KeyHash:
			return ErrInvalidKey
		case now.Status != PlatformActive:
			return ErrPlatformInactive
		}
		return nil
	})
}

func (s *Service) rotateKey(ctx context.Context, actor string, id int64, check func(*Platform) error) (Credentials, error) {
	key, now := newKey(), s.now()
	p, err := s.store.UpdatePlatform(ctx, id, func(p *Platform) (Trail, error) {
		if err := check(p); err != nil {
			return Trail{}, err
		}
		p.UpdatedAt = now
		p.setKey(key, now)
		return audited(now, actor, "platform.rotate_key", p.subject(), nil), nil
	})
	if err != nil {
		return Credentials{}, refusal(err, ErrPlatformUnknown, "rotate an API key")
	}
	return Credentials{Platform: p, APIKey: key}, nil
}

// Secrets opens the tax number and bank details of a platform. The read is
// audited first, with its reason, such as "settlement 12".
func (s *Service) Secrets(ctx context.Context, actor string, id int64, reason string) (Secrets, error) {
	p, err := s.store.Platform(ctx, id)
	if err != nil {
		return Secrets{}, refusal(err, ErrPlatformUnknown, "look for a platform")
	}
	err = s.store.AddAudit(ctx, AuditEntry{At: s.now(), Actor: actor, Action: "secrets.read", Subject: p.subject(),
		Detail: detail(map[string]any{"fields": []string{"tin_number", "bank"}, "reason": reason})})
	if err != nil {
		return Secrets{}, refusal(err, nil, "audit a read")
	}
	return s.openSecrets(p)
}

// sealInto encrypts secrets for p alone.
func (s *Service) sealInto(p *Platform, secrets Secrets) {
	text, err := json.Marshal(secrets)
	if err != nil {
		panic(err) // strings
	}
	p.Sealed = s.sealer.Seal(p.place(), text)
}

func (s *Service) openSecrets(p Platform) (Secrets, error) {
	var secrets Secrets
	text, err := s.sealer.Open(p.place(), p.Sealed)
	if err == nil {
		err = json.Unmarshal(text, &secrets)
	}
	if err != nil {
		return Secrets{}, fmt.Errorf("registry: open the secrets of platform %d: %w", p.ID, err)
	}
	return secrets, nil
}

// place ties what is sealed to the platform: its e-mail never changes.
func (p Platform) place() string { return "platform:" + EmailKey(p.Email) }

// EmailKey is what makes an e-mail unique: its lower-case form.
func EmailKey(email string) string { return strings.ToLower(email) }
