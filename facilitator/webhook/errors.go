package webhook

import "errors"

// Errors that a [Store] returns, wrapped, beside those of package store.
var (
	// ErrTooMany: the owner has as many endpoints as are allowed.
	ErrTooMany = errors.New("the owner has as many webhooks as are allowed")
)
