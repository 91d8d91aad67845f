package webhook

import (
	"context"
	"time"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/store"
)

// Store is the memory of a [Publisher]. One method is one atomic operation.
// Its trail
// is saved with the change or not at all. Callbacks run inside of it and may run
// again: they must only compute. What looks for one thing returns
// store.ErrNotFound, wrapped. All hold across processes that share the store.
type Store interface {
	store.Outbox
	EndpointStore
	DeliveryStore
}

// EndpointStore keeps endpoints.
type EndpointStore interface {
	// AddWebhook stores an endpoint, unless its owner has most already: then it
	// returns [ErrTooMany], also if several are added at once.
	AddWebhook(ctx context.Context, e Endpoint, most int, trail account.Trail) error

	// UpdateWebhook lets change alter one endpoint. An error of change is returned
	// as it is and undoes everything. ID, OwnerID and CreatedAt stay. What is
	// pending to it waits while it is not active.
	UpdateWebhook(ctx context.Context, id string, change func(*Endpoint) (account.Trail, error)) (Endpoint, error)

	// DeleteWebhook deletes an endpoint and its deliveries if check allows it,
	// whose error is returned as it is.
	DeleteWebhook(ctx context.Context, id string, check func(Endpoint) (account.Trail, error)) error

	Webhook(ctx context.Context, id string) (Endpoint, error)
	// Webhooks lists the endpoints of an owner, or of all if it is empty, the
	// newest first.
	Webhooks(ctx context.Context, ownerID string, page store.PageNumber) (store.List[Endpoint], error)
}

// DeliveryStore keeps deliveries, in one queue for each recipient. A process
// leases queues, not deliveries: nobody else sends to that recipient meanwhile.
type DeliveryStore interface {
	// PublishEvents ends what holder began with store.Outbox.LeaseEvents: each
	// event whose HoldUntil is zero leaves the outbox, the others are held until
	// then; and the deliveries that are not there yet are added, due now. An event
	// that holder lost is left alone. All of it happens, or nothing.
	PublishEvents(ctx context.Context, holder string, list []Publication, now time.Time) error

	// QueueEvent adds the delivery of e to one endpoint, subscribed or not.
	QueueEvent(ctx context.Context, endpointID string, e store.Event, now time.Time) (Delivery, error)

	// LeaseDeliveries gives holder up to limit queues that nobody holds and that
	// have something due, the longest due first, with up to each deliveries of
	// them, and holds the queues until then. failing selects the queues whose last
	// batch had no success, or else the others. Queues of endpoints that are not
	// active are left out; to a recipient that is paused nothing is due before its
	// Standing.ProbeAt, and then one delivery.
	LeaseDeliveries(ctx context.Context, holder string, now, until time.Time, failing bool, limit, each int) ([]Batch, error)

	// FinishDeliveries records outcomes and gives the queue back, if holder still
	// has it. Outcomes are recorded even if it has not, unless the attempt was
	// recorded before or the delivery is not pending. change may alter the endpoint
	// of the queue or, if it has none, the standing of the recipient; the other is
	// nil. It is not called if there is neither.
	FinishDeliveries(ctx context.Context, holder, queue string, outcomes []Outcome, change func(*Endpoint, *Standing) account.Trail, now time.Time) error

	// RequeueDelivery makes a delivery of queue pending, due now, if check allows
	// it, whose error is returned as it is.
	RequeueDelivery(ctx context.Context, queue, id string, check func(Delivery) error, now time.Time) (Delivery, error)
	// ReplayDeliveries does the same with up to limit deliveries that f selects
	// and that are not pending, the oldest first, and returns how many. With any it
	// saves what record says of so many.
	ReplayDeliveries(ctx context.Context, f DeliveryFilter, limit int, now time.Time, record func(n int) account.Trail) (int, error)

	WebhookDelivery(ctx context.Context, queue, id string) (Delivery, error)
	// WebhookDeliveries lists deliveries, the newest first.
	WebhookDeliveries(ctx context.Context, f DeliveryFilter, page store.PageNumber) (store.List[Delivery], error)

	// PruneDeliveries deletes up to limit deliveries that were created before a
	// time, in whatever status, and events and direct recipients that have none left.
	PruneDeliveries(ctx context.Context, before time.Time, limit int) (int, error)
}

// Publication is an event and where it goes.
type Publication struct {
	Event     store.Event
	Owners    []string // their active endpoints that are subscribed to the type
	Queues    []string // of direct recipients
	HoldUntil time.Time
}

// DeliveryFilter selects deliveries; zero fields select all.
type DeliveryFilter struct {
	Queue     string
	Status    DeliveryStatus
	EventType string
	EventID   string
	From, To  time.Time // created in [From, To)
}
