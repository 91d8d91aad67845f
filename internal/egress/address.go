package egress

import "net/netip"

// special are the networks whose addresses are not those of a public host: IANA
// IPv4 and IPv6 Special-Purpose Address Registries, and multicast.
var special = prefixes(
	"0.0.0.0/8",        // this network
	"10.0.0.0/8",       // private
	"100.64.0.0/10",    // shared by carriers (CGNAT); metadata of some clouds
	"127.0.0.0/8",      // loopback
	"169.254.0.0/16",   // link-local; metadata of most clouds
	"172.16.0.0/12",    // private
	"192.0.0.0/24",     // IETF protocols; metadata of some clouds
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // 6to4 relays
	"192.168.0.0/16",   // private
	"198.18.0.0/15",    // benchmarks
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"224.0.0.0/4",      // multicast
	"240.0.0.0/4",      // reserved, and broadcast
	"168.63.129.16/32", // the host of a virtual machine on Azure

	"2001::/23",     // IETF protocols, and Teredo
	"2001:db8::/32", // documentation
	"2002::/16",     // 6to4: an IPv4 address in disguise
	"3fff::/20",     // documentation
)

// unicast is what IANA has given out of IPv6. Outside of it are loopback, ::/96,
// IPv4-mapped addresses, NAT64 (64:ff9b::/96, 64:ff9b:1::/48), unique local
// (fc00::/7, with the metadata of some clouds), link-local and multicast.
var unicast = netip.MustParsePrefix("2000::/3")

// Public says whether a is the address of a host that anybody may reach: neither
// of this machine or its networks nor of a special purpose. What carries an IPv4
// address inside of an IPv6 one is never public, whatever is inside.
func Public(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" || a.Is4In6() || a.Is6() && !unicast.Contains(a) {
		return false
	}
	return !contains(special, a)
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}
