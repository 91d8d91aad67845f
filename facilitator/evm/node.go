package evm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/rpc"
)

// node is the chain as seen through one or several endpoints.
type node struct {
	timeout   time.Duration
	now       func() time.Time
	endpoints []*endpoint
}

type endpoint struct {
	url    string
	client *rpc.Client

	mu           sync.Mutex
	downUntil    time.Time
	limitedUntil time.Time
	most         int // queries in one request, until limitedUntil
}

// downFor is how long an endpoint that failed is asked last.
const downFor = 10 * time.Second

func newNode(cfg Config) (*node, error) {
	n := &node{timeout: cfg.RPCTimeout, now: cfg.Now}
	for i, u := range cfg.URLs {
		e := &endpoint{url: u}
		if parsed, err := url.Parse(u); err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" {
			return nil, fmt.Errorf("evm: RPC URL %d of %s does not begin with http:// or https:// and a host", i+1, cfg.Network) // its path may hold an API key
		}
		var err error
		if e.client, err = rpc.DialOptions(context.Background(), u, rpc.WithHTTPClient(cfg.HTTP)); err != nil {
			return nil, fmt.Errorf("evm: RPC URL %d of %s: %w", i+1, cfg.Network, e.hide(err))
		}
		n.endpoints = append(n.endpoints, e)
	}
	return n, nil
}

// query is one JSON-RPC request; result is a pointer.
type query struct {
	method string
	args   []any
	result any
	err    error // of this request alone
	spare  bool  // an error of this request does not matter to the others
}

// read asks all queries in one round trip, of the first endpoint that answers
// every one of them. Queries must be free of side effects.
func (n *node) read(ctx context.Context, queries ...*query) error {
	var errs []error
	for _, e := range n.order() {
		err := n.ask(ctx, e, queries)
		for _, q := range queries {
			if err == nil && q.err != nil && !q.spare {
				err = fmt.Errorf("%s: %w", q.method, q.err)
			}
		}
		e.mark(err, n.now())
		if err == nil {
			return nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return fmt.Errorf("evm: no endpoint answers: %w", errors.Join(errs...))
}

// send hands transactions to the chain in one round trip, and to the next
// endpoint where one could not be reached: the same transaction twice is one
// transaction. Each query has its own error; the error returned means that
// nobody is known to have taken any of them.
func (n *node) send(ctx context.Context, queries []*query) error {
	var errs []error
	for _, e := range n.order() {
		err := n.ask(ctx, e, queries)
		e.mark(err, n.now())
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("evm: no endpoint takes the transaction: %w", errors.Join(errs...))
}

// ask makes one HTTP request, or several to an endpoint that limits batches.
func (n *node) ask(ctx context.Context, e *endpoint, queries []*query) error {
	ctx, cancel := context.WithTimeout(ctx, n.timeout)
	defer cancel()
	for len(queries) > 0 {
		some := queries[:min(len(queries), e.batch(n.now()))]
		err := e.call(ctx, some)
		if isBroken(err) {
			err = e.call(ctx, some)
		}
		switch {
		case len(some) > 1 && tooMany(some, err):
			e.limit(len(some)/2, n.now())
		case err != nil:
			return e.hide(err)
		default:
			queries = queries[len(some):]
		}
	}
	return nil
}

// isBroken says whether a connection ended before the answer, as one that was
// kept open may at any time. It is safe to ask again: reading changes nothing,
// and the same transaction twice is one transaction.
func isBroken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// answered says whether err, if any, is the node's own answer.
func answered(err error) bool {
	var answer rpc.Error
	return err == nil || errors.As(err, &answer)
}

// order lists the endpoints, those that failed lately last.
func (n *node) order() []*endpoint {
	if len(n.endpoints) == 1 {
		return n.endpoints
	}
	now := n.now()
	var up, down []*endpoint
	for _, e := range n.endpoints {
		if e.isDown(now) {
			down = append(down, e)
		} else {
			up = append(up, e)
		}
	}
	return append(up, down...)
}

func (e *endpoint) isDown(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return now.Before(e.downUntil)
}

func (e *endpoint) mark(err error, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err == nil {
		e.downUntil = time.Time{}
	} else {
		e.downUntil = now.Add(downFor)
	}
}

// call makes one HTTP request. The error is not that of a single query.
func (e *endpoint) call(ctx context.Context, queries []*query) error {
	if len(queries) == 1 {
		q := queries[0]
		q.err = e.client.CallContext(ctx, q.result, q.method, q.args...)
		if answered(q.err) {
			return nil
		}
		return q.err
	}
	elems := make([]rpc.BatchElem, len(queries))
	for i, q := range queries {
		elems[i] = rpc.BatchElem{Method: q.method, Args: q.args, Result: q.result}
	}
	if err := e.client.BatchCallContext(ctx, elems); err != nil {
		return err
	}
	for i, q := range queries {
		q.err = elems[i].Error
	}
	return nil
}

// limitedFor is how long an endpoint is believed to take small batches only.
const limitedFor = 10 * time.Minute

// batch is how many queries the endpoint takes at once.
func (e *endpoint) batch(now time.Time) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now.Before(e.limitedUntil) {
		return e.most
	}
	return math.MaxInt
}

func (e *endpoint) limit(most int, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.most, e.limitedUntil = most, now.Add(limitedFor)
}

// tooMany says whether a batch met with what nodes answer to one that is too
// large: an error in place of the list, a status that blames the request, or an
// error for the first query and nothing for the others.
func tooMany(queries []*query, err error) bool {
	var status rpc.HTTPError
	if errors.As(err, &status) {
		return status.StatusCode == http.StatusBadRequest || status.StatusCode == http.StatusRequestEntityTooLarge
	}
	var object *json.UnmarshalTypeError
	if err != nil {
		return errors.As(err, &object)
	}
	return queries[0].err != nil && !slices.ContainsFunc(queries[1:], func(q *query) bool { return !errors.Is(q.err, rpc.ErrMissingBatchResponse) })
}

// hide takes the endpoint's URL out of err: its path may hold an API key.
func (e *endpoint) hide(err error) error {
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return fmt.Errorf("%s: %w", e.host(), err)
}

// host is the endpoint's URL without path and user, which may hold an API key.
func (e *endpoint) host() string {
	u, err := url.Parse(e.url)
	if err != nil {
		return "?"
	}
	return u.Scheme + "://" + u.Host
}
