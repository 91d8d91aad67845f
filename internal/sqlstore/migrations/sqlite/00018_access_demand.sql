-- +goose Up
-- Requests that were told the price, counted by six hours, for as long as unpaid
-- demand is analysed. What of them was paid for is told by the access log.

CREATE TABLE v402_access_demand (
	owner_id   TEXT NOT NULL,
	ip         TEXT NOT NULL,
	product_id TEXT NOT NULL,
	price      TEXT NOT NULL, -- in the smallest unit of the currency
	currency   TEXT NOT NULL,
	bucket     BIGINT NOT NULL, -- unix time in six hours
	requests   BIGINT NOT NULL,
	first_id   TEXT NOT NULL, -- of the access log
	last_id    TEXT NOT NULL,
	PRIMARY KEY (owner_id, ip, product_id, price, currency, bucket)
) WITHOUT ROWID;
CREATE INDEX v402_access_demand_bucket ON v402_access_demand (bucket);

INSERT INTO v402_access_demand (owner_id, ip, product_id, price, currency, bucket, requests, first_id, last_id)
SELECT owner_id, ip, product_id, price, currency, created_at / 21600000000, COUNT(*), MIN(id), MAX(id) FROM v402_access_log
WHERE status = 'requested' GROUP BY owner_id, ip, product_id, price, currency, created_at / 21600000000;

-- The requests of one address for one product, where a payment or the begin of an
-- analysis cuts a count.
CREATE INDEX v402_access_log_asked ON v402_access_log (owner_id, ip, product_id, price, currency, id) WHERE status = 'requested';
DROP INDEX v402_access_log_status;
CREATE INDEX v402_access_log_status ON v402_access_log (owner_id, status, id, ip, product_id);
