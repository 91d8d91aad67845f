package v402api

import (
	"cmp"
	"net/http"
	"strconv"
	"time"

	"github.com/v402/v402/internal/web"
)

// Class sorts requests by the limit that holds for them.
type Class int

// The classes of requests.
const (
	Anonymous     Class = iota // without credentials, by client address
	Authenticated              // by user
	Provider                   // of the provider API
	Admin                      // of the admin API
	walletCheck                // for which a chain is asked, by client address: see Limits.WalletCheck
	classes
)

// Rates says how many requests per minute each class grants to one user or client
// address. Zero is the default, below zero is no limit.
type Rates struct {
	Anonymous     int // 20 by default
	Authenticated int // 100
	Provider      int // 200
	Admin         int // 500
	WalletChecks  int // 100: signatures that a chain is asked about, by client address

	// ClientAddr is the address of whoever sent a request: r.RemoteAddr if nil.
	// Behind a proxy, read what that proxy sets.
	ClientAddr func(*http.Request) string
}

// retryAfter is the detail that says for how many seconds to wait.
const retryAfter = "retry_after"

// Limits counts requests. Domains that are given the same Limits count together;
// each process counts for itself.
type Limits struct {
	clientAddr func(*http.Request) string
	of         [classes]*web.Limits // nil limits nothing
}

// NewLimits returns limits with these rates.
func NewLimits(rates Rates) *Limits {
	l := &Limits{clientAddr: rates.ClientAddr}
	if l.clientAddr == nil {
		l.clientAddr = func(r *http.Request) string { return r.RemoteAddr }
	}
	for class, perMinute := range [classes]int{
		cmp.Or(rates.Anonymous, 20), cmp.Or(rates.Authenticated, 100), cmp.Or(rates.Provider, 200), cmp.Or(rates.Admin, 500), cmp.Or(rates.WalletChecks, 100),
	} {
		if perMinute > 0 {
			l.of[class] = web.NewLimits(perMinute)
		}
	}
	return l
}

// WalletCheck counts a question to a chain about the signature of r, before it is
// asked: who sends r is not known yet, and the chain's nodes are not ours. A nil
// l limits nothing.
func (l *Limits) WalletCheck(r *http.Request, now time.Time) error {
	if l == nil {
		return nil
	}
	return l.admit(http.Header{}, r, walletCheck, "", now) // the headers tell of the limit of the request
}

func (l *Limits) admit(h http.Header, r *http.Request, class Class, user string, now time.Time) error {
	limits := l.of[class]
	if limits == nil {
		return nil
	}
	who := "user " + user
	if user == "" {
		who = web.ClientOf(l.clientAddr(r))
	}
	ok, left, wait := limits.Allow(who, now)
	most := limits.PerMinute()
	full := now.Add(time.Duration(most-left) * time.Minute / time.Duration(most))
	h.Set("X-RateLimit-Limit", strconv.Itoa(most))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(left))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(full.Unix(), 10)) // when all are granted again
	if ok {
		return nil
	}
	seconds := int64((wait + time.Second - 1) / time.Second)
	return &Error{Code: TooManyRequests, Message: "Too many requests; try again later",
		Details: map[string]any{"limit": most, retryAfter: seconds}}
}
