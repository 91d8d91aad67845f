package marketplace

import (
	"sync"
	"time"
)

// DefaultCacheSize is how many pairs of wallet and offer are remembered.
const DefaultCacheSize = 100_000

// heldKey is what entitlements are looked up by: a wallet and an offer, or an
// entitlement's ID alone.
type heldKey struct{ subject, offerID string }

// held are the entitlements of a key, the newest first. They are never modified.
type held struct {
	entitlements []Entitlement
	until        time.Time // when they must be read again
}

// cache remembers entitlements for a short time. It has two generations: when
// the new one is half of size, the old one is forgotten, so that it never has
// more than size and what is asked for often stays.
type cache struct {
	half int
	age  time.Duration

	mu       sync.RWMutex
	new, old map[heldKey]held
	changes  uint64 // how often something was forgotten
}

// newCache returns nil for no cache, on which all methods work.
func newCache(size int, age time.Duration) *cache {
	switch {
	case size < 0:
		return nil
	case size == 0:
		size = DefaultCacheSize
	}
	return &cache{half: max(size/2, 1), age: age, new: map[heldKey]held{}}
}

// find returns what is remembered and still good at now.
func (c *cache) find(key heldKey, now time.Time) ([]Entitlement, bool) {
	if c == nil {
		return nil, false
	}
	c.mu.RLock()
	h, ok := c.new[key]
	if !ok {
		h, ok = c.old[key]
	}
	c.mu.RUnlock()
	if !ok || !now.Before(h.until) {
		return nil, false
	}
	return h.entitlements, true
}

// stamp must be taken before something is read that put is to remember.
func (c *cache) stamp() uint64 {
	if c == nil {
		return 0
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.changes
}

// put remembers what was read at now, unless something was forgotten since the
// stamp: it may have been that.
func (c *cache) put(key heldKey, list []Entitlement, now time.Time, stamp uint64) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes != stamp {
		return
	}
	if _, known := c.new[key]; !known && len(c.new) >= c.half {
		c.new, c.old = make(map[heldKey]held, c.half), c.new
	}
	c.new[key] = held{list, now.Add(c.age)}
}

// forget makes the next look at the entitlement, and at what its wallets hold of
// its offer, a fresh one.
func (c *cache) forget(id, offerID string, wallets ...string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	c.drop(heldKey{subject: id})
	for _, wallet := range wallets {
		c.drop(heldKey{wallet, offerID})
	}
}

func (c *cache) drop(key heldKey) {
	delete(c.new, key)
	delete(c.old, key)
}
