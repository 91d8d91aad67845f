package middleware

import (
	"bufio"
	"errors"
	"net"
	"net/http"
)

// maxTee is how much of a streamed answer is kept for a repeated request.
const maxTee = 64 << 10

// stream is the ResponseWriter of mode SettleBefore: what is written goes out
// at once. It adds the settlement headers and keeps a copy of short answers.
type stream struct {
	http.ResponseWriter
	x        *exchange
	status   int
	before   http.Header // as the handler found it
	header   http.Header // what it changed
	body     []byte
	lost     bool // too long, or the connection was taken over
	hijacked bool
	failed   error // the first error of the connection
}

// WriteHeader implements [http.ResponseWriter].
func (s *stream) WriteHeader(status int) {
	if s.status != 0 || s.hijacked {
		return
	}
	if status >= 200 || status == http.StatusSwitchingProtocols {
		s.status = status
		h := s.Header()
		s.x.seal(h)
		s.header = changes(s.before, h.Clone())
		s.x.g.cfg.CORS.apply(h, s.x.r)
	}
	s.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (s *stream) Write(p []byte) (int, error) {
	if s.status == 0 {
		s.WriteHeader(http.StatusOK)
	}
	n, err := s.ResponseWriter.Write(p)
	switch {
	case s.lost:
	case len(s.body)+n > maxTee:
		s.lost, s.body = true, nil
	default:
		s.body = append(s.body, p[:n]...)
	}
	if s.failed == nil && !errors.Is(err, http.ErrBodyNotAllowed) { // which is the handler's doing
		s.failed = err
	}
	return n, err
}

// Flush implements [http.Flusher].
func (s *stream) Flush() { _ = s.FlushError() }

// FlushError is for [http.ResponseController].
func (s *stream) FlushError() error {
	if s.status == 0 {
		s.WriteHeader(http.StatusOK)
	}
	return http.NewResponseController(s.ResponseWriter).Flush()
}

// Hijack implements [http.Hijacker]. The settlement headers are in Header, for
// the handler to send.
func (s *stream) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err == nil {
		s.hijacked, s.lost = true, true
	}
	return conn, rw, err
}

// Unwrap is for [http.ResponseController].
func (s *stream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// outcome is the answer as far as it can be sent again; ok is false if it is an
// error or did not get through whole.
func (s *stream) outcome() (o *Outcome, ok bool) {
	if s.status == 0 && !s.hijacked {
		s.WriteHeader(http.StatusOK)
	}
	switch {
	case s.hijacked:
		return &Outcome{Status: http.StatusOK, Lost: true}, true
	case s.failed != nil || s.x.r.Context().Err() != nil || s.lost && s.status >= 400:
		return nil, false
	case s.lost:
		return &Outcome{Status: s.status, Lost: true}, true
	default:
		return &Outcome{Status: s.status, Header: s.header, Body: s.body}, s.status < 400
	}
}
