package memory

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/v402/v402/facilitator/catalog"
)

var _ catalog.LogStore = (*Store)(nil)

// accessLog is the log of attempts to reach products.
type accessLog struct {
	entries []catalog.LogEntry // by ID
	gaps    map[gap]int64
}

type gap struct {
	owner string
	hour  int64 // unix seconds
}

func (l *accessLog) find(id string) (int, bool) {
	return slices.BinarySearchFunc(l.entries, id, func(e catalog.LogEntry, id string) int { return cmp.Compare(e.ID, id) })
}

// between are the entries of the times in [from, to); zero times bound nothing.
func (l *accessLog) between(from, to time.Time) []catalog.LogEntry {
	first, end := 0, len(l.entries)
	if !from.IsZero() {
		first, _ = l.find(catalog.FirstLogID(from))
	}
	if !to.IsZero() {
		end, _ = l.find(catalog.FirstLogID(to))
	}
	return l.entries[first:max(first, end)]
}

// AddLog implements [catalog.LogStore].
func (s *Store) AddLog(ctx context.Context, b catalog.LogBatch) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	added := 0
	for _, e := range b.Entries {
		i, known := s.accessLog.find(e.ID)
		if known {
			continue
		}
		e.CreatedAt = stored(e.CreatedAt)
		s.accessLog.entries = slices.Insert(s.accessLog.entries, i, e)
		added++
	}
	if added == 0 && len(b.Entries) > 0 {
		return nil // it was stored before
	}
	for _, e := range b.Events {
		s.save(e)
	}
	for _, g := range b.Left {
		s.accessLog.gaps[gap{g.OwnerID, g.At.Truncate(time.Hour).Unix()}] += g.Count
	}
	return nil
}

// LogEntries implements [catalog.LogStore].
func (s *Store) LogEntries(ctx context.Context, f catalog.LogFilter, before string, offset, limit int) ([]catalog.LogEntry, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var list []catalog.LogEntry
	for _, e := range slices.Backward(s.accessLog.between(f.From, f.To)) {
		if len(list) == limit {
			break
		}
		if before != "" && e.ID >= before || !f.Matches(e) {
			continue
		}
		if offset--; offset < 0 {
			list = append(list, e)
		}
	}
	return list, nil
}

// CountLog implements [catalog.LogStore].
func (s *Store) CountLog(ctx context.Context, f catalog.LogFilter) (int64, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	var n int64
	for _, e := range s.accessLog.between(f.From, f.To) {
		if f.Matches(e) {
			n++
		}
	}
	return n, nil
}

// LogGaps implements [catalog.LogStore].
func (s *Store) LogGaps(ctx context.Context, ownerID string, from, to time.Time) (int64, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	if !from.IsZero() {
		from = from.Truncate(time.Hour)
	}
	var n int64
	for g, count := range s.accessLog.gaps {
		if (g.owner == ownerID || g.owner == "") && within(time.Unix(g.hour, 0), from, to) {
			n += count
		}
	}
	return n, nil
}

// LogEntriesByID implements [catalog.LogStore].
func (s *Store) LogEntriesByID(ctx context.Context, ids []string) ([]catalog.LogEntry, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var list []catalog.LogEntry
	for _, id := range ids {
		if i, known := s.accessLog.find(id); known {
			list = append(list, s.accessLog.entries[i])
		}
	}
	return list, nil
}

// PurgeLog implements [catalog.LogStore].
func (s *Store) PurgeLog(ctx context.Context, before time.Time, limit int) (int, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	old, _ := s.accessLog.find(catalog.FirstLogID(before))
	old = min(old, limit)
	s.accessLog.entries = slices.Delete(s.accessLog.entries, 0, old)
	for g := range s.accessLog.gaps {
		if g.hour < before.Truncate(time.Hour).Unix() {
			delete(s.accessLog.gaps, g)
		}
	}
	return old, nil
}

// Unpaid implements [catalog.LogStore].
func (s *Store) Unpaid(ctx context.Context, f catalog.UnpaidFilter, each func(catalog.UnpaidCount) error) error {
	counts, err := s.unpaid(ctx, f)
	if err != nil {
		return err
	}
	for _, c := range counts {
		if err := each(c); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) unpaid(ctx context.Context, f catalog.UnpaidFilter) ([]catalog.UnpaidCount, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	type demand struct{ ip, product string }
	type terms struct {
		demand
		price, currency string
	}
	paid, counts := map[demand]bool{}, map[terms]*catalog.UnpaidCount{}
	for _, e := range slices.Backward(s.accessLog.between(f.From, time.Time{})) {
		of := demand{e.IP, e.ProductID}
		if e.OwnerID != f.OwnerID || f.ProductID != "" && e.ProductID != f.ProductID {
			continue
		}
		if e.Granted() {
			paid[of] = true
		}
		if e.Status != catalog.LogRequested || paid[of] {
			continue
		}
		key := terms{of, e.Price.String(), e.Currency}
		if counts[key] == nil {
			counts[key] = &catalog.UnpaidCount{IP: e.IP, ProductID: e.ProductID, Price: e.Price, Currency: e.Currency, LastID: e.ID}
		}
		counts[key].Count++
	}
	list := make([]catalog.UnpaidCount, 0, len(counts))
	for _, c := range counts {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b catalog.UnpaidCount) int { return strings.Compare(a.IP, b.IP) })
	return list, nil
}
