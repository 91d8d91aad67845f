//go:build race

package storetest

import "time"

// budget is shorter with the race detector, which looks for another kind of error:
// that properties hold is shown without it, where there is time for more tries.
const budget = 2 * time.Second
