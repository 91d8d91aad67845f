package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

// OwedSums implements [registry.SettlementStore].
func (s *Store) OwedSums(ctx context.Context, run registry.Run) ([]registry.Owed, []registry.Settlement, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	owed, live := s.owed(run)
	return owed, live, nil
}

func (s *Store) owed(run registry.Run) ([]registry.Owed, []registry.Settlement) {
	type pair [2]int64
	sums := map[pair]*registry.Owed{}
	for _, r := range s.registry.royalties {
		if !isPending(r, run.To) {
			continue
		}
		p := pair{r.SellerID, r.OriginID}
		if sums[p] == nil {
			sums[p] = &registry.Owed{SellerID: r.SellerID, OriginID: r.OriginID}
		}
		sums[p].Amount += r.Amount
		sums[p].Count++
	}
	var owed []registry.Owed
	for _, o := range sums {
		owed = append(owed, *o)
	}
	slices.SortFunc(owed, func(a, b registry.Owed) int {
		return cmp.Or(cmp.Compare(a.SellerID, b.SellerID), cmp.Compare(a.OriginID, b.OriginID))
	})
	var live []registry.Settlement
	for _, d := range s.registry.settlements {
		if d.Status != registry.SettlementCancelled && d.Run.From.Equal(run.From) && d.Run.To.Equal(run.To) && d.Run.Currency == run.Currency {
			live = append(live, s.showSettlement(d))
		}
	}
	return owed, live
}

func isPending(r *registry.Royalty, before time.Time) bool {
	return r.Status == registry.RoyaltyPending && r.DueAt.Before(before)
}

// IssueSettlements implements [registry.SettlementStore].
func (s *Store) IssueSettlements(ctx context.Context, run registry.Run, net func([]registry.Owed, []registry.Settlement) (registry.Netting, error),
	trail func(registry.Run, []registry.Settlement) registry.Trail) (registry.Run, []registry.Settlement, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.Run{}, nil, err
	}
	defer leave()
	d := &s.registry
	n, err := net(s.owed(run))
	if err != nil {
		return registry.Run{}, nil, err
	}
	run.ID = int64(len(d.runs)) + 1
	run.From, run.To, run.IssuedAt = stored(run.From), stored(run.To), stored(run.IssuedAt)
	carried := map[[2]int64]bool{}
	for _, p := range n.Carried {
		carried[p], carried[[2]int64{p[1], p[0]}] = true, true
	}
	taken := func(r *registry.Royalty) bool {
		return isPending(r, run.To) && !carried[[2]int64{r.SellerID, r.OriginID}]
	}
	if len(n.Settlements) == 0 && !slices.ContainsFunc(d.royalties, taken) {
		run.ID = 0
		return run, nil, nil
	}
	for _, r := range d.royalties {
		switch {
		case taken(r):
			r.Status, r.RunID, r.UpdatedAt = registry.RoyaltySettling, run.ID, run.IssuedAt
		case isPending(r, run.To):
			r.UpdatedAt = run.IssuedAt
		}
	}
	d.runs = append(d.runs, &run)
	var issued []registry.Settlement
	for _, doc := range n.Settlements {
		doc.ID, doc.Run = int64(len(d.settlements))+1, run
		storedSettlement(&doc)
		d.settlements = append(d.settlements, &doc)
		issued = append(issued, s.showSettlement(&doc))
	}
	s.follow(run, run.IssuedAt)
	s.record(trail(run, issued))
	return run, issued, nil
}

func storedSettlement(d *registry.Settlement) {
	d.Payment = bytes.Clone(d.Payment)
	for _, t := range []*time.Time{&d.PaymentUntil, &d.PaidAt, &d.ConfirmedAt, &d.DisputedAt, &d.CancelledAt, &d.UpdatedAt} {
		*t = stored(*t)
	}
}

// documents are those of a run.
func (s *Store) documents(runID int64) []*registry.Settlement {
	var docs []*registry.Settlement
	for _, d := range s.registry.settlements {
		if d.Run.ID == runID {
			docs = append(docs, d)
		}
	}
	return docs
}

