-- +goose Up
-- Attempts to reach products. An ID holds the time of its entry, and sorts by it.

CREATE TABLE v402_access_log (
	id         TEXT PRIMARY KEY,
	product_id TEXT NOT NULL,
	owner_id   TEXT NOT NULL,
	status     TEXT NOT NULL,
	ip         TEXT NOT NULL,
	user_agent TEXT NOT NULL,
	country    TEXT NOT NULL,
	payment_id TEXT NOT NULL,
	payer      TEXT NOT NULL,
	price      TEXT NOT NULL, -- in the smallest unit of the currency
	currency   TEXT NOT NULL,
	created_at BIGINT NOT NULL
);
CREATE INDEX v402_access_log_owner ON v402_access_log (owner_id, id);
-- Unpaid requests are counted by this index alone.
CREATE INDEX v402_access_log_status ON v402_access_log (owner_id, status, id, ip, product_id, price, currency);
CREATE INDEX v402_access_log_product ON v402_access_log (product_id, id);

-- How many attempts were left out of the log, by owner and hour.
CREATE TABLE v402_access_log_gaps (
	owner_id TEXT NOT NULL,
	hour     BIGINT NOT NULL,
	attempts BIGINT NOT NULL,
	PRIMARY KEY (owner_id, hour)
);
CREATE INDEX v402_access_log_gaps_hour ON v402_access_log_gaps (hour);
