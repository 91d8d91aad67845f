package middleware_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/middleware"
	"github.com/v402/v402/x402"
)

func TestAPaidRequestIsServedWithItsSettlement(t *testing.T) {
	t.Parallel()
	var paid *middleware.Paid
	s := open(t, func(w http.ResponseWriter, r *http.Request) {
		paid, _ = middleware.PaymentFrom(r.Context())
		w.Header().Set("Cache-Control", "public, max-age=60")
		w.Header().Add("Vary", "Accept")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, "made")
	}, nil)
	name, value := s.pay(t, "POST", "/paid?a=1")
	w := s.do("POST", "/paid?a=1", "x", name, value)
	require.Equal(t, 201, w.Code, w.Body)
	require.Equal(t, "made", w.Body.String())
	require.Equal(t, "private, max-age=60", w.Header().Get("Cache-Control"))
	require.Equal(t, []string{"Accept", "PAYMENT-SIGNATURE, X-PAYMENT"}, w.Header().Values("Vary"))
	require.Empty(t, w.Header().Get(x402.HeaderPaymentResponseV1))
	require.Empty(t, w.Header().Get("X-V402-Replay"))
	got := settlement(t, w.Header())
	require.True(t, got.Success)
	require.Equal(t, hash, got.Transaction)
	require.Equal(t, buyer, got.Payer)
	require.Equal(t, x402.BaseSepolia, got.Network)
	require.Equal(t, buyer, paid.Payer)
	require.Equal(t, "10000", paid.Requirement.Amount.String())
	require.False(t, paid.Settled)
	require.NotEmpty(t, paid.Key)
}

func TestAV1PaymentIsAnsweredInV1(t *testing.T) {
	t.Parallel()
	s := open(t, nil, nil)
	name, value := payV1(t, "base-sepolia")
	w := s.do("GET", "/paid", "", name, value)
	require.Equal(t, 200, w.Code, w.Body)
	require.Empty(t, w.Header().Get(x402.HeaderPaymentResponse))
	var m map[string]any
	require.NoError(t, x402.DecodeHeader(w.Header().Get(x402.HeaderPaymentResponseV1), &m))
	require.Equal(t, "base-sepolia", m["network"])
	require.Equal(t, true, m["success"])
	j, err := json.Marshal(s.last())
	require.NoError(t, err)
	require.Contains(t, string(j), `"resource":"http://example.com/paid"`)
	require.Contains(t, string(j), `"maxAmountRequired":"10000"`)

	s.onSettle = failure(x402.ReasonEVMTransactionFailed, hash)
	name, value = payV1(t, "base-sepolia")
	w = s.do("GET", "/paid", "", name, value)
	require.Equal(t, 402, w.Code)
	var c x402.PaymentRequired
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &c))
	require.Equal(t, "invalid_exact_evm_transaction_failed", c.Error)
	require.Len(t, c.Accepts, 1)
	require.NoError(t, x402.DecodeHeader(w.Header().Get(x402.HeaderPaymentResponseV1), &m))
	require.Equal(t, false, m["success"])
}

func TestAFailedSettlementGivesNothingOfTheAnswer(t *testing.T) {
	t.Parallel()
	s := open(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Secret", "1")
		w.Header().Set("Link", "</secret>")
		w.WriteHeader(http.StatusEarlyHints)
		fmt.Fprint(w, "secret")
		w.(http.Flusher).Flush()
		require.NoError(t, http.NewResponseController(w).Flush())
	}, nil)
	s.onSettle = failure(x402.ReasonEVMTransactionFailed, hash)
	name, value := s.pay(t, "GET", "/paid")
	w := s.do("GET", "/paid", "", name, value)
	require.Equal(t, 402, w.Code)
	require.NotContains(t, w.Body.String(), "secret")
	require.Empty(t, w.Header().Get("X-Secret"))
	require.Empty(t, w.Header().Get("Link"))
	require.Empty(t, w.Header().Get(x402.HeaderPaymentRequired))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	got := settlement(t, w.Header())
	require.False(t, got.Success)
	require.Equal(t, x402.ReasonEVMTransactionFailed, got.ErrorReason)
	require.Equal(t, x402.BaseSepolia, got.Network)
	require.Equal(t, "invalid_exact_evm_transaction_failed", reason(t, w))
	require.Zero(t, s.claims.Len(), "nothing was charged: the payment is free")
}

