-- +goose Up
-- A time that is optional is 0 where there is none.

CREATE TABLE v402_wallet_intents (
	id         TEXT PRIMARY KEY,
	wallet     TEXT NOT NULL,
	chain_id   BIGINT NOT NULL,
	nonce      TEXT NOT NULL,
	origin     TEXT NOT NULL,
	issued_at  BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_at    BIGINT NOT NULL
);
CREATE INDEX v402_wallet_intents_expires ON v402_wallet_intents (expires_at);

CREATE TABLE v402_wallet_sessions (
	token_hash TEXT PRIMARY KEY,
	wallet     TEXT NOT NULL,
	chain_id   BIGINT NOT NULL,
	intent_id  TEXT NOT NULL,
	issued_at  BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	revoked_at BIGINT NOT NULL
);
CREATE INDEX v402_wallet_sessions_expires ON v402_wallet_sessions (expires_at);

CREATE TABLE v402_kept_answers (
	id           TEXT PRIMARY KEY,
	fingerprint  TEXT NOT NULL,
	owner        TEXT NOT NULL,
	leased_until BIGINT NOT NULL,
	expires_at   BIGINT NOT NULL,
	status       BIGINT NOT NULL, -- of HTTP; 0 while there is no answer
	body         TEXT NOT NULL    -- JSON
);
CREATE INDEX v402_kept_answers_expires ON v402_kept_answers (expires_at);
