package account

import (
	"encoding/json"
	"time"

	"github.com/v402/v402/store"
)

// Trail is what is saved with a change: who did it, and what others must hear.
type Trail struct {
	Audit  []AuditEntry
	Events []store.Event
}

// UserChange is what is saved with a change of a user.
type UserChange struct {
	Trail
	KeysEndAt time.Time // when all API keys that were live end; zero: they stay
	NewKey    *APIKey   // that the user gets then; or nil
}

// AuditEntry says who did what to what, and when. Entries are never changed.
type AuditEntry struct {
	ID      int64
	At      time.Time
	Actor   string          // such as "admin:ada" or the ID of a user
	Action  string          // such as "user.suspend"
	Subject string          // such as "user:123e4567-e89b-12d3-a456-426614174000"
	Detail  json.RawMessage // a JSON object, or nil; never a secret
}

// AuditFilter selects entries; zero fields select all.
type AuditFilter struct {
	Actor        string
	Action       string
	Subject      string
	From, Before time.Time // At in [From, Before)
}

// Audited is an entry whose detail is the JSON of what is given.
func Audited(at time.Time, actor, action, subject string, detail map[string]any) AuditEntry {
	e := AuditEntry{At: at, Actor: actor, Action: action, Subject: subject}
	if len(detail) > 0 {
		e.Detail, _ = json.Marshal(detail) // texts and numbers
	}
	return e
}
