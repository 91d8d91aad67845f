package registry

import (
	"encoding/json"
	"time"
)

// AuditEntry says who did what to what, and when. Entries are never changed.
type AuditEntry struct {
	ID      int64
	At      time.Time
	Actor   string          // such as "platform:7" or "admin:alice"
	Action  string          // such as "contract.revoke" or "secrets.read"
	Subject string          // such as "contract:0xab" or "platform:7"
	Detail  json.RawMessage // a JSON object, or nil; never a secret
}

// AuditFilter selects entries; zero fields select all.
type AuditFilter struct {
	Actor    string
	Action   string
	Subject  string
	From, To time.Time // At in [From, To)
}

// audited is the trail of one entry.
func audited(at time.Time, actor, action, subject string, detail json.RawMessage) Trail {
	return Trail{Audit: []AuditEntry{{At: at, Actor: actor, Action: action, Subject: subject, Detail: detail}}}
}

// detail is the JSON of what an entry adds.
func detail(of map[string]any) json.RawMessage {
	j, err := json.Marshal(of)
	if err != nil {
		panic(err) // texts and numbers of ours
	}
	return j
}
