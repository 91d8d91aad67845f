package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// settlement is a row of the journal.
type settlement struct {
	facilitator.Settlement
	lease facilitator.Lease
	nonce uint64 // of the newest transaction, while there is a Relayer
}

// ReserveSettlements implements [facilitator.Journal].
func (s *Store) ReserveSettlements(ctx context.Context, settlements []facilitator.Settlement, lease facilitator.Lease) ([]facilitator.Settlement, []bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkNew(settlements); err != nil {
		return nil, nil, err
	}
	stored := make([]facilitator.Settlement, len(settlements))
	created := make([]bool, len(settlements))
	for i := range settlements {
		row, known := s.keys[settlements[i].Key]
		if !known {
			row = s.reserve(&settlements[i], lease)
		}
		stored[i], created[i] = row.copy(), !known
	}
	return stored, created, nil
}

// checkNew refuses what cannot be stored before anything is.
func (s *Store) checkNew(settlements []facilitator.Settlement) error {
	keyOf := make(map[string]string, len(settlements))
	for i := range settlements {
		id, key := settlements[i].ID, settlements[i].Key
		if id == "" || key == "" {
			return fmt.Errorf("memory: reserve settlement %d of %d: it needs an ID and a key", i+1, len(settlements))
		}
		if _, known := s.keys[key]; known {
			continue
		}
		other, twice := keyOf[id]
		if _, taken := s.settlements[id]; taken || twice && other != key {
			return fmt.Errorf("memory: reserve settlement %s: %w: another payment has that ID", id, store.ErrConflict)
		}
		keyOf[id] = key
	}
	return nil
}

func (s *Store) reserve(given *facilitator.Settlement, lease facilitator.Lease) *settlement {
	row := &settlement{Settlement: *given, lease: lease}
	row.State = facilitator.Reserved
	row.Payment = clonePayment(row.Payment)
	row.Relayer, row.Transaction, row.Transactions, row.Block = "", "", nil, 0
	row.Reason, row.Message = "", ""
	row.UpdatedAt = time.Now().UTC()
	if row.CreatedAt.IsZero() {
		row.CreatedAt = row.UpdatedAt
	}
	s.settlements[row.ID], s.keys[row.Key] = row, row
	if s.unfinished[row.Network] == nil {
		s.unfinished[row.Network] = map[*settlement]struct{}{}
	}
	s.unfinished[row.Network][row] = struct{}{}
	return row
}

// SubmitSettlements implements [facilitator.Journal].
func (s *Store) SubmitSettlements(ctx context.Context, account facilitator.Account, owner string, floor uint64, ids []string,
	sign func(*facilitator.Settlement, uint64) (facilitator.Transaction, error)) ([]facilitator.Settlement, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	nonce := floor
	if s.busy(account) {
		nonce = max(floor, s.next[account])
	}
	var signed []facilitator.Settlement
	seen := map[string]bool{}
	for _, id := range ids {
		row := s.settlements[id]
		if row == nil || seen[id] || row.State != facilitator.Reserved || row.lease.Owner != owner || row.Network != account.Network {
			continue
		}
		seen[id] = true
		draft := row.copy()
		draft.Relayer = account.Address
		t, err := sign(&draft, nonce)
		if err == nil && (t.Nonce != nonce || t.Hash == "") {
			err = fmt.Errorf("nonce %d was to be signed, not %d, and the hash is %q", nonce, t.Nonce, t.Hash)
		}
		if err != nil {
			return nil, fmt.Errorf("memory: submit settlement %s: sign: %w", id, err)
		}
		draft.State, draft.UpdatedAt = facilitator.Submitted, time.Now().UTC()
		draft.Transactions, draft.Transaction = append(draft.Transactions, cloneTransaction(t)), t.Hash
		signed = append(signed, draft)
		nonce++
	}
	for i := range signed {
		row := s.settlements[signed[i].ID]
		row.Settlement = signed[i]
		row.nonce = signed[i].Transactions[len(signed[i].Transactions)-1].Nonce
		signed[i] = row.copy()
	}
	if len(signed) > 0 {
		s.next[account] = nonce
	}
	return signed, nil
}

// busy says whether a settlement of account is unfinished.
func (s *Store) busy(account facilitator.Account) bool {
	for row := range s.unfinished[account.Network] {
		if row.Relayer == account.Address {
			return true
		}
	}
	return false
}

