package webhook

import (
	"net/url"
	"time"

	"github.com/v402/v402/facilitator/account"
)

// byPublisher is who does what a [Publisher] does by itself, in the audit log.
const byPublisher = "publisher"

// audited is an entry of the audit log about an endpoint, or a queue.
func audited(at time.Time, actor, action, id string, detail map[string]any) []account.AuditEntry {
	return []account.AuditEntry{account.Audited(at, actor, action, "webhook:"+id, detail)}
}

// hostOf is what the audit log says of a URL: its path may be as good as a
// secret.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host
}
