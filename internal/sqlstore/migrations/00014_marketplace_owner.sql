-- +goose Up
-- Who hears of the events of an issuer; empty for nobody.

ALTER TABLE v402_marketplace_issuers ADD COLUMN owner_id TEXT NOT NULL DEFAULT '';
