package catalog

import (
	"context"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// LogStatus says how an attempt to reach a product ended.
type LogStatus string

// The ends of an attempt.
const (
	LogRequested LogStatus = "requested" // the price was told: 402
	LogPaid      LogStatus = "paid"      // the content was given: 200
	LogDenied    LogStatus = "denied"    // a payment that does not do, or a caller who may not: 403
	LogError     LogStatus = "error"     // the fault was ours or a chain's: 5xx
)

var logStatuses = []LogStatus{LogRequested, LogPaid, LogDenied, LogError}

// LogEntry is one attempt to reach a product.
type LogEntry struct {
	ID        string // "log-" and a ULID of CreatedAt: IDs sort as times do
	ProductID string
	OwnerID   string // of the product
	Status    LogStatus
	IP        string // of the caller, truncated if that is configured; empty if unknown
	UserAgent string // at most [MaxUserAgent] bytes
	Country   string // two letters, or empty
	PaymentID string // that paid, if any
	Payer     string // address, if any
	Price     x402.Amount
	Currency  string
	CreatedAt time.Time // UTC, in whole milliseconds
}

// MaxUserAgent is how many bytes of a user agent are kept.
const MaxUserAgent = 256

// Granted says whether the content was given.
func (e LogEntry) Granted() bool { return e.Status == LogPaid }

const logPrefix = "log-"

// FirstLogID is the lowest ID that an entry of the time t, or of one after it,
// can have.
func FirstLogID(t time.Time) string {
	var id ulid.ULID
	if ms := t.Add(time.Millisecond - 1).UnixMilli(); ms > 0 {
		_ = id.SetTime(min(uint64(ms), ulid.MaxTime())) // which it can hold
	}
	return logPrefix + id.String()
}

// LogConfig says what is kept of the attempts to reach products.
type LogConfig struct {
	// Rate is how many entries a second are stored in the long run, by this
	// process, and Burst how many more may come at once, which is also how many
	// are held in memory: 100 and 10,000 if zero. Of what comes above, a fair
	// sample is stored and the rest is counted, by the owner of the product.
	Rate, Burst int
	// FlushEvery is how long an entry waits until it is stored: a process that is
	// killed loses what it noted since, as long as the store takes entries, and what
	// was on its way there. While it does not, they wait, up to Burst. A second if
	// zero.
	FlushEvery time.Duration
	// Retention is how long entries are kept; 90 days if zero, for good if
	// negative.
	Retention time.Duration
	// TruncateIP keeps the first 24 bits of an IPv4 address, and 48 of an IPv6 one.
	// Quotes then have an alias in place of an address, which tells clients apart.
	TruncateIP bool
	// Country tells the country of an address in two letters, or nothing. It is
	// asked before the address is truncated, and not while anybody waits. Nil
	// knows none.
	Country func(netip.Addr) string
}

// LogFilter selects entries. What is zero selects all.
type LogFilter struct {
	OwnerID   string
	ProductID string
	Status    LogStatus
	Paid      bool // only those that got the content
	Unpaid    bool // only those that did not
	IP        string
	Country   string
	From, To  time.Time // From is within, To is not
}

// Matches says whether f selects e.
func (f LogFilter) Matches(e LogEntry) bool {
	return (f.OwnerID == "" || f.OwnerID == e.OwnerID) && (f.ProductID == "" || f.ProductID == e.ProductID) &&
		(f.Status == "" || f.Status == e.Status) && (!f.Paid || e.Granted()) && (!f.Unpaid || !e.Granted()) &&
		(f.IP == "" || f.IP == e.IP) && (f.Country == "" || f.Country == e.Country) &&
		(f.From.IsZero() || !e.CreatedAt.Before(f.From)) && (f.To.IsZero() || e.CreatedAt.Before(f.To))
}

// LogBatch is what a recorder stores at once.
type LogBatch struct {
	Entries []LogEntry    // in the order of their IDs
	Left    []LogGap      // what was left out since the batch before; not without entries
	Events  []store.Event // of type [EventAccessDenied]
}

func (b LogBatch) empty() bool { return len(b.Entries) == 0 && len(b.Events) == 0 }

// LogGap is how many attempts of an owner's products were left out.
type LogGap struct {
	OwnerID string // empty: of owners who were too many to be told apart
	At      time.Time
	Count   int64
}

// LogStore keeps the access log.
type LogStore interface {
	// AddLog stores a batch, once: it may be called again with the same batch when
	// it is not known whether it was stored.
	AddLog(ctx context.Context, b LogBatch) error

	// LogEntries lists up to limit entries with an ID below before, if that is
	// not empty, the newest first, after leaving out offset.
	LogEntries(ctx context.Context, f LogFilter, before string, offset, limit int) ([]LogEntry, error)
	CountLog(ctx context.Context, f LogFilter) (int64, error)
	// LogGaps sums what was left out of the log of an owner in [from, to), in
	// whole hours, with what could not be told apart.
	LogGaps(ctx context.Context, ownerID string, from, to time.Time) (int64, error)

	// Unpaid counts the requests that f selects and calls each in the order of
	// IP. It must not use the store; its error ends the count and is returned.
	Unpaid(ctx context.Context, f UnpaidFilter, each func(UnpaidCount) error) error
	// LogEntriesByID returns those of the entries that are still there.
	LogEntriesByID(ctx context.Context, ids []string) ([]LogEntry, error)

	// PurgeLog deletes up to limit entries, and gaps, from before a time and says
	// how many entries it deleted.
	PurgeLog(ctx context.Context, before time.Time, limit int) (int, error)
}

// UnpaidFilter selects the requests of one owner's products that were told the
// price and not followed by a payment: those since From that the same address made
// after its last payment for the product in that time, if it made one.
type UnpaidFilter struct {
	OwnerID   string
	ProductID string // any if empty
	// From is at most [MaxDemandHours] before the newest entry, and not before what
	// was purged: a store may keep counts for longer than entries, and no longer than
	// that.
	From time.Time
}

// UnpaidCount is how often an address asked for a product at one price without
// paying for it.
type UnpaidCount struct {
	IP        string
	ProductID string
	Price     x402.Amount
	Currency  string
	Count     int64
	LastID    string // of the newest entry among them
}

// agent is what is kept of a user agent. It is a copy: a header is a part of all
// headers, which would be kept with it.
func agent(s string) string {
	if len(s) > MaxUserAgent {
		s = s[:MaxUserAgent]
		for !utf8.ValidString(s) && len(s) > MaxUserAgent-utf8.UTFMax {
			s = s[:len(s)-1]
		}
	}
	return strings.Clone(s)
}

// address is the IP of a caller, told with or without its port.
func address(remote string) netip.Addr {
	if a, err := netip.ParseAddrPort(remote); err == nil {
		return a.Addr().Unmap().WithZone("")
	}
	a, err := netip.ParseAddr(remote)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// shown is how an address is kept; empty if it is unknown.
func (c LogConfig) shown(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	if c.TruncateIP {
		bits := 48
		if a.Is4() {
			bits = 24
		}
		if p, err := a.Prefix(bits); err == nil {
			return p.Addr().String()
		}
	}
	return a.String()
}
