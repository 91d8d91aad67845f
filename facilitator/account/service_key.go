package account

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/v402/v402/internal/web/v402api"
)

// newKey makes an API key of a user.
func newKey(userID, name string, now time.Time) (secret string, k APIKey) {
	secret = newSecret()
	return secret, APIKey{ID: uuid.NewString(), UserID: userID, Name: name, Prefix: secret[:shownOfKey], Hash: hashKey(secret), CreatedAt: now}
}

// CreateKey gives a user another API key; secret is shown this once. It returns
// [ErrTooManyKeys] if they have Config.MaxKeys already.
func (s *Service) CreateKey(ctx context.Context, userID, name string) (secret string, k APIKey, err error) {
	name = strings.TrimSpace(name)
	var f v402api.Faults
	f.Required("name", name, maxKeyName)
	if err := f.Err(); err != nil {
		return "", APIKey{}, err
	}
	now := s.now()
	secret, k = newKey(userID, name, now)
	if err := s.store.AddAPIKey(ctx, k, s.options.MaxKeys, s.keyTrail(now, "api_key.create", k)); err != nil {
		return "", APIKey{}, refusal(err, ErrUserUnknown, "create an API key")
	}
	return secret, k, nil
}

// RotateKey gives a user a key in place of one of theirs, which is dead at once;
// secret is shown this once. [ErrKeyUnknown].
func (s *Service) RotateKey(ctx context.Context, userID, id string) (secret string, k APIKey, err error) {
	now := s.now()
	secret, k = newKey(userID, "", now)
	trail := s.keyTrail(now, "api_key.rotate", APIKey{ID: id, UserID: userID})
	if k, err = s.store.RotateAPIKey(ctx, userID, id, k, trail); err != nil {
		return "", APIKey{}, refusal(err, ErrKeyUnknown, "rotate an API key")
	}
	return secret, k, nil
}

// RevokeKey ends an API key of a user at once; [ErrKeyUnknown].
func (s *Service) RevokeKey(ctx context.Context, userID, id string) (APIKey, error) {
	now := s.now()
	k, err := s.store.RevokeAPIKey(ctx, userID, id, now, s.keyTrail(now, "api_key.revoke", APIKey{ID: id, UserID: userID}))
	return k, refusal(err, ErrKeyUnknown, "revoke an API key")
}

// Keys lists the API keys of a user that are not revoked, the oldest first.
func (s *Service) Keys(ctx context.Context, userID string) ([]APIKey, error) {
	keys, err := s.store.APIKeys(ctx, userID)
	return keys, refusal(err, nil, "list API keys")
}

func (s *Service) keyTrail(now time.Time, action string, k APIKey) Trail {
	return Trail{Audit: []AuditEntry{Audited(now, k.UserID, action, subject(k.UserID), map[string]any{"key": k.ID})}}
}
