-- +goose Up
-- The words of products that are on sale, by their seq.

CREATE VIRTUAL TABLE v402_catalog_text USING fts5 (
	title, tags, category, description,
	content = '', contentless_delete = 1, prefix = '2 3 4',
	tokenize = "unicode61 remove_diacritics 0 categories 'L* N* M* Co'"
);
