-- +goose Up
-- The words of products that are on sale, by their seq.

CREATE TABLE v402_catalog_text (
	seq   BIGINT PRIMARY KEY,
	words TSVECTOR NOT NULL
);
CREATE INDEX v402_catalog_text_words ON v402_catalog_text USING gin (words);
