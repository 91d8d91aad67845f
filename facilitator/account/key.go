package account

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// APIKey is a key as it is stored: the key itself is shown once, to its user.
type APIKey struct {
	ID         string // a UUID
	UserID     string
	Name       string
	Prefix     string // the first characters of the key, to recognise it by
	Hash       string // SHA-256 of the key, hex
	CreatedAt  time.Time
	LastUsedAt time.Time // to a few minutes; zero if never
	RevokedAt  time.Time // zero while the key is live
}

// keyPrefix begins every API key, so that people and scanners know them when
// they see them.
const keyPrefix = "v402_"

const (
	keyRandom  = 32                 // characters of base62: 190 bits
	shownOfKey = len(keyPrefix) + 6 // characters that are stored as they are
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newSecret makes an API key.
func newSecret() string {
	key := make([]byte, 0, keyRandom)
	for len(key) < keyRandom {
		var b [keyRandom]byte
		_, _ = rand.Read(b[:]) // never fails
		for _, c := range b {
			if c < 4*62 && len(key) < keyRandom { // each character is as likely
				key = append(key, base62[c%62])
			}
		}
	}
	return keyPrefix + string(key)
}

// looksLikeKey says whether s has the form of an API key: what has not is never
// looked up.
func looksLikeKey(s string) bool {
	random, ok := strings.CutPrefix(s, keyPrefix)
	return ok && len(random) == keyRandom && strings.Trim(random, base62) == ""
}

// hashKey is what is stored of a key. A key is random: a slow hash adds nothing.
func hashKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