// follow moves the royalties of a run to where its documents are.
func (s *Store) follow(run registry.Run, when time.Time) {
	docs := s.documents(run.ID)
	if run.Mode == registry.Multilateral {
		all := func(status registry.SettlementStatus) bool {
			return !slices.ContainsFunc(docs, func(d *registry.Settlement) bool { return d.Status != status })
		}
		switch everything := func(*registry.Royalty) bool { return true }; {
		case all(registry.SettlementConfirmed):
			s.payRoyalties(run.ID, when, everything)
		case all(registry.SettlementCancelled):
			s.withdrawRoyalties(run.ID, when, everything)
		}
		return
	}
	for _, d := range docs {
		ofPair := func(r *registry.Royalty) bool { return between(r, [2]int64{d.PayerID, d.PayeeID}) }
		switch d.Status {
		case registry.SettlementConfirmed:
			s.payRoyalties(run.ID, when, ofPair)
		case registry.SettlementCancelled:
			s.withdrawRoyalties(run.ID, when, ofPair)
		}
	}
}

func (s *Store) payRoyalties(runID int64, when time.Time, of func(*registry.Royalty) bool) {
	for _, r := range s.registry.royalties {
		if r.RunID == runID && r.Status == registry.RoyaltySettling && of(r) {
			r.Status, r.UpdatedAt = registry.RoyaltyPaid, when
		}
	}
}

func (s *Store) withdrawRoyalties(runID int64, when time.Time, of func(*registry.Royalty) bool) {
	for _, r := range s.registry.royalties {
		if r.RunID == runID && r.Status == registry.RoyaltySettling && of(r) {
			r.Status, r.RunID, r.UpdatedAt = registry.RoyaltyPending, 0, when
			s.registry.withdrawn[runID] = append(s.registry.withdrawn[runID], r.ID)
		}
	}
}

// UpdateSettlement implements [registry.SettlementStore].
func (s *Store) UpdateSettlement(ctx context.Context, id int64, change func(*registry.Settlement) (registry.Trail, error)) (registry.Settlement, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.Settlement{}, err
	}
	defer leave()
	d := at(s.registry.settlements, id)
	if d == nil {
		return registry.Settlement{}, missing("settlement", id)
	}
	changed := s.showSettlement(d)
	trail, err := change(&changed)
	if err != nil {
		return registry.Settlement{}, err
	}
	changed.ID = d.ID
	if err := s.putSettlements(d.Run, []registry.Settlement{changed}, trail); err != nil {
		return registry.Settlement{}, err
	}
	return s.showSettlement(d), nil
}

// UpdateRun implements [registry.SettlementStore].
func (s *Store) UpdateRun(ctx context.Context, runID int64, change func([]registry.Settlement) (registry.Trail, error)) ([]registry.Settlement, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	run := at(s.registry.runs, runID)
	if run == nil {
		return nil, missing("run", runID)
	}
	docs := s.documents(runID)
	changed := make([]registry.Settlement, len(docs))
	for i, d := range docs {
		changed[i] = s.showSettlement(d)
	}
	trail, err := change(changed)
	if err != nil {
		return nil, err
	}
	for i, d := range docs {
		changed[i].ID = d.ID
	}
	if err := s.putSettlements(*run, changed, trail); err != nil {
		return nil, err
	}
	for i, d := range docs {
		changed[i] = s.showSettlement(d)
	}
	return changed, nil
}

// putSettlements stores what may change of documents of one run.
func (s *Store) putSettlements(run registry.Run, changed []registry.Settlement, trail registry.Trail) error {
	if run.Mode == registry.Multilateral && partlyCancelled(s.documents(run.ID), changed) {
		return fmt.Errorf("memory: run %d: a document of several cannot be cancelled alone: %w", run.ID, store.ErrConflict)
	}
	if err := s.freePayments(changed); err != nil {
		return err
	}
	var when time.Time
	for _, c := range changed {
		storedSettlement(&c)
		d := at(s.registry.settlements, c.ID)
		d.Status, d.Reference, d.Reason = c.Status, c.Reference, c.Reason
		d.PaymentKey, d.Payment, d.PaymentUntil = c.PaymentKey, c.Payment, c.PaymentUntil
		d.PaidAt, d.ConfirmedAt, d.DisputedAt, d.CancelledAt, d.UpdatedAt = c.PaidAt, c.ConfirmedAt, c.DisputedAt, c.CancelledAt, c.UpdatedAt
		when = c.UpdatedAt
	}
	s.follow(run, when)
	s.record(trail)
	return nil
}

