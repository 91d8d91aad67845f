package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/url"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/facilitator/account"
)

// ensureAdminToken makes a token for the first admin if none is configured; it
// is shown once.
func (c *config) ensureAdminToken() {
	if c.adminToken == "" {
		c.adminToken = rand.Text()
		c.madeAdminToken = true
	}
}

// openAccounts returns who is who under /api/v1. In dev mode, which only this
// machine reaches, a user's public key is enough, as in the documentation's
// examples.
func openAccounts(c config, dev bool, chains []facilitator.Chain, store account.Store, limits *account.Limits, log *slog.Logger) (*account.Service, error) {
	config := account.Config{
		Store: store, AdminTokens: map[string]string{"token": c.adminToken}, AllowUnsignedPublicKey: dev, Limits: limits, Logger: log,
	}
	if public, err := url.Parse(c.publicURL); err == nil {
		config.Host = public.Host // wallets sign for it
	}
	for _, chain := range chains {
		if wallets, ok := chain.(account.Chain); ok {
			config.Chains = append(config.Chains, wallets)
		}
	}
	return account.New(config)
}

// welcomeAdmin says where users register and, once, what the admin's token is.
func welcomeAdmin(out io.Writer, c config, url string) {
	fmt.Fprintf(out, "  users register at POST %s/api/v1/auth/register; see %s/api/v1/account/openapi.yaml\n", url, url)
	if c.madeAdminToken {
		fmt.Fprintf(out, "  the admin's token, shown this once: %s\n", c.adminToken)
	}
}