// AddTransaction implements [facilitator.Journal].
func (s *Store) AddTransaction(ctx context.Context, id string, t facilitator.Transaction) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	row := s.settlements[id]
	switch {
	case row == nil:
		return fmt.Errorf("memory: add a transaction to settlement %s: %w", id, store.ErrNotFound)
	case row.State.Final() || row.Relayer == "":
		return fmt.Errorf("memory: add a transaction to settlement %s: %w: it is %s and not sent", id, store.ErrConflict, row.State)
	case row.nonce != t.Nonce:
		return fmt.Errorf("memory: add a transaction to settlement %s: %w: its nonce is %d, not %d", id, store.ErrConflict, row.nonce, t.Nonce)
	}
	known := slices.ContainsFunc(row.Transactions, func(old facilitator.Transaction) bool { return old.Hash == t.Hash })
	if !known {
		row.Transactions = append(row.Transactions, cloneTransaction(t))
		row.Transaction = t.Hash
		row.UpdatedAt = time.Now().UTC()
	}
	return nil
}

// FinishSettlements implements [facilitator.Journal].
func (s *Store) FinishSettlements(ctx context.Context, outcomes []facilitator.Outcome) ([]bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, o := range outcomes {
		switch o.State {
		case facilitator.Reserved, facilitator.Unknown, facilitator.Confirmed, facilitator.Failed:
		default:
			return nil, fmt.Errorf("memory: finish settlement %s: %q is not an outcome", o.ID, o.State)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := make([]bool, len(outcomes))
	for i, o := range outcomes {
		if row := s.settlements[o.ID]; row != nil && row.finish(o) {
			changed[i] = true
			if row.State.Final() {
				delete(s.unfinished[row.Network], row)
			}
			if o.Event != nil {
				s.save(*o.Event)
			}
		}
	}
	return changed, nil
}

// finish applies o and reports whether that changed anything.
func (row *settlement) finish(o facilitator.Outcome) bool {
	if o.Transaction == "" {
		o.Transaction = row.Transaction
	}
	same := row.State == o.State && row.Transaction == o.Transaction && row.Block == o.Block &&
		row.Reason == o.Reason && row.Message == o.Message
	if row.State.Final() || same {
		return false
	}
	row.State, row.Transaction, row.Block = o.State, o.Transaction, o.Block
	row.Reason, row.Message = o.Reason, o.Message
	row.UpdatedAt = time.Now().UTC()
	if o.State == facilitator.Reserved {
		row.Relayer, row.nonce = "", 0
	}
	return true
}

// LeaseSettlements implements [facilitator.Journal].
func (s *Store) LeaseSettlements(ctx context.Context, network x402.Network, lease facilitator.Lease, now time.Time, limit int) ([]facilitator.Settlement, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var free []*settlement
	for row := range s.unfinished[network] {
		if !row.lease.Until.After(now) {
			free = append(free, row)
		}
	}
	slices.SortFunc(free, func(a, b *settlement) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	free = free[:min(len(free), max(limit, 0))]
	leased := make([]facilitator.Settlement, len(free))
	for i, row := range free {
		row.lease = lease
		leased[i] = row.copy()
	}
	return leased, nil
}

// RenewLeases implements [facilitator.Journal].
func (s *Store) RenewLeases(ctx context.Context, network x402.Network, lease facilitator.Lease) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for row := range s.unfinished[network] {
		if row.lease.Owner == lease.Owner {
			row.lease.Until = lease.Until
			n++
		}
	}
	return n, nil
}

// Settlement implements [facilitator.Journal].
func (s *Store) Settlement(ctx context.Context, id string) (facilitator.Settlement, error) {
	return s.find(ctx, s.settlements, id)
}

// SettlementByKey implements [facilitator.Journal].
func (s *Store) SettlementByKey(ctx context.Context, key string) (facilitator.Settlement, error) {
	return s.find(ctx, s.keys, key)
}

func (s *Store) find(ctx context.Context, in map[string]*settlement, name string) (facilitator.Settlement, error) {
	if err := ctx.Err(); err != nil {
		return facilitator.Settlement{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	row := in[name]
	if row == nil {
		return facilitator.Settlement{}, fmt.Errorf("memory: settlement %s: %w", name, store.ErrNotFound)
	}
	return row.copy(), nil
}

// UnfinishedNonces implements [facilitator.Journal].
func (s *Store) UnfinishedNonces(ctx context.Context, account facilitator.Account, floor uint64) (map[uint64]facilitator.Settlement, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	nonces := map[uint64]facilitator.Settlement{}
	for row := range s.unfinished[account.Network] {
		if row.Relayer == account.Address && row.nonce >= floor {
			nonces[row.nonce] = row.copy()
		}
	}
	return nonces, nil
}

// copy returns what the caller may keep and change.
func (row *settlement) copy() facilitator.Settlement {
	c := row.Settlement
	c.Payment = clonePayment(c.Payment)
	c.Transactions = nil
	for _, t := range row.Transactions {
		c.Transactions = append(c.Transactions, cloneTransaction(t))
	}
	return c
}
