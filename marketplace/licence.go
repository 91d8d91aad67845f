package marketplace

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gowebpki/jcs"
)

// LicenceFile is an entitlement for software that is not connected: signed, and
// good for a time. Its JSON is the file.
type LicenceFile struct {
	Algorithm string `json:"algorithm"` // "Ed25519"
	KeyID     string `json:"key_id"`    // see [LicenceKeyID]
	Payload   []byte `json:"-"`         // the [Licence] as RFC 8785 writes it
	Signature []byte `json:"-"`         // of Payload
}

// Licence is what a licence file says.
type Licence struct {
	Version     int         `json:"version"` // 1
	Entitlement Entitlement `json:"entitlement"`
	InstanceID  string      `json:"instance_id,omitempty"` // that it is for; empty for any
	IssuedAt    time.Time   `json:"issued_at"`
	ExpiresAt   time.Time   `json:"expires_at"` // never after the entitlement's own
}

// LicenceRequest asks for a licence file.
type LicenceRequest struct {
	EntitlementID string        `json:"entitlement_id"`
	InstanceID    string        `json:"instance_id"` // that must have a seat; required if seats are limited
	TTL           time.Duration `json:"-"`           // Config.LicenceTTL if zero, which it cannot exceed
}

const licenceAlgorithm = "Ed25519"

// licenceWire is a licence file in JSON.
type licenceWire struct {
	Algorithm string `json:"algorithm"`
	KeyID     string `json:"key_id"`
	Payload   string `json:"payload"`   // base64url without padding
	Signature string `json:"signature"` // the same
}

// MarshalJSON implements [json.Marshaler].
func (f LicenceFile) MarshalJSON() ([]byte, error) {
	encode := base64.RawURLEncoding.EncodeToString
	return json.Marshal(licenceWire{f.Algorithm, f.KeyID, encode(f.Payload), encode(f.Signature)})
}

// UnmarshalJSON implements [json.Unmarshaler].
func (f *LicenceFile) UnmarshalJSON(j []byte) error {
	var w licenceWire
	if err := json.Unmarshal(j, &w); err != nil {
		return err
	}
	payload, err := base64.RawURLEncoding.DecodeString(w.Payload)
	if err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	signature, err := base64.RawURLEncoding.DecodeString(w.Signature)
	if err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	*f = LicenceFile{w.Algorithm, w.KeyID, payload, signature}
	return nil
}

// LicenceKeyID names a key: the first 16 hexadecimal digits of its SHA-256.
func LicenceKeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

// LicenceKey is the public key that licence files are to be checked with, and its
// ID; ok is false if there are none.
func (s *Service) LicenceKey() (key ed25519.PublicKey, id string, ok bool) {
	if s.options.LicenceKey == nil {
		return nil, "", false
	}
	key = s.options.LicenceKey.Public().(ed25519.PublicKey)
	return key, LicenceKeyID(key), true
}

// Licence makes a licence file of a valid entitlement, for its holder or whoever
// manages it.
func (s *Service) Licence(ctx context.Context, actor Actor, r LicenceRequest) (LicenceFile, error) {
	_, keyID, ok := s.LicenceKey()
	if !ok {
		return LicenceFile{}, Refuse(CodeLicenceUnconfigured, "No licence files are made here.")
	}
	e, err := s.Entitlement(ctx, r.EntitlementID)
	if err != nil {
		return LicenceFile{}, err
	}
	now := s.now()
	switch code := e.codeAt(now); {
	case !actor.holds(&e):
		return LicenceFile{}, errForbidden(actor)
	case code != VerifyValid:
		return LicenceFile{}, Refuse(CodeEntitlementState, "The entitlement is not valid: %s.", code)
	case r.TTL < 0 || r.TTL > s.options.LicenceTTL:
		return LicenceFile{}, Invalid("ttl", "A licence file lasts %s at most.", s.options.LicenceTTL)
	case r.InstanceID == "" && e.Seats > 0:
		return LicenceFile{}, Invalid("instance_id", "instance_id is required: the seats are limited.")
	}
	if r.InstanceID != "" {
		if _, err := s.store.TouchSeat(ctx, e.ID, r.InstanceID, now); err != nil {
			return LicenceFile{}, refusal(err, errNoSeat(), "look for a seat")
		}
	}
	if r.TTL == 0 {
		r.TTL = s.options.LicenceTTL
	}
	l := Licence{Version: 1, Entitlement: e, InstanceID: r.InstanceID, IssuedAt: now, ExpiresAt: now.Add(r.TTL)}
	if !e.ExpiresAt.IsZero() && e.ExpiresAt.Before(l.ExpiresAt) {
		l.ExpiresAt = e.ExpiresAt
	}
	return s.sign(l, keyID)
}

func (s *Service) sign(l Licence, keyID string) (LicenceFile, error) {
	j, err := json.Marshal(l)
	if err != nil {
		return LicenceFile{}, err
	}
	payload, err := jcs.Transform(j)
	if err != nil {
		return LicenceFile{}, err
	}
	return LicenceFile{licenceAlgorithm, keyID, payload, ed25519.Sign(s.options.LicenceKey, payload)}, nil
}

// Errors of [ReadLicence].
var (
	ErrLicenceForged  = errors.New("marketplace: the licence file is not signed by this key")
	ErrLicenceExpired = errors.New("marketplace: the licence file is not valid at this time")
)

// ReadLicence reads a licence file, without a connection to anything: it must be
// signed by key and be valid at now. Whoever uses it compares the offer, and the
// instance if there is one. The error is [ErrLicenceForged], [ErrLicenceExpired]
// or one of JSON.
func ReadLicence(file []byte, key ed25519.PublicKey, now time.Time) (Licence, error) {
	var f LicenceFile
	if err := json.Unmarshal(file, &f); err != nil {
		return Licence{}, fmt.Errorf("marketplace: read a licence file: %w", err)
	}
	if len(key) != ed25519.PublicKeySize || f.Algorithm != licenceAlgorithm || !ed25519.Verify(key, f.Payload, f.Signature) {
		return Licence{}, ErrLicenceForged
	}
	var l Licence
	d := json.NewDecoder(bytes.NewReader(f.Payload))
	if err := d.Decode(&l); err != nil {
		return Licence{}, fmt.Errorf("marketplace: read a licence: %w", err)
	}
	const skew = 5 * time.Minute // of clocks
	if now.Before(l.IssuedAt.Add(-skew)) || !now.Before(l.ExpiresAt) || l.Entitlement.codeAt(now) != VerifyValid {
		return Licence{}, ErrLicenceExpired
	}
	return l, nil
}
