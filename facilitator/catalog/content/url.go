package content

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	urlVersion = "v1"
	urlPurpose = "v402-content-v1"
	urlParam   = "token"
)

// SignURL adds the token of t to an http or https URL, before its fragment. The
// token has no payer, and its time of issue is not kept.
func SignURL(key, address string, t Ticket) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "", fmt.Errorf("content: %w", err)
	case u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return "", fmt.Errorf("content: %q is not an http or https URL", address)
	case key == "" || t.Product == "":
		return "", errors.New("content: a signed URL needs a key and a product")
	case strings.ContainsAny(t.Grant+t.Product, ".\n&#?"):
		return "", errors.New("content: an ID with a dot cannot be signed")
	}
	expires := strconv.FormatInt(t.Expires.Unix(), 10)
	mac := signature(key, u.Host, requestURI(u), expires, t.Grant, t.Product)
	token := urlParam + "=" + strings.Join([]string{urlVersion, expires, t.Grant, t.Product, mac}, ".")
	if u.RawQuery != "" {
		token = u.RawQuery + "&" + token
	}
	u.RawQuery = token
	return u.String(), nil
}

// URL verifies a signed URL, as the buyer asked for it, for product.
func (v Verifier) URL(product string, u *url.URL) (Ticket, error) {
	unsigned, token, ok := cutToken(u)
	if !ok {
		return Ticket{}, ErrMissing
	}
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 5 || parts[0] != urlVersion || product == "" || parts[3] != product {
		return Ticket{}, ErrInvalid
	}
	seconds, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || strconv.FormatInt(seconds, 10) != parts[1] {
		return Ticket{}, ErrInvalid
	}
	for _, key := range v.Keys {
		want := signature(key, u.Host, requestURI(unsigned), parts[1], parts[2], parts[3])
		if key == "" || !hmac.Equal([]byte(want), []byte(parts[4])) {
			continue
		}
		t := Ticket{Grant: parts[2], Product: product, Expires: time.Unix(seconds, 0).UTC()}
		if !v.now().Before(t.Expires) {
			return Ticket{}, ErrExpired
		}
		return t, nil
	}
	return Ticket{}, ErrInvalid
}

// cutToken takes the token off, which is the last query parameter.
func cutToken(u *url.URL) (rest *url.URL, token string, ok bool) {
	i := strings.LastIndexByte(u.RawQuery, '&')
	token, ok = strings.CutPrefix(u.RawQuery[i+1:], urlParam+"=")
	if !ok {
		return nil, "", false
	}
	c := *u
	c.RawQuery = u.RawQuery[:max(i, 0)]
	return &c, token, true
}

// requestURI is the path and the query of u as they are sent.
func requestURI(u *url.URL) string {
	uri := u.EscapedPath()
	if uri == "" {
		uri = "/"
	}
	if u.RawQuery != "" {
		uri += "?" + u.RawQuery
	}
	return uri
}

func signature(key, host, uri, expires, grant, product string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(strings.Join([]string{urlPurpose, strings.ToLower(host), uri, expires, grant, product}, "\n")))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
