package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/facilitator/report"
	"github.com/v402/v402/facilitator/webhook"
	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/middleware"
	"github.com/v402/v402/registry"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/store/postgres"
	"github.com/v402/v402/store/sqlite"
)

// backend is what the server keeps in its store.
type backend interface {
	facilitator.Journal
	middleware.Claims
	registry.Store
	marketplace.Store
	account.Store
	catalog.Store
	report.Store
	webhook.Store
	Close() error
}

// openStore opens memory:, sqlite:PATH or postgres://...
func openStore(ctx context.Context, name string) (backend, error) {
	path, isSQLite := strings.CutPrefix(name, "sqlite:")
	switch {
	case name == "memory:":
		return memory.New(), nil
	case isSQLite:
		return sqlite.Open(ctx, path)
	case strings.HasPrefix(name, "postgres://"), strings.HasPrefix(name, "postgresql://"):
		return postgres.Open(ctx, name)
	default:
		return nil, fmt.Errorf("store %q is not memory:, sqlite:PATH or postgres://", storeName(name))
	}
}

// storeName is name without what may be a password: that of the user, or one
// among the options.
func storeName(name string) string {
	u, err := url.Parse(name)
	if err != nil {
		return "the store that is configured"
	}
	u.RawQuery = ""
	return u.Redacted()
}
