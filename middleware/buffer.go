package middleware

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// errTooLarge is what a handler in mode SettleAfter gets for writing more than
// Config.MaxResponseBody.
var errTooLarge = errors.New("middleware: the answer exceeds Config.MaxResponseBody; it is not sent")

// buffer is the ResponseWriter of mode SettleAfter. Nothing of it reaches the
// client before the payment is settled.
type buffer struct {
	to       http.ResponseWriter
	live     http.Header // what the handler sees
	sent     http.Header // what the handler had changed of it at WriteHeader
	status   int
	body     []byte
	limit    int64
	overflow bool
}

func newBuffer(w http.ResponseWriter, limit int64) *buffer {
	return &buffer{to: w, live: w.Header().Clone(), limit: limit}
}

// Header implements [http.ResponseWriter].
func (b *buffer) Header() http.Header {
	if b.live == nil {
		b.live = http.Header{}
	}
	return b.live
}

// WriteHeader implements [http.ResponseWriter]. Informational answers are not
// forwarded: they are part of what has not been paid for yet.
func (b *buffer) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("middleware: invalid status %d", status)) // as net/http does
	}
	if b.status != 0 || status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	b.status = status
	b.sent = changes(b.to.Header(), b.live)
}

// Write implements [http.ResponseWriter].
func (b *buffer) Write(p []byte) (int, error) {
	if err := b.room(len(p)); err != nil {
		return 0, err
	}
	b.body = append(b.body, p...)
	return len(p), nil
}

// WriteString implements [io.StringWriter].
func (b *buffer) WriteString(s string) (int, error) {
	if err := b.room(len(s)); err != nil {
		return 0, err
	}
	b.body = append(b.body, s...)
	return len(s), nil
}

// room says why n more bytes cannot be written. Once they did not fit, nothing
// does.
func (b *buffer) room(n int) error {
	if b.status == 0 {
		b.WriteHeader(http.StatusOK)
	}
	switch {
	case b.status == http.StatusNoContent || b.status == http.StatusNotModified:
		return http.ErrBodyNotAllowed
	case b.overflow || int64(len(b.body))+int64(n) > b.limit:
		b.overflow, b.body = true, nil
		return errTooLarge
	default:
		return nil
	}
}

// Flush implements [http.Flusher] and does nothing.
func (b *buffer) Flush() {}

// FlushError does nothing, for [http.ResponseController].
func (b *buffer) FlushError() error { return nil }

// Hijack implements [http.Hijacker] and refuses: use mode SettleBefore.
func (b *buffer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, fmt.Errorf("%w: a connection can be taken over in mode SettleBefore only", http.ErrNotSupported)
}

// SetReadDeadline is for [http.ResponseController].
func (b *buffer) SetReadDeadline(t time.Time) error {
	return http.NewResponseController(b.to).SetReadDeadline(t)
}

// SetWriteDeadline is for [http.ResponseController].
func (b *buffer) SetWriteDeadline(t time.Time) error {
	return http.NewResponseController(b.to).SetWriteDeadline(t)
}

// EnableFullDuplex is for [http.ResponseController].
func (b *buffer) EnableFullDuplex() error {
	return http.NewResponseController(b.to).EnableFullDuplex()
}

// outcome is the handler's answer, once it has returned.
func (b *buffer) outcome(method string) (*Outcome, error) {
	switch {
	case b.overflow:
		return nil, errTooLarge
	case b.status == http.StatusSwitchingProtocols:
		return nil, errors.New("middleware: the handler switched protocols, which needs mode SettleBefore")
	case b.status == 0:
		b.WriteHeader(http.StatusOK)
	}
	o := &Outcome{Status: b.status, Header: b.sent, Body: b.body}
	b.addTrailers(o.Header)
	if length := o.Header.Get("Content-Length"); length != "" && method != http.MethodHead && length != strconv.Itoa(len(o.Body)) {
		return nil, fmt.Errorf("middleware: the handler announced %s bytes and wrote %d", clip(length), len(o.Body))
	}
	return o, nil
}

// addTrailers adds to h what the handler set after the body: the trailers that
// it announced, and those with [http.TrailerPrefix], in the form of the latter.
func (b *buffer) addTrailers(h http.Header) {
	for k, v := range b.live {
		if strings.HasPrefix(k, http.TrailerPrefix) {
			h[k] = v
		}
	}
	for _, names := range b.sent["Trailer"] {
		for name := range strings.SplitSeq(names, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if v := b.live[name]; len(v) > 0 && h[name] == nil {
				h[http.TrailerPrefix+name] = v
			}
		}
	}
}

// restrict merges "private" into Cache-Control: what one buyer paid for is not
// for shared caches.
func restrict(h http.Header) {
	if len(h["Cache-Control"]) == 0 {
		h["Cache-Control"] = private
		return
	}
	var out []string
	for _, v := range h["Cache-Control"] {
		for d := range strings.SplitSeq(v, ",") {
			d = strings.TrimSpace(d)
			switch name, _, _ := strings.Cut(strings.ToLower(d), "="); name {
			case "", "public", "s-maxage":
			case "private", "no-store":
				return
			default:
				out = append(out, d)
			}
		}
	}
	h["Cache-Control"] = []string{strings.Join(slices.Insert(out, 0, "private"), ", ")}
}
