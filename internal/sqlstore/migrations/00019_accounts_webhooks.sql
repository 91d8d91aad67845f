-- +goose Up
-- The admin who reset the API keys of a user last; empty: nobody.
ALTER TABLE v402_users ADD COLUMN keys_reset_by TEXT NOT NULL DEFAULT '';

-- What is not kept of a user who was deleted.
UPDATE v402_users SET username = '', email = '', name = '', website = '', public_key = '', search_text = id, verified = FALSE WHERE status = 'deleted';

-- Recipients without an endpoint: since when they give nothing but failures, and
-- when one that is paused is tried again; 0 where there is no such time.
ALTER TABLE v402_webhook_queues ADD COLUMN failing_since BIGINT NOT NULL DEFAULT 0;
ALTER TABLE v402_webhook_queues ADD COLUMN probe_at BIGINT NOT NULL DEFAULT 0;
