package payer

import (
	"net/http"
	"time"
)

const (
	minSkew = 2 * time.Second // the Date header is in whole seconds
	maxSkew = time.Hour
)

// skew is how far the server's clock was ahead of ours when its answer with
// header h came in: zero up to minSkew, and beyond maxSkew, which is not
// believed.
func (p *Payer) skew(h http.Header, received time.Time) time.Duration {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	skew := date.Sub(received)
	switch {
	case skew.Abs() <= minSkew:
		return 0
	case skew.Abs() > maxSkew:
		p.cfg.Logger.Warn("ignoring the server's clock", "skew", skew)
		return 0
	default:
		return skew
	}
}

// later is the later of two moments.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
