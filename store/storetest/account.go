package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/store"
)

// AccountStore is a store of accounts with the outbox that its events go to.
type AccountStore interface {
	account.Store
	store.Outbox
}

// TestAccounts shows that open returns empty stores that keep users as
// [account.Store] promises, on so many replicas as are asked for.
func TestAccounts(t *testing.T, open Open[AccountStore]) {
	userPromises.run(t, open.one)
	apiKeyPromises.run(t, open.one)
	accountReplicaPromises.run(t, open.some(3))
}

// accountTrail leaves an audit entry and an event with the name.
func accountTrail(name string) account.Trail {
	return account.Trail{
		Audit:  []account.AuditEntry{account.Audited(epoch, "tester", name, "user:1", map[string]any{"n": 1})},
		Events: []store.Event{{ID: "event-" + name, Type: name, Subject: "1", Data: []byte(`{}`), CreatedAt: epoch}},
	}
}

// trailStore is where trails are saved.
type trailStore interface {
	account.AuditStore
	store.Outbox
}

// accountTrails are the actions in the audit log and the types in the outbox,
// the oldest first.
func accountTrails(t *testing.T, s trailStore) (actions, types []string) {
	t.Helper()
	list, err := s.AuditLog(t.Context(), account.AuditFilter{}, store.PageNumber{Size: store.MaxLimit})
	require.NoError(t, err)
	for i := range list.Items {
		actions = append(actions, list.Items[len(list.Items)-1-i].Action)
	}
	events, err := s.LeaseEvents(t.Context(), "reader", epoch, epoch, 1000)
	require.NoError(t, err)
	for _, e := range events {
		types = append(types, e.Type)
	}
	return actions, types
}

// newUser is the nth user, active, with a wallet.
func newUser(n int) account.User {
	return account.User{
		ID: fmt.Sprintf("user-%d", n), Role: account.RoleContentProvider, Status: account.StatusActive, StatusReason: "fine",
		Username: fmt.Sprintf("Ada%d", n), Email: fmt.Sprintf("Ada%d@Example.com", n), Name: fmt.Sprintf("Ada 100%% №%d", n),
		Website: "https://example.com/", Verified: n%2 == 0, PublicKey: fmt.Sprintf("0x%040d", n),
		CreatedAt: at.Add(time.Duration(n) * time.Minute), UpdatedAt: at.Add(time.Hour),
	}
}

func newAPIKey(user account.User, n int) account.APIKey {
	return account.APIKey{
		ID: fmt.Sprintf("key-%s-%d", user.ID, n), UserID: user.ID, Name: fmt.Sprint("key ", n), Prefix: "v402_abc",
		Hash: fmt.Sprintf("hash-%s-%d", user.ID, n), CreatedAt: at.Add(time.Duration(n) * time.Second),
	}
}

func addUser(t *testing.T, s AccountStore, n int) account.User {
	t.Helper()
	u := newUser(n)
	require.NoError(t, s.AddUser(t.Context(), u, nil, account.Trail{}))
	return u
}

