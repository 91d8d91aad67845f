package payer

import (
	"net/http"
	"time"
)

const (
	minSkew = 2 * time.Second // the Date header is in whole seconds
	maxSkew = time.Hour
)

// signingTime is local, or the server's time where its Date header differs by
// more than minSkew. A difference beyond maxSkew is not believed.
func (p *Payer) signingTime(h http.Header, local time.Time) time.Time {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return local
	}
	skew := date.Sub(local)
	switch {
	case skew.Abs() <= minSkew:
		return local
	case skew.Abs() > maxSkew:
		p.cfg.Logger.Warn("ignoring the server's clock", "skew", skew)
		return local
	default:
		return local.Add(skew)
	}
}

// later is the later of two moments.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
