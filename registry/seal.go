package registry

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

// sealVersion begins what is sealed: AES-GCM with a random nonce.
const sealVersion = "v1"

// sealer encrypts at rest. What it seals names its key, so that keys can change.
type sealer struct {
	current string // name of the key that seals
	keys    map[string]cipher.AEAD
}

func newSealer(key []byte, old [][]byte) (*sealer, error) {
	if key == nil {
		key = make([]byte, 32)
		_, _ = rand.Read(key) // never fails
	}
	s := &sealer{keys: map[string]cipher.AEAD{}}
	for i, k := range append([][]byte{key}, old...) {
		block, err := aes.NewCipher(k)
		if err != nil {
			return nil, fmt.Errorf("an encryption key has 16, 24 or 32 bytes, not %d", len(k))
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(append([]byte("v402 registry key "), k...))
		name := hex.EncodeToString(sum[:4])
		if i == 0 {
			s.current = name
		}
		s.keys[name] = aead
	}
	return s, nil
}

// seal encrypts text for a place, such as a platform's e-mail, where alone it
// can be opened.
func (s *sealer) seal(place string, text []byte) string {
	aead := s.keys[s.current]
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	sealed := aead.Seal(nonce, nonce, text, []byte(place))
	return sealVersion + ":" + s.current + ":" + base64.RawStdEncoding.EncodeToString(sealed)
}

// open decrypts what seal made.
func (s *sealer) open(place, sealed string) ([]byte, error) {
	version, rest, _ := strings.Cut(sealed, ":")
	name, text, _ := strings.Cut(rest, ":")
	aead, known := s.keys[name]
	switch {
	case version != sealVersion:
		return nil, fmt.Errorf("sealed data of version %.8q is not known", version)
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
