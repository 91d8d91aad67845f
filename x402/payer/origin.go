package payer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/v402/v402/x402"
)

var paymentHeaders = []string{x402.HeaderPaymentSignature, x402.HeaderPaymentV1}

// carriesPayment says whether the caller has put a payment into req.
func carriesPayment(req *http.Request) bool {
	for _, name := range paymentHeaders {
		if len(req.Header.Values(name)) > 0 {
			return true
		}
	}
	return false
}

// withoutPayment is a copy of req without payment headers.
func withoutPayment(req *http.Request) *http.Request {
	out := req.Clone(req.Context())
	for _, name := range paymentHeaders {
		out.Header.Del(name)
	}
	return out
}

// crossedOrigin says whether req is the end of redirects of which one led to
// another origin.
func crossedOrigin(req *http.Request) bool {
	for req.Response != nil && req.Response.Request != nil {
		before := req.Response.Request
		if origin(before.URL) != origin(req.URL) {
			return true
		}
		req = before
	}
	return req.Response != nil // redirected from where nobody knows
}

// origin is scheme, host and port in one spelling.
func origin(u *url.URL) string {
	return strings.ToLower(u.Scheme) + "://" + hostOf(u)
}

// hostOf is the host and port of u in one spelling: lower case, without the
// scheme's own port and without a final dot.
func hostOf(u *url.URL) string {
	host := canonicalHost(u.Host)
	switch u.Scheme {
	case "https":
		return strings.TrimSuffix(host, ":443")
	case "http":
		return strings.TrimSuffix(host, ":80")
	}
	return host
}

func canonicalHost(host string) string {
	host = strings.ToLower(host)
	if name, port, err := net.SplitHostPort(host); err == nil {
		return net.JoinHostPort(strings.TrimSuffix(name, "."), port)
	}
	return strings.TrimSuffix(host, ".")
}

// checkSecure refuses plain http, except to this machine.
func (p *Payer) checkSecure(u *url.URL) error {
	if strings.EqualFold(u.Scheme, "https") || p.cfg.Policy.AllowHTTP || isLoopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%w to %s; use https, or set Policy.AllowHTTP", ErrInsecure, u.Host)
}

func isLoopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// fingerprint identifies a request by method and URL.
func fingerprint(req *http.Request) string {
	method := req.Method
	if method == "" {
		method = http.MethodGet
	}
	sum := sha256.Sum256([]byte(method + " " + origin(req.URL) + req.URL.RequestURI()))
	return hex.EncodeToString(sum[:])
}

// resourceURL is the URL of req without what may be private: user, query and
// fragment.
func resourceURL(u *url.URL) string {
	return origin(u) + u.EscapedPath()
}