var userPromises = promises[AccountStore]{
	"a user is stored as given and found by ID, wallet and key": func(t *testing.T, s AccountStore) {
		u := newUser(1)
		k := newAPIKey(u, 1)
		require.NoError(t, s.AddUser(t.Context(), u, &k, accountTrail("add")))
		found, err := s.User(t.Context(), u.ID)
		require.NoError(t, err)
		require.Equal(t, u, found)
		found, err = s.UserByPublicKey(t.Context(), u.PublicKey)
		require.NoError(t, err)
		require.Equal(t, u, found)
		found, key, err := s.UserByAPIKey(t.Context(), k.Hash)
		require.NoError(t, err)
		require.Equal(t, u, found)
		require.Equal(t, k, key)
		several, err := s.UsersByID(t.Context(), []string{"nobody", u.ID})
		require.NoError(t, err)
		require.Equal(t, []account.User{u}, several)
		actions, types := accountTrails(t, s)
		require.Equal(t, []string{"add"}, actions)
		require.Equal(t, actions, types)
	},
	"what there is not is not found": func(t *testing.T, s AccountStore) {
		u := newUser(1)
		u.PublicKey = ""
		require.NoError(t, s.AddUser(t.Context(), u, nil, account.Trail{}))
		for name, find := range map[string]func() error{
			"user":         func() error { _, err := s.User(t.Context(), "nobody"); return err },
			"no ID":        func() error { _, err := s.User(t.Context(), ""); return err },
			"wallet":       func() error { _, err := s.UserByPublicKey(t.Context(), "0x1"); return err },
			"empty wallet": func() error { _, err := s.UserByPublicKey(t.Context(), ""); return err },
			"key":          func() error { _, _, err := s.UserByAPIKey(t.Context(), "unknown"); return err },
			"to change":    func() error { _, err := s.UpdateUser(t.Context(), "nobody", nil); return err },
			"to add to":    func() error { return s.AddAPIKey(t.Context(), newAPIKey(newUser(9), 1), 9, account.Trail{}) },
			"to rotate": func() error {
				_, err := s.RotateAPIKey(t.Context(), u.ID, "no key", newAPIKey(u, 1), account.Trail{})
				return err
			},
			"to revoke": func() error { _, err := s.RevokeAPIKey(t.Context(), u.ID, "no key", at, account.Trail{}); return err },
		} {
			require.ErrorIs(t, find(), store.ErrNotFound, name)
		}
		keys, err := s.APIKeys(t.Context(), "nobody")
		require.NoError(t, err)
		require.Empty(t, keys)
		several, err := s.UsersByID(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, several)
	},
	"a wallet belongs to one user, and no wallet to many": func(t *testing.T, s AccountStore) {
		first := addUser(t, s, 1)
		second := newUser(2)
		second.PublicKey = first.PublicKey
		k := newAPIKey(second, 1)
		require.ErrorIs(t, s.AddUser(t.Context(), second, &k, accountTrail("add")), account.ErrPublicKeyTaken)
		_, _, err := s.UserByAPIKey(t.Context(), k.Hash)
		require.ErrorIs(t, err, store.ErrNotFound)
		for n := 2; n < 4; n++ {
			u := newUser(n)
			u.PublicKey = ""
			require.NoError(t, s.AddUser(t.Context(), u, nil, account.Trail{}))
		}
		take := func(u *account.User) (account.UserChange, error) {
			u.PublicKey = first.PublicKey
			return account.UserChange{Trail: accountTrail("take")}, nil
		}
		_, err = s.UpdateUser(t.Context(), second.ID, take)
		require.ErrorIs(t, err, account.ErrPublicKeyTaken)
		_, err = s.UpdateUser(t.Context(), first.ID, func(u *account.User) (account.UserChange, error) {
			u.PublicKey = "0xother"
			return account.UserChange{}, nil
		})
		require.NoError(t, err)
		_, err = s.UserByPublicKey(t.Context(), first.PublicKey)
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.UpdateUser(t.Context(), second.ID, take)
		require.NoError(t, err)
		found, err := s.UserByPublicKey(t.Context(), first.PublicKey)
		require.NoError(t, err)
		require.Equal(t, second.ID, found.ID)
		actions, types := accountTrails(t, s)
		require.Equal(t, []string{"take"}, actions)
		require.Equal(t, actions, types)
	},
	"a change is whole with its trail, or nothing": func(t *testing.T, s AccountStore) {
		u := addUser(t, s, 1)
		_, err := s.UpdateUser(t.Context(), u.ID, func(u *account.User) (account.UserChange, error) {
			u.Name = "Eve"
			return account.UserChange{Trail: accountTrail("refused")}, errRefused
		})
		require.ErrorIs(t, err, errRefused)
		found, err := s.User(t.Context(), u.ID)
		require.NoError(t, err)
		require.Equal(t, u, found)

		changed, err := s.UpdateUser(t.Context(), u.ID, func(u *account.User) (account.UserChange, error) {
			u.ID, u.CreatedAt, u.LastSeenAt = "other", at.Add(time.Hour), at.Add(time.Hour)
			u.KeysResetBy = "admin:root"
			u.Role, u.Status, u.StatusReason, u.Verified = account.RoleAdmin, account.StatusSuspended, "spam", true
			u.Username, u.Email, u.Name, u.Website, u.UpdatedAt = "u", "e@example.com", "n", "", at.Add(2*time.Hour)
			return account.UserChange{Trail: accountTrail("changed")}, nil
		})
		require.NoError(t, err)
		want := u
		want.KeysResetBy = "admin:root"
		want.Role, want.Status, want.StatusReason, want.Verified = account.RoleAdmin, account.StatusSuspended, "spam", true
		want.Username, want.Email, want.Name, want.Website, want.UpdatedAt = "u", "e@example.com", "n", "", at.Add(2*time.Hour)
		require.Equal(t, want, changed)
		found, err = s.User(t.Context(), u.ID)
		require.NoError(t, err)
		require.Equal(t, want, found)
		actions, types := accountTrails(t, s)
		require.Equal(t, []string{"changed"}, actions)
		require.Equal(t, actions, types)
	},
	"users are listed by page, role, status, time and text": func(t *testing.T, s AccountStore) {
		for n := range 5 {
			u := newUser(n)
			if n >= 3 {
				u.Role, u.Status = account.RoleEndUser, account.StatusSuspended
			}
			require.NoError(t, s.AddUser(t.Context(), u, nil, account.Trail{}))
		}
		for _, c := range []struct {
			filter account.Filter
			page   store.PageNumber
			want   string
			total  int64
		}{
			{account.Filter{}, store.PageNumber{}, "43210", 5},
			{account.Filter{}, store.PageNumber{Page: 2, Size: 2}, "21", 5},
			{account.Filter{}, store.PageNumber{Page: 9, Size: 2}, "", 5},
			{account.Filter{Role: account.RoleEndUser}, store.PageNumber{}, "43", 2},
			{account.Filter{Status: account.StatusActive}, store.PageNumber{}, "210", 3},
			{account.Filter{Status: account.StatusBanned}, store.PageNumber{}, "", 0},
			{account.Filter{Search: "ADA3@EXAMPLE"}, store.PageNumber{}, "3", 1},
			{account.Filter{Search: "100% №2"}, store.PageNumber{}, "2", 1},
			{account.Filter{Search: "user-1"}, store.PageNumber{}, "1", 1},
			{account.Filter{Search: "ada_"}, store.PageNumber{}, "", 0},
			{account.Filter{From: at.Add(time.Minute), Before: at.Add(3 * time.Minute)}, store.PageNumber{}, "21", 2},
		} {
			l, err := s.Users(t.Context(), c.filter, c.page)
			require.NoError(t, err)
			var got strings.Builder
			for _, u := range l.Items {
				got.WriteString(strings.TrimPrefix(u.ID, "user-"))
			}
			require.Equal(t, c.want, got.String(), "%+v", c)
			require.Equal(t, c.total, l.Total, "%+v", c)
		}
	},
	"the audit log is listed by who, what and when": func(t *testing.T, s AccountStore) {
		u := addUser(t, s, 1)
		entry := func(actor, action, subject string, after time.Duration) {
			_, err := s.UpdateUser(t.Context(), u.ID, func(*account.User) (account.UserChange, error) {
				trail := account.Trail{Audit: []account.AuditEntry{account.Audited(at.Add(after), actor, action, subject, nil)}}
				return account.UserChange{Trail: trail}, nil
			})
			require.NoError(t, err)
		}
		entry("a", "read", "x", 0)
		entry("b", "read", "y", time.Minute)
		entry("a", "write", "y", time.Hour)
		for want, f := range map[string]account.AuditFilter{
			"321": {}, "31": {Actor: "a"}, "21": {Action: "read"}, "32": {Subject: "y"}, "2": {From: at.Add(time.Minute), Before: at.Add(time.Hour)},
		} {
			l, err := s.AuditLog(t.Context(), f, store.PageNumber{})
			require.NoError(t, err)
			var got strings.Builder
			for _, e := range l.Items {
				fmt.Fprint(&got, e.ID)
			}
			require.Equal(t, want, got.String())
			require.EqualValues(t, len(want), l.Total)
		}
	},
	"nothing is changed in a context that has ended": func(t *testing.T, s AccountStore) {
		u := addUser(t, s, 1)
		ended := cancelled(t)
		require.ErrorIs(t, s.AddUser(ended, newUser(2), nil, accountTrail("add")), context.Canceled)
		require.ErrorIs(t, s.UseNonce(ended, "0x1", "nonce", at, at.Add(time.Hour)), context.Canceled)
		_, err := s.UpdateUser(ended, u.ID, func(*account.User) (account.UserChange, error) {
			return account.UserChange{Trail: accountTrail("update")}, nil
		})
		require.ErrorIs(t, err, context.Canceled)
		actions, types := accountTrails(t, s)
		require.Empty(t, actions)
		require.Empty(t, types)
	},
}

// hashesOf are those of the live keys of a user.
func hashesOf(t *testing.T, s AccountStore, userID string) []string {
	t.Helper()
	keys, err := s.APIKeys(t.Context(), userID)
	require.NoError(t, err)
	hashes := []string{}
	for _, k := range keys {
		hashes = append(hashes, k.Hash)
	}
	return hashes
}

// alive says whether a key opens an account.
func alive(t *testing.T, s AccountStore, hash string) bool {
	t.Helper()
	_, _, err := s.UserByAPIKey(t.Context(), hash)
	if err != nil {
		require.True(t, errors.Is(err, store.ErrNotFound), err)
	}
	return err == nil
}
