package account

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/v402/v402/store"
)

// seenEvery is how exact LastSeenAt and LastUsedAt are: a request writes them
// only if they are older.
const seenEvery = 5 * time.Minute

// Authenticate returns the active user who sends r, by one of these:
//
//   - an API key, in Authorization: Bearer, X-API-Key or X-V402-API-Key;
//   - the signature of the user's wallet: see [SigningText];
//   - a static admin token, in Authorization: Bearer;
//   - if Config.AllowUnsignedPublicKey is set, the public key of the user alone.
//
// Without credentials it returns [ErrUnauthenticated], for those that are not
// good [ErrInvalidCredentials] or another error of that code, and for users who
// are not active [ErrSuspended], [ErrBanned] or [ErrPending].
func (s *Service) Authenticate(r *http.Request) (User, error) {
	token := bearer(r.Header)
	key := keyOf(r.Header)
	named := r.Header.Get(HeaderPublicKey)
	switch {
	case strings.HasPrefix(key, keyPrefix):
		return s.AuthenticateKey(r.Context(), key)
	case signatureHeader(r.Header) != "":
		return s.authenticateWallet(r, token)
	case key == "" && named == "" && r.Header.Get("Authorization") == "":
		return User{}, ErrUnauthenticated
	}
	if u, ok := s.admin(token); ok {
		return u, nil
	}
	if named == "" {
		named = token
	}
	if publicKey, ok := ParsePublicKey(named); ok && s.options.AllowUnsignedPublicKey {
		return s.admit(s.store.UserByPublicKey(r.Context(), publicKey))
	}
	return User{}, ErrInvalidCredentials
}

// Caller returns who sends r as [Service.Authenticate] does, and the address of the
// wallet that signed it, if one did: whether or not it is a user's. If it is
// nobody's and there is no API key, u is zero.
func (s *Service) Caller(r *http.Request) (u User, signer string, err error) {
	if signatureHeader(r.Header) == "" {
		u, err = s.Authenticate(r)
		return u, "", err
	}
	publicKey, err := s.VerifySigned(r)
	if err != nil {
		return User{}, "", err
	}
	signer = WalletAddress(publicKey)
	if key := keyOf(r.Header); strings.HasPrefix(key, keyPrefix) {
		u, err = s.AuthenticateKey(r.Context(), key)
		return u, signer, err
	}
	u, err = s.store.UserByPublicKey(r.Context(), publicKey)
	if errors.Is(err, store.ErrNotFound) {
		return User{}, signer, nil
	}
	if u, err = s.admit(u, err); err == nil {
		s.seen(r.Context(), u.ID, "", u.LastSeenAt)
	}
	return u, signer, err
}

// AuthenticateKey returns the active user who has an API key: one indexed read.
// Its errors are those of [Service.Authenticate].
func (s *Service) AuthenticateKey(ctx context.Context, key string) (User, error) {
	if !looksLikeKey(key) {
		return User{}, ErrInvalidCredentials
	}
	hash := hashKey(key)
	u, k, err := s.store.UserByAPIKey(ctx, hash)
	if err == nil && subtle.ConstantTimeCompare([]byte(k.Hash), []byte(hash)) != 1 {
		return User{}, ErrInvalidCredentials // a store that finds what was not asked for
	}
	if u, err = s.admit(u, err); err != nil {
		return User{}, err
	}
	s.seen(ctx, u.ID, k.ID, k.LastUsedAt)
	return u, nil
}

func (s *Service) authenticateWallet(r *http.Request, token string) (User, error) {
	in, err := readSigned(r.Header, token)
	if err != nil {
		return User{}, err
	}
	// What can be refused without the user is refused first, so that the answer does
	// not say whose wallet is registered. Chains are asked about users' wallets only.
	text, err := s.text(r, in)
	if err != nil {
		return User{}, err
	}
	publicKey, asked, err := s.wallet(in, text)
	if err != nil {
		return User{}, err
	}
	u, err := s.store.UserByPublicKey(r.Context(), publicKey)
	if err != nil {
		return User{}, refusal(err, ErrInvalidCredentials, "look for a wallet")
	}
	if err := s.ask(r, asked, in, text); err != nil {
		return User{}, err
	}
	if err := Admitted(u); err != nil {
		return User{}, err
	}
	if err := s.useNonce(r.Context(), in); err != nil {
		return User{}, err
	}
	s.seen(r.Context(), u.ID, "", u.LastSeenAt)
	return u, nil
}

// admit lets active users pass.
func (s *Service) admit(u User, err error) (User, error) {
	if err != nil {
		return User{}, refusal(err, ErrInvalidCredentials, "look for a user")
	}
	if err := Admitted(u); err != nil {
		return User{}, err
	}
	return u, nil
}

// admin returns who has a static token. Every one is compared, whichever fits.
func (s *Service) admin(token string) (u User, ok bool) {
	if token == "" {
		return User{}, false
	}
	sum := sha256.Sum256([]byte(token))
	for i := range s.admins {
		if subtle.ConstantTimeCompare(sum[:], s.admins[i].sum[:]) == 1 {
			u, ok = s.admins[i].user, true
		}
	}
	return u, ok
}

// seen notes that a user was there, if that is news. It is no reason to refuse.
func (s *Service) seen(ctx context.Context, userID, keyID string, last time.Time) {
	now := s.now()
	if now.Sub(last) < seenEvery {
		return
	}
	if err := s.store.TouchUser(ctx, userID, keyID, now); err != nil {
		s.log.Warn("account: when a user was seen is not stored", "user", userID, "error", err)
	}
}

// bearer is the token in Authorization: Bearer, or empty.
func bearer(h http.Header) string {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// keyOf is what may be an API key: in a header of its own, or else the token.
func keyOf(h http.Header) string {
	key := bearer(h)
	for _, name := range []string{"X-Api-Key", "X-V402-Api-Key"} {
		if given := h.Get(name); given != "" {
			key = given
		}
	}
	return key
}
