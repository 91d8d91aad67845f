package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/v402/v402/registry"
)

// PutMirror implements [registry.MirrorStore].
func (s *Store) PutMirror(ctx context.Context, m registry.Mirror, contractKey string, when time.Time, trail func(registry.Mirror, bool) registry.Trail) (registry.Mirror, bool, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.Mirror{}, false, err
	}
	defer leave()
	if c := s.registry.byKey[contractKey]; c == nil || c.Status != registry.ContractActive {
		return registry.Mirror{}, false, fmt.Errorf("memory: store a mirror: %w", &registry.ContractInactiveError{})
	}
	when = stored(when)
	old := s.mirrorOf(m.PlatformID, m.Key)
	created := old == nil
	switch {
	case created:
		m.ID = int64(len(s.registry.mirrors)) + 1
		m.LastAccessedAt = time.Time{}
		if m.MirroredAt.IsZero() {
			m.MirroredAt = when
		}
		old = &registry.Mirror{}
		s.registry.mirrors = append(s.registry.mirrors, old)
	default:
		m.ID, m.LastAccessedAt = old.ID, old.LastAccessedAt
		if m.AccessCount > old.AccessCount {
			m.LastAccessedAt = when
		}
		if m.MirroredAt.IsZero() {
			m.MirroredAt = old.MirroredAt
		}
	}
	m.MirroredAt, m.UpdatedAt = stored(m.MirroredAt), stored(m.UpdatedAt)
	*old = m
	shown := s.showMirror(old)
	s.record(trail(shown, created))
	return shown, created, nil
}

func (s *Store) mirrorOf(platformID int64, key string) *registry.Mirror {
	for _, m := range s.registry.mirrors {
		if m != nil && m.PlatformID == platformID && m.Key == key {
			return m
		}
	}
	return nil
}

func (s *Store) showMirror(m *registry.Mirror) registry.Mirror {
	c := *m
	c.PlatformName = s.platformName(c.PlatformID)
	return c
}

// CountAccess implements [registry.MirrorStore].
func (s *Store) CountAccess(ctx context.Context, id int64, when time.Time) (registry.Mirror, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.Mirror{}, err
	}
	defer leave()
	m := at(s.registry.mirrors, id)
	if m == nil {
		return registry.Mirror{}, missing("mirror", id)
	}
	m.AccessCount++
	m.LastAccessedAt = stored(when)
	return s.showMirror(m), nil
}

// DeleteMirror implements [registry.MirrorStore].
func (s *Store) DeleteMirror(ctx context.Context, id int64, check func(registry.Mirror) error, trail registry.Trail) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	m := at(s.registry.mirrors, id)
	if m == nil {
		return missing("mirror", id)
	}
	if err := check(s.showMirror(m)); err != nil {
		return err
	}
	s.registry.mirrors[id-1] = nil
	s.record(trail)
	return nil
}

// Mirrors implements [registry.MirrorStore].
func (s *Store) Mirrors(ctx context.Context, f registry.MirrorFilter, o registry.PageOptions) (registry.List[registry.Mirror], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.List[registry.Mirror]{}, err
	}
	defer leave()
	selected := func(m *registry.Mirror) bool {
		return (f.PlatformID == 0 || f.PlatformID == m.PlatformID) && (f.IPFSHash == "" || f.IPFSHash == m.IPFSHash)
	}
	return page(s.registry.mirrors, o, f.OldestFirst, selected, s.showMirror), nil
}
