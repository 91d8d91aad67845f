package x402

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ErrUnknownOutcome matches the error of a Settle that was sent and whose
// answer was lost or makes no sense: unknown, not failed. The money may have
// moved. Ask again with the same payment, and the same facilitator; never
// sign a new one.
var ErrUnknownOutcome = errors.New("x402: the outcome of the settlement is unknown, not failed")

// Operation is what a [Client] asks of its facilitator.
type Operation string

// The operations.
const (
	OperationVerify    Operation = "verify"
	OperationSettle    Operation = "settle"
	OperationSupported Operation = "supported"
)

// ClientConfig configures a [Client]. Only URL is required.
type ClientConfig struct {
	// URL is the facilitator's base URL, to which /verify, /settle and
	// /supported are added. Trailing slashes do not matter. Use https outside
	// your own machine: whoever can alter the answers decides what is paid. This
	// is not enforced, so that a local facilitator works.
	URL string
	// HTTP makes the requests. The default keeps 64 idle connections. Redirects
	// to another origin are refused, whatever its CheckRedirect says.
	HTTP *http.Client
	// Auth returns the headers that authorise one request, made anew for each.
	// Its error is returned and nothing is sent.
	Auth func(ctx context.Context, op Operation) (http.Header, error)

	VerifyTimeout    time.Duration // of one request; default 90 s
	SettleTimeout    time.Duration // of one request; default 90 s
	SupportedTimeout time.Duration // of one request; default 30 s
	// SupportedTTL is how long an answer of /supported is kept; default 5 minutes.
	SupportedTTL time.Duration
}

// Client is a [Facilitator] over HTTP. It is safe for concurrent use and never
// turns to another facilitator: after an ambiguous settlement that could pay
// twice.
type Client struct {
	config    ClientConfig
	base      string
	http      *http.Client
	supported supportedCache
}

var _ Facilitator = (*Client)(nil)

// NewClient checks c and fills in its defaults. It makes no request.
func NewClient(c ClientConfig) (*Client, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("x402: facilitator URL: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("x402: facilitator URL %q: an absolute http or https URL is needed", c.URL)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("x402: facilitator URL %q: no query and no fragment are allowed", c.URL)
	}
	for _, d := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{
		{&c.VerifyTimeout, 90 * time.Second},
		{&c.SettleTimeout, 90 * time.Second},
		{&c.SupportedTimeout, 30 * time.Second},
		{&c.SupportedTTL, 5 * time.Minute},
	} {
		if *d.value < 0 {
			return nil, fmt.Errorf("x402: facilitator client: negative duration %s", *d.value)
		}
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	return &Client{config: c, base: strings.TrimRight(u.String(), "/"), http: guardRedirects(c.HTTP)}, nil
}

// Verify implements [Facilitator]. A refusal is an answer, with whatever HTTP
// status it came; any answer that does not say isValid is an error.
func (c *Client) Verify(ctx context.Context, p Payment) (VerifyResponse, error) {
	a, err := c.post(ctx, OperationVerify, c.config.VerifyTimeout, p)
	if err != nil {
		return VerifyResponse{}, err
	}
	var said struct {
		IsValid *bool `json:"isValid"`
	}
	if _, err := DecodeObject(a.body, &said); err != nil || said.IsValid == nil || *said.IsValid && !a.ok() {
		return VerifyResponse{}, a.refusal("no boolean isValid in the answer")
	}
	var r VerifyResponse
	if err := json.Unmarshal(a.body, &r); err != nil {
		return VerifyResponse{}, a.refusal(err.Error())
	}
	return r, nil
}

// Settle implements [Facilitator]. Whatever was sent without a clear answer
// returns an error that matches [ErrUnknownOutcome]; any other error means that
// nothing was sent, or that it was turned down unread. A settlement that is
// pending ([ReasonSettlementPending]) is an answer: ask again with the same
// payment.
func (c *Client) Settle(ctx context.Context, p Payment) (SettleResponse, error) {
	a, err := c.post(ctx, OperationSettle, c.config.SettleTimeout, p)
	if err != nil {
		return SettleResponse{}, err
	}
	var said struct {
		Success *bool `json:"success"`
	}
	var r SettleResponse
	if _, err := DecodeObject(a.body, &said); err != nil || said.Success == nil {
		err := a.refusal("no boolean success in the answer")
		if a.turnedDown() {
			return SettleResponse{}, err
		}
		return SettleResponse{}, unknownOutcome(err)
	}
	switch err := json.Unmarshal(a.body, &r); {
	case err != nil:
		return SettleResponse{}, unknownOutcome(a.refusal(err.Error()))
	case r.Success && !a.ok():
		return SettleResponse{}, unknownOutcome(a.refusal("success with an HTTP status of failure"))
	case r.Success && r.Transaction == "" && p.Requirements.Scheme == SchemeExact && !p.Requirements.Amount.IsZero():
		return SettleResponse{}, unknownOutcome(a.refusal("success without a transaction"))
	}
	return r, nil
}

func unknownOutcome(err error) error { return fmt.Errorf("%w: %w", ErrUnknownOutcome, err) }

// sleep waits for d, or returns the error of ctx if that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
