-- +goose Up
-- Settlements between the platforms of a registry. Amounts are cents. A time that
-- is optional is 0 where there is none.

CREATE TABLE v402_registry_runs (
	id        BIGINT PRIMARY KEY,
	mode      TEXT NOT NULL,
	currency  TEXT NOT NULL,
	from_at   BIGINT NOT NULL,
	to_at     BIGINT NOT NULL,
	issued_at BIGINT NOT NULL,
	issued_by TEXT NOT NULL,
	first_id  BIGINT NOT NULL -- no royalty of the run has a lower ID
);
CREATE INDEX v402_registry_runs_period ON v402_registry_runs (from_at, to_at);

CREATE TABLE v402_registry_settlements (
	id           BIGINT PRIMARY KEY,
	run_id       BIGINT NOT NULL REFERENCES v402_registry_runs (id),
	payer_id     BIGINT NOT NULL,
	payee_id     BIGINT NOT NULL,
	gross        BIGINT NOT NULL,
	counter      BIGINT NOT NULL,
	net          BIGINT NOT NULL,
	lines        BIGINT NOT NULL,
	status       TEXT NOT NULL,
	reference    TEXT NOT NULL,
	reason       TEXT NOT NULL,
	payment_key  TEXT NOT NULL,
	payment      TEXT, -- JSON of the x402 payment
	paid_at      BIGINT NOT NULL,
	confirmed_at BIGINT NOT NULL,
	disputed_at  BIGINT NOT NULL,
	cancelled_at BIGINT NOT NULL,
	updated_at   BIGINT NOT NULL
);
CREATE INDEX v402_registry_settlements_run ON v402_registry_settlements (run_id, id);
CREATE INDEX v402_registry_settlements_payer ON v402_registry_settlements (payer_id, id);
CREATE INDEX v402_registry_settlements_payee ON v402_registry_settlements (payee_id, id);

-- Pairs, in both directions, that a run leaves out. Empty but for its duration.
CREATE TABLE v402_registry_carried (
	seller_id BIGINT NOT NULL,
	origin_id BIGINT NOT NULL,
	PRIMARY KEY (seller_id, origin_id)
);

-- Royalties that left a run with a cancelled document.
CREATE TABLE v402_registry_withdrawn (
	run_id     BIGINT NOT NULL,
	royalty_id BIGINT NOT NULL,
	PRIMARY KEY (run_id, royalty_id)
);
