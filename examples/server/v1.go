package main

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/facilitator/account"
)

// v1 is everything under /api/v1/.
type v1 struct {
	handler http.Handler
	runs    []func(context.Context) error // each until its context ends
}

// openV1 makes the domains of /api/v1, which know users by their accounts and
// count requests together.
func openV1(c config, dev bool, chains []facilitator.Chain, store backend, log *slog.Logger) (*v1, error) {
	limits := account.NewLimits(account.Rates{})
	accounts, err := openAccounts(c, dev, chains, store, limits, log)
	if err != nil {
		return nil, err
	}
	var rooms v1
	rooms.handler, err = account.Join(accounts.Handler())
	return &rooms, err
}
