package egress_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/egress"
)

// nameServer answers questions for A records: the first with a public address,
// the others with loopback.
type nameServer struct {
	conn  net.PacketConn
	asked atomic.Int64
}

func startNameServer(t *testing.T) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &nameServer{conn: conn}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.serve()
	}()
	t.Cleanup(func() {
		require.NoError(t, conn.Close())
		<-done
	})
	return s
}

func (s *nameServer) serve() {
	b := make([]byte, 512)
	for {
		n, from, err := s.conn.ReadFrom(b)
		if err != nil {
			return // the test is over
		}
		_, _ = s.conn.WriteTo(s.answer(b[:n]), from)
	}
}

// answer repeats the question (RFC 1035, section 4.1) and answers it, if it is
// for an A record. An additional record of the question is left out.
func (s *nameServer) answer(question []byte) []byte {
	end := 12
	for question[end] != 0 {
		end += int(question[end]) + 1
	}
	end += 5 // the root, type and class
	out := append([]byte{}, question[:end]...)
	out[2], out[3] = 0x84, 0x00 // an authoritative answer
	clear(out[6:12])
	if binary.BigEndian.Uint16(out[end-4:]) != 1 {
		return out
	}
	address := []byte{127, 0, 0, 1}
	if s.asked.Add(1) == 1 {
		address = []byte{93, 184, 216, 34}
	}
	out[7] = 1
	out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4) // the name of the question, A, IN, TTL 0
	return append(out, address...)
}

func (s *nameServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", s.conn.LocalAddr().String())
	}}
}

func TestANameThatPointsElsewhereAfterTheCheckReachesNothing(t *testing.T) {
	t.Parallel()
	var hit atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit.Store(true) }))
	t.Cleanup(server.Close)
	names := startNameServer(t)
	resolver := names.resolver()

	addresses, err := resolver.LookupNetIP(t.Context(), "ip4", "rebind.example.com")
	require.NoError(t, err)
	require.True(t, egress.Public(addresses[0].Unmap()), "when it is looked at, the name is that of a public host: %v", addresses)

	transport := egress.NewTransportBy(egress.Policy{}, resolver)
	t.Cleanup(transport.CloseIdleConnections)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	_, err = (&http.Client{Transport: transport}).Get("http://rebind.example.com:" + port)
	require.ErrorIs(t, err, egress.ErrNotPublic)
	require.EqualValues(t, 2, names.asked.Load())
	require.False(t, hit.Load())

	transport = egress.NewTransportBy(egress.Policy{Loopback: true}, resolver)
	t.Cleanup(transport.CloseIdleConnections)
	resp, err := (&http.Client{Transport: transport}).Get("http://rebind.example.com:" + port)
	require.NoError(t, err, "the guard alone stood in the way")
	require.NoError(t, resp.Body.Close())
	require.True(t, hit.Load())
}
