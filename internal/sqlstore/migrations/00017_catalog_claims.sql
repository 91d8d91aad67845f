-- +goose Up
-- What a payer has signed for stays known while its transaction is too shallow to
-- prove a payment. Of a grant it is counted how often one access was repeated.
-- And products that somebody pays for are not erased.

ALTER TABLE v402_catalog_payments ADD COLUMN payer_signed BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE v402_catalog_grants ADD COLUMN repeats BIGINT NOT NULL DEFAULT 0;
CREATE INDEX v402_catalog_payments_product ON v402_catalog_payments (product_id);
