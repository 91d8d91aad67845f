package account

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/store"
)

// Registration asks for an account.
type Registration struct {
	Role      Role   `json:"role"` // content_provider, index_client or end_user, which is the default
	Username  string `json:"username"`
	Email     string `json:"email"`
	Name      string `json:"name"`
	Website   string `json:"website"`
	PublicKey string `json:"public_key"` // of a wallet to sign in with; optional
}

// Registered is a new user with their first API key, which is shown this once.
type Registered struct {
	User   User
	Key    APIKey
	Secret string // the key itself
}

// ProfileUpdate changes what is not nil.
type ProfileUpdate struct {
	Username *string `json:"username"`
	Email    *string `json:"email"`
	Name     *string `json:"name"`
	Website  *string `json:"website"`
}

// Bounds of texts, in characters.
const (
	maxUsername = 100
	maxName     = 200
	maxWebsite  = 500
	maxReason   = 1000
	maxKeyName  = 100
)

// Register makes a user, active unless Config.RequireApproval. That the wallet
// of a PublicKey is the caller's must have been shown: see [Service.VerifySigned].
// It returns [ErrPublicKeyTaken] if another user has it.
func (s *Service) Register(ctx context.Context, in Registration) (Registered, error) {
	u, err := in.check()
	if err != nil {
		return Registered{}, err
	}
	now := s.now()
	u.ID, u.Status, u.CreatedAt, u.UpdatedAt = uuid.NewString(), StatusActive, now, now
	if s.options.RequireApproval {
		u.Status = StatusPending
	}
	secret, key := newKey(u.ID, "default", now)
	trail := Trail{
		Audit:  []AuditEntry{Audited(now, u.ID, "user.register", subject(u.ID), map[string]any{"role": u.Role})},
		Events: []store.Event{newEvent(EventRegistered, u, u, now)},
	}
	if err := s.store.AddUser(ctx, u, &key, trail); err != nil {
		return Registered{}, refusal(err, nil, "register a user")
	}
	return Registered{u, key, secret}, nil
}

func (in Registration) check() (User, error) {
	var f v402api.Faults
	u := User{
		Role: in.Role, Username: strings.TrimSpace(in.Username), Email: in.Email, Name: strings.TrimSpace(in.Name), Website: in.Website,
	}
	if u.Role == "" {
		u.Role = RoleEndUser
	}
	v402api.Enum(&f, "role", u.Role, RoleContentProvider, RoleIndexClient, RoleEndUser)
	checkProfile(&f, u)
	if in.PublicKey != "" {
		var ok bool
		if u.PublicKey, ok = ParsePublicKey(in.PublicKey); !ok {
			f.Add("public_key", v402api.InvalidAddress, "public_key must be an EVM address or a Solana public key")
		}
	}
	return u, f.Err()
}

func checkProfile(f *v402api.Faults, u User) {
	f.Text("username", u.Username, maxUsername)
	f.Email("email", u.Email)
	f.Text("name", u.Name, maxName)
	f.WebURL("website", u.Website, maxWebsite)
}

// UpdateProfile changes what a user says about themselves.
func (s *Service) UpdateProfile(ctx context.Context, id string, in ProfileUpdate) (User, error) {
	return s.update(ctx, id, id, "user.update", func(u *User) (changed, error) {
		fields := []string{}
		for _, field := range []struct {
			name string
			from *string
			to   *string
		}{{"username", in.Username, &u.Username}, {"email", in.Email, &u.Email}, {"name", in.Name, &u.Name}, {"website", in.Website, &u.Website}} {
			if field.from != nil && strings.TrimSpace(*field.from) != *field.to {
				*field.to = strings.TrimSpace(*field.from)
				fields = append(fields, field.name)
			}
		}
		var f v402api.Faults
		checkProfile(&f, *u)
		return changed{detail: map[string]any{"fields": fields}}, f.Err()
	})
}

// ConnectWallet lets a user sign in with a wallet, in place of the one they had.
// That it is theirs must have been shown: see [Service.VerifySigned]. It returns
// [ErrPublicKeyTaken] if another user has it.
func (s *Service) ConnectWallet(ctx context.Context, id, publicKey string) (User, error) {
	key, ok := ParsePublicKey(publicKey)
	if !ok {
		return User{}, v402api.Invalid("public_key", v402api.InvalidAddress, "public_key must be an EVM address or a Solana public key")
	}
	return s.update(ctx, id, id, "user.connect_wallet", func(u *User) (changed, error) {
		detail := map[string]any{"public_key": key, "previous": u.PublicKey}
		u.PublicKey = key
		return changed{detail: detail}, nil
	})
}

// changed is what goes with a change of a user.
type changed struct {
	detail  map[string]any // for the audit log
	endKeys bool           // all that they have
}

// update changes one user, audited and told. What changes nothing is neither.
func (s *Service) update(ctx context.Context, actor, id, action string, change func(*User) (changed, error)) (User, error) {
	now := s.now()
	u, err := s.store.UpdateUser(ctx, id, func(u *User) (UserChange, error) {
		if actor == id && u.Status == StatusDeleted { // since they signed in: what they say is not kept
			return UserChange{}, Admitted(*u)
		}
		before := *u
		c, err := change(u)
		if err != nil || *u == before {
			return UserChange{}, err
		}
		u.UpdatedAt = now
		out := UserChange{Trail: Trail{
			Audit:  []AuditEntry{Audited(now, actor, action, subject(id), c.detail)},
			Events: []store.Event{newEvent(eventOf(before, *u), *u, before, now)},
		}}
		if c.endKeys {
			out.KeysEndAt = now
		}
		return out, nil
	})
	return u, refusal(err, ErrUserUnknown, "update a user")
}

// User returns one user; [ErrUserUnknown].
func (s *Service) User(ctx context.Context, id string) (User, error) {
	u, err := s.store.User(ctx, id)
	return u, refusal(err, ErrUserUnknown, "look for a user")
}

// UsersByID returns those of the IDs that there are, by ID.
func (s *Service) UsersByID(ctx context.Context, ids []string) (map[string]User, error) {
	list, err := s.store.UsersByID(ctx, ids)
	if err != nil {
		return nil, refusal(err, nil, "look for users")
	}
	found := make(map[string]User, len(list))
	for _, u := range list {
		found[u.ID] = u
	}
	return found, nil
}

// Users lists users, the newest first.
func (s *Service) Users(ctx context.Context, f Filter, page store.PageNumber) (store.List[User], error) {
	l, err := s.store.Users(ctx, f, page)
	return l, refusal(err, nil, "list users")
}

// AuditLog lists who did what, the newest first.
func (s *Service) AuditLog(ctx context.Context, f AuditFilter, page store.PageNumber) (store.List[AuditEntry], error) {
	l, err := s.store.AuditLog(ctx, f, page)
	return l, refusal(err, nil, "list the audit log")
}

func subject(userID string) string { return "user:" + userID }
