// Package storetest is the suite that every store must pass: those of this
// module and any that a user writes. Each sentence that the interfaces promise
// is a test here.
//
// A backend that has all of the interfaces on one type runs everything:
//
//	func TestStore(t *testing.T) {
//		storetest.Test(t, func(t *testing.T, replicas int) []storetest.Store {
//			path := filepath.Join(t.TempDir(), "v402.db")
//			stores := make([]storetest.Store, replicas)
//			for i := range stores {
//				stores[i] = open(t, path) // its own handle on the same, empty database
//			}
//			return stores
//		})
//	}
//
// One that has a single interface runs [TestJournal], [TestClaims], [TestLedger],
// [TestOutbox] or, for a registry, [TestRegistry] and [TestSettlements]. Run it with the race detector on.
package storetest
