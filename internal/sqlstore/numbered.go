package sqlstore

import (
	"context"
	"strconv"

	"github.com/v402/v402/store"
)

// numbered lists one page, ordered by s.id, descending.
func numbered[T any](ctx context.Context, q querier, s selection[T], f filter, p store.PageNumber) (store.List[T], error) {
	p = p.Bounded()
	out := store.List[T]{Page: p.Page, Size: p.Size}
	total, err := one(ctx, q, column[int64], "SELECT COUNT(*) FROM "+s.counted+f.String(), f.args...)
	if err != nil {
		return out, err
	}
	out.Total = total
	n := len(f.args)
	query := "SELECT " + s.columns + " FROM " + s.counted + s.joined + f.String() + " ORDER BY " + s.id + " DESC" +
		" LIMIT $" + strconv.Itoa(n+1) + " OFFSET $" + strconv.Itoa(n+2)
	out.Items, err = all(ctx, q, s.scan, query, append(f.args[:n:n], p.Size, p.Offset())...)
	return out, err
}
