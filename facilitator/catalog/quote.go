package catalog

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/v402/v402/internal/egress"
	"github.com/v402/v402/x402"
)

// quotes asks providers for the prices of their dynamic products:
//
//	GET QUOTE_URL?product_id=…&requester=…&resource=…&currency=…&nonce=…
//	X-V402-Timestamp: 1705315500
//	X-V402-Signature: sha256=HEX
//
//	200 {"price":"1500000","nonce":"…"}
//	X-V402-Signature: sha256=HEX
//
// The signatures are HMAC-SHA256 with the provider's content key, of the
// timestamp, a line feed and the path with the query; and of the body of the
// answer, whose nonce is that of the request.
type quotes struct {
	policy egress.Policy
	client *http.Client
	now    func() time.Time
}

// Bounds of a quote.
const (
	quoteTimeout = 5 * time.Second
	maxQuote     = 4 << 10 // bytes
)

func newQuotes(policy egress.Policy, now func() time.Time) *quotes {
	return &quotes{policy, &http.Client{
		Transport: egress.NewTransport(policy), Timeout: quoteTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, now}
}

// fetch asks for a price.
func (q *quotes) fetch(ctx context.Context, key string, r PriceRequest) (x402.Amount, error) {
	nonce := uuid.NewString()
	request, err := q.request(ctx, key, nonce, r)
	if err != nil {
		return x402.Amount{}, err
	}
	response, err := q.client.Do(request)
	if err != nil {
		return x402.Amount{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxQuote+1))
	switch {
	case err != nil:
		return x402.Amount{}, err
	case response.StatusCode != http.StatusOK:
		return x402.Amount{}, fmt.Errorf("the quote URL answered %d", response.StatusCode)
	case len(body) > maxQuote:
		return x402.Amount{}, errors.New("the answer of the quote URL is too large")
	case !hmac.Equal([]byte(response.Header.Get("X-V402-Signature")), []byte(signQuote(key, string(body)))):
		return x402.Amount{}, errors.New("the answer of the quote URL is not signed by its provider")
	}
	var answer struct {
		Price *x402.Amount `json:"price"`
		Nonce string       `json:"nonce"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return x402.Amount{}, fmt.Errorf("the answer of the quote URL: %w", err)
	}
	if answer.Price == nil || answer.Nonce != nonce {
		return x402.Amount{}, errors.New("the answer of the quote URL has no price, or another nonce")
	}
	return *answer.Price, nil
}

func (q *quotes) request(ctx context.Context, key, nonce string, r PriceRequest) (*http.Request, error) {
	u, err := q.policy.Check(r.Product.QuoteURL)
	if err != nil {
		return nil, err
	}
	query := u.Query()
	for name, value := range map[string]string{
		"product_id": r.Product.ID, "requester": r.Requester, "resource": r.Resource, "currency": r.Product.Currency, "nonce": nonce,
	} {
		query.Set(name, value)
	}
	u = &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath, RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	stamp := strconv.FormatInt(q.now().Unix(), 10)
	request.Header.Set("X-V402-Timestamp", stamp)
	request.Header.Set("X-V402-Signature", signQuote(key, stamp+"\n"+request.URL.RequestURI()))
	return request, nil
}

func signQuote(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
