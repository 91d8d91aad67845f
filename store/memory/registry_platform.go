package memory

import (
	"context"
	"fmt"
	"strings"

	"github.com/v402/v402/registry"
)

// AddPlatform implements [registry.PlatformStore].
func (s *Store) AddPlatform(ctx context.Context, p registry.Platform, trail func(registry.Platform) registry.Trail) (registry.Platform, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.Platform{}, err
	}
	defer leave()
	if old := s.platformByEmail(p.Email); old != nil && old.RejectedAt.IsZero() {
		return registry.Platform{}, fmt.Errorf("memory: add a platform: %w", registry.ErrEmailTaken)
	}
	p.ID = int64(len(s.registry.platforms)) + 1
	storedPlatform(&p)
	s.registry.platforms = append(s.registry.platforms, &p)
	s.record(trail(p))
	return p, nil
}

func storedPlatform(p *registry.Platform) {
	p.KeyCreatedAt, p.CreatedAt, p.ApprovedAt = stored(p.KeyCreatedAt), stored(p.CreatedAt), stored(p.ApprovedAt)
	p.RejectedAt, p.UpdatedAt = stored(p.RejectedAt), stored(p.UpdatedAt)
}

func (s *Store) platformByEmail(email string) *registry.Platform {
	key := registry.EmailKey(email)
	for i := len(s.registry.platforms) - 1; i >= 0; i-- {
		if p := s.registry.platforms[i]; registry.EmailKey(p.Email) == key {
			return p
		}
	}
	return nil
}

// UpdatePlatform implements [registry.PlatformStore].
func (s *Store) UpdatePlatform(ctx context.Context, id int64, change func(*registry.Platform) (registry.Trail, error)) (registry.Platform, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.Platform{}, err
	}
	defer leave()
	p := at(s.registry.platforms, id)
	if p == nil {
		return registry.Platform{}, missing("platform", id)
	}
	changed := *p
	trail, err := change(&changed)
	if err != nil {
		return registry.Platform{}, err
	}
	changed.ID, changed.Email, changed.CreatedAt = p.ID, p.Email, p.CreatedAt
	storedPlatform(&changed)
	*p = changed
	s.record(trail)
	return changed, nil
}

// Platform implements [registry.PlatformStore].
func (s *Store) Platform(ctx context.Context, id int64) (registry.Platform, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.Platform{}, err
	}
	defer leave()
	p := at(s.registry.platforms, id)
	if p == nil {
		return registry.Platform{}, missing("platform", id)
	}
	return *p, nil
}

// PlatformByEmail implements [registry.PlatformStore].
func (s *Store) PlatformByEmail(ctx context.Context, email string) (registry.Platform, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.Platform{}, err
	}
	defer leave()
	p := s.platformByEmail(email)
	if p == nil {
		return registry.Platform{}, missing("platform with the e-mail", "given")
	}
	return *p, nil
}

// PlatformByKey implements [registry.PlatformStore].
func (s *Store) PlatformByKey(ctx context.Context, keyHash string) (registry.Platform, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.Platform{}, err
	}
	defer leave()
	for _, p := range s.registry.platforms {
		if p.KeyHash == keyHash && keyHash != "" {
			return *p, nil
		}
	}
	return registry.Platform{}, missing("platform with the key", "given")
}

// Platforms implements [registry.PlatformStore].
func (s *Store) Platforms(ctx context.Context, f registry.PlatformFilter, o registry.PageOptions) (registry.List[registry.Platform], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.List[registry.Platform]{}, err
	}
	defer leave()
	selected := func(p *registry.Platform) bool {
		return (f.Status == "" || f.Status == p.Status) && (!f.Approved || !p.ApprovedAt.IsZero()) &&
			strings.Contains(strings.ToLower(p.PlatformName), strings.ToLower(f.Query))
	}
	return page(s.registry.platforms, o, f.OldestFirst, selected, func(p *registry.Platform) registry.Platform { return *p }), nil
}

// platformName is the name of a platform, or "" for one that there is not.
func (s *Store) platformName(id int64) string {
	if p := at(s.registry.platforms, id); p != nil {
		return p.PlatformName
	}
	return ""
}
