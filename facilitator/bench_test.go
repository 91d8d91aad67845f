package facilitator_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

// BenchmarkVerifyHTTP is POST /verify without signature and chain: what the
// service itself costs.
func BenchmarkVerifyHTTP(b *testing.B) {
	p := pay(x402.V2, 1)
	c := newChain(newToken(), memory.New(), "a")
	t, err := c.Inspect(p, time.Now())
	require.NoError(b, err)
	h := newService(b, memory.New(), "a", &ready{c, t}).Handler()
	in := body(b, p)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/verify", strings.NewReader(in)))
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}

// ready is a chain that has inspected every payment already.
type ready struct {
	*chain
	transfer facilitator.Transfer
}

func (c *ready) Inspect(x402.Payment, time.Time) (facilitator.Transfer, error) {
	return c.transfer, nil
}

func (c *ready) Verify(context.Context, facilitator.Transfer) error { return nil }
