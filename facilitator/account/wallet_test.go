package account_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mr-tron/base58"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/x402"
)

func TestAWalletRegistersAndSignsIn(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		w := a.wallet()
		key := strings.ToLower(w.Address().String())
		a.refused(a.send(w.request("GET", "/api/v1/clients/profile", "")), 401, "INVALID_CREDENTIALS")
		var made struct {
			User struct {
				ID        string
				PublicKey string `json:"public_key"`
			}
		}
		a.read(a.send(w.request("POST", "/api/v1/auth/register", `{"role":"content_provider"}`)), 201, &made)
		require.Equal(t, key, made.User.PublicKey)

		var profile struct{ ID string }
		a.read(a.send(w.request("GET", "/api/v1/providers/profile?x=1&y=%20", "")), 200, &profile)
		require.Equal(t, made.User.ID, profile.ID)
		a.want(a.send(w.request("PUT", "/api/v1/providers/profile", `{"name":"W"}`)), 200)
		a.refused(a.send(w.request("POST", "/api/v1/auth/register", `{"public_key":"`+w.Address().String()+`"}`)), 409, "CONFLICT")

		inBearer := w.request("GET", "/api/v1/providers/profile", "")
		inBearer.Header.Set("Authorization", "Bearer "+inBearer.Header.Get("X-Public-Key"))
		inBearer.Header.Del("X-Public-Key")
		inBearer.Header.Set("X-Signature", inBearer.Header.Get("X-V402-Signature"))
		inBearer.Header.Del("X-V402-Signature")
		a.want(a.send(inBearer), 200)

		a.want(a.admin("PATCH", "/api/v1/admin/users/"+made.User.ID+"/status", `{"new_status":"suspended"}`), 200)
		a.refused(a.send(w.request("GET", "/api/v1/providers/profile", "")), 403, "ACCOUNT_SUSPENDED")
	})
}

func TestACallerIsAUserAWalletOrBothByOneSignature(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		w := a.wallet()
		signer := strings.ToLower(w.Address().String())
		_, _, err := a.service.Caller(httptest.NewRequest("GET", "/content", nil))
		require.ErrorIs(t, err, account.ErrUnauthenticated)

		r := w.request("GET", "/content", "")
		u, by, err := a.service.Caller(r)
		require.NoError(t, err)
		require.Equal(t, []string{"", signer}, []string{u.ID, by}, "nobody's wallet")
		_, by, err = a.service.Caller(r)
		require.ErrorContains(t, err, "used before")
		require.Empty(t, by, "a signature is good once")

		key := a.join(`{"role":"end_user"}`)
		r = w.request("GET", "/content", "")
		r.Header.Set("X-API-Key", key.key)
		u, by, err = a.service.Caller(r)
		require.NoError(t, err)
		require.Equal(t, []string{key.id, signer}, []string{u.ID, by}, "the payer and a user by key")

		a.want(a.send(w.request("POST", "/api/v1/auth/register", "{}")), 201)
		u, by, err = a.service.Caller(w.request("GET", "/content", ""))
		require.NoError(t, err)
		require.Equal(t, []string{signer, signer}, []string{u.PublicKey, by})
		a.want(a.admin("PATCH", "/api/v1/admin/users/"+u.ID+"/status", `{"new_status":"suspended"}`), 200)
		_, _, err = a.service.Caller(w.request("GET", "/content", ""))
		require.ErrorIs(t, err, account.ErrSuspended)
	})
}

func TestASignatureIsForOneRequestOnly(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		w := a.wallet()
		a.want(a.send(w.request("POST", "/api/v1/auth/register", `{"role":"content_provider"}`)), 201)
		signed := func() *http.Request { return w.request("PUT", "/api/v1/clients/profile?a=1", `{"name":"W"}`) }
		for part, change := range map[string]func(*http.Request) *http.Request{
			"method": func(r *http.Request) *http.Request {
				return moved(r, "GET", "/api/v1/clients/profile?a=1", `{"name":"W"}`)
			},
			"path": func(r *http.Request) *http.Request {
				return moved(r, "PUT", "/api/v1/providers/profile?a=1", `{"name":"W"}`)
			},
			"query": func(r *http.Request) *http.Request {
				return moved(r, "PUT", "/api/v1/clients/profile?a=2", `{"name":"W"}`)
			},
			"body": func(r *http.Request) *http.Request {
				return moved(r, "PUT", "/api/v1/clients/profile?a=1", `{"name":"X"}`)
			},
			"time": func(r *http.Request) *http.Request {
				r.Header.Set("X-V402-Timestamp", strconv.FormatInt(today.Unix()+1, 10))
				return r
			},
			"nonce": func(r *http.Request) *http.Request { r.Header.Set("X-V402-Nonce", "another-nonce"); return r },
			"public key": func(r *http.Request) *http.Request {
				r.Header.Set("X-Public-Key", a.wallet().Address().String())
				return r
			},
		} {
			require.Equal(t, 401, a.send(change(signed())).Code, "another %s", part)
		}
		once := signed()
		again := moved(once, "PUT", "/api/v1/clients/profile?a=1", `{"name":"W"}`)
		a.want(a.send(once), 200)
		require.Contains(t, a.refused(a.send(again), 401, "INVALID_CREDENTIALS").Message, "used before")
	})
}

