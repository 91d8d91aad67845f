package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/store"
)

var _ account.Store = (*Store)(nil)

// accountData is what is kept of users.
type accountData struct {
	users    map[string]*account.User   // by ID
	wallets  map[string]*account.User   // by public key
	keys     map[string]*account.APIKey // by ID
	byHash   map[string]*account.APIKey // live ones
	nonces   map[walletNonce]time.Time  // until when they are remembered
	sweepAt  int                        // how many nonces are looked through for old ones
	auditLog []*account.AuditEntry
}

type walletNonce struct{ wallet, nonce string }

// leastSweep is how many nonces are never looked through.
const leastSweep = 1024

func (d *accountData) init() {
	d.users, d.wallets = map[string]*account.User{}, map[string]*account.User{}
	d.keys, d.byHash = map[string]*account.APIKey{}, map[string]*account.APIKey{}
	d.nonces, d.sweepAt = map[walletNonce]time.Time{}, leastSweep
}

// recordTrail saves a trail with a change.
func (s *Store) recordTrail(t account.Trail) {
	for _, e := range t.Audit {
		e.ID = int64(len(s.accounts.auditLog)) + 1
		e.At = stored(e.At)
		e.Detail = slices.Clone(e.Detail)
		s.accounts.auditLog = append(s.accounts.auditLog, &e)
	}
	for _, e := range t.Events {
		s.save(e)
	}
}

// AddUser implements [account.UserStore].
func (s *Store) AddUser(ctx context.Context, u account.User, key *account.APIKey, trail account.Trail) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	d := &s.accounts
	if d.wallets[u.PublicKey] != nil {
		return fmt.Errorf("memory: add user %s: %w", u.ID, account.ErrPublicKeyTaken)
	}
	if d.users[u.ID] != nil {
		return fmt.Errorf("memory: add user %s: %w", u.ID, store.ErrConflict)
	}
	u.CreatedAt, u.UpdatedAt, u.LastSeenAt = stored(u.CreatedAt), stored(u.UpdatedAt), stored(u.LastSeenAt)
	d.users[u.ID] = &u
	if u.PublicKey != "" {
		d.wallets[u.PublicKey] = &u
	}
	if key != nil {
		d.addKey(*key)
	}
	s.recordTrail(trail)
	return nil
}

// UpdateUser implements [account.UserStore].
func (s *Store) UpdateUser(ctx context.Context, id string, change func(*account.User) (account.UserChange, error)) (account.User, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return account.User{}, err
	}
	defer leave()
	d := &s.accounts
	u := d.users[id]
	if u == nil {
		return account.User{}, missing("user", id)
	}
	changed := *u
	c, err := change(&changed)
	if err != nil {
		return account.User{}, err
	}
	if other := d.wallets[changed.PublicKey]; other != nil && other != u {
		return account.User{}, fmt.Errorf("memory: update user %s: %w", id, account.ErrPublicKeyTaken)
	}
	changed.ID, changed.CreatedAt, changed.LastSeenAt = u.ID, u.CreatedAt, u.LastSeenAt
	changed.UpdatedAt = stored(changed.UpdatedAt)
	delete(d.wallets, u.PublicKey)
	*u = changed
	if u.PublicKey != "" {
		d.wallets[u.PublicKey] = u
	}
	if !c.KeysEndAt.IsZero() {
		for _, k := range d.live(id) {
			d.revoke(k, c.KeysEndAt)
		}
	}
	if c.NewKey != nil {
		d.addKey(*c.NewKey)
	}
	s.recordTrail(c.Trail)
	return changed, nil
}

// User implements [account.UserStore].
func (s *Store) User(ctx context.Context, id string) (account.User, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return account.User{}, err
	}
	defer leave()
	if u := s.accounts.users[id]; u != nil {
		return *u, nil
	}
	return account.User{}, missing("user", id)
}

// UserByPublicKey implements [account.UserStore].
func (s *Store) UserByPublicKey(ctx context.Context, publicKey string) (account.User, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return account.User{}, err
	}
	defer leave()
	if u := s.accounts.wallets[publicKey]; u != nil {
		return *u, nil
	}
	return account.User{}, missing("user with the public key", publicKey)
}

// UsersByID implements [account.UserStore].
func (s *Store) UsersByID(ctx context.Context, ids []string) ([]account.User, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var found []account.User
	for _, id := range ids {
		if u := s.accounts.users[id]; u != nil {
			found = append(found, *u)
		}
	}
	return found, nil
}

// Users implements [account.UserStore].
func (s *Store) Users(ctx context.Context, f account.Filter, p store.PageNumber) (store.List[account.User], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return store.List[account.User]{}, err
	}
	defer leave()
	var selected []account.User
	for _, u := range s.accounts.users {
		if (f.Role == "" || f.Role == u.Role) && (f.Status == "" || f.Status == u.Status) && within(u.CreatedAt, f.From, f.Before) &&
			strings.Contains(account.SearchText(*u), strings.ToLower(f.Search)) {
			selected = append(selected, *u)
		}
	}
	slices.SortFunc(selected, func(a, b account.User) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	return numbered(selected, p), nil
}

// numbered is one page of a list.
func numbered[T any](list []T, p store.PageNumber) store.List[T] {
	p = p.Bounded()
	begin := min(p.Offset(), len(list))
	end := min(begin+p.Size, len(list))
	return store.List[T]{Items: slices.Clone(list[begin:end]), Total: int64(len(list)), Page: p.Page, Size: p.Size}
}

// AuditLog implements [account.AuditStore].
func (s *Store) AuditLog(ctx context.Context, f account.AuditFilter, p store.PageNumber) (store.List[account.AuditEntry], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return store.List[account.AuditEntry]{}, err
	}
	defer leave()
	var selected []account.AuditEntry
	for _, e := range slices.Backward(s.accounts.auditLog) {
		if (f.Actor == "" || f.Actor == e.Actor) && (f.Action == "" || f.Action == e.Action) &&
			(f.Subject == "" || f.Subject == e.Subject) && within(e.At, f.From, f.Before) {
			c := *e
			c.Detail = slices.Clone(c.Detail)
			selected = append(selected, c)
		}
	}
	return numbered(selected, p), nil
}
