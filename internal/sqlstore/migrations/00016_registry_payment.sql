-- +goose Up
-- One payment pays one settlement. Where two have the same, the newer keeps what
-- it says but for the key.
UPDATE v402_registry_settlements SET payment_key = payment_key || ' (used by an older settlement than ' || id || ')'
	WHERE payment_key <> '' AND EXISTS (SELECT 1 FROM v402_registry_settlements older
		WHERE older.payment_key = v402_registry_settlements.payment_key AND older.id < v402_registry_settlements.id);
CREATE UNIQUE INDEX v402_registry_settlements_payment ON v402_registry_settlements (payment_key) WHERE payment_key <> '';
