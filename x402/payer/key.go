package payer

import (
	"context"
	"errors"
	"sync"
	"unicode/utf8"
)

type keyKey struct{}

// maxKeyBytes bounds a key: it becomes the ID of a spending.
const maxKeyBytes = 200

// WithKey gives the request that is sent with ctx an idempotency key: all
// requests with one key, method and URL are one logical request and are paid
// for once, also after a restart if the ledger survives it. If the key's payment was
// signed already, that same payment is sent again, at once and whatever it
// costs now. Only after a refusal or a [Payer.Release] is a new one signed.
//
// The key becomes the spending's ID, so the ID of an [UnknownOutcomeError] is a
// key. A key has 1 to 200 bytes of UTF-8 and belongs to the ledger, so other users of a
// shared ledger need other keys.
func WithKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyKey{}, key)
}

// keyFrom is the key in ctx; "" if there is none.
func keyFrom(ctx context.Context) (string, error) {
	key, ok := ctx.Value(keyKey{}).(string)
	if ok && (key == "" || len(key) > maxKeyBytes || !utf8.ValidString(key)) {
		return "", errors.New("payer: a key has 1 to 200 bytes of UTF-8")
	}
	return key, nil
}

// keyLocks lets one request of a key pass at a time, in this process.
type keyLocks struct {
	mu    sync.Mutex
	locks map[string]*keyLock
}

type keyLock struct {
	held  chan struct{} // of capacity one
	users int
}

// lock waits for key; the returned func gives it back.
func (k *keyLocks) lock(ctx context.Context, key string) (unlock func(), err error) {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[string]*keyLock{}
	}
	l, ok := k.locks[key]
	if !ok {
		l = &keyLock{held: make(chan struct{}, 1)}
		k.locks[key] = l
	}
	l.users++
	k.mu.Unlock()

	leave := func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(k.locks, key)
		}
	}
	select {
	case l.held <- struct{}{}:
		return func() { <-l.held; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
