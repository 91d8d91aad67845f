package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/store"
)

// resetKeys gives a user k in place of the keys they have, unless refused.
func resetKeys(t *testing.T, s AccountStore, k account.APIKey, refused error) error {
	_, err := s.UpdateUser(t.Context(), k.UserID, func(u *account.User) (account.UserChange, error) {
		u.KeysResetBy = "admin:root"
		return account.UserChange{Trail: accountTrail("reset"), KeysEndAt: k.CreatedAt, NewKey: &k}, refused
	})
	return err
}

var apiKeyPromises = promises[AccountStore]{
	"a user has several keys, up to a limit": func(t *testing.T, s AccountStore) {
		u, other := addUser(t, s, 1), addUser(t, s, 2)
		for n := range 3 {
			require.NoError(t, s.AddAPIKey(t.Context(), newAPIKey(u, n), 3, accountTrail(fmt.Sprint("add ", n))))
		}
		require.ErrorIs(t, s.AddAPIKey(t.Context(), newAPIKey(u, 3), 3, accountTrail("add 3")), account.ErrTooManyKeys)
		require.NoError(t, s.AddAPIKey(t.Context(), newAPIKey(other, 1), 3, account.Trail{}))
		require.Equal(t, []string{"hash-user-1-0", "hash-user-1-1", "hash-user-1-2"}, hashesOf(t, s, u.ID))
		_, err := s.RevokeAPIKey(t.Context(), u.ID, newAPIKey(u, 1).ID, at, account.Trail{})
		require.NoError(t, err)
		require.NoError(t, s.AddAPIKey(t.Context(), newAPIKey(u, 3), 3, account.Trail{}), "a revoked one does not count")
		actions, types := accountTrails(t, s)
		require.Equal(t, []string{"add 0", "add 1", "add 2"}, actions)
		require.Equal(t, actions, types)
	},
	"a revoked key is dead, and cannot be revoked again": func(t *testing.T, s AccountStore) {
		u, other := addUser(t, s, 1), addUser(t, s, 2)
		k := newAPIKey(u, 1)
		require.NoError(t, s.AddAPIKey(t.Context(), k, 9, account.Trail{}))
		_, err := s.RevokeAPIKey(t.Context(), other.ID, k.ID, at, account.Trail{})
		require.ErrorIs(t, err, store.ErrNotFound, "it is another's")
		require.True(t, alive(t, s, k.Hash))
		revoked, err := s.RevokeAPIKey(t.Context(), u.ID, k.ID, at.Add(time.Hour), accountTrail("revoke"))
		require.NoError(t, err)
		k.RevokedAt = at.Add(time.Hour)
		require.Equal(t, k, revoked)
		require.False(t, alive(t, s, k.Hash))
		require.Empty(t, hashesOf(t, s, u.ID))
		_, err = s.RevokeAPIKey(t.Context(), u.ID, k.ID, at, accountTrail("again"))
		require.ErrorIs(t, err, store.ErrNotFound)
		actions, _ := accountTrails(t, s)
		require.Equal(t, []string{"revoke"}, actions)
	},
	"a rotated key is dead, and the new one has its name": func(t *testing.T, s AccountStore) {
		u, other := addUser(t, s, 1), addUser(t, s, 2)
		k, by := newAPIKey(u, 1), newAPIKey(u, 2)
		require.NoError(t, s.AddAPIKey(t.Context(), k, 9, account.Trail{}))
		_, err := s.RotateAPIKey(t.Context(), other.ID, k.ID, by, account.Trail{})
		require.ErrorIs(t, err, store.ErrNotFound)
		got, err := s.RotateAPIKey(t.Context(), u.ID, k.ID, by, accountTrail("rotate"))
		require.NoError(t, err)
		by.Name = k.Name
		require.Equal(t, by, got)
		require.False(t, alive(t, s, k.Hash))
		require.True(t, alive(t, s, by.Hash))
		require.Equal(t, []string{by.Hash}, hashesOf(t, s, u.ID))
	},
	"a reset ends all keys of a user and no others": func(t *testing.T, s AccountStore) {
		u, other := addUser(t, s, 1), addUser(t, s, 2)
		for n := range 3 {
			require.NoError(t, s.AddAPIKey(t.Context(), newAPIKey(u, n), 9, account.Trail{}))
		}
		theirs := newAPIKey(other, 1)
		require.NoError(t, s.AddAPIKey(t.Context(), theirs, 9, account.Trail{}))
		require.NoError(t, resetKeys(t, s, newAPIKey(u, 5), nil))
		require.Equal(t, []string{newAPIKey(u, 5).Hash}, hashesOf(t, s, u.ID))
		require.False(t, alive(t, s, newAPIKey(u, 0).Hash))
		require.True(t, alive(t, s, theirs.Hash))
		require.ErrorIs(t, resetKeys(t, s, newAPIKey(u, 6), errRefused), errRefused)
		require.Equal(t, []string{newAPIKey(u, 5).Hash}, hashesOf(t, s, u.ID))
		found, err := s.User(t.Context(), u.ID)
		require.NoError(t, err)
		require.Equal(t, "admin:root", found.KeysResetBy)
		actions, _ := accountTrails(t, s)
		require.Equal(t, []string{"reset"}, actions)
	},
	"when a user and a key were seen is stored and never goes back": func(t *testing.T, s AccountStore) {
		u := addUser(t, s, 1)
		k := newAPIKey(u, 1)
		require.NoError(t, s.AddAPIKey(t.Context(), k, 9, account.Trail{}))
		require.NoError(t, s.TouchUser(t.Context(), u.ID, k.ID, at.Add(time.Hour)))
		require.NoError(t, s.TouchUser(t.Context(), u.ID, k.ID, at))
		require.NoError(t, s.TouchUser(t.Context(), "nobody", "none", at))
		found, key, err := s.UserByAPIKey(t.Context(), k.Hash)
		require.NoError(t, err)
		require.Equal(t, at.Add(time.Hour), found.LastSeenAt)
		require.Equal(t, at.Add(time.Hour), key.LastUsedAt)
		require.NoError(t, s.TouchUser(t.Context(), u.ID, "", at.Add(2*time.Hour)))
		found, key, err = s.UserByAPIKey(t.Context(), k.Hash)
		require.NoError(t, err)
		require.Equal(t, at.Add(2*time.Hour), found.LastSeenAt)
		require.Equal(t, at.Add(time.Hour), key.LastUsedAt)
	},
	"a nonce is used once by each wallet": func(t *testing.T, s AccountStore) {
		require.NoError(t, s.UseNonce(t.Context(), "0x1", "nonce", at, at.Add(time.Hour)))
		require.ErrorIs(t, s.UseNonce(t.Context(), "0x1", "nonce", at, at.Add(time.Hour)), store.ErrConflict)
		require.NoError(t, s.UseNonce(t.Context(), "0x2", "nonce", at, at.Add(time.Hour)))
		require.NoError(t, s.UseNonce(t.Context(), "0x1", "other", at, at.Add(time.Hour)))
		for n := range 30 {
			require.NoError(t, s.UseNonce(t.Context(), "0x3", fmt.Sprint(n), at.Add(30*time.Minute), at.Add(time.Hour)))
		}
		require.ErrorIs(t, s.UseNonce(t.Context(), "0x1", "nonce", at.Add(time.Hour-1), at.Add(time.Hour)), store.ErrConflict, "it is remembered till then")
	},
}

