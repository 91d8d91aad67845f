package registry_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/middleware"
	"github.com/v402/v402/registry"
	"github.com/v402/v402/x402"
)

// tap keeps the payment of the last request that it passed on.
type tap struct{ payment string }

func (p *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	if sent := r.Header.Get(x402.HeaderPaymentSignature); sent != "" {
		p.payment = sent
	}
	return http.DefaultTransport.RoundTrip(r)
}

// url is where a settlement is paid.
func (c *counter) url(id int64) string {
	return c.site.URL + "/api/settlements/" + strconv.FormatInt(id, 10) + "/x402"
}

// send posts a payment that was made before, or none, to the till of a settlement.
func (c *counter) send(t *testing.T, id int64, payment string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url(id), nil)
	require.NoError(t, err)
	r.Header.Set("X-API-Key", c.key)
	if payment != "" {
		r.Header.Set(x402.HeaderPaymentSignature, payment)
	}
	w, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer w.Body.Close()
	b, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	return w.StatusCode, string(b)
}

// elsewhere is a payment with another URL: nobody signs that.
func elsewhere(t *testing.T, payment string, url string) string {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(payment)
	require.NoError(t, err)
	var m map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &m))
	require.Contains(t, m, "resource")
	m["resource"] = json.RawMessage(`{"url":` + strconv.Quote(url) + `}`)
	text, err = json.Marshal(m)
	require.NoError(t, err)
	return base64.StdEncoding.EncodeToString(text)
}

func TestOnePaymentPaysOneSettlementAlsoWhereTheGuardForgot(t *testing.T) {
	t.Parallel()
	c := openCounter(t)
	paid := c.due
	sent := new(tap)
	status, body := c.payOver(t, sent)
	require.Equal(t, 200, status, body)
	c.due = c.issued(t)
	require.Equal(t, paid.Net, c.due.Net, "the same price, to the same payee")
	c.serve(t, middleware.SettleBefore) // another replica, or the same after a restart
	status, body = c.send(t, c.due.ID, elsewhere(t, sent.payment, c.url(c.due.ID)))

	require.NotEqual(t, 200, status, body)
	require.Equal(t, registry.SettlementIssued, c.current(t).Status)
	require.Equal(t, 1, c.bank.moved)
	status, body = c.pay(t)
	require.Equal(t, 200, status, body)
	require.Equal(t, 2, c.bank.moved, "and a payment of its own closes it")
}
