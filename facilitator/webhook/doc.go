// Package webhook tells others what happened: it is the one consumer of a
// store's outbox, hands each event to consumers in this process, and sends it,
// signed, to the URLs that subscribed to it.
package webhook
