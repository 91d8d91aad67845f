package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

var _ registry.Store = (*DB)(nil)

// newIDs takes n IDs of a kind and returns the first. Transactions that take
// several kinds do so in one order: sale, royalty; run, settlement; audit last.
func newIDs(ctx context.Context, tx querier, kind string, n int) (int64, error) {
	newest, err := one(ctx, tx, column[int64], "UPDATE v402_registry_ids SET newest = newest + $1 WHERE kind = $2 RETURNING newest", int64(n), kind)
	return newest - int64(n) + 1, err
}

// record saves a trail with a change.
func (s *DB) record(ctx context.Context, tx querier, t registry.Trail) error {
	if len(t.Audit) > 0 {
		first, err := newIDs(ctx, tx, "audit", len(t.Audit))
		if err != nil {
			return err
		}
		rows := make([][]any, len(t.Audit))
		for i, e := range t.Audit {
			rows[i] = []any{first + int64(i), micros(e.At), e.Actor, e.Action, e.Subject, nullable(e.Detail)}
		}
		if err := insert(ctx, tx, "v402_registry_audit", "id, at, actor, action, subject, detail", rows); err != nil {
			return err
		}
	}
	return s.saveEvents(ctx, tx, t.Events)
}

// bulk is how many rows a long insert writes with one statement.
const bulk = 128

// insert writes rows with few statements.
func insert(ctx context.Context, tx querier, table, columns string, rows [][]any) error {
	for run := range pieces(rows, bulk) {
		var args []any
		for _, row := range run {
			args = append(args, row...)
		}
		query := "INSERT INTO " + table + " (" + columns + ") VALUES " + tuples(1, len(run), make([]string, len(run[0]))...)
		if _, err := tx.ExecContext(ctx, query, args...); err != nil {
			return err
		}
	}
	return nil
}

// update changes one row, whose ID is the last argument.
func update(ctx context.Context, tx querier, table, columns string, args ...any) error {
	var b strings.Builder
	names := strings.Split(columns, ", ")
	for i, name := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(name + " = $" + strconv.Itoa(i+1))
	}
	_, err := tx.ExecContext(ctx, "UPDATE "+table+" SET "+b.String()+" WHERE id = $"+strconv.Itoa(len(names)+1), args...)
	return err
}

// lockRow holds rows of a table by the value of a column, where rows are locked.
func (s *DB) lockRow(ctx context.Context, tx querier, table, by string, value any) error {
	if s.lock == "" {
		return nil
	}
	_, err := all(ctx, tx, column[int64], "SELECT id FROM "+table+" WHERE "+by+" = $1 ORDER BY id"+s.lock, value)
	return err
}

// filter builds a WHERE.
type filter struct {
	conditions []string
	args       []any
}

// add adds a condition, where each ? is the same value.
func (f *filter) add(condition string, value any) {
	f.args = append(f.args, value)
	f.conditions = append(f.conditions, strings.ReplaceAll(condition, "?", "$"+strconv.Itoa(len(f.args))))
}

func (f *filter) id(condition string, id int64) {
	if id != 0 {
		f.add(condition, id)
	}
}

func (f *filter) text(condition, value string) {
	if value != "" {
		f.add(condition, value)
	}
}

// within wants a time in [from, to); zero times bound nothing.
func (f *filter) within(column string, from, to time.Time) {
	if !from.IsZero() {
		f.add(column+" >= ?", micros(from))
	}
	if !to.IsZero() {
		f.add(column+" < ?", micros(to))
	}
}

func (f filter) String() string {
	if len(f.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(f.conditions, " AND ")
}

// selection is what a list shows: columns of tables, where counted are those
// that the count needs.
type selection[T any] struct {
	columns string
	counted string // the table that is listed, with its alias
	joined  string // what it is joined with to show it
	id      string // the column that orders
	scan    func(*sql.Rows) (T, error)
}

// page lists one page, the newest first or the oldest.
func page[T any](ctx context.Context, q querier, s selection[T], f filter, o registry.PageOptions, oldestFirst bool) (registry.List[T], error) {
	o = o.Bounded()
	out := registry.List[T]{Page: o.Page, PerPage: o.PerPage}
	total, err := one(ctx, q, column[int64], "SELECT COUNT(*) FROM "+s.counted+f.String(), f.args...)
	if err != nil {
		return out, err
	}
	out.Total = total
	order := " DESC"
	if oldestFirst {
		order = ""
	}
	n := len(f.args)
	query := "SELECT " + s.columns + " FROM " + s.counted + s.joined + f.String() + " ORDER BY " + s.id + order +
		" LIMIT $" + strconv.Itoa(n+1) + " OFFSET $" + strconv.Itoa(n+2)
	out.Items, err = all(ctx, q, s.scan, query, append(f.args[:n:n], o.PerPage, o.Offset())...)
	return out, err
}

// after lists up to limit with an ID above id, the oldest first.
func after[T any](ctx context.Context, q querier, s selection[T], f filter, id int64, limit int) ([]T, error) {
	f.add(s.id+" > ?", id)
	n := len(f.args)
	query := "SELECT " + s.columns + " FROM " + s.counted + s.joined + f.String() + " ORDER BY " + s.id + " LIMIT $" + strconv.Itoa(n+1)
	return all(ctx, q, s.scan, query, append(f.args[:n:n], limit)...)
}

// single reads the only one, or returns store.ErrNotFound.
func single[T any](ctx context.Context, q querier, s selection[T], condition string, value any) (T, error) {
	v, err := one(ctx, q, s.scan, "SELECT "+s.columns+" FROM "+s.counted+s.joined+" WHERE "+condition, value)
	return v, found(err)
}

// found turns the error for no row into that of package store.
func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	return err
}

// nullable is JSON as a column.
func nullable(j json.RawMessage) any {
	if j == nil {
		return nil
	}
	return string(j)
}

func rawJSON(s sql.NullString) json.RawMessage {
	if !s.Valid {
		return nil
	}
	return json.RawMessage(s.String)
}

// optional is a time as a column, 0 for none.
func optional(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return micros(t)
}

func optionalMoment(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return moment(micros)
}
