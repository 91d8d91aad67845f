package marketplace

import (
	"bytes"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/v402/v402/internal/web"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// read decodes the body of r into the tagged struct that into points to. It is
// strict: a name that is not known, or stands twice, is refused, so that nothing
// that was meant is overlooked. No body is as good as {}.
func read(r *http.Request, into any) error {
	var decoding error
	err := web.Body(r, maxBody, func(body []byte) error {
		if len(bytes.TrimSpace(body)) == 0 {
			body = []byte("{}")
		}
		decoding = decode(body, into)
		return nil
	})
	var tooLong *http.MaxBytesError
	switch {
	case errors.Is(err, web.ErrTooLarge), errors.As(err, &tooLong):
		return &Error{Code: codeTooLarge, Message: "The body must have " + strconv.Itoa(maxBody) + " bytes at most."}
	case err != nil:
		return Invalid("", "The body could not be read.")
	default:
		return decoding
	}
}

// decode reads a JSON object.
func decode(body []byte, into any) error {
	if !utf8.Valid(body) {
		return Invalid("", "The body must be a JSON object in UTF-8.")
	}
	unknown, err := x402.DecodeObject(body, into)
	var wrong *x402.Error
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		return Invalid(wrong.Field, "%s: %v.", clip(wrong.Field), wrong.Err)
	case err != nil:
		return Invalid("", "The body must be a JSON object: %v.", err)
	case len(unknown) > 0:
		name := slices.Min(slices.Collect(maps.Keys(unknown)))
		return Invalid(clip(name), "%s is not known here.", clip(name))
	}
	return nil
}

// whole is a whole number from 0 on.
type whole int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *whole) UnmarshalJSON(j []byte) error {
	v, err := strconv.ParseInt(string(j), 10, 64)
	if err != nil || v < 0 {
		return errors.New("a whole number from 0 on is needed")
	}
	*n = whole(v)
	return nil
}

// moment is a time in RFC 3339.
type moment time.Time

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *moment) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return errors.New("a time such as 2026-02-17T07:46:02Z is needed")
	}
	*m = moment(t.UTC())
	return nil
}

// query reads the parameters of a list, and remembers what is wrong with the
// first of them.
type query struct {
	values url.Values
	err    error
}

func queryOf(r *http.Request) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.err = Invalid("", "The query string is malformed.")
	}
	return q
}

func (q *query) fail(name, format string, args ...any) {
	if q.err == nil {
		q.err = Invalid(name, format, args...)
	}
}

// text is a parameter, or empty.
func (q *query) text(name string) string {
	all := q.values[name]
	if len(all) == 0 {
		return ""
	}
	if len(all) > 1 {
		q.fail(name, "%s stands there twice.", name)
	}
	if !utf8.ValidString(all[0]) || strings.ContainsRune(all[0], 0) {
		q.fail(name, "%s must be text.", name)
	}
	return all[0]
}

// wallet is a parameter that is a wallet, in lower case, or empty.
func (q *query) wallet(name string) string {
	v := q.text(name)
	if v != "" && !ValidWallet(v) {
		q.fail(name, "%s must be 0x and 40 hexadecimal digits.", name)
	}
	return strings.ToLower(v)
}

// number is a whole number above 0, or 0.
func (q *query) number(name string) uint64 {
	v := q.text(name)
	if v == "" {
		return 0
	}
	n, err := strconv.ParseUint(v, 10, 63)
	if err != nil || n == 0 {
		q.fail(name, "%s must be a whole number from 1 on.", name)
	}
	return n
}

// moment is a time, or a day, which means its beginning in UTC.
func (q *query) moment(name string) time.Time {
	v := q.text(name)
	if v == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, v); err == nil {
			return t.UTC()
		}
	}
	q.fail(name, "%s must be a time such as 2026-02-17T07:46:02Z, or a day.", name)
	return time.Time{}
}

// page is what limit and cursor say. A list without them has up to MaxPage
// entries.
func (q *query) page() store.Page {
	return store.Page{Limit: int(min(q.number("limit"), MaxPage)), Cursor: q.text("cursor")}
}

// among is one of the known values, or empty.
func among[T ~string](q *query, name string, known ...T) T {
	v := T(q.text(name))
	if v != "" && q.err == nil {
		q.err = oneOf(name, v, known...)
	}
	return v
}

// decodeMember reads an object inside of a body, as strictly.
func decodeMember(j []byte, into any) error {
	unknown, err := x402.DecodeObject(j, into)
	if err != nil || len(unknown) == 0 {
		return err
	}
	name := slices.Min(slices.Collect(maps.Keys(unknown)))
	return x402.Refuse(x402.ReasonInvalidPayload, clip(name), "is not known here")
}
