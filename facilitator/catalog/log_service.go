package catalog

import (
	"context"
	"net/http"
)

// record takes note of an attempt to reach p by a caller at the address remote,
// with or without a port, such as [Service.clientAddr]. It never waits and never
// fails. Of e, Status, UserAgent, PaymentID and Payer are used; Price and
// Currency too if they are not those of p.
func (s *Service) record(p *Product, e LogEntry, remote string) {
	e.ProductID, e.OwnerID = p.ID, p.OwnerID
	if e.Currency == "" {
		e.Price, e.Currency = p.Price, p.Currency
	}
	s.recorder.add(e, remote)
}

// clientAddr is the address of whoever sent r.
func (s *Service) clientAddr(r *http.Request) string {
	if s.options.ClientAddr == nil {
		return r.RemoteAddr
	}
	return s.options.ClientAddr(r)
}

// FlushLog stores the attempts that were noted and not stored yet. [Service.Run]
// does so every Config.Log.FlushEvery.
func (s *Service) FlushLog(ctx context.Context) error {
	return refusal(s.recorder.flush(ctx), nil, "store the access log")
}
