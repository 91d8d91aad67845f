package egress_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/egress"
)

func TestOnlyPublicHostsHavePublicAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"1.1.1.1", "8.8.8.8", "93.184.216.34", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.0.1.1", "192.169.0.1",
		"11.0.0.1", "9.255.255.255", "169.253.1.1", "223.255.255.255",
		"2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450:4001::1", "2001:200::1", "3fef::1",
	} {
		require.True(t, egress.Public(netip.MustParseAddr(address)), address)
	}
	for name, address := range map[string]string{
		"this network": "0.0.0.0", "this network too": "0.1.2.3", "private 10": "10.0.0.1", "the last of private 10": "10.255.255.255",
		"CGNAT": "100.64.0.1", "the last of CGNAT": "100.127.255.255", "metadata of Alibaba": "100.100.100.200", "loopback": "127.0.0.1",
		"loopback too": "127.255.255.254", "link-local": "169.254.0.1", "metadata": "169.254.169.254", "metadata of ECS": "169.254.170.2",
		"private 172": "172.16.0.1", "the last of private 172": "172.31.255.255", "metadata of Oracle": "192.0.0.192", "documentation": "192.0.2.1",
		"6to4 relay": "192.88.99.1", "private 192": "192.168.1.1", "benchmarks": "198.18.0.1", "benchmarks too": "198.19.255.255",
		"documentation 2": "198.51.100.1", "documentation 3": "203.0.113.1", "multicast": "224.0.0.1", "SSDP": "239.255.255.250",
		"reserved": "240.0.0.1", "broadcast": "255.255.255.255", "Azure": "168.63.129.16",

		"unspecified 6": "::", "loopback 6": "::1", "IPv4-compatible": "::7f00:1", "IPv4-mapped loopback": "::ffff:127.0.0.1",
		"IPv4-mapped public": "::ffff:8.8.8.8", "IPv4-translated": "::ffff:0:7f00:1", "NAT64 of loopback": "64:ff9b::7f00:1",
		"NAT64 of metadata": "64:ff9b::a9fe:a9fe", "NAT64 of a public host": "64:ff9b::808:808", "local NAT64": "64:ff9b:1::a00:1",
		"discard": "100::1", "Teredo": "2001:0:7f00:1::1", "benchmarks 6": "2001:2::1", "ORCHID": "2001:20::1", "documentation 6": "2001:db8::1",
		"6to4 of loopback": "2002:7f00:1::1", "6to4 of private": "2002:a00:1::1", "documentation 6 too": "3fff::1", "segment routing": "5f00::1",
		"unique local": "fc00::1", "unique local too": "fdff::1", "metadata of EC2": "fd00:ec2::254", "link-local 6": "fe80::1",
		"link-local with a zone": "fe80::1%eth0", "a zone": "2606:4700:4700::1111%eth0", "site-local": "fec0::1", "multicast 6": "ff02::1",
	} {
		require.False(t, egress.Public(netip.MustParseAddr(address)), name)
	}
	require.False(t, egress.Public(netip.Addr{}))
}

func TestAURLIsHTTPSToAHostThatMayBePublic(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"https://example.com", "https://example.com:8443/hook?a=1&b=%20", "https://8.8.8.8/x", "https://[2606:4700:4700::1111]/x", "https://bücher.example/",
	} {
		_, err := egress.Policy{}.Check(good)
		require.NoError(t, err, good)
	}
	for _, bad := range []string{
		"", "example.com", "/hook", "https://", "https:///hook", "https:example.com", "http://example.com", "ftp://example.com", "javascript:alert(1)",
		"file:///etc/passwd", "gopher://example.com", "HTTPS//example.com", "https://user:password@example.com", "https://user@example.com",
		"https://example.com/#part", "https://localhost", "https://LOCALHOST.", "https://a.localhost", "https://127.0.0.1", "https://[::1]",
		"https://10.1.2.3/", "https://169.254.169.254/latest/meta-data", "https://[::ffff:10.0.0.1]/", "https://[fd00:ec2::254]/", "https://[fe80::1%25eth0]/",
		"https://0.0.0.0", "https://exa mple.com", "https://example.com:port", "http://localhost", "http://127.0.0.1:8080", "\x00https://example.com",
	} {
		_, err := egress.Policy{}.Check(bad)
		require.Error(t, err, bad)
		require.ErrorAs(t, err, new(*egress.URLError), bad)
	}
}

func TestInDevelopmentThisMachineIsReachedByHTTP(t *testing.T) {
	t.Parallel()
	p := egress.Policy{Loopback: true}
	for _, good := range []string{"http://localhost:4020/x", "http://127.0.0.1/x", "http://[::1]:80", "https://localhost", "https://example.com"} {
		_, err := p.Check(good)
		require.NoError(t, err, good)
	}
	for _, bad := range []string{"http://example.com", "http://10.0.0.1", "https://10.0.0.1", "https://169.254.169.254"} {
		_, err := p.Check(bad)
		require.Error(t, err, bad)
	}
}

func TestNetworksCanBeAllowed(t *testing.T) {
	t.Parallel()
	p := egress.Policy{Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
	_, err := p.Check("https://10.1.2.3")
	require.NoError(t, err)
	_, err = p.Check("https://10.2.2.3")
	require.Error(t, err)
	require.False(t, p.Allows(netip.MustParseAddr("::ffff:10.1.2.3")))
}

func TestALocalServerIsReachedOnlyWhereThatIsAllowed(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "here") }))
	t.Cleanup(server.Close)

	strict := egress.NewTransport(egress.Policy{})
	t.Cleanup(strict.CloseIdleConnections)
	_, err := (&http.Client{Transport: strict}).Get(server.URL)
	require.ErrorIs(t, err, egress.ErrNotPublic)

	open := egress.NewTransport(egress.Policy{Loopback: true})
	t.Cleanup(open.CloseIdleConnections)
	resp, err := (&http.Client{Transport: open}).Get(server.URL)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
}
