package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/x402"
)

func TestMemoryStaysFlatOverThousandsOfVerifications(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	name := "sqlite:" + filepath.Join(t.TempDir(), "journal.db")
	r := newReplica(t, setup{
		Network: w.network, URLs: []string{w.chain.URL()}, Keys: []string{w.chain.Relayer.Key}, Journal: name,
	})
	require.NoError(t, r.start())
	require.NoError(t, r.ready())
	w.verifyMany(t, r.base(), 1000) // pools and tables are filled
	before := heap(t, r.base())
	n, start := soak(t, 5000), time.Now()
	w.verifyMany(t, r.base(), n)
	after := heap(t, r.base())
	t.Logf("%d verifications in %s: heap %d KiB, then %d KiB", n, time.Since(start).Round(time.Millisecond), before>>10, after>>10)
	require.Less(t, after, before+1<<20, "bytes in use")
}

// verifyMany asks for n different payments, sixteen at once.
func (w *world) verifyMany(t *testing.T, base string, n int) {
	t.Helper()
	var g errgroup.Group
	g.SetLimit(16)
	for i := range n {
		p := w.good(i)
		g.Go(func() error { return verify(base, p) })
	}
	require.NoError(t, g.Wait())
}

// verify wants p to be valid.
func verify(base string, p *payment) error {
	body, err := p.body()
	if err != nil {
		return err
	}
	w, err := http.Post(base+"/verify", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer w.Body.Close()
	var answer x402.VerifyResponse
	if err := json.NewDecoder(w.Body).Decode(&answer); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, w.Body); err != nil || !answer.IsValid {
		return fmt.Errorf("%s: %+v, %w", w.Status, answer, err)
	}
	return nil
}

// heap is what a replica has in use, in bytes.
func heap(t *testing.T, base string) (n uint64) {
	t.Helper()
	w, err := http.Get(base + "/heap")
	require.NoError(t, err)
	defer w.Body.Close()
	_, err = fmt.Fscan(w.Body, &n)
	require.NoError(t, err)
	return n
}
