package sqlstore

import (
	"context"
	"database/sql"
	"iter"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// querier is a pool, a transaction or a connection.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// texts passes strings on as valid UTF-8 without NUL, which PostgreSQL refuses:
// what a stranger or a node sent must not make a step of ours impossible.
type texts struct{ querier }

func (q texts) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	clean(args)
	return q.querier.ExecContext(ctx, query, args...)
}

func (q texts) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	clean(args)
	return q.querier.QueryContext(ctx, query, args...)
}

func clean(args []any) {
	for i, arg := range args {
		if s, ok := arg.(string); ok {
			args[i] = cleanText(s)
		}
	}
}

// cleanText puts U+FFFD in place of what is not text.
func cleanText(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// all reads every row with scan.
func all[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// one reads the only row, or returns sql.ErrNoRows.
func one[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), query string, args ...any) (T, error) {
	list, err := all(ctx, q, scan, query, args...)
	if err == nil && len(list) == 0 {
		err = sql.ErrNoRows
	}
	if err != nil {
		var zero T
		return zero, err
	}
	return list[0], nil
}

// column scans one value.
func column[T any](rows *sql.Rows) (T, error) {
	var v T
	err := rows.Scan(&v)
	return v, err
}

// pieces cuts list into runs of at most most, whose lengths are powers of two, so
// that there are few texts to prepare.
func pieces[T any](list []T, most int) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for len(list) > 0 {
			n := 1 << (bits.Len(uint(min(most, len(list)))) - 1)
			if !yield(list[:n]) {
				return
			}
			list = list[n:]
		}
	}
}

// value is a column of the rows that an UPDATE joins.
type value struct {
	name string // such as "v_id"
	kind string // SQL type
}

// fromValues begins an UPDATE that has "FROM v", where v is rows rows of
// placeholders, numbered from first, with columns of these names and types.
func fromValues(first, rows int, columns ...value) string {
	names, kinds := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		names[i], kinds[i] = c.name, c.kind
	}
	return "WITH v (" + strings.Join(names, ", ") + ") AS (VALUES " + tuples(first, rows, kinds...) + ") "
}

// tuples writes rows of placeholders, numbered from first. Columns that have a
// type are cast to it, as a list of VALUES by itself needs.
func tuples(first, rows int, types ...string) string {
	var b strings.Builder
	for i := range rows * len(types) {
		col := i % len(types)
		switch {
		case col > 0:
			b.WriteString(", ")
		case i > 0:
			b.WriteString("), (")
		default:
			b.WriteString("(")
		}
		p := "$" + strconv.Itoa(first+i)
		if types[col] != "" {
			p = "CAST(" + p + " AS " + types[col] + ")"
		}
		b.WriteString(p)
	}
	b.WriteString(")")
	return b.String()
}

// list writes n placeholders in parentheses, numbered from first.
func list(first, n int) string { return tuples(first, 1, make([]string, n)...) }

// micros is t as a column: unix microseconds, held within what fits.
func micros(t time.Time) int64 {
	const most = math.MaxInt64 / 1_000_000
	switch s := t.Unix(); {
	case s >= most:
		return math.MaxInt64
	case s <= -most:
		return math.MinInt64
	default:
		return t.UnixMicro()
	}
}

// moment is the time of a column, in UTC.
func moment(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
