package webhook

import (
	"fmt"
	"time"

	"github.com/v402/v402/facilitator/webhook/signature"
)

// sealSecret encrypts a secret for the endpoint with an ID.
func (p *Publisher) sealSecret(id, secret string, now time.Time) SealedSecret {
	return SealedSecret{Sealed: p.sealer.Seal(place(id), []byte(secret)), CreatedAt: now}
}

func place(id string) string { return "webhook secret " + id }

// live are the secrets of e that sign now, the newest first.
func (e *Endpoint) live(now time.Time) []SealedSecret {
	var out []SealedSecret
	for _, s := range e.Secrets {
		if s.ExpiresAt.IsZero() || s.ExpiresAt.After(now) {
			out = append(out, s)
		}
	}
	return out
}

func (p *Publisher) liveSecrets(e *Endpoint) ([]signature.Secret, error) {
	var out []signature.Secret
	for _, s := range e.live(p.now()) {
		text, err := p.sealer.Open(place(e.ID), s.Sealed)
		if err != nil {
			p.log.Error("webhook: a signing secret cannot be read", "webhook", e.ID, "error", err)
			return nil, fmt.Errorf("the secret of webhook %s: %w", e.ID, err)
		}
		secret, err := signature.ParseSecret(string(text))
		if err != nil {
			return nil, err
		}
		out = append(out, secret)
	}
	return out, nil
}
