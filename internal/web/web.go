// Package web is what all HTTP APIs of the module share: routes, reading a bounded
// body, writing JSON, and the headers that go with every answer. The form of
// an error is each API's own.
package web

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// The values of the security headers, shared by all answers and never modified.
var (
	jsonType  = []string{"application/json"}
	nosniff   = []string{"nosniff"}
	deny      = []string{"DENY"}
	xssBlock  = []string{"1; mode=block"}
	transport = []string{"max-age=31536000; includeSubDomains"}
	selfOnly  = []string{"default-src 'self'"}
)

// Secure sets the five security headers that every answer carries.
func Secure(h http.Header) {
	h["X-Content-Type-Options"] = nosniff
	h["X-Frame-Options"] = deny
	h["X-Xss-Protection"] = xssBlock
	h["Strict-Transport-Security"] = transport
	h["Content-Security-Policy"] = selfOnly
}

// JSON writes v as the whole answer, with the security headers. An error means
// that v cannot be encoded, and that nothing was written.
func JSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	h := w.Header()
	Secure(h)
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(body) + 1)}
	w.WriteHeader(status)
	// An error here means that the client has gone.
	_, _ = w.Write(append(body, '\n'))
	return nil
}
