package registry

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/v402/v402/store"
)

// Callback is where a platform is told of events, and how.
type Callback struct {
	URL     string   // its api_endpoint
	Secrets []string // that sign what is sent, the newest first: "whsec_" and base64
}

// Audience returns the platforms that are to be told of an event, ordered by ID:
// those that it concerns, if they are active and have a [Service.Callback]. The
// data of the event has nothing that one of them must not see. An event that is
// not of a registry has no audience. Whoever reads the outbox tells them, such as
// package facilitator/webhook.
func (s *Service) Audience(ctx context.Context, e store.Event) ([]int64, error) {
	if !slices.Contains(eventTypes, e.Type) {
		return nil, nil
	}
	concerned, err := s.concerned(ctx, e)
	if err != nil {
		return nil, fmt.Errorf("registry: who is told of event %s: %w", e.ID, err)
	}
	var told []int64
	for _, id := range concerned {
		_, err := s.Callback(ctx, id)
		switch {
		case err == nil:
			told = append(told, id)
		case !errors.Is(err, ErrNoCallback):
			return nil, err
		}
	}
	return told, nil
}

// concerned are the platforms that an event names, and for a contract that was
// revoked those that sold it or mirror it.
func (s *Service) concerned(ctx context.Context, e store.Event) ([]int64, error) {
	var data struct {
		PlatformIDs  []int64 `json:"platform_ids"`
		ContractHash string  `json:"contract_hash"`
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return nil, err
	}
	ids := data.PlatformIDs
	if e.Type == EventContractRevoked {
		users, err := s.store.ContractUsers(ctx, s.ContractKey(data.ContractHash))
		if err != nil {
			return nil, err
		}
		ids = append(ids, users...)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// Callback returns where a platform is told now; [ErrNoCallback] if it is not
// active, or has no api_endpoint or secret.
func (s *Service) Callback(ctx context.Context, platformID int64) (Callback, error) {
	p, err := s.store.Platform(ctx, platformID)
	switch {
	case err != nil:
		return Callback{}, refusal(err, ErrNoCallback, "look for a platform")
	case p.Status != PlatformActive || p.APIEndpoint == "" || p.CallbackSecrets == "":
		return Callback{}, ErrNoCallback
	}
	secrets, err := s.openCallbackSecrets(p)
	return Callback{p.APIEndpoint, secrets.live(s.now())}, err
}

// callbackOverlap is how long the secret before the newest signs callbacks too.
const callbackOverlap = 24 * time.Hour

// callbackSecrets are what signs the callbacks to a platform.
type callbackSecrets struct {
	Current  string    `json:"current"`
	Previous string    `json:"previous,omitempty"`
	Until    time.Time `json:"until"` // when Previous ends
}

func (c callbackSecrets) live(now time.Time) []string {
	if c.Previous == "" || !now.Before(c.Until) {
		return []string{c.Current}
	}
	return []string{c.Current, c.Previous}
}

// newCallbackSecret makes 256 bits at random, in the form of Standard Webhooks.
func newCallbackSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(b[:])
}

// RotateCallbackSecret gives a platform another secret that its callbacks are
// signed with. For a day the one before signs them too; an older one ends at
// once. The actor is the platform's [Platform.Actor] or an admin.
func (s *Service) RotateCallbackSecret(ctx context.Context, actor string, id int64) (Credentials, error) {
	secret, now := newCallbackSecret(), s.now()
	var next callbackSecrets
	p, err := s.store.UpdatePlatform(ctx, id, func(p *Platform) (Trail, error) {
		if p.ApprovedAt.IsZero() {
			return Trail{}, ErrPlatformState
		}
		next = callbackSecrets{Current: secret}
		if p.CallbackSecrets != "" {
			before, err := s.openCallbackSecrets(*p)
			if err != nil {
				return Trail{}, err
			}
			next.Previous, next.Until = before.Current, now.Add(callbackOverlap)
		}
		s.sealCallbackSecrets(p, next)
		p.UpdatedAt = now
		return audited(now, actor, "platform.rotate_callback_secret", p.subject(), nil), nil
	})
	if err != nil {
		return Credentials{}, refusal(err, ErrPlatformUnknown, "rotate a callback secret")
	}
	return Credentials{Platform: p, CallbackSecret: secret, PreviousUntil: next.Until}, nil
}

func (s *Service) sealCallbackSecrets(p *Platform, c callbackSecrets) {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and a time
	}
	p.CallbackSecrets = s.sealer.Seal(p.callbackPlace(), text)
}

func (s *Service) openCallbackSecrets(p Platform) (callbackSecrets, error) {
	var c callbackSecrets
	text, err := s.sealer.Open(p.callbackPlace(), p.CallbackSecrets)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		return c, fmt.Errorf("registry: open the callback secrets of platform %d: %w", p.ID, err)
	}
	return c, nil
}

func (p Platform) callbackPlace() string { return "callback:" + EmailKey(p.Email) }
