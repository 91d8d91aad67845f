package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/v402/v402/x402"
)

// clients send payments to one of several facilitators until they have a
// final answer, as every client should: the same payment again after whatever
// is not one.
type clients struct {
	http  http.Client
	bases func() []string // where facilitators listen just now
}

// settle returns the final answer to p.
func (c *clients) settle(ctx context.Context, p *payment) (x402.SettleResponse, error) {
	body, err := p.body()
	if err != nil {
		return x402.SettleResponse{}, err
	}
	var last error
	for ctx.Err() == nil {
		var answer x402.SettleResponse
		if answer, last = c.once(ctx, body); last == nil {
			if answer.Success || !answer.ErrorReason.Is(x402.ReasonSettlementPending) {
				return answer, nil
			}
			last = fmt.Errorf("%s", answer.ErrorReason)
		}
		select {
		case <-time.After(10*time.Millisecond + rand.N(60*time.Millisecond)):
		case <-ctx.Done():
		}
	}
	return x402.SettleResponse{}, fmt.Errorf("%s payment %s has no final answer: %w", p.name, p.key, last)
}

// once asks one facilitator.
func (c *clients) once(ctx context.Context, body []byte) (answer x402.SettleResponse, err error) {
	bases := c.bases()
	if len(bases) == 0 {
		return answer, fmt.Errorf("nobody listens")
	}
	url := bases[rand.N(len(bases))] + "/settle"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	r.Header.Set("Content-Type", "application/json")
	w, err := c.http.Do(r)
	if err != nil {
		return answer, err
	}
	defer w.Body.Close()
	if w.StatusCode != http.StatusOK {
		return answer, fmt.Errorf("status %s", w.Status)
	}
	return answer, json.NewDecoder(w.Body).Decode(&answer)
}
