// Package seal encrypts what is secret at rest.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// version begins what is sealed: AES-GCM with a random nonce.
const version = "v1"

// Sealer encrypts. What it seals names its key, so that keys can change.
type Sealer struct {
	current string // name of the key that seals
	keys    map[string]cipher.AEAD
}

// New returns a Sealer that seals with key, of 16, 24 or 32 bytes, and opens what
// the old ones sealed too. If key is nil it makes one that is lost with it. The
// names of keys are made for a purpose, such as "v402 registry key ".
func New(purpose string, key []byte, old [][]byte) (*Sealer, error) {
	if key == nil {
		key = make([]byte, 32)
		_, _ = rand.Read(key) // never fails
	}
	s := &Sealer{keys: map[string]cipher.AEAD{}}
	for i, k := range append([][]byte{key}, old...) {
		block, err := aes.NewCipher(k)
		if err != nil {
			return nil, fmt.Errorf("an encryption key has 16, 24 or 32 bytes, not %d", len(k))
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(append([]byte(purpose), k...))
		name := hex.EncodeToString(sum[:4])
		if i == 0 {
			s.current = name
		}
		s.keys[name] = aead
	}
	return s, nil
}

// Seal encrypts text for a place, such as a platform's e-mail, where alone it
// can be opened.
func (s *Sealer) Seal(place string, text []byte) string {
	aead := s.keys[s.current]
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	sealed := aead.Seal(nonce, nonce, text, []byte(place))
	return version + ":" + s.current + ":" + base64.RawStdEncoding.EncodeToString(sealed)
}

// Open decrypts what Seal made.
func (s *Sealer) Open(place, sealed string) ([]byte, error) {
	made, rest, _ := strings.Cut(sealed, ":")
	name, text, _ := strings.Cut(rest, ":")
	aead, known := s.keys[name]
	switch {
	case made != version:
		return nil, fmt.Errorf("sealed data of version %.8q is not known", made)
	case !known:
		return nil, fmt.Errorf("the encryption key %.8q is not configured: add it to OldEncryptionKeys", name)
	}
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(raw) < aead.NonceSize() {
		return nil, errors.New("sealed data is damaged")
	}
	opened, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], []byte(place))
	if err != nil {
		return nil, errors.New("sealed data is damaged, or from another place")
	}
	return opened, nil
}
