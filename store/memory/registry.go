package memory

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

var _ registry.Store = (*Store)(nil)

// registryData is what a registry keeps. What has an ID is at ID-1 of its list,
// and nil there once it was deleted.
type registryData struct {
	platforms   []*registry.Platform
	contracts   []*registry.Contract
	byKey       map[string]*registry.Contract
	sales       []*registry.Sale
	royalties   []*registry.Royalty
	byRequest   map[request]*registry.Sale     // by idempotency key
	byHash      map[transaction]*registry.Sale // by transaction, while it is not voided
	mirrors     []*registry.Mirror
	runs        []*registry.Run
	settlements []*registry.Settlement
	withdrawn   map[int64][]int64 // royalties that left a run with a cancelled document
	audit       []*registry.AuditEntry
}

type request struct {
	seller int64
	key    string
}

type transaction struct {
	seller   int64
	hash     string
	contract int64
}

func (d *registryData) init() {
	d.byKey = map[string]*registry.Contract{}
	d.byRequest = map[request]*registry.Sale{}
	d.byHash = map[transaction]*registry.Sale{}
	d.withdrawn = map[int64][]int64{}
}

// at returns what has an ID, or nil.
func at[T any](list []*T, id int64) *T {
	if id < 1 || id > int64(len(list)) {
		return nil
	}
	return list[id-1]
}

// page lists what is selected, the newest first or the oldest.
func page[T any](list []*T, o registry.PageOptions, oldestFirst bool, selected func(*T) bool, show func(*T) T) registry.List[T] {
	o = o.Bounded()
	out := registry.List[T]{Page: o.Page, PerPage: o.PerPage}
	for i := range list {
		v := list[i]
		if !oldestFirst {
			v = list[len(list)-1-i]
		}
		if v == nil || !selected(v) {
			continue
		}
		if out.Total >= int64(o.Offset()) && len(out.Items) < o.PerPage {
			out.Items = append(out.Items, show(v))
		}
		out.Total++
	}
	return out
}

// after lists up to limit of what is selected with an ID above after.
func after[T any](list []*T, id int64, limit int, selected func(*T) bool, show func(*T) T) []T {
	var out []T
	for i := max(id, 0); i < int64(len(list)) && len(out) < limit; i++ {
		if v := list[i]; v != nil && selected(v) {
			out = append(out, show(v))
		}
	}
	return out
}

// within says whether t is in [from, to); zero times bound nothing.
func within(t, from, to time.Time) bool {
	return (from.IsZero() || !t.Before(from)) && (to.IsZero() || t.Before(to))
}

// enter takes the mutex, unless ctx has ended.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	return s.mu.Unlock, nil
}

// record saves a trail.
func (s *Store) record(t registry.Trail) {
	for _, e := range t.Audit {
		e.ID = int64(len(s.registry.audit)) + 1
		e.At = stored(e.At)
		e.Detail = bytes.Clone(e.Detail)
		s.registry.audit = append(s.registry.audit, &e)
	}
	for _, e := range t.Events {
		s.save(e)
	}
}

// stored is t as every backend keeps it.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func missing(what string, id any) error {
	return fmt.Errorf("memory: %s %v: %w", what, id, store.ErrNotFound)
}

// AddAudit implements [registry.AuditStore].
func (s *Store) AddAudit(ctx context.Context, entries ...registry.AuditEntry) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	s.record(registry.Trail{Audit: entries})
	return nil
}

// AuditEntries implements [registry.AuditStore].
func (s *Store) AuditEntries(ctx context.Context, f registry.AuditFilter, o registry.PageOptions) (registry.List[registry.AuditEntry], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.List[registry.AuditEntry]{}, err
	}
	defer leave()
	selected := func(e *registry.AuditEntry) bool {
		return (f.Actor == "" || f.Actor == e.Actor) && (f.Action == "" || f.Action == e.Action) &&
			(f.Subject == "" || f.Subject == e.Subject) && within(e.At, f.From, f.To)
	}
	return page(s.registry.audit, o, false, selected, func(e *registry.AuditEntry) registry.AuditEntry {
		c := *e
		c.Detail = bytes.Clone(c.Detail)
		return c
	}), nil
}

// Stats implements [registry.AuditStore].
func (s *Store) Stats(ctx context.Context) (registry.Stats, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return registry.Stats{}, err
	}
	defer leave()
	d := &s.registry
	stats := registry.NewStats()
	for _, p := range d.platforms {
		stats.Platforms[p.Status]++
	}
	for _, c := range d.contracts {
		stats.Contracts[c.Status]++
	}
	for _, sale := range d.sales {
		stats.Sales[sale.Status]++
		if sale.Status != registry.SaleVoided {
			stats.SaleAmount += sale.Amount
		}
	}
	for _, r := range d.royalties {
		stats.Royalties[r.Status]++
		stats.RoyaltyAmount[r.Status] += r.Amount
	}
	for _, m := range d.mirrors {
		if m != nil {
			stats.Mirrors++
		}
	}
	for _, doc := range d.settlements {
		stats.Settlements[doc.Status]++
		stats.SettlementAmount[doc.Status] += doc.Net
	}
	return stats, nil
}
