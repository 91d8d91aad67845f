-- +goose Up
-- Times are unix microseconds, amounts decimal digits. Each migration must fail
-- when it is repeated: two processes may try it at once on SQLite.

CREATE TABLE v402_settlements (
	id           TEXT PRIMARY KEY,
	payment_key  TEXT NOT NULL UNIQUE,
	state        TEXT NOT NULL,
	network      TEXT NOT NULL,
	scheme       TEXT NOT NULL,
	payer        TEXT NOT NULL,
	pay_to       TEXT NOT NULL,
	asset        TEXT NOT NULL,
	amount       TEXT NOT NULL,
	payment      TEXT NOT NULL, -- JSON of x402.Payment
	valid_before BIGINT NOT NULL,
	relayer      TEXT NOT NULL DEFAULT '',
	nonce        BIGINT,        -- of the newest transaction, while there is a relayer
	transactions TEXT NOT NULL DEFAULT '[]', -- JSON list of facilitator.Transaction
	tx_hash      TEXT NOT NULL DEFAULT '',
	block        BIGINT NOT NULL DEFAULT 0,
	reason       TEXT NOT NULL DEFAULT '',
	message      TEXT NOT NULL DEFAULT '',
	lease_owner  TEXT NOT NULL,
	leased_until BIGINT NOT NULL,
	created_at   BIGINT NOT NULL,
	updated_at   BIGINT NOT NULL
);
CREATE INDEX v402_settlements_unfinished ON v402_settlements (network, created_at, id)
	WHERE state IN ('reserved', 'submitted', 'unknown');
CREATE INDEX v402_settlements_nonces ON v402_settlements (network, relayer, nonce)
	WHERE state IN ('submitted', 'unknown');

CREATE TABLE v402_accounts (
	network    TEXT NOT NULL,
	address    TEXT NOT NULL,
	next_nonce BIGINT NOT NULL, -- one above the newest nonce given
	PRIMARY KEY (network, address)
);

CREATE TABLE v402_claims (
	payment_key  TEXT PRIMARY KEY,
	fingerprint  TEXT NOT NULL,
	owner        TEXT NOT NULL,
	leased_until BIGINT NOT NULL,
	expires      BIGINT NOT NULL,
	attempts     BIGINT NOT NULL,
	settlement   TEXT, -- base64
	outcome      TEXT  -- JSON, once the request is answered
);
CREATE INDEX v402_claims_expires ON v402_claims (expires);

CREATE TABLE v402_spendings (
	id          TEXT PRIMARY KEY,
	fingerprint TEXT NOT NULL,
	host        TEXT NOT NULL,
	network     TEXT NOT NULL,
	asset       TEXT NOT NULL,
	amount      TEXT NOT NULL,
	currency    TEXT NOT NULL,
	value       BIGINT NOT NULL, -- millionths of a unit of currency
	pay_to      TEXT NOT NULL,
	resource    TEXT NOT NULL,
	state       TEXT NOT NULL,
	payload     TEXT,            -- JSON, once it is signed
	tx_hash     TEXT NOT NULL,
	created_at  BIGINT NOT NULL,
	expires_at  BIGINT NOT NULL
);
CREATE INDEX v402_spendings_currency ON v402_spendings (currency, created_at);
CREATE INDEX v402_spendings_created ON v402_spendings (created_at, id);

-- One row for each currency, held by whoever checks limits.
CREATE TABLE v402_budgets (
	currency TEXT PRIMARY KEY
);

CREATE TABLE v402_outbox (
	id           TEXT PRIMARY KEY,
	seq          BIGINT NOT NULL, -- order of saving
	type         TEXT NOT NULL,
	subject      TEXT NOT NULL,
	data         TEXT NOT NULL,   -- JSON
	created_at   BIGINT NOT NULL,
	owner        TEXT NOT NULL,
	leased_until BIGINT NOT NULL
);
CREATE INDEX v402_outbox_seq ON v402_outbox (seq);
