package web

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"
)

// ErrTooLarge is returned for a body above the limit.
var ErrTooLarge = errors.New("the body is too large")

// buffers are reused between requests; those that grew beyond maxKept are not.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const maxKept = 64 << 10 // bytes

// Body reads the body of r, of at most limit bytes, and hands it to use, which
// must not keep it. It returns [ErrTooLarge], an error of reading, or what use
// returns.
func Body(r *http.Request, limit int64, use func([]byte) error) error {
	if r.ContentLength > limit {
		return ErrTooLarge
	}
	b := buffers.Get().(*bytes.Buffer)
	defer func() {
		if b.Cap() <= maxKept {
			b.Reset()
			buffers.Put(b)
		}
	}()
	if _, err := b.ReadFrom(io.LimitReader(r.Body, limit+1)); err != nil {
		return err
	}
	if int64(b.Len()) > limit {
		return ErrTooLarge
	}
	return use(b.Bytes())
}
