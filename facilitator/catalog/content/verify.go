package content

import (
	"net/http"
	"strings"
	"time"
)

// Verifier verifies proofs made with one of its keys: give it the old key too
// while keys change.
type Verifier struct {
	Keys []string
	Now  func() time.Time // time.Now if nil
}

func (v Verifier) now() time.Time {
	if v.Now != nil {
		return v.Now()
	}
	return time.Now()
}

// Verify says whether r may read product: by the signed URL that it asks for, or
// by an access token in "Authorization: Bearer" or in the query parameter "token".
// The error is [ErrMissing], [ErrExpired], [ErrInvalid] or [ErrCounted], perhaps
// wrapped.
func Verify(key, product string, r *http.Request) (Ticket, error) {
	return Verifier{Keys: []string{key}}.Request(product, r)
}

// Request is [Verify] with all keys of v. A proxy that changes Host or path before
// r hides what was signed: then use [Verifier.URL] with the URL of the buyer.
func (v Verifier) Request(product string, r *http.Request) (Ticket, error) {
	if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") && strings.Count(token, ".") == 2 {
		return v.uncounted(product, strings.TrimSpace(token))
	}
	u := *r.URL
	u.Host = r.Host
	_, token, ok := cutToken(&u)
	switch {
	case ok && strings.HasPrefix(token, urlVersion+"."):
		return v.URL(product, &u)
	case ok:
		return v.uncounted(product, token)
	case r.URL.Query().Get(urlParam) != "":
		return v.uncounted(product, r.URL.Query().Get(urlParam))
	default:
		return Ticket{}, ErrMissing
	}
}

// uncounted verifies a token that says all by itself.
func (v Verifier) uncounted(product, token string) (Ticket, error) {
	t, err := v.Token(product, token)
	if err == nil && t.Counted {
		return Ticket{}, ErrCounted
	}
	return t, err
}
