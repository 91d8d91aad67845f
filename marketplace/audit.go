package marketplace

import (
	"encoding/json"
	"time"
)

// AuditEntry says who did what to what, and when. Entries are never changed.
type AuditEntry struct {
	ID      int64           `json:"id"`
	At      time.Time       `json:"at"`
	Actor   string          `json:"actor"`   // such as "admin:alice" or "wallet:0x3ea6…"
	Action  string          `json:"action"`  // such as "entitlement.suspend"
	Subject string          `json:"subject"` // such as "entitlement:ent:8453:0x3ea6…:000001"
	Detail  json.RawMessage `json:"detail,omitempty"`
}

// AuditFilter selects entries; zero fields select all.
type AuditFilter struct {
	Actor    string
	Action   string
	Subject  string
	From, To time.Time // At in [From, To)
}

// List is one page of a list; Next is the cursor of the next one, empty at the
// end.
type List[T any] struct {
	Items []T
	Next  string
}

// MaxPage is the most that a page has, and what it has if no limit is asked for.
const MaxPage = 1000

// PageSize is what a page with this limit has at most.
func PageSize(limit int) int {
	if limit <= 0 || limit > MaxPage {
		return MaxPage
	}
	return limit
}

// detail is the JSON of what an entry adds.
func detail(of map[string]any) json.RawMessage {
	j, err := json.Marshal(of)
	if err != nil {
		panic(err) // texts and numbers of ours
	}
	return j
}
