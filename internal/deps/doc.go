// Package deps holds the rules of who may import whom, as tests.
//
// A website that only guards its handlers must not link a chain client, a
// database driver or a metrics library. Such a weight creeps in by one import
// deep in some package, so the whole graph is checked, as go list sees it.
package deps
