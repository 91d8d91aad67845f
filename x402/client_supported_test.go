package x402_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
)

const supportedBody = `{"kinds":[{"x402Version":2,"scheme":"exact","network":"eip155:84532"},{"x402Version":1,"scheme":"exact","network":"base-sepolia"}],` +
	`"extensions":["bazaar"],"signers":{"eip155:*":["0x1"]}}`

// supportedFrom is a client whose /supported is answered by f.
func supportedFrom(t *testing.T, f transport) *x402.Client {
	t.Helper()
	return client(t, x402.ClientConfig{URL: "http://f", HTTP: &http.Client{Transport: f}})
}

func TestSupportedIsKeptUntilItIsOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		c := supportedFrom(t, func(r *http.Request) (*http.Response, error) {
			asked++
			assert.Equal(t, "GET http://f/supported", r.Method+" "+r.URL.String())
			return respond(200, supportedBody, nil), nil
		})
		for range 3 {
			s, err := c.Supported(t.Context())
			require.NoError(t, err)
			for version := x402.V1; version <= x402.V2; version++ {
				_, ok := s.Kind(version, x402.SchemeExact, x402.BaseSepolia)
				assert.True(t, ok, "version %d", version)
			}
			_, ok := s.Kind(x402.V2, x402.SchemeExact, x402.Base)
			assert.False(t, ok)
		}
		assert.Equal(t, 1, asked)
		time.Sleep(5 * time.Minute)
		_, err := c.Supported(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 2, asked)
	})
}

func TestCallersAtOnceShareOneRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		c := supportedFrom(t, func(*http.Request) (*http.Response, error) {
			asked++
			time.Sleep(time.Second)
			return respond(200, supportedBody, nil), nil
		})
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				s, err := c.Supported(t.Context())
				assert.NoError(t, err)
				assert.Len(t, s.Kinds, 2)
			})
		}
		group.Wait()
		assert.Equal(t, 1, asked)
	})
}

func TestACallerWhoGivesUpDoesNotFailTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		c := supportedFrom(t, func(r *http.Request) (*http.Response, error) {
			asked++
			select {
			case <-time.After(time.Minute / 4):
				return respond(200, supportedBody, nil), nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var group sync.WaitGroup
		group.Go(func() {
			_, err := c.Supported(impatient)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		})
		synctest.Wait() // the impatient one asks
		group.Go(func() {
			_, err := c.Supported(t.Context())
			assert.NoError(t, err)
		})
		group.Go(func() {
			_, err := c.Supported(impatient) // waits for the other, and gives up too
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		})
		group.Wait()
		assert.Equal(t, 2, asked)
	})
}

func TestTheOldListIsServedWhileARefreshFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked, down := 0, false
		c := supportedFrom(t, func(*http.Request) (*http.Response, error) {
			asked++
			if down {
				return respond(429, "", nil), nil
			}
			return respond(200, supportedBody, nil), nil
		})
		_, err := c.Supported(t.Context())
		require.NoError(t, err)
		down = true
		time.Sleep(time.Hour)
		start := time.Now()
		for range 5 {
			s, err := c.Supported(t.Context())
			require.NoError(t, err)
			assert.Len(t, s.Kinds, 2)
		}
		assert.Equal(t, 2, asked, "a failing facilitator is not asked on every call")
		assert.Zero(t, time.Since(start), "nobody waits while there is an old answer")
		down = false
		time.Sleep(time.Minute)
		_, err = c.Supported(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 3, asked)
	})
}

func TestAFailureIsNotKept(t *testing.T) {
	t.Parallel()
	replies := []*http.Response{respond(500, "down", nil), respond(200, `{"kinds":null}`, nil), respond(200, `[]`, nil), respond(200, supportedBody, nil)}
	c := supportedFrom(t, func(*http.Request) (*http.Response, error) {
		next := replies[0]
		replies = replies[1:]
		return next, nil
	})
	for range 3 {
		_, err := c.Supported(t.Context())
		var answer *x402.AnswerError
		require.ErrorAs(t, err, &answer)
		assert.Equal(t, x402.OperationSupported, answer.Operation)
	}
	_, err := c.Supported(t.Context())
	require.NoError(t, err)
}

func TestTooManyRequestsAreRepeatedThreeTimesAfterTheTimeAskedFor(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		retryAfter func() string
		wait       time.Duration // of all three
	}{
		"backing off": {func() string { return "" }, (1 + 2 + 4) * time.Second},
		"seconds":     {func() string { return "7" }, 21 * time.Second},
		"capped":      {func() string { return "3600" }, 90 * time.Second},
		"overflowing": {func() string { return "9223372036854775807" }, 90 * time.Second},
		"date":        {func() string { return time.Now().Add(5 * time.Second).UTC().Format(http.TimeFormat) }, 15 * time.Second},
		"past date":   {func() string { return time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat) }, 0},
		"far date":    {func() string { return time.Now().Add(time.Hour).UTC().Format(http.TimeFormat) }, 90 * time.Second},
		"negative":    {func() string { return "-5" }, 0},
		"nonsense":    {func() string { return "soon" }, (1 + 2 + 4) * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			c := supportedFrom(t, func(*http.Request) (*http.Response, error) {
				if asked++; asked > 3 {
					return respond(200, supportedBody, nil), nil
				}
				return respond(429, "", http.Header{"Retry-After": {test.retryAfter()}}), nil
			})
			start := time.Now()
			_, err := c.Supported(t.Context())
			require.NoError(t, err, name)
			assert.Equal(t, 4, asked, name)
			assert.Equal(t, test.wait, time.Since(start), name)
		})
	}
}

func TestTooManyRequestsInTheEndAreAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		c := supportedFrom(t, func(*http.Request) (*http.Response, error) {
			asked++
			return respond(429, "", nil), nil
		})
		_, err := c.Supported(t.Context())
		var answer *x402.AnswerError
		require.ErrorAs(t, err, &answer)
		assert.Equal(t, 429, answer.Status)
		assert.Equal(t, 4, asked)

		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err = c.Supported(ctx)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 1500*time.Millisecond, time.Since(start), "waiting ends with the context")
	})
}

func TestAnUnreachableFacilitatorIsNotAskedAgainAtOnce(t *testing.T) {
	t.Parallel()
	down, asked := errors.New("down"), 0
	c := supportedFrom(t, func(*http.Request) (*http.Response, error) {
		asked++
		return nil, down
	})
	_, err := c.Supported(t.Context())
	assert.ErrorIs(t, err, down)
	assert.Equal(t, 1, asked)
}