// moved is another request with the headers of r.
func moved(r *http.Request, method, path, body string) *http.Request {
	other := httptest.NewRequest(method, path, strings.NewReader(body))
	other.Header = r.Header.Clone()
	return other
}

func TestOneOfManyAtOnceUsesANonce(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		w := a.wallet()
		a.want(a.send(w.request("POST", "/api/v1/auth/register", `{}`)), 201)
		r := w.request("GET", "/api/v1/clients/profile", "")
		var mu sync.Mutex
		var wg sync.WaitGroup
		passed := 0
		for range 8 {
			again := moved(r, "GET", "/api/v1/clients/profile", "")
			wg.Go(func() {
				if _, err := a.service.Authenticate(again); err == nil {
					mu.Lock()
					passed++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		require.Equal(t, 1, passed)
	})
}

func TestASignatureHoldsForFiveMinutes(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		w := a.wallet()
		a.want(a.send(w.request("POST", "/api/v1/auth/register", `{}`)), 201)
		for off, status := range map[time.Duration]int{
			0: 200, 299 * time.Second: 200, -299 * time.Second: 200, 302 * time.Second: 401, -302 * time.Second: 401, 1 << 60: 401,
		} {
			r := w.requestWith("GET", "/api/v1/clients/profile", "", today.Add(off), "nonce-at-"+strconv.Itoa(int(off)))
			a.want(a.send(r), status)
		}
		r := w.request("GET", "/api/v1/clients/profile", "")
		kept := moved(r, "GET", "/api/v1/clients/profile", "")
		a.want(a.send(r), 200)
		for range 12 { // as long as it could hold, and longer
			a.pass(time.Minute)
			a.want(a.send(moved(kept, "GET", "/api/v1/clients/profile", "")), 401)
			a.want(a.send(w.request("GET", "/api/v1/clients/profile", "")), 200)
		}
	})
}

func TestASolanaWalletSignsTheTextAsItIs(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		public, private, err := ed25519.GenerateKey(nil)
		require.NoError(t, err)
		n := 0
		request := func(method, path, body string, encode func([]byte) string) *http.Request {
			n++
			r := httptest.NewRequest(method, path, strings.NewReader(body))
			stamp, nonce := strconv.FormatInt(a.clock().Unix(), 10), "nonce-number-"+strconv.Itoa(n)
			sig := ed25519.Sign(private, []byte(account.SigningText(method, path, []byte(body), stamp, nonce)))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("X-Public-Key", base58.Encode(public))
			r.Header.Set("X-V402-Timestamp", stamp)
			r.Header.Set("X-V402-Nonce", nonce)
			r.Header.Set("X-V402-Signature", encode(sig))
			return r
		}
		a.want(a.send(request("POST", "/api/v1/auth/register", `{}`, base58.Encode)), 201)
		a.want(a.send(request("GET", "/api/v1/clients/profile", "", base64.StdEncoding.EncodeToString)), 200)
		a.want(a.send(request("GET", "/api/v1/clients/profile", "", func(b []byte) string { return "0x" + hex.EncodeToString(b) })), 200)
		forged := request("GET", "/api/v1/clients/profile", "", func(b []byte) string { b[0] ^= 1; return base58.Encode(b) })
		a.refused(a.send(forged), 401, "INVALID_CREDENTIALS")
	})
}

// chain knows contract wallets.
type chain struct {
	network x402.Network
	err     error
	mu      sync.Mutex
	asked   int
}

func (c *chain) Network() x402.Network { return c.network }

func (c *chain) ValidSignature(_ context.Context, _ string, _ [32]byte, signature []byte) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	return string(signature) == "yes", c.err
}

// contractRequest is one that is signed for a contract wallet at the address of w.
func (w wallet) contractRequest(method, path, chainID, signature string) *http.Request {
	r := w.request(method, path, map[string]string{"POST": "{}"}[method])
	r.Header.Set("X-V402-Signature", "0x"+hex.EncodeToString([]byte(signature)))
	r.Header.Set("X-V402-Chain-ID", chainID)
	return r
}

