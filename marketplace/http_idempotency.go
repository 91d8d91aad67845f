package marketplace

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/v402/v402/internal/web"
)

// Bounds of requests with an Idempotency-Key.
const (
	maxKey     = 255            // bytes
	keepAnswer = 24 * time.Hour // how long an answer is kept
	answerWait = time.Minute    // how long whoever makes an answer is taken for alive
)

// once carries out a request, or answers one with an Idempotency-Key that was
// carried out before as it was answered then. Only answers of success are kept:
// a refusal has changed nothing, and may end otherwise the next time.
func (a *api) once(w http.ResponseWriter, r *http.Request, actor Actor, h handler) error {
	key := r.Header.Get("Idempotency-Key")
	if key == "" || r.Method != http.MethodPost {
		return h(w, r, actor)
	}
	if len(key) > maxKey || !isText(key) {
		return Invalid("Idempotency-Key", "Idempotency-Key must be text of at most %d bytes.", maxKey)
	}
	var body []byte
	if err := web.Body(r, maxBody, func(b []byte) error { body = bytes.Clone(b); return nil }); err != nil {
		if errors.Is(err, web.ErrTooLarge) {
			return &Error{Code: codeTooLarge, Message: "The body is too large."}
		}
		return Invalid("", "The body could not be read.")
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	now := a.now()
	claim := KeptAnswer{
		ID: digest(actor.String(), r.Method, r.URL.EscapedPath(), key), Fingerprint: digest(string(body)), Owner: ulid.Make().String(),
		LeasedUntil: now.Add(answerWait), ExpiresAt: now.Add(keepAnswer),
	}
	held, won, err := a.store.ClaimAnswer(r.Context(), claim, now)
	switch {
	case err != nil:
		return err
	case !won && held.Fingerprint != claim.Fingerprint:
		return &Error{Code: codeKeyReused, Message: "The Idempotency-Key was used with another body.", Field: "Idempotency-Key"}
	case !won && held.Status == 0:
		return (&Error{Code: codeKeyInUse, Message: "A request with this Idempotency-Key is being carried out."}).again(time.Second)
	case !won:
		return a.replay(w, held)
	}
	return a.carryOut(w, r, actor, h, claim)
}

// carryOut runs h, keeps its answer if it is one of success, and sends it.
func (a *api) carryOut(w http.ResponseWriter, r *http.Request, actor Actor, h handler, claim KeptAnswer) error {
	answer := &recorder{header: w.Header()}
	kept := false
	defer func() {
		if kept {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), keepTimeout)
		defer cancel()
		if err := a.store.ReleaseAnswer(ctx, claim.ID, claim.Owner); err != nil {
			a.log.ErrorContext(ctx, "marketplace: release an answer", "error", err)
		}
	}()
	if err := h(answer, r, actor); err != nil {
		return err
	}
	if answer.status < http.StatusMultipleChoices {
		kept = true
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), keepTimeout)
		defer cancel()
		if err := a.store.KeepAnswer(ctx, claim.ID, claim.Owner, answer.status, answer.body.Bytes()); err != nil {
			a.log.ErrorContext(ctx, "marketplace: keep an answer", "error", err) // it was carried out all the same
		}
	}
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body.Bytes())
	return nil
}

// keepTimeout bounds what is done for a key, whatever becomes of its request.
const keepTimeout = 10 * time.Second

// replay sends a kept answer again.
func (a *api) replay(w http.ResponseWriter, kept KeptAnswer) error {
	h := w.Header()
	web.Secure(h)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/json")
	h.Set("Idempotent-Replayed", "true")
	w.WriteHeader(kept.Status)
	_, _ = w.Write(kept.Body)
	return nil
}

// recorder holds an answer back.
type recorder struct {
	header http.Header // that of the client's answer
	status int
	body   bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements [http.ResponseWriter].
func (r *recorder) WriteHeader(status int) { r.status = status }

// Write implements [http.ResponseWriter].
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// digest hashes texts, each by itself first.
func digest(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		sum := sha256.Sum256([]byte(part))
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}
