package facilitator

import (
	"fmt"
	"os"
	"sync"

	"github.com/google/uuid"
)

// ProcessOwner is the lease owner that a [Service] and its chains use unless
// told otherwise: host, process and a random part, the same for the life of
// the process and never again. Give each service an owner of its own where
// several share one process and one journal.
var ProcessOwner = sync.OnceValue(func() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s:%d:%s", host, os.Getpid(), uuid.NewString())
})
