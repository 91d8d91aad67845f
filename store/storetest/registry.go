package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

// TestRegistry shows that open returns empty stores that keep platforms,
// contracts, sales and mirrors as [registry.Store] promises, on so many replicas
// as are asked for. See [TestSettlements] for the rest.
func TestRegistry(t *testing.T, open Open[RegistryStore]) {
	platformPromises.run(t, open.one)
	contractPromises.run(t, open.one)
	salePromises.run(t, open.one)
	mirrorPromises.run(t, open.one)
	registryReplicaPromises.run(t, open.some(3))
}

// at is epoch as stores return it.
var at = epoch.UTC()

var errRefused = errors.New("refused")

// noTrail is what a change saves that leaves none.
func noTrail[T any](T) registry.Trail { return registry.Trail{} }

// trailOf leaves an audit entry and an event with the name.
func trailOf(name string) registry.Trail {
	return registry.Trail{
		Audit:  []registry.AuditEntry{{At: epoch, Actor: "tester", Action: name, Subject: "thing:1", Detail: []byte(`{"n":1}`)}},
		Events: []store.Event{{ID: "event-" + name, Type: name, Subject: "1", Data: []byte(`{}`), CreatedAt: epoch}},
	}
}

// trails are the actions in the audit log and the types in the outbox, the
// oldest first.
func trails(t *testing.T, s RegistryStore) (actions, types []string) {
	t.Helper()
	list, err := s.AuditEntries(t.Context(), registry.AuditFilter{}, registry.PageOptions{PerPage: registry.MaxPerPage})
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

// newPlatform is the nth platform, active.
func newPlatform(n int) registry.Platform {
	return registry.Platform{
		Status: registry.PlatformActive, Name: "Ada " + fmt.Sprint(n), Email: fmt.Sprintf("Ada%d@Example.com", n),
		PlatformName: fmt.Sprintf("Platform 100%% №%d", n), PlatformAddress: "1 Main St", PlatformPhone: "+1 555", PlatformEmail: "desk@example.com",
		APIEndpoint: "https://example.com/hook", PayoutAddress: "0x12", PasswordHash: "$2a$", Sealed: "v1:ab:cd", CallbackSecrets: "v1:ef:gh", AdminNotes: "notes", KeyHash: fmt.Sprintf("hash-%d", n),
		KeyPrefix: "bcccr_ab", KeyCreatedAt: at.Add(time.Second), CreatedAt: at, ApprovedAt: at.Add(time.Second), UpdatedAt: at.Add(2 * time.Second),
	}
}

func addPlatform(t *testing.T, s RegistryStore, p registry.Platform) registry.Platform {
	t.Helper()
	p, err := s.AddPlatform(t.Context(), p, noTrail)
	require.NoError(t, err)
	return p
}

// newContracts are contracts of a platform with these hashes.
func newContracts(platform registry.Platform, hashes ...string) []registry.Contract {
	list := make([]registry.Contract, len(hashes))
	for i, hash := range hashes {
		list[i] = registry.Contract{
			Hash: hash, Key: strings.ToLower(hash), IPFSHash: "QmWork", MetadataCID: "QmMeta", PlatformID: platform.ID,
			PlatformName: platform.PlatformName, Status: registry.ContractActive, RegisteredAt: at,
			Terms: &registry.Terms{BasisPoints: 1000, Minimum: 50, Payees: []registry.Payee{{Name: "Ann", Wallet: "0x1", Share: 10000}}},
		}
	}
	return list
}

func addContracts(t *testing.T, s RegistryStore, p registry.Platform, hashes ...string) []registry.Contract {
	t.Helper()
	require.NoError(t, s.RegisterContracts(t.Context(), newContracts(p, hashes...), registry.Trail{}))
	list := make([]registry.Contract, len(hashes))
	for i, hash := range hashes {
		c, err := s.Contract(t.Context(), strings.ToLower(hash))
		require.NoError(t, err)
		list[i] = c
	}
	return list
}

var platformPromises = promises[RegistryStore]{
	"a platform is stored as it was given and found by ID, e-mail and key": func(t *testing.T, s RegistryStore) {
		added, err := s.AddPlatform(t.Context(), newPlatform(1), func(p registry.Platform) registry.Trail {
			return trailOf(fmt.Sprint("add ", p.ID))
		})
		require.NoError(t, err)
		want := newPlatform(1)
		want.ID = added.ID
		require.Positive(t, added.ID)
		require.Equal(t, want, added)
		for _, find := range []func() (registry.Platform, error){
			func() (registry.Platform, error) { return s.Platform(t.Context(), added.ID) },
			func() (registry.Platform, error) { return s.PlatformByEmail(t.Context(), "ADA1@example.COM") },
			func() (registry.Platform, error) { return s.PlatformByKey(t.Context(), "hash-1") },
		} {
			found, err := find()
			require.NoError(t, err)
			require.Equal(t, want, found)
		}
		actions, types := trails(t, s)
		require.Equal(t, []string{fmt.Sprint("add ", added.ID)}, actions)
		require.Equal(t, actions, types)
	},
	"what there is not is not found": func(t *testing.T, s RegistryStore) {
		pending := newPlatform(1)
		pending.KeyHash = ""
		addPlatform(t, s, pending)
		for name, find := range map[string]func() error{
			"platform":   func() error { _, err := s.Platform(t.Context(), 99); return err },
			"no ID":      func() error { _, err := s.Platform(t.Context(), -1); return err },
			"e-mail":     func() error { _, err := s.PlatformByEmail(t.Context(), "nobody@example.com"); return err },
			"key":        func() error { _, err := s.PlatformByKey(t.Context(), "unknown"); return err },
			"empty key":  func() error { _, err := s.PlatformByKey(t.Context(), ""); return err },
			"contract":   func() error { _, err := s.Contract(t.Context(), "unknown"); return err },
			"work":       func() error { _, err := s.Publication(t.Context(), "unknown"); return err },
			"sale":       func() error { _, err := s.Sale(t.Context(), 99); return err },
			"royalty":    func() error { _, err := s.Royalty(t.Context(), 99); return err },
			"access":     func() error { _, err := s.CountAccess(t.Context(), 99, at); return err },
			"old sale":   func() error { _, err := s.VoidSale(t.Context(), 99, "", at, nil, nil); return err },
			"mirror":     func() error { return s.DeleteMirror(t.Context(), 99, nil, registry.Trail{}) },
			"to change":  func() error { _, err := s.UpdatePlatform(t.Context(), 99, nil); return err },
			"to revoke":  func() error { _, err := s.UpdateContract(t.Context(), "unknown", nil); return err },
			"to dispute": func() error { _, err := s.UpdateRoyalty(t.Context(), 99, nil); return err },
		} {
			require.ErrorIs(t, find(), store.ErrNotFound, name)
		}
	},
	"an e-mail is taken until its application is rejected": func(t *testing.T, s RegistryStore) {
		first := addPlatform(t, s, newPlatform(1))
		again := newPlatform(2)
		again.Email = strings.ToUpper(first.Email)
		_, err := s.AddPlatform(t.Context(), again, noTrail)
		require.ErrorIs(t, err, registry.ErrEmailTaken)
		_, err = s.UpdatePlatform(t.Context(), first.ID, func(p *registry.Platform) (registry.Trail, error) {
			p.Status, p.RejectedAt = registry.PlatformInactive, at
			return registry.Trail{}, nil
		})
		require.NoError(t, err)
		second := addPlatform(t, s, again)
		require.Greater(t, second.ID, first.ID)
		newest, err := s.PlatformByEmail(t.Context(), first.Email)
		require.NoError(t, err)
		require.Equal(t, second.ID, newest.ID)
	},
	"a change of a platform is whole with its trail, or nothing": func(t *testing.T, s RegistryStore) {
		p := addPlatform(t, s, newPlatform(1))
		_, err := s.UpdatePlatform(t.Context(), p.ID, func(p *registry.Platform) (registry.Trail, error) {
			p.Name = "Eve"
			return trailOf("refused"), errRefused
		})
		require.ErrorIs(t, err, errRefused)
		found, err := s.Platform(t.Context(), p.ID)
		require.NoError(t, err)
		require.Equal(t, p, found)

		changed, err := s.UpdatePlatform(t.Context(), p.ID, func(p *registry.Platform) (registry.Trail, error) {
			p.Status, p.KeyHash, p.KeyPrefix, p.ID, p.Email = registry.PlatformInactive, "other", "bcccr_zz", 77, "eve@example.com"
			p.AdminNotes, p.UpdatedAt = "suspended", at.Add(time.Hour)
			return trailOf("changed"), nil
		})
		require.NoError(t, err)
		want := p
		want.Status, want.KeyHash, want.KeyPrefix = registry.PlatformInactive, "other", "bcccr_zz"
		want.AdminNotes, want.UpdatedAt = "suspended", at.Add(time.Hour)
		require.Equal(t, want, changed)
		_, err = s.PlatformByKey(t.Context(), "hash-1")
		require.ErrorIs(t, err, store.ErrNotFound)
		found, err = s.PlatformByKey(t.Context(), "other")
		require.NoError(t, err)
		require.Equal(t, want, found)
		actions, types := trails(t, s)
		require.Equal(t, []string{"changed"}, actions)
		require.Equal(t, []string{"changed"}, types)
	},
	"platforms are listed by page, status, approval and name": func(t *testing.T, s RegistryStore) {
		for n := range 5 {
			p := newPlatform(n)
			if n >= 3 {
				p.Status, p.ApprovedAt = registry.PlatformPending, time.Time{}
			}
			addPlatform(t, s, p)
		}
		names := func(f registry.PlatformFilter, o registry.PageOptions) (names []string, total int64) {
			list, err := s.Platforms(t.Context(), f, o)
			require.NoError(t, err)
			for _, p := range list.Items {
				names = append(names, p.Name)
			}
			return names, list.Total
		}
		got, total := names(registry.PlatformFilter{}, registry.PageOptions{Page: 2, PerPage: 2})
		require.Equal(t, []string{"Ada 2", "Ada 1"}, got)
		require.EqualValues(t, 5, total)
		got, _ = names(registry.PlatformFilter{Status: registry.PlatformPending, OldestFirst: true}, registry.PageOptions{})
		require.Equal(t, []string{"Ada 3", "Ada 4"}, got)
		got, _ = names(registry.PlatformFilter{Approved: true}, registry.PageOptions{})
		require.Equal(t, []string{"Ada 2", "Ada 1", "Ada 0"}, got)
		got, _ = names(registry.PlatformFilter{Query: "PLATFORM 100% №4"}, registry.PageOptions{})
		require.Equal(t, []string{"Ada 4"}, got)
		got, total = names(registry.PlatformFilter{Query: "_"}, registry.PageOptions{Page: 9})
		require.Empty(t, got)
		require.Zero(t, total)
	},
	"audit entries are listed by who, what and when, and never change": func(t *testing.T, s RegistryStore) {
		entry := func(actor, action, subject string, after time.Duration) registry.AuditEntry {
			return registry.AuditEntry{At: at.Add(after), Actor: actor, Action: action, Subject: subject}
		}
		detailed := entry("a", "read", "x", 0)
		detailed.Detail = []byte(`{"why":"statement"}`)
		require.NoError(t, s.AddAudit(t.Context(), detailed, entry("b", "read", "y", time.Minute)))
		require.NoError(t, s.AddAudit(t.Context(), entry("a", "write", "y", time.Hour)))
		require.NoError(t, s.AddAudit(t.Context()))
		for want, f := range map[string]registry.AuditFilter{
			"321": {}, "31": {Actor: "a"}, "21": {Action: "read"}, "32": {Subject: "y"},
			"2": {From: at.Add(time.Minute), To: at.Add(time.Hour)},
		} {
			list, err := s.AuditEntries(t.Context(), f, registry.PageOptions{})
			require.NoError(t, err)
			var got strings.Builder
			for _, e := range list.Items {
				fmt.Fprint(&got, e.ID)
			}
			require.Equal(t, want, got.String())
			require.EqualValues(t, len(want), list.Total)
		}
		list, err := s.AuditEntries(t.Context(), registry.AuditFilter{Subject: "x"}, registry.PageOptions{})
		require.NoError(t, err)
		detailed.ID = 1
		require.Equal(t, []registry.AuditEntry{detailed}, list.Items)
	},
	"nothing is changed in a context that has ended": func(t *testing.T, s RegistryStore) {
		ended := cancelled(t)
		_, err := s.AddPlatform(ended, newPlatform(1), noTrail)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, s.AddAudit(ended, registry.AuditEntry{At: at}), context.Canceled)
		list, err := s.Platforms(t.Context(), registry.PlatformFilter{}, registry.PageOptions{})
		require.NoError(t, err)
		require.Empty(t, list.Items)
	},
	"everything is counted": func(t *testing.T, s RegistryStore) {
		a, b := addPlatform(t, s, newPlatform(1)), addPlatform(t, s, newPlatform(2))
		c := addContracts(t, s, a, "h1", "h2")[0]
		r := addSale(t, s, newSale(b, c, 1))
		addSale(t, s, newSale(b, c, 2))
		voidSale(t, s, r.Sale.ID)
		_, _, err := s.PutMirror(t.Context(), newMirror(b, c), c.Key, at, noMirrorTrail)
		require.NoError(t, err)
		got, err := s.Stats(t.Context())
		require.NoError(t, err)
		want := registry.NewStats()
		want.Platforms[registry.PlatformActive] = 2
		want.Contracts[registry.ContractActive] = 2
		want.Sales[registry.SaleReported], want.Sales[registry.SaleVoided], want.SaleAmount = 1, 1, 2999
		want.Royalties[registry.RoyaltyPending], want.RoyaltyAmount[registry.RoyaltyPending] = 1, 299
		want.Royalties[registry.RoyaltyVoided], want.RoyaltyAmount[registry.RoyaltyVoided] = 1, 299
		want.Mirrors = 1
		require.Equal(t, want, got)
	},
}
