package account

import (
	"context"
	"fmt"

	"github.com/v402/v402/internal/web/v402api"
)

// StatusChange is an admin's decision on a user.
type StatusChange struct {
	Status Status
	Reason string // optional; the user's webhooks are told
}

// SetStatus changes the status of a user. Only super admins change admins, and
// nobody changes themselves. A change that the statuses do not allow is an
// [Error] with errors.Is(err, store.ErrConflict).
//
// Of a user who is deleted the ID, the role and the reason are kept: names,
// e-mail, website and public key are erased, and the API keys end. Their wallet
// may register again; who is to be kept out is banned.
func (s *Service) SetStatus(ctx context.Context, actor User, id string, in StatusChange) (User, error) {
	var f v402api.Faults
	v402api.Enum(&f, "new_status", in.Status, Statuses()...)
	f.Text("reason", in.Reason, maxReason)
	if err := f.Err(); err != nil {
		return User{}, err
	}
	return s.update(ctx, actor.ID, id, "user.set_status", func(u *User) (changed, error) {
		if err := mayChange(actor, *u); err != nil {
			return changed{}, err
		}
		if !u.Status.CanBecome(in.Status) {
			return changed{}, cannotBecome(u.Status, in.Status)
		}
		c := changed{detail: map[string]any{"from": u.Status, "to": in.Status, "reason": in.Reason}}
		u.Status, u.StatusReason = in.Status, in.Reason
		if in.Status == StatusDeleted {
			u.erase()
			c.endKeys = true
		}
		return c, nil
	})
}

// erase forgets what a user has said about themselves.
func (u *User) erase() {
	*u = User{
		ID: u.ID, Role: u.Role, Status: u.Status, StatusReason: u.StatusReason, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt, LastSeenAt: u.LastSeenAt,
	}
}

func cannotBecome(from, to Status) *Error {
	message := fmt.Sprintf("A user who is %s cannot become %s", from, to)
	if from == to {
		message = fmt.Sprintf("The user is %s already", to)
	}
	return &Error{Code: v402api.InvalidState, Message: message, Details: map[string]any{"status": from}}
}

// mayChange says whether an admin may change a user.
func mayChange(actor, u User) error {
	switch {
	case !actor.IsAdmin():
		return ErrAdminRequired
	case actor.ID == u.ID:
		return ErrOwnAccount
	case u.IsAdmin() && actor.Role != RoleSuperAdmin:
		return ErrSuperAdminRequired
	default:
		return nil
	}
}

// Decision is what an admin decides about a user, besides their status. What is
// nil stays.
type Decision struct {
	Role     *Role
	Verified *bool
}

// severalAdmins stands in User.KeysResetBy for several: it is nobody's ID.
const severalAdmins = "several"

// Decide changes the role of a user, and whether they are verified. Only super
// admins make and unmake admins. Who becomes one after another admin has reset
// their API keys loses them and their wallet, since that admin, who has seen a key,
// would have their powers: the actor can then reset the keys.
func (s *Service) Decide(ctx context.Context, actor User, id string, in Decision) (User, error) {
	var f v402api.Faults
	if in.Role == nil && in.Verified == nil {
		f.Add("role", v402api.Required, "role or verified is required")
	}
	if in.Role != nil {
		v402api.Enum(&f, "role", *in.Role, Roles()...)
	}
	if err := f.Err(); err != nil {
		return User{}, err
	}
	return s.update(ctx, actor.ID, id, "user.decide", func(u *User) (changed, error) {
		if err := mayChange(actor, *u); err != nil {
			return changed{}, err
		}
		c := changed{detail: map[string]any{}}
		if in.Role != nil {
			before := u.Role
			c.detail["role"], c.detail["previous_role"] = *in.Role, before
			u.Role = *in.Role
			if u.IsAdmin() && actor.Role != RoleSuperAdmin {
				return changed{}, ErrSuperAdminRequired
			}
			if u.IsAdmin() && u.Role != before && u.KeysResetBy != "" && u.KeysResetBy != actor.ID {
				c.endKeys, c.detail["credentials_ended"] = true, true
				u.KeysResetBy, u.PublicKey = "", ""
			}
		}
		if in.Verified != nil {
			c.detail["verified"] = *in.Verified
			u.Verified = *in.Verified
		}
		return c, nil
	})
}

// ResetKeys gives a user one new API key, which is shown this once, to the admin;
// all that they had are dead at once.
func (s *Service) ResetKeys(ctx context.Context, actor User, id string) (secret string, err error) {
	now := s.now()
	secret, key := newKey(id, "default", now)
	trail := Trail{Audit: []AuditEntry{Audited(now, actor.ID, "api_key.reset", subject(id), map[string]any{"key": key.ID})}}
	_, err = s.store.UpdateUser(ctx, id, func(u *User) (UserChange, error) {
		if u.KeysResetBy != "" && u.KeysResetBy != actor.ID {
			u.KeysResetBy = severalAdmins // what each connected by a key of theirs stays
		} else {
			u.KeysResetBy = actor.ID
		}
		return UserChange{trail, now, &key}, mayChange(actor, *u)
	})
	if err != nil {
		return "", refusal(err, ErrUserUnknown, "reset API keys")
	}
	return secret, nil
}
