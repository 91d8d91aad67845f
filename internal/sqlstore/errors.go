package sqlstore

import "errors"

// ErrNewer is returned for a database that a newer program has upgraded.
var ErrNewer = errors.New("upgrade the program, or restore the database from before its upgrade")
