package v402api

import (
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Faults collects what is wrong with an input.
type Faults []Fault

// mostFaults is how many are told.
const mostFaults = 100

// Add adds a fault, unless the field has one already: no second message follows
// from the first. Of very many the first hundred are told.
func (f *Faults) Add(field, code, message string) {
	if len(*f) < mostFaults && !f.Has(field) {
		*f = append(*f, Fault{field, code, message})
	}
}

// Has says whether field is known to be wrong.
func (f Faults) Has(field string) bool {
	return slices.ContainsFunc(f, func(fault Fault) bool { return fault.Field == field })
}

// Err is nil if nothing is wrong, or else an [Error] whose message is that of
// the first fault.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	return &Error{Code: ValidationFailed, Message: f[0].Message, Faults: slices.Clone(f)}
}

// Required checks a text of up to most characters that must not be blank.
func (f *Faults) Required(field, text string, most int) {
	if strings.TrimSpace(text) == "" {
		f.Add(field, Required, field+" is required")
	}
	f.Text(field, text, most)
}

// Text checks a text of up to most characters, which may be empty.
func (f *Faults) Text(field, text string, most int) {
	switch {
	case !isText(text):
		f.Add(field, InvalidFormat, field+" has characters that are not text")
	case utf8.RuneCountInString(text) > most:
		f.Add(field, TooLong, fmt.Sprintf("%s must have at most %d characters", field, most))
	}
}

// Email checks an e-mail address, which may be empty.
func (f *Faults) Email(field, text string) {
	const most = 255 // characters
	f.Text(field, text, most)
	if text == "" {
		return
	}
	if a, err := mail.ParseAddress(text); err != nil || a.Address != text {
		f.Add(field, InvalidEmail, field+" must be an e-mail address")
	}
}

// WebURL checks an absolute http or https URL of up to most characters, which
// may be empty.
func (f *Faults) WebURL(field, text string, most int) {
	f.Text(field, text, most)
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		f.Add(field, InvalidURL, field+" must be a URL that begins with https:// or http://")
	}
}

// Enum checks a value that must be one of those that are allowed.
func Enum[T ~string](f *Faults, field string, v T, allowed ...T) {
	if slices.Contains(allowed, v) {
		return
	}
	if v == "" {
		f.Add(field, Required, field+" is required")
		return
	}
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = string(a)
	}
	f.Add(field, InvalidEnum, field+" must be one of "+strings.Join(names, ", "))
}

// Between checks a number.
func (f *Faults) Between(field string, n, least, most int64) {
	if n < least || n > most {
		f.Add(field, InvalidRange, field+" must be between "+strconv.FormatInt(least, 10)+" and "+strconv.FormatInt(most, 10))
	}
}

// isText says whether s can be stored as text.
func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }
