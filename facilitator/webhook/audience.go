package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/v402/v402/store"
)

// Recipient is who hears of an event: an owner, at those endpoints that are
// subscribed to its type, or a party with a URL of its own.
type Recipient struct {
	OwnerID string
	Direct  Direct
}

// Direct names a party that has no endpoints here but a URL of its own, such as
// a platform of a registry: a directory of Config.Directories and a key in it.
// The party is looked up when a delivery is made; nothing else of it is stored.
type Direct struct {
	Directory string // without a colon
	Key       string
}

// directPrefix begins the names of queues of direct recipients.
const directPrefix = "direct:"

// Queue is the name under which deliveries to d are stored.
func (d Direct) Queue() string { return directPrefix + d.Directory + ":" + d.Key }

// directOf reads what Queue wrote.
func directOf(queue string) (Direct, bool) {
	rest, ok := strings.CutPrefix(queue, directPrefix)
	directory, key, found := strings.Cut(rest, ":")
	return Direct{directory, key}, ok && found
}

// Audience tells who hears of an event; nobody, if it is not one of its events.
// An error holds the event back: it is asked again later.
type Audience func(ctx context.Context, e store.Event) ([]Recipient, error)

// OwnerIn is an Audience that tells the owner whose ID is the string in a member
// of the event's data, such as "owner_id", if it is there. With types it knows
// only events of these.
func OwnerIn(member string, types ...string) Audience {
	known := make(map[string]bool, len(types))
	for _, t := range types {
		known[t] = true
	}
	return func(_ context.Context, e store.Event) ([]Recipient, error) {
		if len(known) > 0 && !known[e.Type] {
			return nil, nil
		}
		var data map[string]json.RawMessage
		var id string
		if json.Unmarshal(e.Data, &data) != nil || json.Unmarshal(data[member], &id) != nil || id == "" {
			return nil, nil // it is of another kind
		}
		return []Recipient{{OwnerID: id}}, nil
	}
}

// Directory finds a direct recipient by its key when a delivery is due. It
// returns [ErrGone], wrapped, if there is none (any more): then the delivery is
// given up. After another error it is tried again.
type Directory func(ctx context.Context, key string) (Target, error)

// Target is where a direct recipient hears of events.
type Target struct {
	URL     string
	Secrets []string // that sign, the newest first; see package signature
}

// ErrGone says that a direct recipient is not told any more.
var ErrGone = errors.New("the recipient is gone")
