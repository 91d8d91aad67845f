package middleware

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
)

var (
	errHost    = errors.New("the Host of the request is not a host name")
	errTooLong = errors.New("the path of the request is too long to be sold")
)

// appendURL writes the absolute URL of the resource that r asks for, as the
// challenge names it and as payments must name it. It holds printable ASCII
// without quotes, so that it can stand in JSON and HTML as it is.
func (g *Guard) appendURL(b []byte, r *http.Request) ([]byte, error) {
	start := len(b)
	if g.cfg.PublicURL != "" {
		b = append(b, g.cfg.PublicURL...)
	} else {
		scheme, host := g.origin(r)
		if !validHost(host) {
			return b, errHost
		}
		b = append(append(append(b, scheme...), "://"...), host...)
	}
	b = appendEscaped(b, r.URL.EscapedPath())
	if len(b)-start > maxURL {
		return b, errTooLong
	}
	if r.URL.RawQuery == "" {
		return b, nil
	}
	end := len(b)
	b = appendEscaped(append(b, '?'), r.URL.RawQuery)
	if len(b)-start > maxURL {
		b = b[:end] // the claim is bound to the query all the same
	}
	return b, nil
}

// appendEscaped percent-encodes what must not stand in a URL.
func appendEscaped(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; c <= 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' {
			b = append(b, '%', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

// origin is the scheme and host under which the buyer sees the server.
func (g *Guard) origin(r *http.Request) (scheme, host string) {
	scheme, host = "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if len(g.cfg.TrustedProxies) == 0 || !g.trusted(r.RemoteAddr) {
		return scheme, host
	}
	proto, forwarded := forwarded(r.Header)
	if proto == "http" || proto == "https" {
		scheme = proto
	}
	if forwarded != "" {
		host = forwarded
	}
	return scheme, host
}

func (g *Guard) trusted(remote string) bool {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	addr := ap.Addr().Unmap().WithZone("")
	for _, p := range g.cfg.TrustedProxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// forwarded reads what the nearest proxy added: the last entry of Forwarded
// (RFC 7239), or else of X-Forwarded-Proto and X-Forwarded-Host.
func forwarded(h http.Header) (proto, host string) {
	for pair := range strings.SplitSeq(last(h["Forwarded"]), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		value = strings.Trim(value, `"`)
		switch strings.ToLower(name) {
		case "proto":
			proto = strings.ToLower(value)
		case "host":
			host = value
		}
	}
	if proto == "" {
		proto = strings.ToLower(last(h["X-Forwarded-Proto"]))
	}
	if host == "" {
		host = last(h["X-Forwarded-Host"])
	}
	return proto, host
}

// last is the last element of a list that may span several header lines.
func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	v := values[len(values)-1]
	return strings.TrimSpace(v[strings.LastIndexByte(v, ',')+1:])
}

// validHost accepts a name or an address with an optional port.
func validHost(h string) bool {
	for i := range len(h) {
		c := h[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(".-_:[]", c) >= 0) {
			return false
		}
	}
	return h != "" && len(h) <= 260
}

// sameResource says whether a URL that a buyer sent names the path and query
// of ours. The origin may differ: it may be reached by several names. So may the
// path by what a ServeMux corrects: clients follow its redirects with the payment
// that they made before, which was not charged for them.
func sameResource(theirs, ours string) bool {
	if theirs == ours {
		return true
	}
	a, err := url.Parse(theirs)
	if err != nil {
		return false
	}
	b, err := url.Parse(ours)
	return err == nil && path.Clean(a.EscapedPath()) == path.Clean(b.EscapedPath()) && a.RawQuery == b.RawQuery
}
