package middleware

import "sync"

// flights lets identical requests in one process wait for the first of them.
type flights struct {
	mu    sync.Mutex
	byKey map[flightKey]*flight
}

// flightKey is a payment and the request that it came with.
type flightKey struct{ payment, fingerprint string }

// flight is one request that is being served.
type flight struct {
	key    flightKey
	done   chan struct{}
	answer *Outcome // for those who waited; nil if one of them must go next
}

// join returns the flight of key; leader says that the caller must finish it.
func (f *flights) join(key flightKey) (fl *flight, leader bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl, ok := f.byKey[key]; ok {
		return fl, false
	}
	if f.byKey == nil {
		f.byKey = map[flightKey]*flight{}
	}
	fl = &flight{key: key, done: make(chan struct{})}
	f.byKey[key] = fl
	return fl, true
}

// finish hands an answer to those who wait. Only the first call counts.
func (f *flights) finish(fl *flight, answer *Outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byKey[fl.key] != fl {
		return
	}
	delete(f.byKey, fl.key)
	fl.answer = answer
	close(fl.done)
}