func TestAnswersThatAreErrorsAreNotCharged(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 404, 429, 500, 503} {
		s := open(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Own", "1")
			http.Error(w, "no", status)
		}, nil)
		name, value := s.pay(t, "GET", "/paid")
		w := s.do("GET", "/paid", "", name, value)
		require.Equal(t, status, w.Code)
		require.Equal(t, "no\n", w.Body.String())
		require.Equal(t, "1", w.Header().Get("X-Own"))
		require.Empty(t, w.Header().Get(x402.HeaderPaymentResponse))
		require.Zero(t, s.settled.Load())
		require.Zero(t, s.claims.Len())
	}
}

func TestRedirectsAreChargedUnlessTheyOnlyCorrectThePath(t *testing.T) {
	t.Parallel()
	for location, charged := range map[string]int64{"/elsewhere": 1, "https://cdn.example/x": 1, "/paid/": 0, "/PAID": 0} {
		s := open(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, location, http.StatusTemporaryRedirect)
		}, nil)
		name, value := s.pay(t, "GET", "/paid")
		w := s.do("GET", "/paid", "", name, value)
		require.Equal(t, 307, w.Code)
		require.Equal(t, charged, s.settled.Load(), location)
	}
}

func TestAClientThatFollowsARedirectOfTheMuxWithItsPaymentIsServedAndChargedOnce(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /files/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "a list") })
	s := open(t, mux.ServeHTTP, func(cfg *middleware.Config) { cfg.Routes[0].Pattern = "GET /files/" })
	server := httptest.NewServer(s)
	defer server.Close()
	for _, path := range []string{"/files?x=1", "//files/?x=1", "/a/../files?x=1"} {
		s.settled.Store(0)
		name, value := s.pay(t, "GET", server.URL+path)
		r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+path, nil)
		require.NoError(t, err)
		r.Header.Set(name, value)
		resp, err := (&http.Client{Transport: ownTransport(t)}).Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, "/files/", resp.Request.URL.Path)
		require.Equal(t, 200, resp.StatusCode)
		require.EqualValues(t, 1, s.settled.Load())
	}
}

func TestPanicsAreNotChargedAndPassThrough(t *testing.T) {
	t.Parallel()
	for _, value := range []any{"boom", http.ErrAbortHandler} {
		s := open(t, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "half")
			panic(value)
		}, nil)
		name, header := s.pay(t, "GET", "/paid")
		require.PanicsWithValue(t, value, func() { s.do("GET", "/paid", "", name, header) })
		require.Zero(t, s.settled.Load())
		require.Zero(t, s.claims.Len(), "the payment is free again")
	}
}

func TestTooLargeAnswersAreNotCharged(t *testing.T) {
	t.Parallel()
	var written int
	s := open(t, func(w http.ResponseWriter, r *http.Request) {
		block := make([]byte, 1<<20)
		for range 100 {
			n, _ := w.Write(block)
			written += n
		}
	}, nil)
	name, value := s.pay(t, "GET", "/paid")
	w := s.do("GET", "/paid", "", name, value)
	require.Equal(t, 500, w.Code)
	require.Equal(t, "response_too_large", reason(t, w))
	require.Equal(t, middleware.DefaultMaxResponseBody, written, "no more than the bound is kept")
	require.Zero(t, s.settled.Load())
	require.Zero(t, s.claims.Len())
}

func TestTooLargeRequestsAreRefused(t *testing.T) {
	t.Parallel()
	s := open(t, nil, func(cfg *middleware.Config) { cfg.MaxRequestBody = 10 })
	name, value := s.pay(t, "POST", "/paid")
	require.Equal(t, 413, s.do("POST", "/paid", "12345678901", name, value).Code)
	require.Equal(t, 200, s.do("POST", "/paid", "1234567890", name, value).Code)
	require.EqualValues(t, 1, s.ran.Load())
}

