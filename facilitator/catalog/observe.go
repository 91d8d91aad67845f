package catalog

import (
	"context"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/store"
)

// maySell says what the events of users mean for their products.
var maySell = map[string]bool{
	account.EventReinstated: true, account.EventApproved: true,
	account.EventSuspended: false, account.EventBanned: false, account.EventDeleted: false,
}

// Observe takes note of what happens to users: products of those who are
// suspended, banned or deleted are neither found nor sold until the user is
// reinstated. Other events are ignored. The same event again does no harm, and
// neither does one that comes late. It is a consumer for the publisher of the
// outbox.
func (s *Service) Observe(ctx context.Context, e store.Event) error {
	may, known := maySell[e.Type]
	if !known {
		return nil
	}
	return refusal(s.store.SuspendOwner(ctx, e.Subject, !may, e.CreatedAt), nil, "observe "+e.Type)
}
