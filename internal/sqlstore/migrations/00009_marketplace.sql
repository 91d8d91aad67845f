-- +goose Up
-- Wallets are in lower case. A time that is optional is 0 where there is none.

CREATE TABLE v402_marketplace_issuers (
	id         TEXT PRIMARY KEY,
	name       TEXT NOT NULL,
	url        TEXT NOT NULL,
	status     TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL
);

CREATE TABLE v402_marketplace_offers (
	id         TEXT PRIMARY KEY,
	issuer_id  TEXT NOT NULL,
	status     TEXT NOT NULL,
	currency   TEXT NOT NULL,
	chain_id   BIGINT NOT NULL,
	search     TEXT NOT NULL, -- ID, title and summary in lower case
	data       TEXT NOT NULL  -- JSON of marketplace.Offer
);
CREATE INDEX v402_marketplace_offers_issuer ON v402_marketplace_offers (issuer_id, id);

CREATE TABLE v402_marketplace_approvals (
	offer_id    TEXT NOT NULL,
	wallet      TEXT NOT NULL,
	approved_by TEXT NOT NULL,
	approved_at BIGINT NOT NULL,
	PRIMARY KEY (offer_id, wallet)
);

CREATE TABLE v402_marketplace_challenges (
	id         TEXT PRIMARY KEY,
	wallet     TEXT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX v402_marketplace_challenges_expires ON v402_marketplace_challenges (expires_at);

CREATE TABLE v402_marketplace_quotes (
	id             TEXT PRIMARY KEY,
	wallet         TEXT NOT NULL,
	payer_wallet   TEXT NOT NULL,
	offer_id       TEXT NOT NULL,
	issuer_id      TEXT NOT NULL,
	renews         TEXT NOT NULL,
	state          TEXT NOT NULL,
	payment_key    TEXT NOT NULL, -- empty if it is not reserved
	payment        TEXT,
	tx_hash        TEXT NOT NULL,
	entitlement_id TEXT NOT NULL,
	created_at     BIGINT NOT NULL,
	expires_at     BIGINT NOT NULL,
	consumed_at    BIGINT NOT NULL,
	data           TEXT NOT NULL -- JSON of what of marketplace.CheckoutQuote never changes
);
CREATE INDEX v402_marketplace_quotes_wallet ON v402_marketplace_quotes (wallet, id);
CREATE INDEX v402_marketplace_quotes_issuer ON v402_marketplace_quotes (issuer_id, id);
CREATE INDEX v402_marketplace_quotes_open ON v402_marketplace_quotes (expires_at) WHERE state = 'open';
CREATE INDEX v402_marketplace_quotes_reserved ON v402_marketplace_quotes (wallet, offer_id) WHERE state = 'open' AND payment_key <> '';

-- Which quote is reserved for a payment.
CREATE TABLE v402_marketplace_payments (
	payment_key TEXT PRIMARY KEY,
	quote_id    TEXT NOT NULL
);

-- What is used up of a transaction: the money of one payer. The quote is empty
-- where x402 has paid, perhaps several quotes.
CREATE TABLE v402_marketplace_transactions (
	network  TEXT NOT NULL,
	hash     TEXT NOT NULL,
	payer    TEXT NOT NULL,
	quote_id TEXT NOT NULL,
	PRIMARY KEY (network, hash, payer)
);

-- Whoever checks out for a wallet holds its row.
CREATE TABLE v402_marketplace_memberships (
	wallet       TEXT PRIMARY KEY,
	status       TEXT NOT NULL,
	quote_id     TEXT NOT NULL,
	tx_hash      TEXT NOT NULL,
	chain_id     BIGINT NOT NULL,
	reason       TEXT NOT NULL,
	activated_at BIGINT NOT NULL,
	updated_at   BIGINT NOT NULL
);
CREATE INDEX v402_marketplace_memberships_status ON v402_marketplace_memberships (status, wallet);

CREATE TABLE v402_marketplace_entitlements (
	id              TEXT PRIMARY KEY,
	offer_id        TEXT NOT NULL,
	issuer_id       TEXT NOT NULL,
	wallet          TEXT NOT NULL,
	payer_wallet    TEXT NOT NULL,
	org_root_id     TEXT NOT NULL,
	principal_id    TEXT NOT NULL,
	principal_role  TEXT NOT NULL,
	workspace_id    TEXT NOT NULL,
	type            TEXT NOT NULL,
	scope           TEXT NOT NULL,
	state           TEXT NOT NULL,
	access_class    TEXT NOT NULL,
	availability    TEXT NOT NULL,
	policy_hash     TEXT NOT NULL,
	transferable    BOOLEAN NOT NULL,
	max_per_wallet  BIGINT NOT NULL,
	workspace_bound BOOLEAN NOT NULL,
	seats           BIGINT NOT NULL,
	term_seconds    BIGINT NOT NULL,
	chain_id        BIGINT NOT NULL,
	tx_hash         TEXT NOT NULL,
	quote_id        TEXT NOT NULL,
	reason          TEXT NOT NULL,
	issued_at       BIGINT NOT NULL,
	expires_at      BIGINT NOT NULL,
	updated_at      BIGINT NOT NULL
);
CREATE INDEX v402_marketplace_entitlements_held ON v402_marketplace_entitlements (wallet, offer_id, issued_at, id);
CREATE INDEX v402_marketplace_entitlements_wallet ON v402_marketplace_entitlements (wallet, id);
CREATE INDEX v402_marketplace_entitlements_offer ON v402_marketplace_entitlements (offer_id, id);
CREATE INDEX v402_marketplace_entitlements_issuer ON v402_marketplace_entitlements (issuer_id, id);
CREATE INDEX v402_marketplace_entitlements_org ON v402_marketplace_entitlements (org_root_id, id);
CREATE INDEX v402_marketplace_entitlements_end ON v402_marketplace_entitlements (expires_at) WHERE state = 'active' AND expires_at <> 0;

-- The number of the newest entitlement of a wallet on a chain, and of the newest
-- entry of the audit log. Whoever takes one holds the row until the end of the
-- transaction: there are no gaps, and entries become visible in their order.
CREATE TABLE v402_marketplace_numbers (
	chain_id BIGINT NOT NULL,
	wallet   TEXT NOT NULL,
	newest   BIGINT NOT NULL,
	PRIMARY KEY (chain_id, wallet)
);
INSERT INTO v402_marketplace_numbers (chain_id, wallet, newest) VALUES (0, 'audit', 0);

CREATE TABLE v402_marketplace_seats (
	entitlement_id TEXT NOT NULL,
	instance_id    TEXT NOT NULL,
	name           TEXT NOT NULL,
	activated_at   BIGINT NOT NULL,
	last_seen_at   BIGINT NOT NULL,
	PRIMARY KEY (entitlement_id, instance_id)
);

CREATE TABLE v402_marketplace_audit (
	id      BIGINT PRIMARY KEY,
	at      BIGINT NOT NULL,
	actor   TEXT NOT NULL,
	action  TEXT NOT NULL,
	subject TEXT NOT NULL,
	detail  TEXT -- a JSON object
);
CREATE INDEX v402_marketplace_audit_subject ON v402_marketplace_audit (subject, id);
CREATE INDEX v402_marketplace_audit_actor ON v402_marketplace_audit (actor, id);
