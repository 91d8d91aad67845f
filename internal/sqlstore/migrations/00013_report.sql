-- +goose Up
-- Views by the hour, for two years. The owner stays when the product is gone.

CREATE TABLE v402_report_views (
	hour       BIGINT NOT NULL, -- unix time in hours
	product_id TEXT NOT NULL,
	owner_id   TEXT NOT NULL,
	views      BIGINT NOT NULL,
	PRIMARY KEY (hour, product_id)
);
CREATE INDEX v402_report_views_owner ON v402_report_views (owner_id, hour);
CREATE INDEX v402_report_views_product ON v402_report_views (product_id, hour);

INSERT INTO v402_report_views (hour, product_id, owner_id, views)
SELECT a.hour, a.product_id, p.owner_id, a.views FROM v402_catalog_activity a JOIN v402_catalog_products p ON p.id = a.product_id WHERE a.views > 0;

CREATE INDEX v402_report_sales ON v402_catalog_payments (owner_id, confirmed_at) WHERE status = 'confirmed';
