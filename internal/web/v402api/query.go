package v402api

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/v402/v402/store"
)

// Query reads the parameters of a request, and collects what is wrong with them.
// A parameter that is empty is missing; those that nobody asks for are ignored.
type Query struct {
	Faults
	values url.Values
}

// QueryOf reads the query of r.
func QueryOf(r *http.Request) *Query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &Query{values: values}
	if err != nil {
		q.Add("query", InvalidFormat, "The query of the URL cannot be read")
	}
	return q
}

// Text is a parameter of up to most characters.
func (q *Query) Text(name string, most int) string {
	s := q.values.Get(name)
	q.Faults.Text(name, s, most)
	return s
}

// Page reads page (from 1) and size (1 to most; size if missing).
func (q *Query) Page(size, most int) store.PageNumber {
	const lastPage = 1_000_000
	return store.PageNumber{Page: q.Int("page", 1, 1, lastPage), Size: q.Int("size", size, 1, most)}
}

// Int is a number between least and most, or fallback if missing.
func (q *Query) Int(name string, fallback, least, most int) int {
	s := q.values.Get(name)
	if s == "" {
		return fallback
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		q.Add(name, InvalidType, name+" must be an integer")
		return fallback
	}
	q.Between(name, int64(n), int64(least), int64(most))
	return n
}

// Bool is true or false (also 1 and 0), false if missing.
func (q *Query) Bool(name string) bool {
	v, _ := q.MaybeBool(name)
	return v
}

// MaybeBool says as well whether it was given.
func (q *Query) MaybeBool(name string) (v, given bool) {
	s := q.values.Get(name)
	if s == "" {
		return false, false
	}
	v, err := strconv.ParseBool(strings.ToLower(s))
	if err != nil {
		q.Add(name, InvalidType, name+" must be true or false")
	}
	return v, err == nil
}

// Time is a point in time, zero if missing. A date alone is its beginning.
func (q *Query) Time(name string) time.Time {
	t, _ := q.time(name)
	return t
}

// Until is the end of a time range, to be compared with <: a date alone includes
// that day.
func (q *Query) Until(name string) time.Time {
	t, dateOnly := q.time(name)
	if dateOnly {
		return t.AddDate(0, 0, 1)
	}
	if !t.IsZero() {
		return t.Add(time.Microsecond) // a time given is included
	}
	return t
}

func (q *Query) time(name string) (t time.Time, dateOnly bool) {
	s := q.values.Get(name)
	if s == "" {
		return time.Time{}, false
	}
	// A plus sign that was not escaped has become a blank.
	t, dateOnly, ok := parseTime(strings.ReplaceAll(s, " ", "+"))
	if !ok {
		q.Add(name, InvalidDate, name+" must be a date such as 2024-01-15 or a time such as 2024-01-15T10:30:00Z")
	}
	return t, dateOnly
}

// OneOf is a parameter with one of the values that are allowed, or "" if missing.
func OneOf[T ~string](q *Query, name string, allowed ...T) T {
	v := T(q.values.Get(name))
	if v != "" {
		Enum(&q.Faults, name, v, allowed...)
	}
	return v
}

// Sort reads sort_by, one of by, whose first is meant by anything else, and
// sort_order, asc or desc, which is meant if missing.
func (q *Query) Sort(by ...string) (column string, descending bool) {
	column = q.values.Get("sort_by")
	if !slices.Contains(by, column) {
		column = by[0]
	}
	return column, OneOf(q, "sort_order", "asc", "desc") != "asc"
}
