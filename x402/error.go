package x402

import (
	"errors"
	"strings"
)

// Error says why a payment was refused. Reason is what the peer is told.
type Error struct {
	Reason Reason // such as ReasonExpired
	Field  string // the first field that differs, such as "amount"; may be empty
	Err    error  // the cause, in words
}

// Error implements error: reason, field and cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("x402: ")
	b.WriteString(string(e.Reason))
	if e.Field != "" {
		b.WriteString(": ")
		b.WriteString(e.Field)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Message is what the peer is told beside the reason: the field and the cause,
// or else the reason's own description.
func (e *Error) Message() string {
	switch {
	case e.Err == nil && e.Field == "":
		return e.Reason.Description()
	case e.Err == nil:
		return e.Field + ": " + e.Reason.Description()
	case e.Field == "":
		return e.Err.Error()
	default:
		return e.Field + ": " + e.Err.Error()
	}
}

// Refuse returns an *[Error] with a reason, the field that differs and words.
func Refuse(reason Reason, field, message string) *Error {
	return &Error{Reason: reason, Field: field, Err: errors.New(message)}
}

// ReasonOf is the reason inside err: that of an *[Error], "" for nil, and
// fallback for any other error.
func ReasonOf(err error, fallback Reason) Reason {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Reason
	default:
		return fallback
	}
}
