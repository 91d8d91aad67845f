// Package webhook tells others what happened. A [Publisher] is the one consumer
// of a store's outbox: it hands each event to consumers in this process, and
// sends it, signed, to the URLs whose owners subscribed to it.
//
//	publisher, err := webhook.New(webhook.Config{
//		Store:         db, // such as store/sqlite
//		EncryptionKey: key,
//		Audiences:     []webhook.Audience{webhook.OwnerIn("owner_id")},
//		Consumers:     []func(context.Context, store.Event) error{catalog.Observe},
//		Authenticate:  accounts.Authenticate,
//	})
//	...
//	mux.Handle("/api/v1/providers/webhooks", publisher.Handler())
//	err = publisher.Run(ctx) // until ctx ends
//
// Owners register endpoints with [Publisher.AddEndpoint], or over HTTP, where
// [Publisher.Handler] serves the paths of openapi.yaml. Any number of processes
// may run a Publisher on one store. What receivers do is in package signature,
// which they can import by itself.
//
// # From an event to a delivery
//
// A change is saved with its events. The Publisher leases them, calls each of
// Config.Consumers, asks Config.Audiences who else hears of them, and takes each
// out of the outbox in the same step that queues its deliveries: a process that
// is killed in between loses nothing and queues nothing twice. If a consumer or
// an audience fails, the event stays in the outbox and comes again, with pauses
// that double up to five minutes; deliveries that are known are queued meanwhile.
//
// An [Audience] names an owner, whose endpoints are told if they are active and
// subscribed to the type, or a [Direct] recipient, which has no endpoints here:
// its URL and secrets are looked up in one of Config.Directories each time.
//
// # What is promised of deliveries
//
//   - At least once: every event reaches its recipient, or becomes a dead letter
//     that can be sent again. One that was sent by a process that was killed before
//     it could record that is sent once more.
//   - The ID of the event, the body and the delivery stay the same in all attempts.
//   - No order. Events overtake each other: attempts fail, are repeated later, and
//     up to Config.PerEndpoint of them are made at once.
//   - An answer of 200 to 299 within Config.Timeout is a success. All else is tried
//     again Config.Retries times; the pauses begin with Config.RetryBase and double,
//     give or take a quarter, and are at least what Retry-After asks for. Redirects
//     are not followed.
//   - An endpoint that answers 410 is disabled, and so is one that has given nothing
//     but failures for Config.DisableAfter when one more delivery is given up. Its
//     owner hears of that by an event, [EventDisabled], at other endpoints, and can
//     make it active again; until then no events are queued for it, and what was
//     pending waits.
//
// A [Direct] recipient has no owner here who could make it active again. One that
// has answered 410, or given nothing but failures for Config.DisableAfter, is
// paused: all deliveries to it wait, and each Config.RetryMax one of them is tried.
// With the first success the others follow. The log tells, and so do [EventPaused]
// and [EventResumed].
//
// Deliveries are kept for Config.Retention, whatever became of them; then they are
// deleted, also those that wait. Events leave the outbox when they are published.
//
// An owner whom Config.Admits refuses, such as a suspended user, hears of nothing:
// what happens meanwhile is not queued, and what was due becomes a dead letter. The
// endpoints of a user who was deleted ([account.EventDeleted]) are deleted.
//
// A recipient that is slow or dead does not delay the others. Each has a queue of
// its own, which one process holds at a time; those whose last requests all failed
// share a part of Config.Concurrency that the others do not need; and a request
// that takes more than a second gives its place to another.
//
// What owners, admins and the Publisher change of an endpoint is in the audit log,
// as the host of its URL, whose path may be secret.
//
// # Secrets
//
// An endpoint has one secret, or two for Config.SecretOverlap after it was rotated;
// package signature says what they sign, and how. They are sealed with
// Config.EncryptionKey before they are stored, and shown once. To change the key,
// put the old one into Config.OldEncryptionKeys.
//
// # Where requests may go
//
// A URL is that of a stranger. It must be https, and its host's address must be
// public when the connection is made, whatever the name pointed to before: not of
// this machine or its networks, nor the metadata service of a cloud, nor an IPv4
// address inside of an IPv6 one. No proxy is used. Config.AllowNetworks and, for
// development, Config.AllowLocalhost make exceptions.
package webhook
