package main

import (
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"

	"github.com/v402/v402/x402"
)

// config is what the server is told by flags, or else by the environment.
type config struct {
	addr          string
	store         string
	chains        []chainConfig // empty: dev mode
	keys          []string      // of the relayers
	payTo         string
	publicURL     string
	proxies       proxies
	devChainAddr  string
	allowPayTo    []string
	token         string
	confirmations uint64
	maxGas        uint64   // of one settlement; 0: the default of facilitator/evm
	maxFeePerGas  *big.Int // in wei; nil: no limit
	adminToken    string

	madeAdminToken bool // it was made here and must be shown

	registryKey []byte             // nil: no registry, but in dev mode
	webhookKey  []byte             // nil: no webhooks, but in dev mode
	catalogKey  []byte             // nil: one that is lost with the process, but in dev mode
	licenceKey  ed25519.PrivateKey // nil: no licence files, but in dev mode
}

// chainConfig is one network and its JSON-RPC endpoints.
type chainConfig struct {
	network x402.Network
	urls    []string
}

// readConfig reads the command line, over what getenv says.
func readConfig(args []string, getenv func(string) string, usage io.Writer) (config, error) {
	var c config
	var evm, keys, allow, maxFee, registryKey, webhookKey, catalogKey, licenceKey, trusted string
	f := flag.NewFlagSet("server", flag.ContinueOnError)
	f.SetOutput(usage)
	text := func(to *string, name, variable, value, help string) {
		f.StringVar(to, name, value, help+" ("+variable+")")
		if v := getenv(variable); v != "" {
			*to = v // the default that -help shows stays: a variable may hold a key
		}
	}
	text(&c.addr, "addr", "V402_ADDR", "127.0.0.1:4020", "listen address")
	text(&c.store, "store", "V402_STORE", "sqlite:v402.db", "memory:, sqlite:PATH or postgres://...")
	text(&evm, "evm", "V402_EVM", "", "comma list of CAIP2=RPCURL, with blanks between several URLs of one chain; none: dev mode")
	text(&keys, "evm-keys", "V402_EVM_KEYS", "", "comma list of relayer private keys, hex")
	text(&c.payTo, "pay-to", "V402_PAY_TO", "", "address that the demo routes are paid to; without it there are none, but in dev mode")
	text(&c.publicURL, "public-url", "V402_PUBLIC_URL", "", "URL that clients see; default from the request")
	text(&trusted, "trusted-proxies", "V402_TRUSTED_PROXIES", "", "comma list of addresses and networks of proxies whose X-Forwarded-For is believed")
	text(&c.devChainAddr, "dev-chain-addr", "V402_DEV_CHAIN_ADDR", "127.0.0.1:8545", "JSON-RPC of the dev chain; a free port if it is taken")
	text(&allow, "allow-pay-to", "V402_ALLOW_PAY_TO", "", "comma list of the only recipients to settle for")
	text(&c.token, "token", "V402_TOKEN", "", "bearer token that POST /verify and POST /settle ask for")
	text(&c.adminToken, "admin-token", "V402_ADMIN_TOKEN", "", "bearer token of the first admin; default: one is made and printed once")
	text(&registryKey, "registry-key", "V402_REGISTRY_KEY", "", "32 bytes in hex that encrypt what platforms tell about themselves; without it there is no registry, but in dev mode")
	text(&webhookKey, "webhook-key", "V402_WEBHOOK_KEY", "", "32 bytes in hex that encrypt what signs webhooks; without it none can be registered, but in dev mode")
	text(&catalogKey, "catalog-key", "V402_CATALOG_KEY", "", "32 bytes in hex that sign access tokens; without it they are good until the process ends")
	text(&licenceKey, "licence-key", "V402_LICENCE_KEY", "", "32 bytes in hex that sign licence files of the marketplace; without it there are none, but in dev mode")
	f.Uint64Var(&c.confirmations, "confirmations", 0, "blocks that make a settlement final; 0: as is usual on the network")
	f.Uint64Var(&c.maxGas, "max-gas", 0, "gas that one settlement may take; 0: 300,000")
	text(&maxFee, "max-fee-per-gas", "V402_MAX_FEE_PER_GAS", "", "wei that a unit of gas may cost; a dearer chain is waited out")
	if err := f.Parse(args); err != nil {
		return config{}, err
	}
	if f.NArg() > 0 {
		return config{}, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	var err error
	if c.chains, err = parseChains(evm); err != nil {
		return config{}, err
	}
	if c.proxies, err = parseProxies(trusted); err != nil {
		return config{}, err
	}
	if maxFee != "" {
		wei, err := x402.ParseAtomic(maxFee)
		if err != nil || wei.IsZero() {
			return config{}, fmt.Errorf("V402_MAX_FEE_PER_GAS: %q is not a whole number of wei above 0", maxFee)
		}
		c.maxFeePerGas = wei.Big()
	}
	if c.registryKey, err = parseKey("V402_REGISTRY_KEY", registryKey); err != nil {
		return config{}, err
	}
	if c.webhookKey, err = parseKey("V402_WEBHOOK_KEY", webhookKey); err != nil {
		return config{}, err
	}
	if c.catalogKey, err = parseKey("V402_CATALOG_KEY", catalogKey); err != nil {
		return config{}, err
	}
	if c.licenceKey, err = parseLicenceKey(licenceKey); err != nil {
		return config{}, err
	}
	c.keys, c.allowPayTo = list(keys), list(allow)
	return c, c.check()
}

func (c config) check() error {
	switch {
	case len(c.chains) > 0 && len(c.keys) == 0:
		return errors.New("V402_EVM needs V402_EVM_KEYS: the relayers that pay the gas")
	case len(c.chains) == 0 && len(c.keys) > 0:
		return errors.New("V402_EVM_KEYS without V402_EVM: dev mode uses keys of its own; name the chains")
	case c.dev() && !isLoopback(c.addr):
		return fmt.Errorf("dev mode does not listen on %s: its keys are known to everybody; use 127.0.0.1, or name chains in V402_EVM", c.addr)
	}
	return nil
}

// dev says whether the chain is one of our own in this process.
func (c config) dev() bool { return len(c.chains) == 0 }

// parseChains reads "eip155:8453=https://a https://b,eip155:10=https://c".
func parseChains(s string) ([]chainConfig, error) {
	var out []chainConfig
	for i, entry := range list(s) {
		name, urls, ok := strings.Cut(entry, "=")
		network, err := x402.ParseNetwork(strings.TrimSpace(name))
		switch {
		case !ok || len(strings.Fields(urls)) == 0 || strings.Contains(name, "/"): // a URL may hold an API key
			return nil, fmt.Errorf("V402_EVM: entry %d is not CAIP2=RPCURL, such as eip155:8453=https://mainnet.base.org", i+1)
		case err != nil:
			return nil, fmt.Errorf("V402_EVM: %w", err)
		}
		out = append(out, chainConfig{network, strings.Fields(urls)})
	}
	return out, nil
}

// list splits at commas and leaves out what is empty.
func list(s string) []string {
	var out []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// isLoopback says whether addr is reached from this machine only.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}
