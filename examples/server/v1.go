package main

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/facilitator/report"
	"github.com/v402/v402/x402"
)

// v1 is everything under /api/v1/.
type v1 struct {
	handler http.Handler
	catalog *catalog.Service
	runs    []func(context.Context) error // each until its context ends
}

// openV1 makes the domains of /api/v1, which know users by their accounts and
// count requests together, and what tells all hearers of events.
func openV1(c config, dev bool, f x402.Facilitator, chains []facilitator.Chain, accounts *account.Service, limits *account.Limits, store backend, to hearers, log *slog.Logger) (*v1, error) {
	shop, err := openCatalog(c, dev, f, chains, accounts, limits, store, log)
	if err != nil {
		return nil, err
	}
	to.consumers = append(to.consumers, shop.Observe)
	publisher, served, err := openWebhooks(c, dev, to, accounts, limits, store, log)
	if err != nil {
		return nil, err
	}
	rooms := v1{catalog: shop, runs: []func(context.Context) error{publisher.Run, shop.Run}}
	reports, err := report.New(report.Config{Store: store, Authenticate: accounts.Authenticate, Coins: shop.Coins(), Limits: limits, Logger: log})
	if err != nil {
		return nil, err
	}
	handlers := []http.Handler{accounts.Handler(), shop.Handler(), reports.Handler()}
	if served {
		handlers = append(handlers, publisher.Handler())
	}
	rooms.handler, err = account.Join(handlers...)
	return &rooms, err
}
