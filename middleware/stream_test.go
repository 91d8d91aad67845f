package middleware_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/middleware"
	"github.com/v402/v402/x402"
)

// serve puts s behind a real server and buys target from it.
func (s *shop) buy(t *testing.T, url string) *http.Response {
	t.Helper()
	name, value := s.pay(t, "GET", "/paid")
	r, err := http.NewRequestWithContext(t.Context(), "GET", url+"/paid", nil)
	require.NoError(t, err)
	r.Host = "example.com"
	r.Header.Set(name, value)
	resp, err := ownTransport(t).RoundTrip(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func TestAStreamArrivesAsItIsWrittenAfterTheSettlement(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	s := open(t, func(w http.ResponseWriter, r *http.Request) {
		paid, ok := middleware.PaymentFrom(r.Context())
		if !ok || !paid.Settled || paid.Transaction != hash {
			panic("not settled")
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Payment-Response", "forged")
		rc := http.NewResponseController(w)
		if err := rc.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			panic(err)
		}
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n", i)
			if err := rc.Flush(); err != nil {
				panic(err)
			}
			<-next
		}
	}, mode(middleware.SettleBefore))
	server := httptest.NewServer(s)
	defer server.Close()
	resp := s.buy(t, server.URL)
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, hash, settlement(t, resp.Header).Transaction)
	require.Equal(t, "private", resp.Header.Get("Cache-Control"))
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
	lines := bufio.NewReader(resp.Body)
	for i := range 3 {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("data: %d\n", i), line)
		next <- struct{}{}
	}
	require.EqualValues(t, 1, s.settled.Load())
}

func TestInformationalAnswersPassInAStream(t *testing.T) {
	t.Parallel()
	s := open(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusAccepted)
	}, mode(middleware.SettleBefore))
	server := httptest.NewServer(s)
	defer server.Close()
	resp := s.buy(t, server.URL)
	require.Equal(t, 202, resp.StatusCode)
	require.True(t, settlement(t, resp.Header).Success)
}

func TestASettledConnectionCanBeTakenOver(t *testing.T) {
	t.Parallel()
	s := open(t, func(w http.ResponseWriter, r *http.Request) {
		header := w.Header().Get(x402.HeaderPaymentResponse)
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nPAYMENT-RESPONSE: %s\r\nConnection: close\r\n\r\nraw", header)
	}, mode(middleware.SettleBefore))
	server := httptest.NewServer(s)
	defer server.Close()
	name, value := s.pay(t, "GET", "/paid")
	send := func() (int, http.Header, string) {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		fmt.Fprintf(conn, "GET /paid HTTP/1.1\r\nHost: example.com\r\n%s: %s\r\n\r\n", name, value)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 3))
		return resp.StatusCode, resp.Header, string(body)
	}
	status, header, body := send()
	require.Equal(t, 200, status)
	require.Equal(t, "raw", body)
	require.True(t, settlement(t, header).Success)
	require.Eventually(t, func() bool { status, _, _ = send(); return status == 409 }, time.Minute, 10*time.Millisecond)
	require.EqualValues(t, 1, s.settled.Load())
}

func TestALongStreamCannotBeHadTwice(t *testing.T) {
	t.Parallel()
	s := open(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, strings.NewReader(strings.Repeat("x", 1<<20)))
	}, mode(middleware.SettleBefore))
	name, value := s.pay(t, "GET", "/paid")
	w := s.do("GET", "/paid", "", name, value)
	require.Equal(t, 200, w.Code)
	require.Equal(t, 1<<20, w.Body.Len())
	w = s.do("GET", "/paid", "", name, value)
	require.Equal(t, 409, w.Code)
	require.Equal(t, "payment_already_used", reason(t, w))
	require.EqualValues(t, 1, s.ran.Load())
}

func TestAShortStreamIsSentAgain(t *testing.T) {
	t.Parallel()
	s := open(t, nil, mode(middleware.SettleBefore))
	name, value := s.pay(t, "GET", "/paid")
	first, second := s.do("GET", "/paid", "", name, value), s.do("GET", "/paid", "", name, value)
	require.Equal(t, first.Body.String(), second.Body.String())
	require.Equal(t, first.Header().Get(x402.HeaderPaymentResponse), second.Header().Get(x402.HeaderPaymentResponse))
	require.Equal(t, "true", second.Header().Get("X-V402-Replay"))
	require.EqualValues(t, 1, s.ran.Load())
}

