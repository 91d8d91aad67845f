package x402

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	supportedRetries  = 3                // after the first 429
	maxRetryAfter     = 30 * time.Second // whatever a Retry-After asks for
	supportedCooldown = 15 * time.Second // between refreshes while they fail
)

// supportedCache keeps the last answer of /supported.
type supportedCache struct {
	mu      sync.Mutex
	last    Supported
	have    bool
	expires time.Time // when the next caller refreshes
	flight  *flight   // the refresh under way
}

// flight is one refresh that several callers wait for.
type flight struct {
	done      chan struct{} // closed when the rest is set
	supported Supported
	err       error
	abandoned bool // its caller gave up; somebody else should try
}

// Supported implements [Facilitator]. The answer is kept for the configured
// time; callers at once share one request. If a refresh fails, the old answer
// is served. A 429 is retried three times, after the server's Retry-After (30 s
// at most) or else 1, 2 and 4 s, but not while there is an old answer. Callers
// share the answer and must not modify it.
func (c *Client) Supported(ctx context.Context) (Supported, error) {
	cache := &c.supported
	for {
		cache.mu.Lock()
		if cache.have && time.Now().Before(cache.expires) {
			defer cache.mu.Unlock()
			return cache.last, nil
		}
		f := cache.flight
		if f == nil {
			f = &flight{done: make(chan struct{})}
			cache.flight = f
			stale := cache.have
			cache.mu.Unlock()
			c.refresh(ctx, f, stale)
			return f.supported, f.err
		}
		cache.mu.Unlock()
		select {
		case <-f.done:
			if !f.abandoned {
				return f.supported, f.err
			}
		case <-ctx.Done():
			return Supported{}, ctx.Err()
		}
	}
}

// refresh asks for the list and ends f, also if that panics.
func (c *Client) refresh(ctx context.Context, f *flight, stale bool) {
	cache := &c.supported
	f.abandoned = true
	defer func() {
		cache.mu.Lock()
		defer cache.mu.Unlock()
		cache.flight = nil
		close(f.done)
	}()
	retries := supportedRetries
	if stale {
		retries = 0
	}
	s, err := c.fetchSupported(ctx, retries)
	cache.mu.Lock()
	defer cache.mu.Unlock()
	f.abandoned = err != nil && ctx.Err() != nil
	switch {
	case err == nil:
		cache.last, cache.have, cache.expires = s, true, time.Now().Add(c.config.SupportedTTL)
	case stale:
		s, err = cache.last, nil
		if !f.abandoned {
			cache.expires = time.Now().Add(supportedCooldown)
		}
	}
	f.supported, f.err = s, err
}

// fetchSupported makes the request, and again while the answer is 429.
func (c *Client) fetchSupported(ctx context.Context, retries int) (Supported, error) {
	for try := 0; ; try++ {
		a, err := c.getSupported(ctx)
		if err != nil {
			return Supported{}, err
		}
		if a.status == http.StatusTooManyRequests && try < retries {
			if err := sleep(ctx, retryAfter(a.header, time.Now(), time.Second<<try)); err != nil {
				return Supported{}, fmt.Errorf("%w while waiting to ask again: %w", err, a.refusal("too many requests"))
			}
			continue
		}
		if !a.ok() {
			return Supported{}, a.refusal("not the list of what is supported")
		}
		var said struct {
			Kinds []json.RawMessage `json:"kinds"`
		}
		if _, err := DecodeObject(a.body, &said); err != nil || said.Kinds == nil {
			return Supported{}, a.refusal("no kinds in the answer")
		}
		var s Supported
		if err := json.Unmarshal(a.body, &s); err != nil {
			return Supported{}, a.refusal(err.Error())
		}
		return s, nil
	}
}

func (c *Client) getSupported(ctx context.Context) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.SupportedTimeout)
	defer cancel()
	return c.do(ctx, http.MethodGet, OperationSupported, nil, new(delivery))
}

// retryAfter reads a Retry-After of seconds or of an HTTP date, or returns
// fallback. It is between zero and maxRetryAfter.
func retryAfter(h http.Header, now time.Time, fallback time.Duration) time.Duration {
	wait := fallback
	value := h.Get("Retry-After")
	if s, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(s, int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
