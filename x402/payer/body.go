package payer

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// body is a request's body that can be sent several times, if it is not too
// large to keep.
type body struct {
	first  io.ReadCloser // not yet sent; nil once it was
	again  func() (io.ReadCloser, error)
	length int64 // for Request.ContentLength
	err    error // why it cannot be sent again
}

// newBody takes over the body of req. A body without GetBody is read up to
// limit bytes.
func newBody(req *http.Request, limit int64) (*body, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return &body{again: func() (io.ReadCloser, error) { return http.NoBody, nil }}, nil
	}
	b := &body{first: req.Body, length: req.ContentLength, again: req.GetBody}
	if b.again != nil {
		return b, nil
	}
	tooLarge := fmt.Errorf("%w: it has more than %d bytes; set Request.GetBody, or raise Config.MaxBody", ErrBodyTooLarge, limit)
	if req.ContentLength > limit {
		b.err = tooLarge
		return b, nil
	}
	head, err := io.ReadAll(io.LimitReader(req.Body, limit+1))
	if err != nil {
		_ = req.Body.Close()
		return nil, fmt.Errorf("payer: reading the request's body: %w", err)
	}
	if int64(len(head)) > limit {
		b.first, b.err = &joined{io.MultiReader(bytes.NewReader(head), req.Body), req.Body}, tooLarge
		return b, nil
	}
	if err := req.Body.Close(); err != nil {
		return nil, fmt.Errorf("payer: closing the request's body: %w", err)
	}
	b.first, b.length = nil, int64(len(head))
	b.again = func() (io.ReadCloser, error) {
		if len(head) == 0 {
			return http.NoBody, nil
		}
		return io.NopCloser(bytes.NewReader(head)), nil
	}
	return b, nil
}

// next is the body for the next sending.
func (b *body) next() (io.ReadCloser, error) {
	if first := b.first; first != nil {
		b.first = nil
		return first, nil
	}
	if b.err != nil {
		return nil, b.err
	}
	return b.again()
}

// prepare makes sure, before anything is signed, that the body can be sent once
// more.
func (b *body) prepare() (err error) {
	if b.err != nil || b.first != nil {
		return b.err
	}
	if b.first, err = b.again(); err != nil {
		return fmt.Errorf("payer: GetBody of the request: %w", err)
	}
	return nil
}

// close closes what was not sent.
func (b *body) close() {
	if b.first != nil {
		_ = b.first.Close()
		b.first = nil
	}
}
