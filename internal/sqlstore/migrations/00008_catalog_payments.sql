-- +goose Up
-- Payments for products, what proves them, and the access that they bought. A time
-- that is optional is 0 where there is none. amount_key is the amount with leading
-- zeros, 78 digits, so that it sorts as the number does.

CREATE TABLE v402_catalog_payments (
	id                 TEXT PRIMARY KEY,
	product_id         TEXT NOT NULL,
	owner_id           TEXT NOT NULL,
	user_id            TEXT NOT NULL,
	method             TEXT NOT NULL,
	status             TEXT NOT NULL,
	scheme             TEXT NOT NULL,
	chain              TEXT NOT NULL,
	network            TEXT NOT NULL,
	currency           TEXT NOT NULL,
	asset              TEXT NOT NULL,
	payer              TEXT NOT NULL,
	payer_key          TEXT NOT NULL, -- in the one spelling that stands for all, as the next two
	payee              TEXT NOT NULL,
	terms_key          TEXT NOT NULL, -- network, asset, payer and payee
	amount             TEXT NOT NULL,
	amount_key         TEXT NOT NULL,
	fee                TEXT NOT NULL,
	refunded           TEXT NOT NULL,
	external_reference TEXT NOT NULL,
	payment_key        TEXT NOT NULL,
	digest             TEXT NOT NULL,
	payload            TEXT, -- JSON of the x402 payment
	tx_hash            TEXT NOT NULL,
	log_index          BIGINT NOT NULL,
	block              BIGINT NOT NULL,
	confirmations      BIGINT NOT NULL,
	failure_code       TEXT NOT NULL,
	failure_reason     TEXT NOT NULL,
	access_duration    BIGINT NOT NULL, -- microseconds
	max_accesses       BIGINT NOT NULL,
	created_at         BIGINT NOT NULL,
	expires_at         BIGINT NOT NULL,
	confirmed_at       BIGINT NOT NULL,
	updated_at         BIGINT NOT NULL,
	lease_owner        TEXT NOT NULL,
	leased_until       BIGINT NOT NULL
);
CREATE UNIQUE INDEX v402_catalog_payments_key ON v402_catalog_payments (payment_key) WHERE payment_key <> '';
CREATE INDEX v402_catalog_payments_newest ON v402_catalog_payments (created_at, id);
CREATE INDEX v402_catalog_payments_owner ON v402_catalog_payments (owner_id, created_at, id);
CREATE INDEX v402_catalog_payments_user ON v402_catalog_payments (user_id, created_at, id);
CREATE INDEX v402_catalog_payments_open ON v402_catalog_payments (created_at, id) WHERE status IN ('pending', 'processing');
CREATE INDEX v402_catalog_payments_terms ON v402_catalog_payments (terms_key, amount_key) WHERE status IN ('pending', 'processing');

-- Transactions that proved payments: by one method each.
CREATE TABLE v402_catalog_transactions (
	network TEXT NOT NULL,
	tx_hash TEXT NOT NULL,
	method  TEXT NOT NULL,
	PRIMARY KEY (network, tx_hash)
);

-- Transfers within them, each of which proves one payment.
CREATE TABLE v402_catalog_proofs (
	network    TEXT NOT NULL,
	tx_hash    TEXT NOT NULL,
	log_index  BIGINT NOT NULL, -- -1 for native coin
	payment_id TEXT NOT NULL,
	PRIMARY KEY (network, tx_hash, log_index)
);

CREATE TABLE v402_catalog_refunds (
	id         TEXT PRIMARY KEY,
	payment_id TEXT NOT NULL,
	amount     TEXT NOT NULL,
	reason     TEXT NOT NULL,
	actor      TEXT NOT NULL,
	tx_hash    TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	settled_at BIGINT NOT NULL
);
CREATE INDEX v402_catalog_refunds_payment ON v402_catalog_refunds (payment_id, created_at, id);

CREATE TABLE v402_catalog_grants (
	id             TEXT PRIMARY KEY,
	product_id     TEXT NOT NULL,
	payment_id     TEXT NOT NULL UNIQUE,
	user_id        TEXT NOT NULL,
	payer          TEXT NOT NULL,
	paid_amount    TEXT NOT NULL,
	paid_network   TEXT NOT NULL,
	paid_tx        TEXT NOT NULL,
	confirmations  BIGINT NOT NULL,
	created_at     BIGINT NOT NULL,
	expires_at     BIGINT NOT NULL,
	max_accesses   BIGINT NOT NULL,
	accesses       BIGINT NOT NULL,
	last_access_at BIGINT NOT NULL,
	revoked_at     BIGINT NOT NULL,
	revoked_reason TEXT NOT NULL
);
CREATE INDEX v402_catalog_grants_user ON v402_catalog_grants (product_id, user_id) WHERE user_id <> '';
CREATE INDEX v402_catalog_grants_payer ON v402_catalog_grants (product_id, payer);

CREATE TABLE v402_catalog_quotes (
	id         TEXT PRIMARY KEY,
	product_id TEXT NOT NULL,
	requester  TEXT NOT NULL,
	resource   TEXT NOT NULL,
	amount     TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX v402_catalog_quotes_of ON v402_catalog_quotes (product_id, requester, created_at);
CREATE INDEX v402_catalog_quotes_expiry ON v402_catalog_quotes (expires_at);
