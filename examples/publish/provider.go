package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/v402/v402/facilitator/catalog/content"
)

// provider sells articles through a catalog, and keeps them.
type provider struct {
	id      string
	catalog string // URL
	key     string // API key
	content string // key that verifies payments
	server  *http.Server
	url     string // of the articles
	product atomic.Value
}

// article is what is for sale.
const article = "The spice must flow, and so must the data."

// newProvider registers with a catalog, says where it is paid, and opens a web
// server for its articles.
func newProvider(ctx context.Context, catalog, chain, wallet string) (*provider, error) {
	p := &provider{catalog: catalog}
	var registered struct {
		APIKey string `json:"api_key"`
		User   struct {
			ID string `json:"id"`
		} `json:"user"`
	}
	err := p.call(ctx, "POST", "/auth/register", map[string]any{"role": "content_provider", "name": "The Example Times"}, &registered)
	if err != nil {
		return nil, err
	}
	p.id, p.key = registered.User.ID, registered.APIKey
	if err := p.call(ctx, "PUT", "/providers/wallets/"+url.PathEscape(chain), map[string]any{"address": wallet}, nil); err != nil {
		return nil, err
	}
	var secret struct {
		Key string `json:"content_key"`
	}
	if err := p.call(ctx, "GET", "/providers/content-key", nil, &secret); err != nil {
		return nil, err
	}
	p.content = secret.Key
	return p, p.open()
}

// open serves the articles on a free port.
func (p *provider) open() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.url = "http://" + l.Addr().String() + "/articles/1"
	p.server = &http.Server{Handler: http.HandlerFunc(p.serve), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = p.server.Serve(l) }() // until it is closed
	return nil
}

func (p *provider) close() { _ = p.server.Close() }

// serve gives the article to those who show that they paid.
func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	product, _ := p.product.Load().(string)
	if _, err := content.Verify(p.content, product, r); err != nil {
		http.Error(w, err.Error(), http.StatusPaymentRequired)
		return
	}
	_, _ = io.WriteString(w, article) // an error means that the client has gone
}

// publish creates a product and puts it on sale.
func (p *provider) publish(ctx context.Context, price string) (title string, err error) {
	title = fmt.Sprintf("Dune and data, edition %d", time.Now().UnixMicro())
	var created struct {
		ID string `json:"id"`
	}
	err = p.call(ctx, "POST", "/providers/products", map[string]any{
		"title": title, "description": "What a desert planet teaches about supply.", "content_url": p.url, "type": "article", "category": "economics",
		"tags": []string{"dune", "data"}, "price": price, "currency": "USDC", "preview_content": "The spice must...", "access_duration": 86400,
	}, &created)
	if err != nil {
		return "", err
	}
	p.product.Store(created.ID)
	return title, p.call(ctx, "POST", "/providers/products/"+created.ID+"/publish", nil, nil)
}

// call asks the catalog, as this provider.
func (p *provider) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	if in == nil {
		body = nil
	}
	r, err := http.NewRequestWithContext(ctx, method, p.catalog+"/api/v1"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if p.key != "" {
		r.Header.Set("Authorization", "Bearer "+p.key)
	}
	return answer(http.DefaultClient, r, out)
}

// answer sends r and decodes what comes back, if it is a success.
func answer(c *http.Client, r *http.Request, out any) error {
	w, err := c.Do(r)
	if err != nil {
		return err
	}
	defer w.Body.Close()
	const most = 1 << 20 // bytes
	body, err := io.ReadAll(io.LimitReader(w.Body, most))
	if err != nil {
		return err
	}
	if w.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %s: %s", r.Method, r.URL.Path, w.Status, bytes.TrimSpace(body))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(body, out)
}
