//go:build !race

package storetest

import "time"

// budget is how long a property is tried.
const budget = 8 * time.Second
