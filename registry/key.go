package registry

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// API keys begin with this, so that people and scanners know them when they see
// them.
const keyPrefix = "bcccr_"

// shownOfKey is how much of a key is stored as it is, to recognise it by.
const shownOfKey = len(keyPrefix) + 6

// newKey makes an API key: 256 bits at random.
func newKey() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return keyPrefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// hashKey is what is stored of a key. A key is random: a slow hash adds nothing.
func hashKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// hashPassword takes passwords of any length: bcrypt by itself reads 72 bytes.
func hashPassword(password string, cost int) (string, error) {
	hash, err := bcrypt.GenerateFromPassword(passwordDigest(password), cost)
	return string(hash), err
}

// CheckPassword says whether password is the one of p's application.
func (p Platform) CheckPassword(password string) bool {
	return bcrypt.CompareHashAndPassword([]byte(p.PasswordHash), passwordDigest(password)) == nil
}

func passwordDigest(password string) []byte {
	sum := sha256.Sum256([]byte(password))
	return []byte(base64.RawStdEncoding.EncodeToString(sum[:]))
}

// BearerToken is a Config.Admin that admits whoever presents the token in the
// header Authorization, as "admin:" and name in the audit log. An empty token
// admits nobody.
func BearerToken(name, token string) func(*http.Request) (actor string, err error) {
	want := sha256.Sum256([]byte(token))
	return func(r *http.Request) (string, error) {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || given == "" {
			return "", ErrAdminRequired
		}
		have := sha256.Sum256([]byte(strings.TrimSpace(given)))
		if token == "" || subtle.ConstantTimeCompare(have[:], want[:]) != 1 {
			return "", ErrAdminForbidden
		}
		return "admin:" + name, nil
	}
}
