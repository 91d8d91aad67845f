package v402api

import (
	"encoding/json"
	"strings"
	"time"
)

// Time is a time as the API shows it: RFC 3339 in UTC, in whole seconds; null if
// zero. It reads RFC 3339 and dates without a time.
type Time time.Time

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	if time.Time(t).IsZero() {
		return []byte("null"), nil
	}
	return time.Time(t).UTC().Truncate(time.Second).MarshalJSON()
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(j []byte) error {
	var text string
	if err := json.Unmarshal(j, &text); err != nil {
		return &Fault{Code: InvalidDate, Message: "must be a time such as 2024-01-15T10:30:00Z"}
	}
	at, _, ok := parseTime(text)
	if !ok {
		return &Fault{Code: InvalidDate, Message: "must be a time such as 2024-01-15T10:30:00Z"}
	}
	*t = Time(at)
	return nil
}

// String is t as in JSON, or empty if zero.
func (t Time) String() string {
	if time.Time(t).IsZero() {
		return ""
	}
	return time.Time(t).UTC().Format(time.RFC3339)
}

// parseTime reads a time, or a date alone, which is that day's beginning in UTC.
func parseTime(s string) (t time.Time, dateOnly, ok bool) {
	s = strings.TrimSpace(s)
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, true, true
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), false, true
		}
	}
	return time.Time{}, false, false
}