var accountReplicaPromises = promises[[]AccountStore]{
	"a nonce that many replicas see at once is used once": func(t *testing.T, s []AccountStore) {
		_, errs := together(12, func(i int) (any, error) {
			return nil, s[i%len(s)].UseNonce(t.Context(), "0x1", "nonce", at, at.Add(time.Hour))
		})
		used := 0
		for _, err := range errs {
			if err == nil {
				used++
				continue
			}
			require.ErrorIs(t, err, store.ErrConflict)
		}
		require.Equal(t, 1, used)
	},
	"many replicas make one user of a wallet": func(t *testing.T, s []AccountStore) {
		_, errs := together(6, func(i int) (any, error) {
			u := newUser(i)
			u.PublicKey = "0xshared"
			return nil, s[i%len(s)].AddUser(t.Context(), u, nil, accountTrail(fmt.Sprint("add ", i)))
		})
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
				continue
			}
			require.ErrorIs(t, err, account.ErrPublicKeyTaken)
		}
		require.Equal(t, 1, made)
		actions, types := accountTrails(t, s[0])
		require.Len(t, actions, 1)
		require.Equal(t, actions, types)
	},
	"one of many users gets a wallet": func(t *testing.T, s []AccountStore) {
		for n := range 6 {
			addUser(t, s[0], n)
		}
		_, errs := together(6, func(i int) (any, error) {
			_, err := s[i%len(s)].UpdateUser(t.Context(), newUser(i).ID, func(u *account.User) (account.UserChange, error) {
				u.PublicKey = "0xshared"
				return account.UserChange{}, nil
			})
			return nil, err
		})
		got := 0
		for _, err := range errs {
			if err == nil {
				got++
				continue
			}
			require.ErrorIs(t, err, account.ErrPublicKeyTaken)
		}
		require.Equal(t, 1, got)
	},
	"the limit of keys holds for many replicas": func(t *testing.T, s []AccountStore) {
		u := addUser(t, s[0], 1)
		_, errs := together(9, func(i int) (any, error) {
			return nil, s[i%len(s)].AddAPIKey(t.Context(), newAPIKey(u, i), 4, account.Trail{})
		})
		added := 0
		for _, err := range errs {
			if err == nil {
				added++
				continue
			}
			require.ErrorIs(t, err, account.ErrTooManyKeys)
		}
		require.Equal(t, 4, added)
		require.Len(t, hashesOf(t, s[0], u.ID), 4)
	},
	"a key is rotated once, and a reset ends what others add": func(t *testing.T, s []AccountStore) {
		u := addUser(t, s[0], 1)
		k := newAPIKey(u, 100)
		require.NoError(t, s[0].AddAPIKey(t.Context(), k, 9, account.Trail{}))
		_, errs := together(6, func(i int) (any, error) {
			_, err := s[i%len(s)].RotateAPIKey(t.Context(), u.ID, k.ID, newAPIKey(u, i), account.Trail{})
			return nil, err
		})
		rotated := 0
		for _, err := range errs {
			if err == nil {
				rotated++
				continue
			}
			require.ErrorIs(t, err, store.ErrNotFound)
		}
		require.Equal(t, 1, rotated)
		require.Len(t, hashesOf(t, s[0], u.ID), 1)
		_, errs = together(6, func(i int) (any, error) {
			return nil, resetKeys(t, s[i%len(s)], newAPIKey(u, 10+i), nil)
		})
		noErrors(t, errs)
		require.Len(t, hashesOf(t, s[0], u.ID), 1)
	},
}
