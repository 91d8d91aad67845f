-- +goose Up
-- Products, and what clients find them by. A time that is optional is 0 where
-- there is none. Prices are decimal digits; price_key is the same with leading
-- zeros, 78 digits, so that it sorts as the number does.

INSERT INTO v402_registry_ids (kind, newest) VALUES ('product', 0), ('review', 0);

CREATE TABLE v402_catalog_products (
	id                TEXT PRIMARY KEY,
	seq               BIGINT NOT NULL, -- in the order of creation
	owner_id          TEXT NOT NULL,
	slug              TEXT NOT NULL,
	title             TEXT NOT NULL,
	title_key         TEXT NOT NULL, -- in lower case
	description       TEXT NOT NULL,
	search_key        TEXT NOT NULL, -- title and description in lower case
	preview           TEXT NOT NULL,
	type              TEXT NOT NULL,
	category          TEXT NOT NULL,
	category_key      TEXT NOT NULL, -- in lower case
	tags              TEXT NOT NULL, -- a JSON array
	content_url       TEXT NOT NULL,
	content_type      TEXT NOT NULL,
	content_hash      TEXT NOT NULL,
	thumbnail         TEXT NOT NULL,
	price             TEXT NOT NULL,
	price_key         TEXT NOT NULL,
	currency          TEXT NOT NULL,
	scheme            TEXT NOT NULL,
	chains            TEXT NOT NULL, -- ",a,b,", or empty for all
	quote_url         TEXT NOT NULL,
	access_duration   BIGINT NOT NULL, -- microseconds
	max_accesses      BIGINT NOT NULL,
	status            TEXT NOT NULL,
	flagged           BOOLEAN NOT NULL,
	rejected          BOOLEAN NOT NULL,
	moderation_reason TEXT NOT NULL,
	moderated_by      TEXT NOT NULL,
	moderated_at      BIGINT NOT NULL,
	suspended         BOOLEAN NOT NULL, -- the owner is
	on_sale           BOOLEAN NOT NULL, -- what follows from status, flagged and suspended
	views             BIGINT NOT NULL,
	purchases         BIGINT NOT NULL,
	rating_sum        BIGINT NOT NULL,
	rating_count      BIGINT NOT NULL,
	rating_key        BIGINT NOT NULL, -- millionths
	created_at        BIGINT NOT NULL,
	updated_at        BIGINT NOT NULL,
	published_at      BIGINT NOT NULL,
	deleted_at        BIGINT NOT NULL
);
CREATE UNIQUE INDEX v402_catalog_products_slug ON v402_catalog_products (slug) WHERE slug <> '';
-- What found words are filtered by, without reading the table.
CREATE INDEX v402_catalog_products_filter ON v402_catalog_products (seq, category_key, type, content_type, currency, price_key, owner_id, chains);
CREATE INDEX v402_catalog_products_owner ON v402_catalog_products (owner_id, seq);
CREATE INDEX v402_catalog_products_flagged ON v402_catalog_products (seq) WHERE flagged;
CREATE INDEX v402_catalog_products_popular ON v402_catalog_products (purchases, seq) WHERE on_sale;
CREATE INDEX v402_catalog_products_recent ON v402_catalog_products (published_at, seq) WHERE on_sale;
CREATE INDEX v402_catalog_products_price ON v402_catalog_products (price_key, seq) WHERE on_sale;
CREATE INDEX v402_catalog_products_rating ON v402_catalog_products (rating_key, seq) WHERE on_sale;
CREATE INDEX v402_catalog_products_category ON v402_catalog_products (category_key, category, seq) WHERE on_sale;

-- Owners of whom something was said.
CREATE TABLE v402_catalog_owners (
	owner_id  TEXT PRIMARY KEY,
	suspended BOOLEAN NOT NULL,
	at        BIGINT NOT NULL
);

CREATE TABLE v402_catalog_wallets (
	owner_id   TEXT NOT NULL,
	network    TEXT NOT NULL,
	address    TEXT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (owner_id, network)
);

-- What happened to a product within an hour, for a month.
CREATE TABLE v402_catalog_activity (
	hour       BIGINT NOT NULL, -- unix time in hours
	product_id TEXT NOT NULL,
	views      BIGINT NOT NULL,
	purchases  BIGINT NOT NULL,
	PRIMARY KEY (hour, product_id)
);

CREATE TABLE v402_catalog_reviews (
	id          TEXT PRIMARY KEY,
	seq         BIGINT NOT NULL,
	product_id  TEXT NOT NULL,
	author_id   TEXT NOT NULL,
	author_name TEXT NOT NULL,
	rating      BIGINT NOT NULL,
	comment     TEXT NOT NULL,
	created_at  BIGINT NOT NULL,
	updated_at  BIGINT NOT NULL,
	UNIQUE (product_id, author_id)
);
CREATE INDEX v402_catalog_reviews_newest ON v402_catalog_reviews (product_id, seq);
