package main

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// proxies are networks whose X-Forwarded-For is believed.
type proxies []netip.Prefix

// parseProxies reads a comma list of addresses and networks, such as
// "127.0.0.1, 10.0.0.0/8".
func parseProxies(s string) (proxies, error) {
	var p proxies
	for _, item := range list(s) {
		network, err := netip.ParsePrefix(item)
		if err != nil {
			address, err := netip.ParseAddr(item)
			if err != nil {
				return nil, fmt.Errorf("V402_TRUSTED_PROXIES: %q is no address and no network such as 10.0.0.0/8", item)
			}
			network = netip.PrefixFrom(address, address.BitLen())
		}
		p = append(p, network)
	}
	return p, nil
}

// showClients serves with h, to which the RemoteAddr of a request is that of the
// client: limits and logs go by it.
func (p proxies) showClients(h http.Handler) http.Handler {
	if len(p) == 0 {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if client := p.client(r); client != r.RemoteAddr {
			r = r.WithContext(r.Context()) // a copy
			r.RemoteAddr = client
		}
		h.ServeHTTP(w, r)
	})
}

// client is the address of whoever sent r: the last one in X-Forwarded-For that
// is no proxy of ours, since each proxy adds whom it heard.
func (p proxies) client(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		address, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil || !p.trust(at.Addr()) {
			break
		}
		at = netip.AddrPortFrom(address, 0)
	}
	return at.String()
}

func (p proxies) trust(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(a) })
}
