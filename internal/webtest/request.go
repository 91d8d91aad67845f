package webtest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

// Request is one with a JSON body; headers are pairs of name and value.
func Request(method, path, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// Send is the answer of h.
func Send(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Late is a body before whose first byte something happens.
func Late(body string, happens func()) io.Reader {
	return &late{Reader: strings.NewReader(body), happens: sync.OnceFunc(happens)}
}

type late struct {
	io.Reader
	happens func()
}

func (l *late) Read(p []byte) (int, error) {
	l.happens()
	return l.Reader.Read(p)
}
