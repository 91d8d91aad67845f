package payer

import (
	"fmt"
	"net/http"

	"github.com/v402/v402/x402"
)

// Payer is an [http.RoundTripper] that pays for what answers 402. It may be
// used by several goroutines at once. Make one with [New].
type Payer struct {
	cfg        Config
	budgets    []budget
	others     []other
	perRequest x402.Amount // millionths of a dollar
	keys       keyLocks
}

// New checks a configuration. It does no I/O.
func New(cfg Config) (*Payer, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	p := &Payer{cfg: cfg.withDefaults()}
	var err error
	if p.perRequest, err = readMoney(p.cfg.Limits.PerRequest); err != nil {
		return nil, fmt.Errorf("payer: Limits.PerRequest: %w", err)
	}
	if p.budgets, err = readBudgets(p.cfg.Limits.Budgets); err != nil {
		return nil, err
	}
	if p.others, err = readOthers(p.cfg.Policy.Others); err != nil {
		return nil, err
	}
	return p, nil
}

// Client returns an HTTP client that pays. It has no timeout of its own:
// sellers may take a minute and more to settle, so set one well above that, or
// use the contexts of the requests.
func (p *Payer) Client() *http.Client { return &http.Client{Transport: p} }

// CloseIdleConnections closes those of Config.Base, for [http.Client].
func (p *Payer) CloseIdleConnections() {
	if c, ok := p.cfg.Base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// RoundTrip sends req and, if the answer is a 402 whose challenge it can read,
// pays and sends it again, with the payment. A 402 without such a challenge is
// returned as it is. One call makes one payment at most, and a call with the
// key of an earlier one (see [WithKey]) makes none if that one did.
//
// The payment goes to the very URL that asked for it and never along with a
// redirect. A request that carries a payment of the caller's is sent as it is,
// without it if redirects have led to another origin.
//
// The errors are those of this package, of the Ledger, of the Signer and of
// Config.Base; req is never changed.
func (p *Payer) RoundTrip(req *http.Request) (*http.Response, error) {
	if carriesPayment(req) {
		if !crossedOrigin(req) {
			return p.cfg.Base.RoundTrip(req)
		}
		req = withoutPayment(req)
	}
	key, err := keyFrom(req.Context())
	if err != nil {
		closeBody(req)
		return nil, err
	}
	if key != "" {
		unlock, err := p.keys.lock(req.Context(), key)
		if err != nil {
			closeBody(req)
			return nil, err
		}
		defer unlock()
	}
	body, err := newBody(req, p.cfg.MaxBody)
	if err != nil {
		return nil, err
	}
	defer body.close()
	b := purchase{Payer: p, req: req, body: body, key: key, fingerprint: fingerprint(req)}
	return b.run(req.Context())
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
