package marketplace

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// SessionHeader is where a request has the token of its wallet session, unless it
// is a bearer token.
const SessionHeader = "X-Edut-Session"

// sessionPrefix lets people and scanners know a token when they see it.
const sessionPrefix = "edut_"

// SessionChallenge is what a wallet signs to start a session, on a chain that
// knows it if it is a contract; 0 is the first of Config.Chains.
func (s *Service) SessionChallenge(ctx context.Context, address string, chainID uint64) (Challenge, error) {
	owner, err := wallet("wallet", address)
	if err != nil {
		return Challenge{}, err
	}
	if chainID == 0 {
		chainID = s.first
	}
	if s.chains[chainID] == nil {
		return Challenge{}, Invalid("chain_id", "Chain %d is not served here.", chainID)
	}
	c := s.challenge(ProveSession, owner, chainID)
	c.Message = s.options.SessionMessage(c)
	return c, refusal(s.store.AddChallenge(ctx, c), nil, "make a challenge")
}

// StartSession starts a session for a wallet that has signed a challenge.
func (s *Service) StartSession(ctx context.Context, r SessionRequest) (StartedSession, error) {
	owner, err := wallet("wallet", r.Wallet)
	if err != nil {
		return StartedSession{}, err
	}
	unknown := Refuse(CodeSignatureNotVerified, "The challenge is unknown, used up or expired.")
	c, err := s.store.BuyerChallenge(ctx, r.Challenge)
	switch {
	case err != nil:
		return StartedSession{}, refusal(err, unknown, "look for a challenge")
	case c.Purpose != ProveSession || c.Wallet != owner || !s.now().Before(c.ExpiresAt):
		return StartedSession{}, unknown
	}
	ok, err := s.signed(ctx, c.ChainID, owner, c.Message, r.Signature)
	switch {
	case err != nil:
		return StartedSession{}, err
	case !ok:
		return StartedSession{}, Refuse(CodeSignatureNotVerified, "The signature is not the wallet's (EIP-191) of the challenge.")
	}
	token, hash := newToken()
	now := s.now()
	session := BuyerSession{
		ID: rand.Text(), TokenHash: hash, Wallet: owner, ChainID: c.ChainID, CreatedAt: now, ExpiresAt: now.Add(s.options.SessionTTL),
	}
	trail := s.audited(Actor{Wallet: owner}, "session.start", "session:"+session.ID, nil)
	if err := s.store.AddBuyerSession(ctx, session, c.ID, trail); err != nil {
		return StartedSession{}, refusal(err, unknown, "start a session")
	}
	return StartedSession{session, token}, nil
}

// newToken makes a token of 256 bits at random, and what is stored of it.
func newToken() (token, hash string) {
	token = sessionPrefix + rand.Text() + rand.Text()
	return token, hashToken(token)
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func errNoSession() *Error {
	return Refuse(CodeSessionRequired, "A wallet session is required.")
}

// SessionWallet is the session of a token, while it lasts.
func (s *Service) SessionWallet(ctx context.Context, token string) (BuyerSession, error) {
	if token == "" {
		return BuyerSession{}, errNoSession()
	}
	session, err := s.store.BuyerSession(ctx, hashToken(token))
	if err == nil && !session.live(s) {
		err = errNoSession()
	}
	return session, refusal(err, errNoSession(), "look for a session")
}

func (b *BuyerSession) live(s *Service) bool {
	return b.RevokedAt.IsZero() && s.now().Before(b.ExpiresAt)
}

// RefreshSession gives a session a new token and another full life. The old token
// is dead.
func (s *Service) RefreshSession(ctx context.Context, token string) (StartedSession, error) {
	fresh, hash := newToken()
	session, err := s.store.UpdateBuyerSession(ctx, hashToken(token), func(b *BuyerSession) (Trail, error) {
		if !b.live(s) {
			return Trail{}, errNoSession()
		}
		b.TokenHash, b.ExpiresAt = hash, s.now().Add(s.options.SessionTTL)
		return s.audited(Actor{Wallet: b.Wallet}, "session.refresh", "session:"+b.ID, nil), nil
	})
	if err != nil {
		return StartedSession{}, refusal(err, errNoSession(), "refresh a session")
	}
	return StartedSession{session, fresh}, nil
}

// RevokeSession ends a session.
func (s *Service) RevokeSession(ctx context.Context, token string) error {
	_, err := s.store.UpdateBuyerSession(ctx, hashToken(token), func(b *BuyerSession) (Trail, error) {
		if !b.live(s) {
			return Trail{}, errNoSession()
		}
		b.RevokedAt = s.now()
		return s.audited(Actor{Wallet: b.Wallet}, "session.revoke", "session:"+b.ID, nil), nil
	})
	return refusal(err, errNoSession(), "revoke a session")
}

// SessionOf is the wallet session of a request, by [SessionHeader] or as a bearer
// token.
func (s *Service) SessionOf(r *http.Request) (BuyerSession, error) {
	token := r.Header.Get(SessionHeader)
	if token == "" {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if strings.EqualFold(scheme, "Bearer") {
			token = strings.TrimSpace(given)
		}
	}
	return s.SessionWallet(r.Context(), token)
}
