package main_test

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402/evm"
)

func TestAnArticleIsFoundBoughtAndReadAlsoAfterARestart(t *testing.T) {
	t.Parallel()
	store := "sqlite:" + filepath.Join(t.TempDir(), "v402.db")
	first := start(t, "-store", store)
	id := first.find(t, "poem")
	require.Equal(t, "A request came, and it was asked to pay.\n", first.readArticle(t, id))
	var list struct{ Items []struct{ Resource string } }
	require.Equal(t, 200, first.get(t, "/discovery/resources", &list))
	require.Len(t, list.Items, 5)
	require.Regexp(t, `^http://127\.0\.0\.1:\d+/demo/quote$`, list.Items[0].Resource)
	var known struct {
		Endpoints map[string]string
		Features  []string
	}
	require.Equal(t, 200, first.get(t, "/.well-known/x402", &known))
	require.Equal(t, "/api/v1/clients/access", known.Endpoints["access"])
	require.Equal(t, []string{"payment_verification", "multi_chain_support", "batch_payments", "webhooks", "analytics"}, known.Features)
	var refused struct{ Error string }
	require.Equal(t, 401, first.get(t, "/api/v1/providers/analytics/dashboard?days=30", &refused))
	require.Equal(t, "AUTHENTICATION_REQUIRED", refused.Error)
	first.stop(t)

	second := start(t, "-store", store)
	require.Equal(t, id, second.find(t, "poem"), "it is there once")
	require.Contains(t, second.readArticle(t, id), "A request came")
	second.stop(t)
}

func TestWhoPaidReadsAgainByASignatureOfTheWalletAlone(t *testing.T) {
	t.Parallel()
	p := start(t, "-store", "memory:")
	signer, err := evm.ParseSigner(p.key)
	require.NoError(t, err)
	path := "/api/v1/clients/access/" + p.find(t, "poem")
	read := func(nonce string) int {
		answer := p.sendSigned(t, signer, "GET", "", path, "", nonce)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode
	}
	require.Equal(t, 402, read("nonce-number-0"), "a signature pays nothing")
	p.buy(t, path)
	require.Equal(t, 200, read("nonce-number-1"), "of nobody who is known")
	require.Equal(t, 401, read("nonce-number-1"), "once")
	answer := p.sendSigned(t, signer, "POST", "", "/api/v1/auth/register", "{}", "nonce-number-2")
	require.NoError(t, answer.Body.Close())
	require.Equal(t, 201, answer.StatusCode)
	require.Equal(t, 200, read("nonce-number-3"), "of a user")
	p.stop(t)
}

// find looks for the only product with a word.
func (p *process) find(t *testing.T, word string) string {
	t.Helper()
	var found struct {
		Items []struct {
			ID       string `json:"id"`
			Provider struct {
				ID string `json:"id"`
			} `json:"provider"`
		}
	}
	require.Equal(t, 200, p.get(t, "/api/v1/clients/discover?query="+word, &found))
	require.Len(t, found.Items, 1)
	return found.Items[0].ID
}

// readArticle buys a product and reads it where it is kept, which nobody can who
// has not bought it.
func (p *process) readArticle(t *testing.T, id string) string {
	t.Helper()
	body, settled := p.buy(t, "/api/v1/clients/access/"+id)
	require.True(t, settled.Success)
	_, rest, ok := strings.Cut(body, `"content_url":"`)
	require.True(t, ok, body)
	url, _, _ := strings.Cut(rest, `"`)
	bare, _, _ := strings.Cut(url, "?")
	require.True(t, strings.HasPrefix(bare, p.url+"/library/"), bare)
	for from, status := range map[string]int{bare: http.StatusPaymentRequired, url: http.StatusOK} {
		answer, err := http.Get(from)
		require.NoError(t, err)
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, status, answer.StatusCode, "%s", text)
		if status == http.StatusOK {
			body = string(text)
		}
	}
	return body
}
