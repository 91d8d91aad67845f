package web_test

import (
	"bytes"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/web"
)

func TestABodyWithinTheLimitIsReadWhole(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 1 << 10, 200 << 10} {
		in := strings.Repeat("x", size)
		err := web.Body(httptest.NewRequest("POST", "/", strings.NewReader(in)), int64(size), func(b []byte) error {
			require.Equal(t, in, string(b))
			return nil
		})
		require.NoError(t, err)
	}
}

func TestABodyAboveTheLimitIsNotHandedOn(t *testing.T) {
	t.Parallel()
	for _, declared := range []int64{5, -1} {
		r := httptest.NewRequest("POST", "/", strings.NewReader("12345"))
		r.ContentLength = declared
		err := web.Body(r, 4, func([]byte) error {
			require.Fail(t, "it was handed on")
			return nil
		})
		require.ErrorIs(t, err, web.ErrTooLarge)
	}
}

func TestErrorsOfReadingAndOfUseAreReturned(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	err := web.Body(httptest.NewRequest("POST", "/", iotest.ErrReader(broken)), 4, func([]byte) error { return nil })
	require.ErrorIs(t, err, broken)
	err = web.Body(httptest.NewRequest("POST", "/", nil), 4, func([]byte) error { return broken })
	require.ErrorIs(t, err, broken)
}

func TestConcurrentBodiesDoNotMix(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			in := bytes.Repeat([]byte{byte('a' + i)}, 1000)
			for range 200 {
				err := web.Body(httptest.NewRequest("POST", "/", bytes.NewReader(in)), 1000, func(b []byte) error {
					if !bytes.Equal(in, b) {
						return errors.New("mixed")
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestAnAnswerIsWrittenWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	require.NoError(t, web.JSON(w, 402, map[string]int{"a": 1}))
	require.Equal(t, 402, w.Code)
	require.Equal(t, "{\"a\":1}\n", w.Body.String())
	require.Equal(t, "8", w.Header().Get("Content-Length"))
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))

	w = httptest.NewRecorder()
	require.Error(t, web.JSON(w, 200, func() {}))
	require.Empty(t, w.Body.String())
	require.Empty(t, w.Header())
}
