-- +goose Up
-- What signs callbacks, encrypted, and where a platform is paid in stablecoin.
ALTER TABLE v402_registry_platforms ADD COLUMN callback_secrets TEXT NOT NULL DEFAULT '';
ALTER TABLE v402_registry_platforms ADD COLUMN payout_address TEXT NOT NULL DEFAULT '';

-- A transaction hash of "0x" and hex digits is one whatever its case. Where both
-- cases were reported, the newer ones stay as they are.
ALTER TABLE v402_registry_sales ADD COLUMN transaction_key TEXT NOT NULL DEFAULT '';
UPDATE v402_registry_sales SET transaction_key = CASE
	WHEN length(transaction_hash) > 2 AND lower(substr(transaction_hash, 1, 2)) = '0x'
		AND trim(lower(substr(transaction_hash, 3)), '0123456789abcdef') = ''
		AND NOT EXISTS (SELECT 1 FROM v402_registry_sales older WHERE older.seller_id = v402_registry_sales.seller_id
			AND older.contract_id = v402_registry_sales.contract_id AND older.id < v402_registry_sales.id
			AND lower(older.transaction_hash) = lower(v402_registry_sales.transaction_hash)
			AND older.status = 'reported')
	THEN lower(transaction_hash) ELSE transaction_hash END
	WHERE transaction_hash <> '';
DROP INDEX v402_registry_sales_transaction;
CREATE UNIQUE INDEX v402_registry_sales_transaction ON v402_registry_sales (seller_id, transaction_key, contract_id)
	WHERE transaction_key <> '' AND status = 'reported';

-- Lists of what a platform sold or is the origin of are merged from two indexes
-- and counted in them alone: each row once.
DROP INDEX v402_registry_sales_origin;
CREATE INDEX v402_registry_sales_origin ON v402_registry_sales (origin_id, id, seller_id);
DROP INDEX v402_registry_royalties_origin;
CREATE INDEX v402_registry_royalties_origin ON v402_registry_royalties (origin_id, id, seller_id);

-- In a multilateral run each party has a statement of its own lines.
ALTER TABLE v402_registry_settlements ADD COLUMN payee_lines BIGINT NOT NULL DEFAULT 0;
UPDATE v402_registry_settlements SET payee_lines = lines;
UPDATE v402_registry_settlements SET
	lines = (SELECT COUNT(*) FROM v402_registry_royalties r WHERE (r.seller_id = payer_id OR r.origin_id = payer_id) AND (
		r.run_id = v402_registry_settlements.run_id
		OR r.id IN (SELECT w.royalty_id FROM v402_registry_withdrawn w WHERE w.run_id = v402_registry_settlements.run_id))),
	payee_lines = (SELECT COUNT(*) FROM v402_registry_royalties r WHERE (r.seller_id = payee_id OR r.origin_id = payee_id) AND (
		r.run_id = v402_registry_settlements.run_id
		OR r.id IN (SELECT w.royalty_id FROM v402_registry_withdrawn w WHERE w.run_id = v402_registry_settlements.run_id)))
	WHERE run_id IN (SELECT id FROM v402_registry_runs WHERE mode = 'multilateral');

-- When the payment that a document is reserved for can no longer move.
ALTER TABLE v402_registry_settlements ADD COLUMN payment_until BIGINT NOT NULL DEFAULT 0;
