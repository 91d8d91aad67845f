package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/v402/v402/x402/evm"
	"github.com/v402/v402/x402/payer"
)

// agent finds and buys what it needs. It has no account: it pays.
type agent struct {
	catalog string // URL
	client  *http.Client
}

// newAgent pays with a key, up to 10 cents for a request.
func newAgent(catalog, key string) (*agent, error) {
	signer, err := evm.ParseSigner(key)
	if err != nil {
		return nil, err
	}
	p, err := payer.New(payer.Config{Signers: []payer.Signer{signer}, Limits: payer.Limits{PerRequest: "$0.10"}})
	if err != nil {
		return nil, err
	}
	return &agent{catalog: catalog + "/api/v1", client: p.Client()}, nil
}

// product is something that was found.
type product struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Price    string `json:"price"`
	Currency string `json:"currency"`
}

// discover looks for words, and takes what fits best.
func (a *agent) discover(ctx context.Context, words string) (product, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.catalog+"/clients/discover?"+url.Values{"query": {words}}.Encode(), nil)
	if err != nil {
		return product{}, err
	}
	var found struct{ Items []product }
	if err := answer(http.DefaultClient, r, &found); err != nil {
		return product{}, err
	}
	if len(found.Items) == 0 {
		return product{}, fmt.Errorf("nothing fits %q", words)
	}
	return found.Items[0], nil
}

// access is what was bought.
type access struct {
	ContentURL string `json:"content_url"`
	Paid       struct {
		Transaction string `json:"transaction_hash"`
	} `json:"payment_info"`
}

// buy asks for a product. The client pays when it is told the price.
func (a *agent) buy(ctx context.Context, id string) (access, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.catalog+"/clients/access/"+url.PathEscape(id), nil)
	if err != nil {
		return access{}, err
	}
	var got access
	return got, answer(a.client, r, &got)
}

// read gets the content at its provider's; the URL has the proof.
func (a *agent) read(ctx context.Context, contentURL string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, contentURL, nil)
	if err != nil {
		return "", err
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err == nil && w.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", w.Status, text)
	}
	return string(text), err
}
