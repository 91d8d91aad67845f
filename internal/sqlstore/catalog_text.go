package sqlstore

import (
	"context"
	"strconv"
	"strings"

	"github.com/v402/v402/facilitator/catalog"
)

// textIndex is a full-text index of products. It holds those that are on sale,
// by their seq. Words are letters, digits and marks: see [catalog.Words].
type textIndex interface {
	put(ctx context.Context, tx querier, seq int64, t catalog.SearchText) error
	remove(ctx context.Context, tx querier, seq int64) error
	key() string // the column that is the seq
	// match returns a condition and what the least sorts first by; ? is the
	// query's argument.
	match() (condition, rank string)
	query(s catalog.Search) string
}

// fts5 is the index of SQLite (https://sqlite.org/fts5.html).
type fts5 struct{}

func (fts5) key() string { return "rowid" }

func (fts5) put(ctx context.Context, tx querier, seq int64, t catalog.SearchText) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO v402_catalog_text (rowid, title, tags, category, description) VALUES ($1, $2, $3, $4, $5)",
		seq, strings.Join(t.Title, " "), strings.Join(t.Tags, " "), strings.Join(t.Category, " "), strings.Join(t.Description, " "))
	return err
}

func (fts5) remove(ctx context.Context, tx querier, seq int64) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM v402_catalog_text WHERE rowid = $1", seq)
	return err
}

func (fts5) match() (condition, rank string) {
	return "v402_catalog_text MATCH ?", "bm25(v402_catalog_text, 16, 8, 4, 1)"
}

func (fts5) query(s catalog.Search) string {
	return joinWords(s, " AND ", " OR ", func(word string, prefix bool) string {
		if prefix {
			return `"` + word + `"*`
		}
		return `"` + word + `"`
	})
}

// joinWords writes a query of the words of s.
func joinWords(s catalog.Search, and, or string, write func(word string, prefix bool) string) string {
	list := make([]string, len(s.Words))
	for i, word := range s.Words {
		list[i] = write(word, s.Prefix && (s.Any || i == len(s.Words)-1))
	}
	if s.Any {
		return strings.Join(list, or)
	}
	return strings.Join(list, and)
}

// tsvector is the index of PostgreSQL (its documentation, "Text Search Types").
// Vectors are written out, so that no configuration of the database changes what
// a word is.
type tsvector struct{}

func (tsvector) key() string { return "seq" }

func (tsvector) put(ctx context.Context, tx querier, seq int64, t catalog.SearchText) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO v402_catalog_text (seq, words) VALUES ($1, CAST(CAST($2 AS TEXT) AS TSVECTOR))`, seq, vector(t))
	return err
}

// vector writes words with their places and the weight of their field. A vector
// has at most 256 places of a word and no place above 16383: more are dropped.
func vector(t catalog.SearchText) string {
	var b strings.Builder
	place := 0
	for _, field := range []struct {
		words  []string
		weight string
	}{{t.Title, "A"}, {t.Tags, "B"}, {t.Category, "C"}, {t.Description, "D"}} {
		for _, word := range field.words {
			place++
			b.WriteString("'" + word + "':" + strconv.Itoa(min(place, 16383)) + field.weight + " ")
		}
	}
	return b.String()
}

func (tsvector) remove(ctx context.Context, tx querier, seq int64) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM v402_catalog_text WHERE seq = $1", seq)
	return err
}

func (tsvector) match() (condition, rank string) {
	const query = "CAST(CAST(? AS TEXT) AS TSQUERY)"
	return "t.words @@ " + query, "-ts_rank('{0.05, 0.25, 0.5, 1}', t.words, " + query + ")"
}

func (tsvector) query(s catalog.Search) string {
	return joinWords(s, " & ", " | ", func(word string, prefix bool) string {
		if prefix {
			return "'" + word + "':*"
		}
		return "'" + word + "'"
	})
}
