package web

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits grants each client so many requests per minute. It remembers at most
// 2*maxClients clients: those of the last minute or two, and fewer if more come.
// It is safe for concurrent use.
type Limits struct {
	perMinute int

	mu       sync.Mutex
	since    time.Time // when recent was begun
	recent   map[string]*rate.Limiter
	previous map[string]*rate.Limiter
}

// maxClients is when a generation of clients is full.
const maxClients = 10_000

// NewLimits returns Limits of perMinute requests, which must be above 0.
func NewLimits(perMinute int) *Limits {
	return &Limits{perMinute: perMinute, recent: map[string]*rate.Limiter{}}
}

// PerMinute is how many requests are granted.
func (l *Limits) PerMinute() int { return l.perMinute }

// Allow takes one request of client at now. left is how many more it may make
// at once; wait is how long a refused one should wait.
func (l *Limits) Allow(client string, now time.Time) (ok bool, left int, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := l.of(client, now)
	reserved := limiter.ReserveN(now, 1)
	if wait = reserved.DelayFrom(now); wait > 0 {
		reserved.CancelAt(now)
		return false, 0, wait
	}
	return true, int(limiter.TokensAt(now)), 0
}

// of finds or makes the limiter of client. One that has not been asked for
// during a minute is full again, and may be forgotten.
func (l *Limits) of(client string, now time.Time) *rate.Limiter {
	if now.Sub(l.since) >= time.Minute || len(l.recent) >= maxClients {
		l.since, l.previous, l.recent = now, l.recent, map[string]*rate.Limiter{}
	}
	limiter := l.recent[client]
	if limiter == nil {
		if limiter = l.previous[client]; limiter == nil {
			limiter = rate.NewLimiter(rate.Every(time.Minute/time.Duration(l.perMinute)), l.perMinute)
		}
		l.recent[client] = limiter
	}
	return limiter
}

// ClientOf is the address part of remote ("host:port"). The addresses of an
// IPv6 network of 64 bits belong to one client.
func ClientOf(remote string) string {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	ip := ap.Addr().Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
