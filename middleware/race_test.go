//go:build race

package middleware_test

// pools is false where sync.Pool forgets on purpose, as under the race detector.
const pools = false
