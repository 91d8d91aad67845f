package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/v402/v402/registry"
)

// partyFilter selects rows of a table that has a seller and an origin.
type partyFilter struct {
	filter
	alias string // of the table
	party int64  // is one of both; 0 for any
}

// newPartyFilter selects rows with these; 0 is any. A party that is known to be
// the seller, or the origin, needs no condition of its own.
func newPartyFilter(alias string, party, seller, origin int64) partyFilter {
	switch {
	case party == 0 || party == seller || party == origin:
		party = 0
	case seller != 0 && origin == 0:
		party, origin = 0, party
	case origin != 0 && seller == 0:
		party, seller = 0, party
	}
	f := partyFilter{alias: alias, party: party}
	f.id(alias+".seller_id = ?", seller)
	f.id(alias+".origin_id = ?", origin)
	return f
}

// sides are what the party sold, and what it is the origin of and did not sell:
// no row is on both. Each is read from an index of its own, in its order, where
// one OR would sort all that the party ever had. They share their arguments.
func (f partyFilter) sides() (sold, owned filter) {
	f.args = append(slices.Clip(f.args), f.party)
	party := "$" + strconv.Itoa(len(f.args))
	with := func(condition string) filter {
		return filter{append(slices.Clip(f.conditions), condition), f.args}
	}
	return with(f.alias + ".seller_id = " + party), with(f.alias + ".origin_id = " + party + " AND " + f.alias + ".seller_id <> " + party)
}

// pageOfParty lists one page, the newest first.
func pageOfParty[T any](ctx context.Context, q querier, s selection[T], f partyFilter, o registry.PageOptions) (registry.List[T], error) {
	if f.party == 0 {
		return page(ctx, q, s, f.filter, o, false)
	}
	o = o.Bounded()
	out := registry.List[T]{Page: o.Page, PerPage: o.PerPage}
	sold, owned := f.sides()
	total, err := one(ctx, q, column[int64], fmt.Sprintf("SELECT (SELECT COUNT(*) FROM %s%s) + (SELECT COUNT(*) FROM %s%s)",
		s.counted, sold, s.counted, owned), sold.args...)
	if err != nil {
		return out, err
	}
	out.Total = total
	n := len(sold.args)
	within := ofEitherSide(s.counted, s.id, sold, owned, " DESC", n+1)
	query := fmt.Sprintf("SELECT %s FROM %s%s WHERE %s ORDER BY %s DESC LIMIT $%d OFFSET $%d", s.columns, s.counted, s.joined, within, s.id, n+2, n+3)
	out.Items, err = all(ctx, q, s.scan, query, append(sold.args, o.Offset()+o.PerPage, o.PerPage, o.Offset())...)
	return out, err
}

// afterOfParty lists up to limit with an ID above id, the oldest first.
func afterOfParty[T any](ctx context.Context, q querier, s selection[T], f partyFilter, id int64, limit int) ([]T, error) {
	if f.party == 0 {
		return after(ctx, q, s, f.filter, id, limit)
	}
	f.add(s.id+" > ?", id)
	sold, owned := f.sides()
	n := len(sold.args)
	query := fmt.Sprintf("SELECT %s FROM %s%s WHERE %s ORDER BY %s LIMIT $%d", s.columns, s.counted, s.joined,
		ofEitherSide(s.counted, s.id, sold, owned, "", n+1), s.id, n+1)
	return all(ctx, q, s.scan, query, append(sold.args, limit)...)
}

// ofEitherSide selects the IDs of the first rows of each side, up to the limit
// whose placeholder has that number.
func ofEitherSide(table, id string, sold, owned filter, order string, limit int) string {
	side := func(name string, f filter) string {
		return fmt.Sprintf("SELECT id FROM (SELECT %s AS id FROM %s%s ORDER BY %s%s LIMIT $%d) AS %s", id, table, f, id, order, limit, name)
	}
	return id + " IN (" + side("sold", sold) + " UNION ALL " + side("owned", owned) + ")"
}
