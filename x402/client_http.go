package x402

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// maxAnswerBytes bounds what is read of a facilitator's answer.
const maxAnswerBytes = 1 << 20

// AnswerError is returned by a [Client] for an answer that is neither a result
// nor a refusal of the payment.
type AnswerError struct {
	Operation Operation
	Status    int    // HTTP status
	Message   string // what is wrong, and what the facilitator said
}

// Error implements error.
func (e *AnswerError) Error() string {
	return fmt.Sprintf("x402: facilitator answered %s with HTTP status %d: %s", e.Operation, e.Status, e.Message)
}

// answer is what came back from a facilitator.
type answer struct {
	op     Operation
	status int
	header http.Header
	body   []byte
}

func (a answer) ok() bool { return a.status >= 200 && a.status <= 299 }

// turnedDown says whether the status means that the request was not acted on.
// A gateway's 5xx and a timeout leave that open.
func (a answer) turnedDown() bool {
	return a.status >= 300 && a.status <= 499 && a.status != http.StatusRequestTimeout
}

// refusal is the error for an answer that cannot be used, with what it says.
func (a answer) refusal(problem string) error {
	if to := a.header.Get("Location"); to != "" {
		problem = "a redirect to " + clip(to) + " is not followed; set the URL that is meant"
	} else if said := a.said(); said != "" {
		problem += ": " + said
	}
	return &AnswerError{Operation: a.op, Status: a.status, Message: problem}
}

// said is the error text of an answer, shortened; facilitators use various names.
func (a answer) said() string {
	var v struct {
		Error        json.RawMessage `json:"error"`
		ErrorMessage json.RawMessage `json:"errorMessage"`
		Message      json.RawMessage `json:"message"`
	}
	if _, err := DecodeObject(a.body, &v); err == nil {
		for _, raw := range []json.RawMessage{v.ErrorMessage, v.Error, v.Message} {
			var s string
			if json.Unmarshal(raw, &s) == nil && s != "" {
				return clip(s)
			}
		}
	}
	return clip(strings.ToValidUTF8(string(bytes.TrimSpace(a.body)), "?"))
}

// post sends p. Once that may have reached the facilitator, an error of a
// settlement matches ErrUnknownOutcome.
func (c *Client) post(ctx context.Context, op Operation, timeout time.Duration, p Payment) (answer, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return answer{}, fmt.Errorf("x402: encode payment: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var d delivery
	a, err := c.do(httptrace.WithClientTrace(ctx, d.trace()), http.MethodPost, op, body, &d)
	if err != nil && op == OperationSettle && d.possible() {
		return answer{}, unknownOutcome(err)
	}
	return a, err
}

// do makes one request and reads the whole answer. It marks d once the request
// is on its way.
func (c *Client) do(ctx context.Context, method string, op Operation, body []byte, d *delivery) (answer, error) {
	if err := ctx.Err(); err != nil {
		return answer{}, err
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+"/"+string(op), bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Accept", "application/json")
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.config.Auth != nil {
		header, err := c.config.Auth(ctx, op)
		if err != nil {
			return answer{}, fmt.Errorf("x402: authorise %s: %w", op, err)
		}
		for name, values := range header {
			request.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	d.started.Store(true)
	response, err := c.http.Do(request)
	if err != nil {
		return answer{}, fmt.Errorf("x402: ask facilitator: %w", err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
	if err != nil {
		return answer{}, fmt.Errorf("x402: read the facilitator's answer to %s: %w", op, err)
	}
	if len(data) > maxAnswerBytes {
		return answer{}, &AnswerError{op, response.StatusCode, fmt.Sprintf("more than %d bytes", maxAnswerBytes)}
	}
	return answer{op, response.StatusCode, response.Header, data}, nil
}

// delivery tells whether a request may have reached its server. Only a request
// that asked for a connection and never wrote to one certainly did not: a
// transport that reports nothing may have sent it.
type delivery struct {
	started, connecting, wrote atomic.Bool
}

func (d *delivery) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:      func(string) { d.connecting.Store(true) },
		WroteHeaders: func() { d.wrote.Store(true) },
	}
}

func (d *delivery) possible() bool {
	return d.started.Load() && (d.wrote.Load() || !d.connecting.Load())
}

// guardRedirects copies h (nil means a default) so that it follows a redirect
// only to the same origin with the same method; any other redirect is returned
// as the answer, which is then no result.
func guardRedirects(h *http.Client) *http.Client {
	guarded := http.Client{Transport: pooled()}
	if h != nil {
		guarded = *h
	}
	theirs := guarded.CheckRedirect
	guarded.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		first := via[0]
		if !sameOrigin(next.URL, first.URL) || next.Method != first.Method || len(via) >= 10 {
			return http.ErrUseLastResponse
		}
		if theirs != nil {
			return theirs(next, via)
		}
		return nil
	}
	return &guarded
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// pooled is the default transport with more than its two idle connections for
// each host: a server has one facilitator and many buyers.
func pooled() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport // somebody put their own in its place
	}
	t = t.Clone()
	t.MaxIdleConnsPerHost = 64
	return t
}
