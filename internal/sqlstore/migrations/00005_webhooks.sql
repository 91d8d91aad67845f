-- +goose Up
-- Webhooks. A time that is optional is 0 where there is none.

CREATE TABLE v402_webhooks (
	id            TEXT PRIMARY KEY,
	owner_id      TEXT NOT NULL,
	slot          BIGINT NOT NULL, -- from 1: there are as many as an owner may have
	url           TEXT NOT NULL,
	description   TEXT NOT NULL,
	events        TEXT NOT NULL,   -- JSON list of types
	status        TEXT NOT NULL,
	reason        TEXT NOT NULL,
	secrets       TEXT NOT NULL,   -- JSON list of webhook.SealedSecret
	failing_since BIGINT NOT NULL,
	disabled_at   BIGINT NOT NULL,
	delivered_at  BIGINT NOT NULL,
	created_at    BIGINT NOT NULL,
	updated_at    BIGINT NOT NULL,
	UNIQUE (owner_id, slot)
);

-- One for each recipient that ever had a delivery.
CREATE TABLE v402_webhook_queues (
	id           TEXT PRIMARY KEY,
	failing      BIGINT NOT NULL, -- 1 if the last batch had no success
	next_at      BIGINT NOT NULL, -- when something is due
	owner        TEXT NOT NULL,
	leased_until BIGINT NOT NULL
);
CREATE INDEX v402_webhook_queues_due ON v402_webhook_queues (failing, next_at);

CREATE TABLE v402_webhook_events (
	id         TEXT PRIMARY KEY,
	type       TEXT NOT NULL,
	subject    TEXT NOT NULL,
	data       TEXT NOT NULL, -- JSON
	created_at BIGINT NOT NULL,
	queued_at  BIGINT NOT NULL
);
CREATE INDEX v402_webhook_events_queued ON v402_webhook_events (queued_at);

CREATE TABLE v402_webhook_deliveries (
	id         TEXT PRIMARY KEY,
	queue      TEXT NOT NULL,
	event_id   TEXT NOT NULL,
	event_type TEXT NOT NULL,
	status     TEXT NOT NULL,
	attempts   BIGINT NOT NULL,
	failures   BIGINT NOT NULL,
	next_at    BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	log        TEXT NOT NULL -- JSON list of webhook.Attempt
);
CREATE INDEX v402_webhook_deliveries_queue ON v402_webhook_deliveries (queue, created_at, id);
CREATE INDEX v402_webhook_deliveries_due ON v402_webhook_deliveries (queue, next_at, id) WHERE status = 'pending';
CREATE INDEX v402_webhook_deliveries_created ON v402_webhook_deliveries (created_at);
CREATE INDEX v402_webhook_deliveries_event ON v402_webhook_deliveries (event_id);
