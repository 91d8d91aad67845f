package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// members are those of a JSON object, by name.
type members map[string]json.RawMessage

var errNotObject = errors.New("the body must be a JSON object")

func readMembers(j []byte) (members, error) {
	var m members
	if err := json.Unmarshal(j, &m); err != nil || m == nil {
		return nil, errNotObject
	}
	return m, nil
}

// has says whether there is a member and not null.
func (m members) has(name string) bool {
	j, ok := m[name]
	return ok && string(j) != "null"
}

func (m members) text(f *faults, name string, to *string) {
	if m.has(name) && json.Unmarshal(m[name], to) != nil {
		f.add(name, "The "+label(name)+" must be a string.")
	}
}

func (m members) texts(f *faults, name string, to *[]string) {
	if !m.has(name) {
		return
	}
	var list []json.RawMessage
	if json.Unmarshal(m[name], &list) != nil {
		f.add(name, "The "+label(name)+" must be an array.")
		return
	}
	*to = make([]string, len(list))
	for i, j := range list {
		if i >= MaxBatch {
			return // too many, whatever they are
		}
		if json.Unmarshal(j, &(*to)[i]) != nil {
			item := fmt.Sprintf("%s.%d", name, i)
			f.add(item, "The "+item+" must be a string.")
		}
	}
}

func (m members) number(f *faults, name string, to *Decimal) {
	if m.has(name) && string(m[name]) != `""` && to.UnmarshalJSON(m[name]) != nil {
		f.add(name, "The "+label(name)+" must be a number.")
	}
}

func (m members) integer(f *faults, name string, to *int64) {
	var d Decimal
	m.number(f, name, &d)
	switch {
	case f.has(name) || !d.Given():
	case !d.r.IsInt() || !d.r.Num().IsInt64() || d.r.Num().Int64() > 1<<53:
		f.add(name, "The "+label(name)+" must be an integer.")
	default:
		*to = d.r.Num().Int64()
	}
}

func (m members) time(f *faults, name string, to *time.Time) {
	var text string
	if !m.has(name) || string(m[name]) == `""` {
		return
	}
	if json.Unmarshal(m[name], &text) == nil {
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly} {
			if t, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
				*to = t.UTC()
				return
			}
		}
	}
	f.add(name, "The "+label(name)+" is not a valid date.")
}

// flag reads a boolean.
func (m members) flag(f *faults, name string, to *bool) {
	switch {
	case !m.has(name):
	case string(m[name]) == "true":
		*to = true
	case string(m[name]) != "false":
		f.add(name, "The "+label(name)+" field must be true or false.")
	}
}

// label is how a message calls a field.
func label(field string) string {
	if strings.Contains(field, ".") {
		return field
	}
	return strings.ReplaceAll(field, "_", " ")
}

// required checks a text of up to most characters that must not be blank.
func (f *faults) required(field, text string, most int) {
	if !f.has(field) && strings.TrimSpace(text) == "" {
		f.add(field, "The "+label(field)+" field is required.")
	}
	f.optional(field, text, most)
}

// optional checks a text of up to most characters.
func (f *faults) optional(field, text string, most int) {
	switch {
	case f.has(field):
	case !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0:
		f.add(field, "The "+label(field)+" has characters that are not text.")
	case utf8.RuneCountInString(text) > most:
		f.add(field, fmt.Sprintf("The %s must not be greater than %d characters.", label(field), most))
	}
}

func (f *faults) email(field, text string) {
	f.required(field, text, maxText)
	if f.has(field) {
		return
	}
	if a, err := mail.ParseAddress(text); err != nil || a.Address != text {
		f.add(field, "The "+label(field)+" must be a valid email address.")
	}
}

// webURL checks what may be empty.
func (f *faults) webURL(field, text string) {
	f.optional(field, text, maxText)
	if f.has(field) || text == "" {
		return
	}
	if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		f.add(field, "The "+label(field)+" must be a valid URL.")
	}
}

// address checks where a platform is paid: an address of an EVM network, or of
// Solana, or nothing.
func (f *faults) address(field, text string) {
	if f.optional(field, text, maxText); !f.has(field) && text != "" && !payoutAddress.MatchString(text) {
		f.add(field, "The "+label(field)+" must be an address such as 0x and 40 hexadecimal digits.")
	}
}

var payoutAddress = regexp.MustCompile(`^(0x[0-9a-fA-F]{40}|[1-9A-HJ-NP-Za-km-z]{32,44})$`)

// maxAhead is how far in the future something may have happened.
const maxAhead = 24 * time.Hour

// time checks when something happened: not before 1970 and not in the future,
// but for clocks and zones that are off.
func (f *faults) time(field string, t, now time.Time) {
	switch {
	case f.has(field) || t.IsZero():
	case t.Sub(now) > maxAhead:
		f.add(field, "The "+label(field)+" must not be more than 24 hours in the future.")
	case t.Unix() < 0:
		f.add(field, "The "+label(field)+" must not be before 1970.")
	}
}

// Bounds of texts, in characters.
const (
	maxText = 255

	maxNotes = 2000
)
