package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/v402/v402/internal/web"
)

// read decodes the body of r, of at most limit bytes, into v, whatever its
// content type. No body is as good as {}.
func read(r *http.Request, limit int64, v any) error {
	var decoding error
	err := web.Body(r, limit, func(body []byte) error {
		switch body = bytes.TrimSpace(body); {
		case len(body) == 0:
			body = []byte("{}")
		case body[0] != '{' || !utf8.Valid(body):
			decoding = errors.New("no JSON object")
			return nil
		}
		decoding = json.Unmarshal(body, v)
		return nil
	})
	var tooLong *http.MaxBytesError
	var invalid *ValidationError
	switch {
	case errors.Is(err, web.ErrTooLarge), errors.As(err, &tooLong):
		return errTooLarge
	case err != nil:
		return errUnreadable
	case errors.As(decoding, &invalid):
		return invalid
	case decoding != nil:
		return Invalid("body", "The request body must be a JSON object.")
	}
	return nil
}

// pathID is the number in the path, or unknown.
func pathID(r *http.Request, unknown error) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id <= 0 {
		return 0, unknown
	}
	return id, nil
}

// query reads the parameters of a list, and remembers what is wrong with them.
type query struct {
	values url.Values
	faults faults
}

func queryOf(r *http.Request) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.faults.add("query", "The query string is malformed.")
	}
	return q
}

// text is a parameter, or empty.
func (q *query) text(name string) string {
	v := q.values.Get(name)
	if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
		q.faults.add(name, "The "+label(name)+" must be valid UTF-8.")
		return ""
	}
	return v
}

// oneOf is one of the known values, or empty.
func oneOf[T ~string](q *query, name string, known ...T) T {
	v := T(q.text(name))
	if v != "" && !slices.Contains(known, v) {
		q.faults.add(name, "The selected "+label(name)+" is invalid.")
	}
	return v
}

// number is a positive integer, or 0.
func (q *query) number(name string) int64 {
	v := q.text(name)
	if v == "" {
		return 0
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 1 {
		q.faults.add(name, "The "+label(name)+" must be an integer of at least 1.")
		return 0
	}
	return n
}

// flag says whether a parameter is there, and neither 0 nor false.
func (q *query) flag(name string) bool {
	return q.values.Has(name) && !slices.Contains([]string{"0", "false"}, q.text(name))
}

// instant is a moment, or a day, which means its beginning in UTC.
func (q *query) instant(name string) time.Time {
	v := q.text(name)
	if v == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, v); err == nil {
			return t.UTC()
		}
	}
	q.faults.add(name, "The "+label(name)+" must be an RFC 3339 time or a date.")
	return time.Time{}
}

// page is what page and per_page say; per_page is at most MaxPerPage.
func (q *query) page() PageOptions {
	return PageOptions{Page: int(min(q.number("page"), maxPage)), PerPage: int(min(q.number("per_page"), MaxPerPage))}.Bounded()
}

func (q *query) err() error { return q.faults.err() }
