// Package egress sends requests to URLs that strangers named, without letting
// them reach what is not public: this machine, its networks, or the metadata of
// the cloud that it runs in.
//
// A name can point elsewhere after it was checked. Hence the address is judged
// when the connection is made, after the name was resolved; what [Policy.Check]
// says of a URL before only spares the user a late refusal.
package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Policy says what may be reached. The zero value: public addresses, by https.
type Policy struct {
	Loopback bool           // this machine too, and there by http: for development
	Networks []netip.Prefix // addresses that are let through though they are not public
}

// ErrNotPublic says that an address may not be reached.
var ErrNotPublic = errors.New("the address is not public")

// URLError says what is wrong with a URL.
type URLError struct{ Problem string }

func (e *URLError) Error() string { return "the URL " + e.Problem }

// Check reads a URL that may be sent to, as far as its text tells.
func (p Policy) Check(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Opaque != "" || u.Host == "" || u.Hostname() == "":
		return nil, &URLError{"must be absolute, such as https://example.com/hook"}
	case u.Scheme != "https" && !(u.Scheme == "http" && p.Loopback && local(u.Hostname())):
		return nil, &URLError{"must begin with https://"}
	case u.User != nil:
		return nil, &URLError{"must not have a user or a password"}
	case u.Fragment != "":
		return nil, &URLError{"must not have a fragment"}
	case strings.ContainsAny(u.Hostname(), " %\\"):
		return nil, &URLError{"has a host that is no name"}
	case local(u.Hostname()) && !p.Loopback:
		return nil, &URLError{"must have a public host"}
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && !p.Allows(a) {
		return nil, &URLError{"must have a public host"}
	}
	return u, nil
}

// local says whether host names this machine.
func local(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	a, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && a.IsLoopback()
}

// Allows says whether a connection to a may be made.
func (p Policy) Allows(a netip.Addr) bool {
	return Public(a) || p.Loopback && a.Unmap().IsLoopback() || contains(p.Networks, a)
}

// control refuses a connection to an address that is not allowed. It is called
// with the address that is connected to, for each that a name resolves to.
func (p Policy) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrNotPublic, address)
	}
	if !strings.HasPrefix(network, "tcp") || !p.Allows(ap.Addr()) {
		return fmt.Errorf("%w: %s", ErrNotPublic, ap.Addr())
	}
	return nil
}

// Time limits of a connection.
const (
	dialTimeout = 10 * time.Second
	idleTimeout = 90 * time.Second
)

// Bounds of a transport.
const (
	idleAll     = 256
	idleOfHost  = 4
	headerBytes = 64 << 10
)

// NewTransport returns a transport that connects to what p allows. It uses no
// proxy: a proxy would resolve names itself.
func NewTransport(p Policy) *http.Transport { return newTransport(p, nil) }

func newTransport(p Policy, r *net.Resolver) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, ControlContext: p.control, Resolver: r}
	return &http.Transport{
		DialContext: dialer.DialContext, ForceAttemptHTTP2: true, MaxIdleConns: idleAll, MaxIdleConnsPerHost: idleOfHost,
		IdleConnTimeout: idleTimeout, TLSHandshakeTimeout: dialTimeout, MaxResponseHeaderBytes: headerBytes,
	}
}