func TestAContractWalletIsAskedOnItsChain(t *testing.T) {
	t.Parallel()
	base, polygon := &chain{network: x402.Base}, &chain{network: x402.Polygon}
	a := newAPI(t, backends["memory"](t), func(c *account.Config) { c.Chains = []account.Chain{base, polygon} })
	w := a.wallet()
	signIn := func(chainID, signature string) *httptest.ResponseRecorder {
		return a.send(w.contractRequest("GET", "/api/v1/clients/profile", chainID, signature))
	}
	a.want(signIn("8453", "yes"), 401)
	require.Zero(t, base.asked, "nobody's wallet is not asked about")
	var made struct {
		User struct {
			PublicKey string `json:"public_key"`
		}
	}
	a.read(a.send(w.contractRequest("POST", "/api/v1/auth/register", "8453", "yes")), 201, &made)
	require.Equal(t, "eip155:8453:"+strings.ToLower(w.Address().String()), made.User.PublicKey)
	a.want(signIn("8453", "yes"), 200)
	a.want(signIn("8453", "no"), 401)
	a.want(signIn("1", "yes"), 401)
	a.want(signIn("", "yes"), 401)
	require.Equal(t, 3, base.asked)
	u, signer, err := a.service.Caller(w.contractRequest("GET", "/api/v1/clients/profile", "8453", "yes"))
	require.NoError(t, err)
	require.Equal(t, []string{made.User.PublicKey, strings.ToLower(w.Address().String())}, []string{u.PublicKey, signer})
	require.Equal(t, 4, base.asked)
	named := w.contractRequest("GET", "/api/v1/clients/profile", "", "yes")
	named.Header.Set("X-Public-Key", made.User.PublicKey)
	a.want(a.send(named), 200)

	a.want(signIn("137", "yes"), 401)
	require.Zero(t, polygon.asked, "who owns that address there is somebody else")
	a.want(a.send(w.request("GET", "/api/v1/clients/profile", "")), 401)
}

func TestAContractWalletMayBeNamedInARegistration(t *testing.T) {
	t.Parallel()
	a := newAPI(t, backends["memory"](t), func(c *account.Config) {
		c.Chains = []account.Chain{&chain{network: x402.Base}, &chain{network: x402.Polygon}}
	})
	for n, c := range []struct {
		prefix string
		status int
	}{{"eip155:137:", 400}, {"eip155:8453:", 201}, {"", 201}} {
		w := a.wallet()
		body := `{"public_key":"` + c.prefix + w.Address().String() + `"}`
		r := w.request("POST", "/api/v1/auth/register", body)
		r.Header.Set("X-V402-Signature", "0x"+hex.EncodeToString([]byte("yes")))
		r.Header.Set("X-V402-Chain-ID", "8453")
		require.Equal(t, c.status, a.send(r).Code, n)
	}
}

func TestAChainThatCannotBeAskedIsSaidSo(t *testing.T) {
	t.Parallel()
	base := &chain{network: x402.Base}
	a := newAPI(t, backends["memory"](t), func(c *account.Config) { c.Chains = []account.Chain{base} })
	w := a.wallet()
	a.want(a.send(w.contractRequest("POST", "/api/v1/auth/register", "", "yes")), 201)
	base.err = errors.New("broken")
	down := a.send(w.contractRequest("GET", "/api/v1/clients/profile", "", "yes"))
	a.refused(down, 503, "BLOCKCHAIN_UNAVAILABLE")
	require.NotContains(t, down.Body.String(), "broken")
	_, err := a.service.Authenticate(w.contractRequest("GET", "/api/v1/clients/profile", "", "yes"))
	require.ErrorIs(t, err, account.ErrChainUnavailable)
	require.ErrorIs(t, err, base.err)
}

func TestGarbageMakesUsAskAChainOnlySoOften(t *testing.T) {
	t.Parallel()
	base := &chain{network: x402.Base}
	a := newAPI(t, backends["memory"](t), func(c *account.Config) {
		c.Chains = []account.Chain{base}
		c.Limits = account.NewLimits(account.Rates{Anonymous: -1, WalletChecks: 3})
	})
	key, contract := a.wallet(), a.wallet()
	a.want(a.send(key.request("POST", "/api/v1/auth/register", `{}`)), 201)
	a.want(a.send(contract.contractRequest("POST", "/api/v1/auth/register", "", "yes")), 201)
	garbage := func(w wallet) *httptest.ResponseRecorder {
		return a.send(w.contractRequest("GET", "/api/v1/clients/profile", "", "no"))
	}
	for range 2 {
		a.refused(garbage(key), 401, "INVALID_CREDENTIALS")
		a.refused(garbage(contract), 401, "INVALID_CREDENTIALS")
	}
	limited := garbage(contract)
	a.refused(limited, 429, "RATE_LIMIT_EXCEEDED")
	require.Equal(t, "20", limited.Header().Get("Retry-After"))
	require.Equal(t, 3, base.asked, "and never about the wallet of a key")
	a.want(a.send(key.request("GET", "/api/v1/clients/profile", "")), 200)
	a.pass(20 * time.Second)
	a.refused(garbage(contract), 401, "INVALID_CREDENTIALS")
}