func TestConnectionsCannotBeTakenOverBeforeSettlement(t *testing.T) {
	t.Parallel()
	s := open(t, func(w http.ResponseWriter, r *http.Request) {
		_, _, err := http.NewResponseController(w).Hijack()
		require.ErrorIs(t, err, http.ErrNotSupported)
		w.WriteHeader(http.StatusSwitchingProtocols)
	}, nil)
	name, value := s.pay(t, "GET", "/paid")
	require.Equal(t, 500, s.do("GET", "/paid", "", name, value).Code)
	require.Zero(t, s.settled.Load())
}

func TestAnAnswerShorterThanAnnouncedIsNotCharged(t *testing.T) {
	t.Parallel()
	s := open(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "short")
	}, nil)
	name, value := s.pay(t, "GET", "/paid")
	require.Equal(t, 500, s.do("GET", "/paid", "", name, value).Code)
	require.Zero(t, s.settled.Load())
}

func TestTrailersOfAHandlerFollowTheBodyAlsoTheSecondTime(t *testing.T) {
	t.Parallel()
	s := open(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum, X-None")
		fmt.Fprint(w, "the goods")
		w.Header().Set("X-Sum", "42")
		w.Header().Set(http.TrailerPrefix+"X-Late", "7")
	}, nil)
	server := httptest.NewServer(s)
	defer server.Close()
	name, value := s.pay(t, "GET", server.URL+"/paid")
	for range 2 {
		resp, body := send(t, server.URL+"/paid", name, value)
		require.Equal(t, "the goods", body)
		require.Empty(t, resp.Header.Get("X-Sum"))
		require.Equal(t, http.Header{"X-Sum": {"42"}, "X-Late": {"7"}}, withoutEmpty(resp.Trailer))
	}
	require.EqualValues(t, 1, s.ran.Load())
}

// ownTransport is not the default one, whose idle connections httptest closes
// under the hands of other tests.
func ownTransport(t *testing.T) *http.Transport {
	t.Helper()
	own := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(own.CloseIdleConnections)
	return own
}

// send gets url with one header from a real server.
func send(t *testing.T, url, name, value string) (resp *http.Response, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	require.NoError(t, err)
	r.Header.Set(name, value)
	resp, err = ownTransport(t).RoundTrip(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(all)
}

// withoutEmpty leaves out what was announced and never came.
func withoutEmpty(h http.Header) http.Header {
	maps.DeleteFunc(h, func(_ string, v []string) bool { return len(v) == 0 })
	return h
}

func TestAStatusThatHasNoBodyIsSentWithoutOne(t *testing.T) {
	t.Parallel()
	for _, m := range []middleware.Mode{middleware.SettleAfter, middleware.SettleBefore} {
		for _, status := range []int{http.StatusNoContent, http.StatusNotModified} {
			s := open(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(status)
				if _, err := fmt.Fprint(w, "x"); !errors.Is(err, http.ErrBodyNotAllowed) {
					panic("not as in net/http")
				}
			}, mode(m))
			server := httptest.NewServer(s)
			defer server.Close()
			name, value := s.pay(t, "GET", server.URL+"/paid")
			for range 2 {
				resp, _ := send(t, server.URL+"/paid", name, value)
				require.Equal(t, status, resp.StatusCode)
				require.Empty(t, resp.Header.Get("Content-Length"))
				require.True(t, settlement(t, resp.Header).Success)
			}
			require.EqualValues(t, 1, s.ran.Load())
		}
	}
}

