package sqlstore

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"sync"
)

// prepared keeps the statements that it has prepared, for SQLite.
type prepared struct {
	prepare    func(ctx context.Context, query string) (*sql.Stmt, error)
	mu         sync.Mutex
	statements map[string]*statement
}

// statement has its arguments in the order of its text: the driver looks for
// numbered ones among all of them.
type statement struct {
	*sql.Stmt
	order []int
}

func newPrepared(prepare func(context.Context, string) (*sql.Stmt, error)) *prepared {
	return &prepared{prepare: prepare, statements: map[string]*statement{}}
}

func (p *prepared) statement(ctx context.Context, query string) (*statement, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.statements[query]; ok {
		return s, nil
	}
	text, order := ordered(query)
	stmt, err := p.prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	s := &statement{stmt, order}
	p.statements[query] = s
	return s, nil
}

func (p *prepared) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := p.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, s.arrange(args)...)
}

func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := p.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, s.arrange(args)...)
}

// arrange puts args, numbered from 1, into the order of the text.
func (s *statement) arrange(args []any) []any {
	in := make([]any, len(s.order))
	for i, n := range s.order {
		in[i] = args[n-1]
	}
	return in
}

// forget closes all statements.
func (p *prepared) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.statements {
		_ = s.Close()
	}
	clear(p.statements)
}

// ordered writes ? for each $1, $2 and so on, and lists their numbers. No text of
// ours has a dollar sign elsewhere. A limit is cast: SQLite looks into the value of
// one that is a bare parameter, and so prepares the statement again for each call.
func ordered(query string) (text string, order []int) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(query, "$")
		b.WriteString(before)
		if !found {
			return b.String(), order
		}
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.Atoi(rest[:digits])
		if err != nil {
			panic("sqlstore: a dollar sign without a number: " + query)
		}
		if strings.HasSuffix(before, "LIMIT ") {
			b.WriteString("CAST(? AS BIGINT)")
		} else {
			b.WriteByte('?')
		}
		order, query = append(order, n), rest[digits:]
	}
}
