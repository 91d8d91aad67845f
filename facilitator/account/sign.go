package account

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/v402/v402/internal/web"
	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

// The headers of a request that a wallet signed.
const (
	HeaderPublicKey = "X-Public-Key" // or in Authorization: Bearer
	HeaderTimestamp = "X-V402-Timestamp"
	HeaderNonce     = "X-V402-Nonce"
	HeaderSignature = "X-V402-Signature" // or X-Signature
	HeaderChainID   = "X-V402-Chain-ID"  // where a contract wallet is, such as 8453; optional if one chain is served
)

// Bounds of a nonce, in characters of visible ASCII.
const (
	leastNonce = 8
	mostNonce  = 128
)

// SigningText is what a wallet signs to send a request: EVM wallets as a message
// (EIP-191), Solana wallets as it is. The target is the path with its query, as
// it is sent, after Config.Host if there is one, such as
// "shop.example/api/v1/clients/profile"; the timestamp is in unix seconds.
func SigningText(method, target string, body []byte, timestamp, nonce string) string {
	sum := sha256.Sum256(body)
	return strings.Join([]string{"v402", method, target, hex.EncodeToString(sum[:]), timestamp, nonce}, "\n")
}

// signed is what a request says about its signature.
type signed struct {
	publicKey string // an EVM address without its chain, if that
	signature []byte
	timestamp string
	at        time.Time
	nonce     string
	chainID   string
}

var (
	errSignatureForm = &Error{Code: v402api.InvalidCredentials, Message: "The signature headers are incomplete or malformed"}
	errSignatureTime = &Error{Code: v402api.InvalidCredentials, Message: HeaderTimestamp + " is too far from the present time"}
	errSignatureUsed = &Error{Code: v402api.InvalidCredentials, Message: "This signature was used before; sign each request with a nonce of its own"}
	errSignedBody    = &Error{Code: v402api.TooLarge, Message: "The request body is too large to be signed"}
)

// readSigned reads the headers of a signed request. bearer is the token in
// Authorization.
func readSigned(h http.Header, bearer string) (signed, error) {
	named := h.Get(HeaderPublicKey)
	if named == "" {
		named = bearer
	}
	in := signed{timestamp: h.Get(HeaderTimestamp), nonce: h.Get(HeaderNonce), chainID: h.Get(HeaderChainID)}
	var ok bool
	if in.publicKey, ok = ParsePublicKey(named); !ok {
		return in, errSignatureForm
	}
	if network, address, ok := contractWallet(in.publicKey); ok {
		in.publicKey, in.chainID = address, strings.TrimPrefix(string(network), "eip155:")
	}
	if in.signature, ok = readSignature(in.publicKey, signatureHeader(h)); !ok {
		return in, errSignatureForm
	}
	seconds, err := strconv.ParseInt(in.timestamp, 10, 64)
	if err != nil || len(in.nonce) < leastNonce || len(in.nonce) > mostNonce || strings.ContainsFunc(in.nonce, isNotVisible) {
		return in, errSignatureForm
	}
	in.at = time.Unix(seconds, 0)
	return in, nil
}

func signatureHeader(h http.Header) string {
	if s := h.Get(HeaderSignature); s != "" {
		return s
	}
	return h.Get("X-Signature")
}

func isNotVisible(c rune) bool { return c <= ' ' || c > '~' }

// VerifySigned checks that a wallet signed r just now, and returns its public
// key, as in [User]; the signature cannot be used again. It reads the body, which
// can be read again. Whether the wallet is anybody's is not asked.
func (s *Service) VerifySigned(r *http.Request) (publicKey string, err error) {
	in, err := readSigned(r.Header, bearer(r.Header))
	if err != nil {
		return "", err
	}
	text, err := s.text(r, in)
	if err != nil {
		return "", err
	}
	publicKey, asked, err := s.wallet(in, text)
	if err != nil {
		return "", err
	}
	if err := s.ask(r, asked, in, text); err != nil {
		return "", err
	}
	return publicKey, s.useNonce(r.Context(), in)
}

// text is what is to be signed for r, if it is sent in time.
func (s *Service) text(r *http.Request, in signed) ([]byte, error) {
	if d := s.now().Sub(in.at); d.Abs() > s.options.Window {
		return nil, errSignatureTime
	}
	body, err := s.body(r)
	if err != nil {
		return nil, err
	}
	return []byte(SigningText(r.Method, s.options.Host+target(r), body, in.timestamp, in.nonce)), nil
}

// wallet returns the public key of the wallet that signed text: of a key that did,
// or else of a contract, whose chain is still to be asked.
func (s *Service) wallet(in signed, text []byte) (publicKey string, asked Chain, err error) {
	if keySigned(in.publicKey, text, in.signature) {
		return in.publicKey, nil, nil
	}
	chain, ok := s.walletChain(in)
	if !ok {
		return "", nil, ErrInvalidCredentials
	}
	return string(chain.Network()) + ":" + in.publicKey, chain, nil
}

// ask asks a chain, if there is one to be asked, whether a contract wallet signed
// text.
func (s *Service) ask(r *http.Request, chain Chain, in signed, text []byte) error {
	if chain == nil {
		return nil
	}
	if err := s.options.Limits.WalletCheck(r, s.now()); err != nil {
		return err
	}
	valid, err := chain.ValidSignature(r.Context(), in.publicKey, evm.MessageDigest(text), in.signature)
	switch {
	case err != nil:
		return &Error{Code: ErrChainUnavailable.Code, Message: ErrChainUnavailable.Message, Err: err}
	case !valid:
		return ErrInvalidCredentials
	default:
		return nil
	}
}

// walletChain is where a contract wallet is asked.
func (s *Service) walletChain(in signed) (Chain, bool) {
	if !isEVM(in.publicKey) {
		return nil, false
	}
	if in.chainID == "" && len(s.chains) == 1 {
		return s.options.Chains[0], true
	}
	chain, ok := s.chains[x402.Network("eip155:"+in.chainID)]
	return chain, ok
}

func (s *Service) useNonce(ctx context.Context, in signed) error {
	// As long as the timestamp is accepted, and as much again for clocks that differ.
	err := s.store.UseNonce(ctx, in.publicKey, in.nonce, s.now(), in.at.Add(2*s.options.Window))
	if errors.Is(err, store.ErrConflict) {
		return errSignatureUsed
	}
	return refusal(err, nil, "remember a nonce")
}

// body reads the body of r, which can be read again.
func (s *Service) body(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	var body []byte
	err := web.Body(r, s.options.MaxBody, func(b []byte) error {
		body = bytes.Clone(b)
		return nil
	})
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, web.ErrTooLarge), errors.As(err, &tooLarge):
		return nil, errSignedBody
	case err != nil:
		return nil, &Error{Code: v402api.ValidationFailed, Message: "The request body could not be read", Err: err}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

// target is the path and query as the client sent them, whatever was stripped.
func target(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}