func TestHooksCanRefuseAndAreToldTheOutcome(t *testing.T) {
	t.Parallel()
	var calls []string
	var refuse string
	before := func(name string) func(context.Context, middleware.Attempt) error {
		return func(_ context.Context, a middleware.Attempt) error {
			require.Equal(t, "/paid", a.Pattern)
			require.Equal(t, payTo, a.Payment.Requirements.PayTo)
			calls = append(calls, name)
			if name == refuse {
				return errors.New("not you")
			}
			return nil
		}
	}
	s := open(t, nil, func(cfg *middleware.Config) {
		cfg.Hooks = middleware.Hooks{
			BeforeVerify: before("before verify"),
			AfterVerify: func(_ context.Context, _ middleware.Attempt, r x402.VerifyResponse, err error) {
				calls = append(calls, fmt.Sprint("after verify ", r.IsValid, err))
			},
			BeforeSettle: before("before settle"),
			AfterSettle: func(_ context.Context, _ middleware.Attempt, r x402.SettleResponse, err error) {
				calls = append(calls, fmt.Sprint("after settle ", r.Success, err))
			},
		}
	})
	for _, c := range []struct {
		refuse string
		status int
		calls  []string
	}{
		{"", 200, []string{"before verify", "after verify true <nil>", "before settle", "after settle true <nil>"}},
		{"before verify", 403, []string{"before verify"}},
		{"before settle", 403, []string{"before verify", "after verify true <nil>", "before settle"}},
	} {
		calls, refuse = nil, c.refuse
		remembered := s.claims.Len()
		name, value := s.pay(t, "GET", "/paid")
		w := s.do("GET", "/paid", "", name, value)
		require.Equal(t, c.status, w.Code)
		require.Equal(t, c.calls, calls)
		if c.status == 403 {
			require.JSONEq(t, `{"error":"not you"}`, w.Body.String())
			require.Equal(t, remembered, s.claims.Len(), "nothing is claimed")
		}
	}
	require.EqualValues(t, 1, s.settled.Load())
}

// ownAnswer is an error that says itself what the client is told.
type ownAnswer int

func (a ownAnswer) Error() string { return "not you" }

func (a ownAnswer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("X-Reason", "whim")
	w.WriteHeader(int(a))
	_, _ = w.Write([]byte("Not you."))
}

func TestWhatAHookRefusesCanAnswerForItself(t *testing.T) {
	t.Parallel()
	var refusal error
	s := open(t, nil, func(cfg *middleware.Config) {
		cfg.Hooks.BeforeSettle = func(context.Context, middleware.Attempt) error { return refusal }
	})
	pay := func() *httptest.ResponseRecorder {
		name, value := s.pay(t, "GET", "/paid")
		return s.do("GET", "/paid", "", name, value)
	}
	refusal = fmt.Errorf("refused: %w", ownAnswer(409))
	w := pay()
	require.Equal(t, 409, w.Code)
	require.Equal(t, "Not you.", w.Body.String())
	require.Equal(t, "whim", w.Header().Get("X-Reason"))

	refusal = ownAnswer(200)
	w = pay()
	require.Equal(t, 403, w.Code, "nobody is served by an error")
	require.JSONEq(t, `{"error":"not you"}`, w.Body.String())
	require.Zero(t, s.settled.Load())
}

func TestAFacilitatorThatCannotBeReachedIs502(t *testing.T) {
	t.Parallel()
	s := open(t, nil, nil)
	s.onVerify = func(context.Context, x402.Payment) (x402.VerifyResponse, error) {
		return x402.VerifyResponse{IsValid: true}, errors.New("connection refused")
	}
	name, value := s.pay(t, "GET", "/paid")
	w := s.do("GET", "/paid", "", name, value)
	require.Equal(t, 502, w.Code)
	require.Equal(t, "facilitator_unavailable", reason(t, w))
	require.NotContains(t, w.Body.String(), "refused", "the cause is for the log")
	require.Zero(t, s.ran.Load())
	require.Zero(t, s.claims.Len())

	s.onVerify = nil
	require.Equal(t, 200, s.do("GET", "/paid", "", name, value).Code, "the same payment is good later")
}

func TestAnOuterMiddlewaresHeadersStay(t *testing.T) {
	t.Parallel()
	s := open(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Del("X-Drop")
		fmt.Fprint(w, w.Header().Get("X-Request-Id"))
	}, nil)
	inner, n := s.Handler, 0
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		w.Header().Set("X-Request-Id", fmt.Sprint(n))
		w.Header().Set("X-Drop", "1")
		inner.ServeHTTP(w, r)
	})
	name, value := s.pay(t, "GET", "/paid")
	w := s.do("GET", "/paid", "", name, value)
	require.Equal(t, "2", w.Body.String())
	require.Equal(t, "2", w.Header().Get("X-Request-Id"))
	require.Empty(t, w.Header().Get("X-Drop"))
	w = s.do("GET", "/paid", "", name, value)
	require.Equal(t, "true", w.Header().Get("X-V402-Replay"))
	require.Equal(t, "2", w.Body.String())
	require.Equal(t, "3", w.Header().Get("X-Request-Id"), "each answer has its own")
	require.Empty(t, w.Header().Get("X-Drop"))
}

