package signature

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Headers of a request.
const (
	Header          = "X-V402-Signature"  // "sha256=" and hex, by one secret, over the body
	HeaderID        = "Webhook-Id"        // of the event, the same in every attempt
	HeaderTimestamp = "Webhook-Timestamp" // of the attempt, in unix seconds
	HeaderSignature = "Webhook-Signature" // "v1," and base64, for each secret, with blanks between
)

// Prefix begins secrets in the form of Standard Webhooks.
const Prefix = "whsec_"

// Bounds of a secret, in bytes.
const (
	minSecret = 16 // as it is written
	maxSecret = 256
	minKey    = 16 // after Prefix, decoded
)

// Secret signs and verifies. It has one text and two keys: for [Header] the text
// as it is, with its prefix; for [HeaderSignature] the bytes that follow the
// prefix in base64, or the text if it has no prefix.
type Secret struct{ text, key []byte }

// ParseSecret reads "whsec_" and base64 of at least 16 bytes, or any other text
// of 16 to 256 visible ASCII characters.
func ParseSecret(s string) (Secret, error) {
	if len(s) < minSecret || len(s) > maxSecret {
		return Secret{}, fmt.Errorf("a webhook secret has %d to %d characters", minSecret, maxSecret)
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return Secret{}, errors.New("a webhook secret has visible ASCII characters only")
		}
	}
	encoded, standard := strings.CutPrefix(s, Prefix)
	if !standard {
		return Secret{text: []byte(s), key: []byte(s)}, nil
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) < minKey {
		return Secret{}, fmt.Errorf("what follows %s in a webhook secret is base64, with padding, of at least %d bytes", Prefix, minKey)
	}
	return Secret{text: []byte(s), key: key}, nil
}

// NewSecret makes a secret of 32 random bytes: "whsec_" and base64.
func NewSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return Prefix + base64.StdEncoding.EncodeToString(b[:])
}

// Hex is the value of [Header]: HMAC-SHA256 over the body.
func (s Secret) Hex(body []byte) string {
	return "sha256=" + hex.EncodeToString(sum(s.text, body))
}

// Standard is the value of [HeaderSignature]: HMAC-SHA256 over the ID, the time
// and the body, with dots between (Standard Webhooks, "Signature scheme").
func (s Secret) Standard(id string, at time.Time, body []byte) string {
	return "v1," + base64.StdEncoding.EncodeToString(s.standard(id, at.Unix(), body))
}

func (s Secret) standard(id string, unix int64, body []byte) []byte {
	return sum(s.key, []byte(id+"."+strconv.FormatInt(unix, 10)+"."), body)
}

func sum(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
