-- +goose Up
-- Amounts are cents. A time that is optional is 0 where there is none.

-- The newest ID of each kind. Whoever takes one holds the row until the end of
-- the transaction: IDs become visible in their order.
CREATE TABLE v402_registry_ids (
	kind   TEXT PRIMARY KEY,
	newest BIGINT NOT NULL
);
INSERT INTO v402_registry_ids (kind, newest) VALUES
	('platform', 0), ('contract', 0), ('sale', 0), ('royalty', 0), ('mirror', 0), ('run', 0), ('settlement', 0), ('audit', 0);

CREATE TABLE v402_registry_platforms (
	id               BIGINT PRIMARY KEY,
	status           TEXT NOT NULL,
	name             TEXT NOT NULL,
	email            TEXT NOT NULL,
	email_key        TEXT NOT NULL,
	platform_name    TEXT NOT NULL,
	name_key         TEXT NOT NULL,
	platform_address TEXT NOT NULL,
	platform_phone   TEXT NOT NULL,
	platform_email   TEXT NOT NULL,
	api_endpoint     TEXT NOT NULL,
	password_hash    TEXT NOT NULL,
	sealed           TEXT NOT NULL, -- tax number and bank details, encrypted
	admin_notes      TEXT NOT NULL,
	key_hash         TEXT NOT NULL, -- empty until there is a key
	key_prefix       TEXT NOT NULL,
	key_created_at   BIGINT NOT NULL,
	created_at       BIGINT NOT NULL,
	approved_at      BIGINT NOT NULL,
	rejected_at      BIGINT NOT NULL,
	updated_at       BIGINT NOT NULL
);
CREATE UNIQUE INDEX v402_registry_platforms_email ON v402_registry_platforms (email_key) WHERE rejected_at = 0;
CREATE UNIQUE INDEX v402_registry_platforms_key ON v402_registry_platforms (key_hash) WHERE key_hash <> '';
CREATE INDEX v402_registry_platforms_emails ON v402_registry_platforms (email_key, id);

CREATE TABLE v402_registry_contracts (
	id            BIGINT PRIMARY KEY,
	hash          TEXT NOT NULL,
	hash_key      TEXT NOT NULL UNIQUE,
	ipfs_hash     TEXT NOT NULL,
	metadata_cid  TEXT NOT NULL,
	platform_id   BIGINT NOT NULL REFERENCES v402_registry_platforms (id),
	status        TEXT NOT NULL,
	terms         TEXT, -- JSON of registry.Terms
	registered_at BIGINT NOT NULL,
	revoked_at    BIGINT NOT NULL,
	revoke_reason TEXT NOT NULL
);
CREATE INDEX v402_registry_contracts_platform ON v402_registry_contracts (platform_id, id);
CREATE INDEX v402_registry_contracts_ipfs ON v402_registry_contracts (ipfs_hash, id);

CREATE TABLE v402_registry_sales (
	id               BIGINT PRIMARY KEY,
	royalty_id       BIGINT NOT NULL,
	contract_id      BIGINT NOT NULL,
	contract_hash    TEXT NOT NULL,
	seller_id        BIGINT NOT NULL,
	origin_id        BIGINT NOT NULL,
	buyer_wallet     TEXT NOT NULL,
	amount           BIGINT NOT NULL,
	royalty_amount   BIGINT NOT NULL,
	transaction_hash TEXT NOT NULL,
	idempotency_key  TEXT NOT NULL,
	metadata         TEXT, -- a JSON object
	status           TEXT NOT NULL,
	sold_at          BIGINT NOT NULL,
	reported_at      BIGINT NOT NULL,
	voided_at        BIGINT NOT NULL,
	void_reason      TEXT NOT NULL
);
CREATE UNIQUE INDEX v402_registry_sales_request ON v402_registry_sales (seller_id, idempotency_key)
	WHERE idempotency_key <> '';
CREATE UNIQUE INDEX v402_registry_sales_transaction ON v402_registry_sales (seller_id, transaction_hash, contract_id)
	WHERE transaction_hash <> '' AND status = 'reported';
CREATE INDEX v402_registry_sales_seller ON v402_registry_sales (seller_id, id);
CREATE INDEX v402_registry_sales_origin ON v402_registry_sales (origin_id, id);
CREATE INDEX v402_registry_sales_contract ON v402_registry_sales (contract_id, id);

CREATE TABLE v402_registry_royalties (
	id            BIGINT PRIMARY KEY,
	sale_id       BIGINT NOT NULL,
	seller_id     BIGINT NOT NULL,
	origin_id     BIGINT NOT NULL,
	amount        BIGINT NOT NULL, -- negative in an adjustment
	status        TEXT NOT NULL,
	adjusts_id    BIGINT NOT NULL,
	run_id        BIGINT NOT NULL, -- 0 if none
	underreported BOOLEAN NOT NULL,
	reason        TEXT NOT NULL,
	due_at        BIGINT NOT NULL,
	created_at    BIGINT NOT NULL,
	updated_at    BIGINT NOT NULL
);
-- Netting a period changes a million rows at once: in the order of the table, and
-- in no index but the first.
CREATE INDEX v402_registry_royalties_pending ON v402_registry_royalties (due_at, id) WHERE status = 'pending';
CREATE INDEX v402_registry_royalties_pair ON v402_registry_royalties (seller_id, origin_id, id);
CREATE INDEX v402_registry_royalties_seller ON v402_registry_royalties (seller_id, id);
CREATE INDEX v402_registry_royalties_origin ON v402_registry_royalties (origin_id, id);

CREATE TABLE v402_registry_mirrors (
	id                 BIGINT PRIMARY KEY,
	platform_id        BIGINT NOT NULL,
	mirror_key         TEXT NOT NULL,
	contract_hash      TEXT NOT NULL,
	ipfs_hash          TEXT NOT NULL,
	mirrored_ipfs_hash TEXT NOT NULL,
	location           TEXT NOT NULL,
	access_count       BIGINT NOT NULL,
	last_accessed_at   BIGINT NOT NULL,
	mirrored_at        BIGINT NOT NULL,
	updated_at         BIGINT NOT NULL,
	UNIQUE (platform_id, mirror_key)
);
CREATE INDEX v402_registry_mirrors_ipfs ON v402_registry_mirrors (ipfs_hash, id);

CREATE TABLE v402_registry_audit (
	id      BIGINT PRIMARY KEY,
	at      BIGINT NOT NULL,
	actor   TEXT NOT NULL,
	action  TEXT NOT NULL,
	subject TEXT NOT NULL,
	detail  TEXT -- a JSON object
);
CREATE INDEX v402_registry_audit_subject ON v402_registry_audit (subject, id);
CREATE INDEX v402_registry_audit_actor ON v402_registry_audit (actor, id);