func TestAnExtensionMustComeBackAsItWasOffered(t *testing.T) {
	t.Parallel()
	s := open(t, nil, func(cfg *middleware.Config) {
		cfg.Routes[0].Extensions = map[string]json.RawMessage{"payment-identifier": json.RawMessage(`{"info":{"required":false},"schema":{}}`)}
	})
	for echo, status := range map[string]int{
		"":                            200,
		`{"info":{"required":false}}`: 200,
		`{"info":{"required":false,"id":"pay_1"}}`: 200,
		`{"info":{"required":true}}`:               402,
		`{"info":{}}`:                              402,
		`{}`:                                       402,
		`[]`:                                       402,
	} {
		p := s.payload(t, "GET", "/paid")
		if echo != "" {
			p.Extensions = map[string]json.RawMessage{"payment-identifier": json.RawMessage(echo), "other": json.RawMessage(`{}`)}
		}
		value, err := x402.EncodeHeader(p)
		require.NoError(t, err)
		w := s.do("GET", "/paid", "", x402.HeaderPaymentSignature, value)
		require.Equal(t, status, w.Code, echo)
		if status == 402 {
			require.Equal(t, "extension_echo_mismatch", reason(t, w))
		}
	}
}

func TestAFacilitatorOverHTTPIsBelievedByItsBodyOnly(t *testing.T) {
	t.Parallel()
	answers := map[string]string{}
	stub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, answers[r.URL.Path])
	}))
	t.Cleanup(stub.Close)
	client, err := x402.NewClient(x402.ClientConfig{URL: stub.URL})
	require.NoError(t, err)
	s := open(t, nil, func(cfg *middleware.Config) { cfg.Facilitator = client })
	const settled = `{"success":true,"transaction":"0x01","network":"eip155:84532"}`
	for _, c := range []struct {
		verify, settle string
		status         int
		ran            int64
	}{
		{`{"isValid":false,"invalidReason":"invalid_exact_evm_signature"}`, settled, 402, 0},
		{`{"isValid":"true"}`, settled, 502, 0},
		{`{}`, settled, 502, 0},
		{`<html>`, settled, 502, 0},
		{`{"isValid":true}`, `{"success":false,"errorReason":"invalid_exact_evm_transaction_failed","transaction":"","network":"eip155:84532"}`, 402, 1},
		{`{"isValid":true}`, `{}`, 502, 1},
		{`{"isValid":true}`, `<html>`, 502, 1},
		{`{"isValid":true}`, settled, 200, 1},
	} {
		answers["/verify"], answers["/settle"] = c.verify, c.settle
		s.ran.Store(0)
		name, value := s.pay(t, "GET", "/paid")
		w := s.do("GET", "/paid", "", name, value)
		require.Equal(t, c.status, w.Code, "%s %s: %s", c.verify, c.settle, w.Body)
		require.Equal(t, c.ran, s.ran.Load(), "%s %s", c.verify, c.settle)
		require.Equal(t, c.status == 200, strings.Contains(w.Body.String(), "goods"))
	}
}

func TestALongMessageOfTheFacilitatorStillFitsTheHeader(t *testing.T) {
	t.Parallel()
	s := open(t, nil, nil)
	s.onSettle = func(_ context.Context, p x402.Payment) (x402.SettleResponse, error) {
		return x402.SettleResponse{ErrorReason: x402.ReasonPolicy, ErrorMessage: strings.Repeat("m", 50_000),
			Extensions: map[string]json.RawMessage{"x": json.RawMessage(`"` + strings.Repeat("e", 50_000) + `"`)}}, nil
	}
	name, value := s.pay(t, "GET", "/paid")
	w := s.do("GET", "/paid", "", name, value)
	require.Equal(t, 402, w.Code)
	require.Equal(t, x402.ReasonPolicy, settlement(t, w.Header()).ErrorReason)
	require.Less(t, w.Body.Len(), 2000)
}
