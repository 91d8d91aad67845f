package marketplace

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/v402/v402/store"
	"github.com/v402/v402/x402/evm"
)

// Times of wallet sessions.
const (
	IntentTTL = 5 * time.Minute // in which an intent must be signed

	// refreshGrace is how long the old token of a refreshed session still works,
	// for the requests that are under way.
	refreshGrace = time.Minute
)

// sessionPrefix begins tokens, so that people and scanners know them.
const sessionPrefix = "edut_ws_"

// maxOrigin is the longest origin of an intent, in bytes.
const maxOrigin = 256

// IntentRequest asks for something to sign, to prove that one owns a wallet.
type IntentRequest struct {
	Wallet  string `json:"wallet"`
	ChainID uint64 `json:"chain_id"` // the first of Config.Chains if 0
	Origin  string `json:"origin"`   // where the wallet is asked, such as "https://shop.example"; optional
}

// VerifyWallet is a signed intent.
type VerifyWallet struct {
	IntentID  string `json:"intent_id"`
	Wallet    string `json:"wallet"`
	Signature string `json:"signature"` // of [WalletIntent.TypedData]
}

// OpenedSession is a new session with its token, which is not kept.
type OpenedSession struct {
	WalletSession
	Token string
}

// errNoSession is one for all that is wrong with a token.
func errNoSession() *Error {
	return Refuse(CodeSessionRequired, "A wallet session is required. Sign an intent of POST /secret/wallet/intent.")
}

// ProposeIntent makes an intent for a wallet to sign, within [IntentTTL].
func (s *Service) ProposeIntent(ctx context.Context, in IntentRequest) (WalletIntent, error) {
	wallet, err := evm.ParseAddress(in.Wallet)
	switch {
	case err != nil:
		return WalletIntent{}, Invalid("wallet", "wallet must be 0x and 40 hexadecimal digits.")
	case len(in.Origin) > maxOrigin || !isText(in.Origin):
		return WalletIntent{}, Invalid("origin", "origin must be text of at most %d bytes.", maxOrigin)
	}
	if in.ChainID == 0 {
		in.ChainID = s.first
	}
	if s.chains[in.ChainID] == nil {
		return WalletIntent{}, Invalid("chain_id", "Chain %d is not one that this marketplace works with.", in.ChainID)
	}
	now := s.now().Truncate(time.Second) // what is signed has whole seconds
	var nonce evm.Hash
	_, _ = rand.Read(nonce[:]) // never fails
	i := WalletIntent{
		ID: "wi_" + ulid.Make().String(), Wallet: strings.ToLower(wallet.String()), ChainID: in.ChainID, Nonce: nonce.String(),
		Origin: in.Origin, IssuedAt: now, ExpiresAt: now.Add(IntentTTL),
	}
	return i, refusal(s.store.AddWalletIntent(ctx, i), nil, "add a wallet intent")
}

// OpenSession begins a session of the wallet that has signed an intent. An
// intent opens one session.
func (s *Service) OpenSession(ctx context.Context, in VerifyWallet) (OpenedSession, error) {
	i, err := s.store.WalletIntent(ctx, in.IntentID)
	refused := Refuse(CodeSignatureNotVerified, "The signature is not of the intent and wallet, or the intent was used or has expired.")
	switch {
	case errors.Is(err, store.ErrNotFound):
		return OpenedSession{}, refused
	case err != nil:
		return OpenedSession{}, refusal(err, nil, "read a wallet intent")
	case !strings.EqualFold(in.Wallet, i.Wallet), !s.now().Before(i.ExpiresAt), !i.UsedAt.IsZero():
		return OpenedSession{}, refused
	}
	digest, err := i.TypedData().Digest()
	if err != nil {
		return OpenedSession{}, err
	}
	signed, err := s.signedDigest(ctx, i.ChainID, i.Wallet, digest, in.Signature)
	if err != nil {
		return OpenedSession{}, err
	}
	if !signed {
		return OpenedSession{}, refused
	}
	opened := s.newSession(i.Wallet, i.ChainID, i.ID)
	err = s.store.AddWalletSession(ctx, opened.WalletSession)
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) { // used, or forgotten, meanwhile
		return OpenedSession{}, refused
	}
	return opened, refusal(err, nil, "open a wallet session")
}

func (s *Service) newSession(wallet string, chainID uint64, intent string) OpenedSession {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	token := sessionPrefix + base64.RawURLEncoding.EncodeToString(b[:])
	now := s.now()
	return OpenedSession{WalletSession{
		TokenHash: hashToken(token), Wallet: wallet, ChainID: chainID, IntentID: intent, IssuedAt: now, ExpiresAt: now.Add(s.options.SessionTTL),
	}, token}
}

// hashToken is what is stored of a token. It is random: a slow hash adds nothing.
func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Session is the session of a token: one indexed read. A token that is unknown,
// expired or revoked is refused with [CodeSessionRequired].
func (s *Service) Session(ctx context.Context, token string) (WalletSession, error) {
	if !strings.HasPrefix(token, sessionPrefix) {
		return WalletSession{}, errNoSession()
	}
	session, err := s.store.WalletSession(ctx, hashToken(token))
	if err != nil {
		return WalletSession{}, refusal(err, errNoSession(), "read a wallet session")
	}
	if !session.Valid(s.now()) {
		return WalletSession{}, errNoSession()
	}
	return session, nil
}

// SessionOf is the session of a request: see [HeaderSession].
func (s *Service) SessionOf(r *http.Request) (WalletSession, error) {
	return s.Session(r.Context(), sessionToken(r))
}

// HeaderSession has the token of a wallet session; a bearer token may have it
// too. HeaderSessionExpires tells when a session that has begun ends.
const (
	HeaderSession        = "X-Edut-Session"
	HeaderSessionExpires = "X-Edut-Session-Expires-At"
)

// sessionToken is the token of the wallet session of a request, or empty.
func sessionToken(r *http.Request) string {
	if token := r.Header.Get(HeaderSession); token != "" {
		return token
	}
	if token := bearer(r); strings.HasPrefix(token, sessionPrefix) {
		return token
	}
	return ""
}

// bearer is the token of the Authorization header, or empty.
func bearer(r *http.Request) string {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// RefreshSession replaces a session by a new one of full length. The old token
// works for another minute, and cannot be refreshed again.
func (s *Service) RefreshSession(ctx context.Context, token string) (OpenedSession, error) {
	old, err := s.Session(ctx, token)
	if err != nil {
		return OpenedSession{}, err
	}
	opened := s.newSession(old.Wallet, old.ChainID, old.IntentID)
	err = s.store.ReplaceWalletSession(ctx, old.TokenHash, opened.IssuedAt.Add(refreshGrace), opened.WalletSession)
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return OpenedSession{}, errNoSession()
	}
	return opened, refusal(err, nil, "refresh a wallet session")
}

// RevokeSession ends a session at once.
func (s *Service) RevokeSession(ctx context.Context, token string) error {
	session, err := s.Session(ctx, token)
	if err != nil {
		return err
	}
	return refusal(s.store.RevokeWalletSession(ctx, session.TokenHash, s.now()), errNoSession(), "revoke a wallet session")
}

// isText says whether s is text for people and logs.
func isText(s string) bool {
	return strings.ToValidUTF8(s, "") == s && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
