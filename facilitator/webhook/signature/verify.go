package signature

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Errors of a request that is not to be believed; answer it with 401.
var (
	ErrHeaders   = errors.New("the signature headers are missing or cannot be read")
	ErrSignature = errors.New("no signature is by a secret of ours")
	ErrTimestamp = errors.New("the request is too old, or from the future")
)

// ErrTooLarge is returned for a body above MaxBody; answer it with 413.
var ErrTooLarge = errors.New("the body is too large")

// MaxBody bounds what is sent, in bytes.
const MaxBody = 1 << 20

// DefaultTolerance is that of a Verifier that says nothing else.
const DefaultTolerance = 5 * time.Minute

// Verifier verifies requests. The zero value has no secret and believes nothing.
type Verifier struct {
	Secrets   []Secret         // one, or two while they are rotated
	Tolerance time.Duration    // between the times of sender and receiver: DefaultTolerance if zero
	Now       func() time.Time // time.Now if nil
}

// NewVerifier returns a Verifier with secrets as they were given to an owner.
func NewVerifier(secrets ...string) (*Verifier, error) {
	v := new(Verifier)
	for _, text := range secrets {
		s, err := ParseSecret(text)
		if err != nil {
			return nil, err
		}
		v.Secrets = append(v.Secrets, s)
	}
	if len(v.Secrets) == 0 {
		return nil, errors.New("a verifier needs a secret")
	}
	return v, nil
}

// Event is what a request tells.
type Event struct {
	ID        string          `json:"id"`
	Type      string          `json:"type"`
	Data      json.RawMessage `json:"data"`
	CreatedAt time.Time       `json:"created_at"`
}

// Event reads and verifies a request. The errors are ErrHeaders, ErrSignature,
// ErrTimestamp and ErrTooLarge, wrapped, and those of reading.
func (v *Verifier) Event(r *http.Request) (Event, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	switch {
	case err != nil:
		return Event{}, fmt.Errorf("webhook: read a request: %w", err)
	case len(body) > MaxBody:
		return Event{}, fmt.Errorf("webhook: %w", ErrTooLarge)
	}
	if err := v.Verify(r.Header, body); err != nil {
		return Event{}, err
	}
	var e Event
	if err := json.Unmarshal(body, &e); err != nil {
		return Event{}, fmt.Errorf("webhook: the body of a request: %w", err)
	}
	return e, nil
}

// Verify looks whether body, as it was received, was signed by one of the
// secrets and lately: by the headers of Standard Webhooks. The time is signed
// too, unlike in [Header], which a stranger who overheard a request can send
// again at any time.
func (v *Verifier) Verify(h http.Header, body []byte) error {
	id, signatures := h.Get(HeaderID), h.Get(HeaderSignature)
	unix, err := strconv.ParseInt(h.Get(HeaderTimestamp), 10, 64)
	if id == "" || strings.Contains(id, "{") || signatures == "" || err != nil { // an ID does not reach into a body
		return fmt.Errorf("webhook: %w", ErrHeaders)
	}
	if !v.signed(id, unix, body, signatures) {
		return fmt.Errorf("webhook: %w", ErrSignature)
	}
	now, tolerance := time.Now, v.Tolerance
	if v.Now != nil {
		now = v.Now
	}
	if tolerance == 0 {
		tolerance = DefaultTolerance
	}
	if age := now().Sub(time.Unix(unix, 0)); age > tolerance || age < -tolerance {
		return fmt.Errorf("webhook: %w: by %s", ErrTimestamp, age.Round(time.Second))
	}
	return nil
}

// maxSignatures bounds the work for a request of a stranger.
const maxSignatures = 16

func (v *Verifier) signed(id string, unix int64, body []byte, signatures string) bool {
	given := strings.Fields(signatures)
	given = given[:min(len(given), maxSignatures)]
	for _, s := range v.Secrets {
		want := s.standard(id, unix, body)
		for _, g := range given {
			version, encoded, _ := strings.Cut(g, ",")
			have, err := base64.StdEncoding.DecodeString(encoded)
			if version == "v1" && err == nil && hmac.Equal(have, want) {
				return true
			}
		}
	}
	return false
}