func TestASignatureForAnotherHostIsRefused(t *testing.T) {
	t.Parallel()
	a := newAPI(t, backends["memory"](t), func(c *account.Config) { c.Host = "shop.example" })
	w := a.wallet()
	signedFor := func(host string) *http.Request {
		const path, nonce = "/api/v1/auth/register", "nonce-number-1"
		r := w.requestWith("POST", path, `{}`, today, nonce)
		text := account.SigningText("POST", host+path, []byte(`{}`), r.Header.Get("X-V402-Timestamp"), nonce)
		r.Header.Set("X-V402-Signature", w.SignMessage([]byte(text)).String())
		r.Host = host
		return r
	}
	for _, host := range []string{"", "other.example", "shop.example:8080", "https://shop.example"} {
		a.refused(a.send(signedFor(host)), 401, "INVALID_CREDENTIALS")
	}
	a.want(a.send(signedFor("shop.example")), 201)
	_, err := account.New(account.Config{Store: a.store, Host: "https://shop.example"})
	require.ErrorContains(t, err, "not a URL")
}

func TestARefusalDoesNotTellWhoseWalletIsRegistered(t *testing.T) {
	t.Parallel()
	a := newAPI(t, backends["memory"](t), func(c *account.Config) { c.MaxBody = 10 })
	known, unknown := a.wallet(), a.wallet()
	a.want(a.send(known.request("POST", "/api/v1/auth/register", `{}`)), 201)
	for name, request := range map[string]func(wallet) *http.Request{
		"late": func(w wallet) *http.Request {
			return w.requestWith("GET", "/api/v1/clients/profile", "", today.Add(-time.Hour), "nonce-number-1")
		},
		"too large": func(w wallet) *http.Request {
			return w.request("PUT", "/api/v1/clients/profile", `{"name":"longer than that"}`)
		},
		"forged": func(w wallet) *http.Request {
			return moved(w.request("GET", "/api/v1/clients/profile", ""), "GET", "/api/v1/clients/api-keys", "")
		},
	} {
		require.Equal(t, a.send(request(unknown)).Body.String(), a.send(request(known)).Body.String(), name)
	}
}

func TestAWalletIsConnectedWithAnAccountThatHasAKey(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		ann, bob := a.join(john), a.join(`{}`)
		first, second := a.wallet(), a.wallet()
		connect := func(w wallet, m member) *httptest.ResponseRecorder {
			r := w.request("POST", "/api/v1/auth/wallet", "")
			r.Header.Set("X-API-Key", m.key)
			return a.send(r)
		}
		a.want(connect(first, ann), 200)
		var profile struct{ ID string }
		a.read(a.send(first.request("GET", "/api/v1/clients/profile", "")), 200, &profile)
		require.Equal(t, ann.id, profile.ID)
		a.refused(connect(first, bob), 409, "CONFLICT")
		a.want(connect(second, ann), 200)
		a.refused(a.send(first.request("GET", "/api/v1/clients/profile", "")), 401, "INVALID_CREDENTIALS")
		a.want(connect(first, bob), 200)
		a.refused(a.as(ann.key, "POST", "/api/v1/auth/wallet", ""), 401, "INVALID_CREDENTIALS")
	})
}

func TestABarePublicKeyIsNobodyUnlessItIsAllowed(t *testing.T) {
	t.Parallel()
	s := backends["memory"](t)
	strict := newAPI(t, s)
	w := strict.wallet()
	key := w.Address().String()
	a := newAPI(t, s, func(c *account.Config) { c.AllowUnsignedPublicKey = true })
	require.Contains(t, a.log.String(), "AllowUnsignedPublicKey")
	a.want(a.do("POST", "/api/v1/auth/register", `{"role":"content_provider","public_key":"`+key+`"}`), 201)
	a.want(a.as(key, "GET", "/api/v1/providers/profile", ""), 200)
	a.want(a.do("GET", "/api/v1/providers/profile", "", "X-Public-Key", key), 200)
	a.refused(a.as(a.wallet().Address().String(), "GET", "/api/v1/providers/profile", ""), 401, "INVALID_CREDENTIALS")
	strict.refused(strict.as(key, "GET", "/api/v1/providers/profile", ""), 401, "INVALID_CREDENTIALS")
	strict.refused(strict.do("GET", "/api/v1/providers/profile", "", "X-Public-Key", key), 401, "INVALID_CREDENTIALS")
	got := strict.refused(strict.do("POST", "/api/v1/auth/register", `{"public_key":"`+strict.wallet().Address().String()+`"}`), 400, "VALIDATION_ERROR")
	require.Equal(t, "public_key", got.Field)
}
