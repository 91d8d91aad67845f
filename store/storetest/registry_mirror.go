package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

func newMirror(p registry.Platform, c registry.Contract) registry.Mirror {
	return registry.Mirror{
		PlatformID: p.ID, PlatformName: p.PlatformName, Key: c.IPFSHash, ContractHash: c.Hash, IPFSHash: c.IPFSHash,
		MirroredIPFSHash: "QmCopy", Location: "ipfs-node-1", AccessCount: 5, MirroredAt: at.Add(-time.Hour), UpdatedAt: at,
	}
}

func noMirrorTrail(registry.Mirror, bool) registry.Trail { return registry.Trail{} }

var mirrorPromises = promises[RegistryStore]{
	"a mirror is created, and the next report of the same platform and key replaces it": func(t *testing.T, s RegistryStore) {
		p := addPlatform(t, s, newPlatform(1))
		c := addContracts(t, s, p, "h1", "h9")[0]
		trail := func(_ registry.Mirror, created bool) registry.Trail {
			if created {
				return trailOf("created")
			}
			return trailOf("updated")
		}
		want := newMirror(p, c)
		first, created, err := s.PutMirror(t.Context(), want, c.Key, at, trail)
		require.NoError(t, err)
		require.True(t, created)
		want.ID = first.ID
		require.Equal(t, want, first, "and nobody has accessed it")

		update := newMirror(p, c)
		update.ContractHash, update.MirroredIPFSHash, update.Location, update.AccessCount = "h9", "QmOther", "", 7
		update.MirroredAt, update.UpdatedAt = time.Time{}, at.Add(time.Hour)
		second, created, err := s.PutMirror(t.Context(), update, c.Key, at.Add(time.Hour), trail)
		require.NoError(t, err)
		require.False(t, created)
		want.ContractHash, want.MirroredIPFSHash, want.Location, want.AccessCount = "h9", "QmOther", "", 7
		want.LastAccessedAt, want.UpdatedAt = at.Add(time.Hour), at.Add(time.Hour)
		require.Equal(t, want, second, "it was accessed, and is as old as it was")

		update.AccessCount, update.MirroredAt = 1, at.Add(time.Minute)
		third, _, err := s.PutMirror(t.Context(), update, c.Key, at.Add(2*time.Hour), noMirrorTrail)
		require.NoError(t, err)
		want.AccessCount, want.MirroredAt = 1, at.Add(time.Minute)
		require.Equal(t, want, third, "a lower count is no access")
		actions, types := trails(t, s)
		require.Equal(t, []string{"created", "updated"}, actions)
		require.Equal(t, actions, types)
	},
	"a mirror of a contract that is not active is not stored": func(t *testing.T, s RegistryStore) {
		p := addPlatform(t, s, newPlatform(1))
		c := addContracts(t, s, p, "h1")[0]
		kept, _, err := s.PutMirror(t.Context(), newMirror(p, c), c.Key, at, noMirrorTrail)
		require.NoError(t, err)
		require.NoError(t, revoke(t, s, c))
		changed := newMirror(p, c)
		changed.Location = "elsewhere"
		for _, key := range []string{c.Key, "unknown"} {
			_, _, err = s.PutMirror(t.Context(), changed, key, at, noMirrorTrail)
			var inactive *registry.ContractInactiveError
			require.ErrorAs(t, err, &inactive)
			require.ErrorIs(t, err, store.ErrConflict)
		}
		list, err := s.Mirrors(t.Context(), registry.MirrorFilter{}, registry.PageOptions{})
		require.NoError(t, err)
		require.Equal(t, []registry.Mirror{kept}, list.Items)
	},
	"an access counts and leaves its time": func(t *testing.T, s RegistryStore) {
		p := addPlatform(t, s, newPlatform(1))
		c := addContracts(t, s, p, "h1")[0]
		m, _, err := s.PutMirror(t.Context(), newMirror(p, c), c.Key, at, noMirrorTrail)
		require.NoError(t, err)
		got, err := s.CountAccess(t.Context(), m.ID, at.Add(time.Minute))
		require.NoError(t, err)
		m.AccessCount, m.LastAccessedAt = 6, at.Add(time.Minute)
		require.Equal(t, m, got)
	},
	"a mirror is deleted if that is allowed, and its ID is not given again": func(t *testing.T, s RegistryStore) {
		p := addPlatform(t, s, newPlatform(1))
		c := addContracts(t, s, p, "h1")[0]
		m, _, err := s.PutMirror(t.Context(), newMirror(p, c), c.Key, at, noMirrorTrail)
		require.NoError(t, err)
		refuse := func(registry.Mirror) error { return errRefused }
		allow := func(got registry.Mirror) error { require.Equal(t, m, got); return nil }
		require.ErrorIs(t, s.DeleteMirror(t.Context(), m.ID, refuse, trailOf("refused")), errRefused)
		require.NoError(t, s.DeleteMirror(t.Context(), m.ID, allow, trailOf("deleted")))
		require.ErrorIs(t, s.DeleteMirror(t.Context(), m.ID, allow, trailOf("again")), store.ErrNotFound)
		next, created, err := s.PutMirror(t.Context(), newMirror(p, c), c.Key, at, noMirrorTrail)
		require.NoError(t, err)
		require.True(t, created)
		require.Greater(t, next.ID, m.ID)
		actions, _ := trails(t, s)
		require.Equal(t, []string{"deleted"}, actions)
	},
	"mirrors are listed by platform and publication": func(t *testing.T, s RegistryStore) {
		a, b := addPlatform(t, s, newPlatform(1)), addPlatform(t, s, newPlatform(2))
		c := addContracts(t, s, a, "h1")[0]
		var mirrors []registry.Mirror
		for i, p := range []registry.Platform{a, b, a} {
			m := newMirror(p, c)
			if i == 2 {
				m.Key, m.IPFSHash = "QmOther", "QmOther"
			}
			m, _, err := s.PutMirror(t.Context(), m, c.Key, at, noMirrorTrail)
			require.NoError(t, err)
			mirrors = append(mirrors, m)
		}
		list, err := s.Mirrors(t.Context(), registry.MirrorFilter{IPFSHash: c.IPFSHash, OldestFirst: true}, registry.PageOptions{})
		require.NoError(t, err)
		require.Equal(t, mirrors[:2], list.Items)
		list, err = s.Mirrors(t.Context(), registry.MirrorFilter{PlatformID: a.ID}, registry.PageOptions{})
		require.NoError(t, err)
		require.Equal(t, []registry.Mirror{mirrors[2], mirrors[0]}, list.Items)
	},
}
