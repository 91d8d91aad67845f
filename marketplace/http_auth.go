package marketplace

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// actor finds out who sent r.
func (a *api) actor(r *http.Request) (Actor, error) {
	token := sessionToken(r)
	var actor Actor
	if a.options.Authenticate != nil && !strings.HasPrefix(bearer(r), sessionPrefix) {
		var err error
		if actor, err = a.options.Authenticate(r); err != nil {
			return Actor{}, err
		}
		if actor, err = a.ActFor(r.Context(), actor, r.Header.Get(HeaderIssuer)); err != nil {
			return Actor{}, err
		}
	}
	if token != "" {
		session, err := a.Session(r.Context(), token)
		if err != nil {
			return Actor{}, err
		}
		actor.Wallet = session.Wallet
	}
	return actor, nil
}

// BearerTokens is a Config.Authenticate that knows actors by the bearer token
// that they send, each of which must be long and random. Requests without one
// are of strangers.
func BearerTokens(actors map[string]Actor) func(*http.Request) (Actor, error) {
	hashed := make(map[[sha256.Size]byte]Actor, len(actors))
	for token, actor := range actors {
		if token != "" {
			hashed[sha256.Sum256([]byte(token))] = actor
		}
	}
	return func(r *http.Request) (Actor, error) {
		token := bearer(r)
		if token == "" {
			return Actor{}, nil
		}
		sum := sha256.Sum256([]byte(token))
		for known, actor := range hashed {
			if subtle.ConstantTimeCompare(known[:], sum[:]) == 1 {
				return actor, nil
			}
		}
		return Actor{}, Refuse(CodeUnauthorized, "The bearer token is not known.")
	}
}
