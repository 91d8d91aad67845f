-- +goose Up
-- A time that is optional is 0 where there is none.

CREATE TABLE v402_users (
	id            TEXT    NOT NULL PRIMARY KEY,
	role          TEXT    NOT NULL,
	status        TEXT    NOT NULL,
	status_reason TEXT    NOT NULL,
	username      TEXT    NOT NULL,
	email         TEXT    NOT NULL,
	name          TEXT    NOT NULL,
	website       TEXT    NOT NULL,
	verified      BOOLEAN NOT NULL,
	public_key    TEXT    NOT NULL, -- empty if there is none
	search_text   TEXT    NOT NULL, -- what is looked through, in lower case
	created_at    BIGINT  NOT NULL,
	updated_at    BIGINT  NOT NULL,
	last_seen_at  BIGINT  NOT NULL  -- 0 if never
);
CREATE UNIQUE INDEX v402_users_public_key ON v402_users (public_key) WHERE public_key <> '';
CREATE INDEX v402_users_newest ON v402_users (created_at, id);
CREATE INDEX v402_users_status ON v402_users (status, created_at, id);
CREATE INDEX v402_users_role ON v402_users (role, created_at, id);

CREATE TABLE v402_api_keys (
	id           TEXT   NOT NULL PRIMARY KEY,
	user_id      TEXT   NOT NULL REFERENCES v402_users (id),
	name         TEXT   NOT NULL,
	prefix       TEXT   NOT NULL,
	hash         TEXT   NOT NULL UNIQUE, -- SHA-256 of the key, hex
	created_at   BIGINT NOT NULL,
	last_used_at BIGINT NOT NULL, -- 0 if never
	revoked_at   BIGINT NOT NULL  -- 0 while the key is live
);
CREATE INDEX v402_api_keys_user ON v402_api_keys (user_id, created_at, id);

-- Signatures that were used, until they are too old to be used again.
CREATE TABLE v402_nonces (
	wallet     TEXT   NOT NULL,
	nonce      TEXT   NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (wallet, nonce)
);
CREATE INDEX v402_nonces_expires ON v402_nonces (expires_at);

-- One row: the newest ID of the audit log.
CREATE TABLE v402_audit_ids (newest BIGINT NOT NULL);
INSERT INTO v402_audit_ids (newest) VALUES (0);

CREATE TABLE v402_audit (
	id      BIGINT NOT NULL PRIMARY KEY,
	at      BIGINT NOT NULL,
	actor   TEXT   NOT NULL,
	action  TEXT   NOT NULL,
	subject TEXT   NOT NULL,
	detail  TEXT
);
CREATE INDEX v402_audit_actor ON v402_audit (actor, id);
CREATE INDEX v402_audit_subject ON v402_audit (subject, id);
