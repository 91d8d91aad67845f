package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/store"
)

// maySell says what the events of users mean for their products.
var maySell = map[string]bool{
	account.EventReinstated: true, account.EventApproved: true,
	account.EventSuspended: false, account.EventBanned: false, account.EventDeleted: false,
}

// userEvent is the data of an event of a user, as far as it is read.
type userEvent struct {
	UserID  string            `json:"user_id"` // the event's subject if empty
	Wallets map[string]string `json:"wallets"` // address by chain
}

// Observe takes note of what happens to users: products of those who are
// suspended, banned or deleted are neither found nor sold until the user is
// reinstated, and wallets that a user names are paid from then on. Other events
// are ignored. The same event again does no harm, and neither does one that comes
// late. It is a consumer for the publisher of the outbox.
func (s *Service) Observe(ctx context.Context, e store.Event) error {
	may, known := maySell[e.Type]
	if !known && e.Type != account.EventRegistered && e.Type != account.EventUpdated {
		return nil
	}
	data := userEvent{UserID: e.Subject}
	if len(e.Data) > 0 {
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return fmt.Errorf("catalog: event %s of type %s: %w", e.ID, e.Type, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(data.Wallets)) {
		n, err := ParseChain(name)
		if err != nil || !validAddress(n, data.Wallets[name]) {
			continue
		}
		w := Wallet{OwnerID: data.UserID, Network: n, Address: data.Wallets[name], UpdatedAt: e.CreatedAt}
		if err := s.store.PutWallet(ctx, w); err != nil {
			return refusal(err, nil, "observe "+e.Type)
		}
	}
	if !known {
		return nil
	}
	return refusal(s.store.SuspendOwner(ctx, data.UserID, !may, e.CreatedAt), nil, "observe "+e.Type)
}