// freePayments refuses payments that pay other documents.
func (s *Store) freePayments(changed []registry.Settlement) error {
	for i := range changed {
		for _, d := range s.registry.settlements {
			if c := &changed[i]; c.PaymentKey != "" && c.PaymentKey == d.PaymentKey && c.ID != d.ID {
				return fmt.Errorf("memory: settlement %d: the payment is that of settlement %d: %w", c.ID, d.ID, store.ErrConflict)
			}
		}
	}
	return nil
}

// partlyCancelled says whether some but not all documents would be cancelled.
func partlyCancelled(docs []*registry.Settlement, changed []registry.Settlement) bool {
	cancelled := 0
	for _, d := range docs {
		status := d.Status
		for i := range changed {
			if changed[i].ID == d.ID {
				status = changed[i].Status
			}
		}
		if status == registry.SettlementCancelled {
			cancelled++
		}
	}
	return cancelled > 0 && cancelled < len(docs)
}

func (s *Store) showSettlement(d *registry.Settlement) registry.Settlement {
	c := *d
	c.Payment = bytes.Clone(c.Payment)
	c.PayerName, c.PayeeName = s.platformName(c.PayerID), s.platformName(c.PayeeID)
	return c
}

// PlatformSettlement implements [registry.SettlementStore].
func (s *Store) PlatformSettlement(ctx context.Context, id int64) (registry.Settlement, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.Settlement{}, err
	}
	defer leave()
	d := at(s.registry.settlements, id)
	if d == nil {
		return registry.Settlement{}, missing("settlement", id)
	}
	return s.showSettlement(d), nil
}

// PlatformSettlements implements [registry.SettlementStore].
func (s *Store) PlatformSettlements(ctx context.Context, f registry.SettlementFilter, o registry.PageOptions) (registry.List[registry.Settlement], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.List[registry.Settlement]{}, err
	}
	defer leave()
	selected := func(d *registry.Settlement) bool {
		return (f.PartyID == 0 || d.Party(f.PartyID)) && (f.PayerID == 0 || f.PayerID == d.PayerID) &&
			(f.PayeeID == 0 || f.PayeeID == d.PayeeID) && (f.RunID == 0 || f.RunID == d.Run.ID) &&
			(f.Status == "" || f.Status == d.Status) && within(d.Run.IssuedAt, f.From, f.To)
	}
	return page(s.registry.settlements, o, false, selected, s.showSettlement), nil
}

// SettlementRun implements [registry.SettlementStore].
func (s *Store) SettlementRun(ctx context.Context, id int64) (registry.Run, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.Run{}, err
	}
	defer leave()
	run := at(s.registry.runs, id)
	if run == nil {
		return registry.Run{}, missing("run", id)
	}
	return *run, nil
}

// SettlementLines implements [registry.SettlementStore].
func (s *Store) SettlementLines(ctx context.Context, id, partyID, afterID int64, limit int) ([]registry.Royalty, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	d := at(s.registry.settlements, id)
	if d == nil {
		return nil, missing("settlement", id)
	}
	if !d.Party(partyID) {
		return nil, nil
	}
	left := map[int64]bool{}
	for _, royaltyID := range s.registry.withdrawn[d.Run.ID] {
		left[royaltyID] = true
	}
	selected := func(r *registry.Royalty) bool {
		if r.RunID != d.Run.ID && !left[r.ID] {
			return false
		}
		if d.Run.Mode == registry.Multilateral {
			return r.SellerID == partyID || r.OriginID == partyID
		}
		return between(r, [2]int64{d.PayerID, d.PayeeID})
	}
	return after(s.registry.royalties, afterID, limit, selected, s.showRoyalty), nil
}
