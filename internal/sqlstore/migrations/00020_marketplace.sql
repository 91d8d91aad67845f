-- +goose Up
-- When the payment that a quote is reserved for can no longer move; 0 if none. And
-- how quotes that have bought nothing are found when they are old.

ALTER TABLE v402_marketplace_quotes ADD COLUMN payment_until BIGINT NOT NULL DEFAULT 0;
CREATE INDEX v402_marketplace_quotes_ended ON v402_marketplace_quotes (expires_at) WHERE state IN ('expired', 'void');

-- Which issuers somebody acts for.
CREATE INDEX v402_marketplace_issuers_owner ON v402_marketplace_issuers (owner_id, id);
