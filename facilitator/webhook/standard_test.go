package webhook_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/webhook/signature"
)

// What the tests sign.
const (
	eventID = "settlement.confirmed:1" // with a dot
	body    = `{"id":"settlement.confirmed:1"}`
)

// standardHeaders are the headers of an attempt now by these secrets.
func standardHeaders(t *testing.T, secrets ...string) http.Header {
	t.Helper()
	now := time.Now()
	var all []string
	for _, text := range secrets {
		s, err := signature.ParseSecret(text)
		require.NoError(t, err)
		all = append(all, s.Standard(eventID, now, []byte(body)))
	}
	h := http.Header{}
	h.Set(signature.HeaderID, eventID)
	h.Set(signature.HeaderTimestamp, strconv.FormatInt(now.Unix(), 10))
	h.Set(signature.HeaderSignature, strings.Join(all, " "))
	return h
}

func TestTheStandardLibraryVerifiesOurs(t *testing.T) {
	t.Parallel()
	text := signature.NewSecret()
	theirs, err := standardwebhooks.NewWebhook(text)
	require.NoError(t, err)
	require.NoError(t, theirs.Verify([]byte(body), standardHeaders(t, text)))
	require.NoError(t, theirs.Verify([]byte(body), standardHeaders(t, signature.NewSecret(), text)), "one of two")
	require.Error(t, theirs.Verify([]byte(body), standardHeaders(t, signature.NewSecret())))

	raw, err := standardwebhooks.NewWebhookRaw([]byte("your_webhook_secret"))
	require.NoError(t, err)
	require.NoError(t, raw.Verify([]byte(body), standardHeaders(t, "your_webhook_secret")), "without the prefix the text is the key")
}

func TestWeVerifyWhatTheStandardLibrarySigns(t *testing.T) {
	t.Parallel()
	text, now := signature.NewSecret(), time.Now()
	theirs, err := standardwebhooks.NewWebhook(text)
	require.NoError(t, err)
	by, err := theirs.Sign(eventID, now, []byte(body))
	require.NoError(t, err)
	h := standardHeaders(t, text)
	h.Set(signature.HeaderTimestamp, strconv.FormatInt(now.Unix(), 10))
	h.Set(signature.HeaderSignature, "v1a,bm90IG91cnM= "+by)
	ours, err := signature.NewVerifier(text)
	require.NoError(t, err)
	require.NoError(t, ours.Verify(h, []byte(body)))
}
