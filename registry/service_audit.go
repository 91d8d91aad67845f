package registry

import "context"

// Audit lists the audit log, for an admin.
func (s *Service) Audit(ctx context.Context, f AuditFilter, page PageOptions) (List[AuditEntry], error) {
	list, err := s.store.AuditEntries(ctx, f, page.Bounded())
	return list, refusal(err, nil, "list the audit log")
}

// Stats counts what there is, for an admin.
func (s *Service) Stats(ctx context.Context) (Stats, error) {
	stats, err := s.store.Stats(ctx)
	return stats, refusal(err, nil, "count")
}