func TestAStreamThatFailsCanBeRepeatedWithoutANewPayment(t *testing.T) {
	t.Parallel()
	failures := map[string]http.HandlerFunc{
		"an error status": func(w http.ResponseWriter, r *http.Request) { http.Error(w, "broken", 500) },
		"a panic":         func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
	}
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s *shop
			good := false
			s = open(t, func(w http.ResponseWriter, r *http.Request) {
				if good {
					fmt.Fprint(w, "well")
					return
				}
				fail(w, r)
			}, mode(middleware.SettleBefore))
			name, value := s.pay(t, "GET", "/paid")
			try := func() (w *httptest.ResponseRecorder) {
				defer func() { _ = recover() }()
				w = httptest.NewRecorder()
				s.ServeHTTP(w, request("GET", "/paid", "", name, value))
				return w
			}
			try()
			try()
			require.EqualValues(t, 2, s.ran.Load())
			require.Equal(t, 402, s.do("PUT", "/paid", "", name, value).Code, "but not for another request")
			good = true
			require.Equal(t, 200, try().Code)
			require.Equal(t, "well", try().Body.String(), "and is then kept")
			require.EqualValues(t, 3, s.ran.Load())
			require.EqualValues(t, 1, s.settled.Load(), "it is charged once")
			require.EqualValues(t, 1, s.verified.Load())
		})
	}
}

func TestAFailingStreamIsRunThreeTimesAtMost(t *testing.T) {
	t.Parallel()
	s := open(t, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "broken", 500) }, mode(middleware.SettleBefore))
	name, value := s.pay(t, "GET", "/paid")
	for i := range 5 {
		w := s.do("GET", "/paid", "", name, value)
		if i < middleware.MaxRuns {
			require.Equal(t, 500, w.Code)
			require.True(t, settlement(t, w.Header()).Success, "the buyer is told that it paid")
		} else {
			require.Equal(t, 409, w.Code)
		}
	}
	require.EqualValues(t, middleware.MaxRuns, s.ran.Load())
	require.EqualValues(t, 1, s.settled.Load())
}

func TestAStreamToAClientThatHangsUpCanBeRepeated(t *testing.T) {
	t.Parallel()
	s := open(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "start ")
		if r.Context().Err() == nil {
			fmt.Fprint(w, "end")
		}
	}, mode(middleware.SettleBefore))
	ctx, cancel := context.WithCancel(t.Context())
	s.onSettle = func(_ context.Context, p x402.Payment) (x402.SettleResponse, error) {
		cancel()
		return success(p), nil
	}
	name, value := s.pay(t, "GET", "/paid")
	s.ServeHTTP(httptest.NewRecorder(), request("GET", "/paid", "", name, value).WithContext(ctx))
	w := s.do("GET", "/paid", "", name, value)
	require.Equal(t, 200, w.Code)
	require.Equal(t, "start end", w.Body.String())
	require.EqualValues(t, 1, s.settled.Load())
}

func TestNothingIsSettledFirstForAMethodThatAMuxWouldNotFind(t *testing.T) {
	t.Parallel()
	s := open(t, nil, func(cfg *middleware.Config) {
		cfg.Routes[0].Mode = middleware.SettleBefore
		cfg.Routes[0].Pattern = "GET /paid"
	})
	for method, status := range map[string]int{"GET": 200, "HEAD": 200, "get": 400, "Head": 400} {
		name, value := s.pay(t, "GET", "/paid")
		before := s.settled.Load()
		require.Equal(t, status, s.do(method, "/paid", "", name, value).Code, method)
		require.Equal(t, status == 200, s.settled.Load() > before, method)
	}
}

func TestNothingIsSettledFirstForAPathThatAMuxWouldNotFind(t *testing.T) {
	t.Parallel()
	s := open(t, nil, func(cfg *middleware.Config) {
		cfg.Routes[0].Mode = middleware.SettleBefore
		cfg.Routes[0].Pattern = "/paid/{id}/x"
	})
	for target, status := range map[string]int{
		"/paid/1/x": 200, "/paid/1%2F2/x": 200, "/paid/%20/x": 200,
		"/PAID/1/x": 400, "/paid/1/x/": 400, "//paid/1/x": 400, "/paid/./1/x": 400, "/paid;a/1/x": 400,
	} {
		r := func(header ...string) *httptest.ResponseRecorder {
			req := request("GET", "/", "", header...)
			u, err := url.ParseRequestURI(target)
			require.NoError(t, err)
			req.URL = u
			w := httptest.NewRecorder()
			s.ServeHTTP(w, req)
			return w
		}
		unpaid := r()
		if status != 200 {
			require.Equal(t, 400, unpaid.Code, "%s: nobody signs in vain", target)
		} else {
			require.Equal(t, 402, unpaid.Code, target)
		}
		c := challenge(t, s.do("GET", "/paid/1/x", "").Header())
		c.Resource.URL = "http://example.com" + target
		value, err := x402.EncodeHeader(x402.PaymentPayload{Version: 2, Resource: &c.Resource, Accepted: c.Accepts[0], Payload: authorization("1")})
		require.NoError(t, err)
		before := s.settled.Load()
		w := r(x402.HeaderPaymentSignature, value)
		require.Equal(t, status, w.Code, "%s: %s", target, w.Body)
		require.Equal(t, status == 200, s.settled.Load() > before, target)
	}
}
