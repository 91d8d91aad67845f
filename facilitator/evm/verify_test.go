package evm_test

import (
	"context"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/evm"
	"github.com/v402/v402/internal/devchain"
	"github.com/v402/v402/x402"
)

func TestVerifySaysPreciselyWhyTheChainWouldRefuse(t *testing.T) {
	t.Parallel()
	tokens := []x402.Asset{usdc, asset(devchain.PlainTokenAddress), asset(devchain.SilentTokenAddress), asset(devchain.FeeTokenAddress),
		asset(devchain.YesTokenAddress), asset(devchain.MisnamedTokenAddress), asset(devchain.TestAccount(9).Address)}
	tokens[5].Name = "" // its name is not known here, so that only the chain can tell
	r := newRig(t, func(c *evm.Config, _ *devchain.Config) { c.Assets = tokens }).run()
	payer := r.dev.Payer
	for _, token := range []x402.Asset{tokens[2], tokens[3]} {
		require.NoError(t, r.dev.MintOf(commonAddress(token), payer.Address, big.NewInt(1e9)))
	}
	blacklisted := r.dev.Accounts[5]
	require.NoError(t, r.dev.Blacklist(blacklisted.Address, true))

	used := r.pay(usdc, 100)
	require.True(t, r.settle(used).Success)
	usedSilently := r.pay(tokens[2], 100)
	require.True(t, r.settle(usedSilently).Success)

	q := usdc.Requirements(x402.NewAmount(100), r.dev.PayTo.Address.Hex())
	otherNetwork := q
	otherNetwork.Network = x402.Base
	misnamed := asset(devchain.MisnamedTokenAddress).Requirements(x402.NewAmount(100), r.dev.PayTo.Address.Hex())
	for name, c := range map[string]struct {
		payment x402.Payment
		reason  x402.Reason
		field   string
	}{
		"authorization used":                 {used, x402.ReasonEVMNonceUsed, "nonce"},
		"used, token is silent about it":     {usedSilently, x402.ReasonEVMNonceUsed, "nonce"},
		"no balance":                         {r.payAs(r.dev.Poor, q, time.Now()), x402.ReasonEVMInsufficientFunds, "the payer has 0 of 100"},
		"token without EIP-3009":             {r.pay(tokens[1], 100), x402.ReasonEVMNoEIP3009, "authorizationState"},
		"token keeps a fee":                  {r.pay(tokens[3], 100), x402.ReasonEVMTransferEvent, "99 of 100"},
		"token says yes and does nothing":    {r.pay(tokens[4], 100), x402.ReasonEVMNoEIP3009, ""},
		"asset without code":                 {r.pay(tokens[6], 100), x402.ReasonEVMAssetNotContract, "asset"},
		"asset not served, without code":     {r.pay(asset(devchain.TestAccount(8).Address), 100), x402.ReasonEVMAssetNotContract, "asset"},
		"asset not served":                   {r.pay(asset(devchain.WalletAddress), 100), x402.ReasonPolicy, "asset"},
		"signed under another name":          {r.payAs(payer, extra(q, "USD Coin", "2"), time.Now()), x402.ReasonEVMTokenName, `"USDC"`},
		"signed under another version":       {r.payAs(payer, extra(q, "USDC", "1"), time.Now()), x402.ReasonEVMTokenVersion, `"2"`},
		"the token's domain is not its name": {r.payAs(payer, extra(misnamed, "USD Coin", "2"), time.Now()), x402.ReasonEVMDomain, "DOMAIN_SEPARATOR"},
		"blacklisted payer":                  {r.payAs(blacklisted, q, time.Now()), x402.ReasonEVMSimulation, "blacklisted"},
		"expired":                            {r.payAs(payer, q, time.Now().Add(-time.Hour)), x402.ReasonEVMExpired, "validBefore"},
		"a network that is not ours":         {r.payAs(payer, otherNetwork, time.Now()), x402.ReasonInvalidNetwork, ""},
	} {
		t.Run(name, func(t *testing.T) {
			verified := r.verify(c.payment)
			require.False(t, verified.IsValid)
			require.Equal(t, c.reason, verified.InvalidReason, verified.InvalidMessage)
			require.Contains(t, verified.InvalidMessage, c.field)
		})
	}
	require.EqualValues(t, 100, r.received(), "verifying moves nothing")
}

func TestAPausedTokenIsRefusedInItsOwnWords(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil).run()
	require.NoError(t, r.dev.SetPaused(true))
	answer := r.settle(r.pay(usdc, 100))
	require.False(t, answer.Success)
	require.Equal(t, x402.ReasonEVMSimulation, answer.ErrorReason)
	require.Contains(t, answer.ErrorMessage, "paused")
	require.Empty(t, answer.Transaction, "nothing was sent, no gas burned")
}

func TestPaymentsThatAreVerifiedTogetherDoNotTouchOneAnother(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil).run()
	poor, rich := r.dev.Poor, r.dev.Payer
	require.NoError(t, r.dev.Mint(poor.Address, big.NewInt(100)))
	// rich pays poor, and poor spends what it does not have yet; and poor spends
	// its 100 twice: each is valid alone.
	fromRich := usdc.Requirements(x402.NewAmount(1000), poor.Address.Hex())
	tooMuch := usdc.Requirements(x402.NewAmount(500), r.dev.PayTo.Address.Hex())
	enough := usdc.Requirements(x402.NewAmount(100), r.dev.PayTo.Address.Hex())
	var wg sync.WaitGroup
	for i := range 120 {
		wg.Go(func() {
			switch i % 3 {
			case 0:
				require.True(t, r.verify(r.payAs(rich, fromRich, time.Now())).IsValid)
			case 1:
				require.Equal(t, x402.ReasonEVMInsufficientFunds, r.verify(r.payAs(poor, tooMuch, time.Now())).InvalidReason)
			default:
				require.True(t, r.verify(r.payAs(poor, enough, time.Now())).IsValid)
			}
		})
	}
	wg.Wait()
}

func TestVerifyIsAnErrorWhenNoEndpointAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *evm.Config, _ *devchain.Config) { c.URLs = []string{"http://127.0.0.1:1/secret-key"} })
	_, err := r.service.Verify(context.Background(), r.pay(usdc, 1))
	require.ErrorContains(t, err, "no endpoint answers")
	require.NotContains(t, err.Error(), "secret-key", "an RPC URL may hold a key")
}

func TestTheNextEndpointIsAskedWhereOneDoesNotAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	cfg := evm.Config{Network: x402.BaseSepolia, URLs: []string{"http://127.0.0.1:1", r.dev.URL()}, Keys: []string{r.dev.Relayer.Key}, Journal: r.journal}
	second, err := evm.New(cfg)
	require.NoError(t, err)
	transfer, err := second.Inspect(r.pay(usdc, 1), time.Now())
	require.NoError(t, err)
	require.NoError(t, second.Verify(context.Background(), transfer))
}

func TestGasAboveTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *evm.Config, _ *devchain.Config) { c.MaxGas = 50_000 })
	answer := r.verify(r.pay(usdc, 1))
	require.Equal(t, x402.ReasonPolicy, answer.InvalidReason)
	require.Contains(t, answer.InvalidMessage, "the limit is 50000")
}

func TestAChainDearerThanTheLimitIsWaitedOut(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *evm.Config, _ *devchain.Config) { c.MaxFeePerGas = big.NewInt(1) })
	require.NoError(t, r.chain.Check(context.Background())) // learns the fees
	require.Equal(t, x402.ReasonRelayerUnavailable, r.verify(r.pay(usdc, 1)).InvalidReason)
}

func TestTheKeyOfATransferIsTheIdentityOfItsPayment(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	p := r.pay(usdc, 1)
	id, err := p.Identity()
	require.NoError(t, err)
	transfer, err := r.chain.Inspect(p, time.Now())
	require.NoError(t, err)
	require.Equal(t, id.String(), transfer.Key)
}

func TestASignatureThatIsNotThePayersIsRefusedBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil).run()
	settled := r.pay(usdc, 100)
	require.True(t, r.settle(settled).Success)
	for name, p := range map[string]x402.Payment{
		"good but for the signature": r.pay(usdc, 1),
		"settled already":            settled,
		"no balance":                 r.payAs(r.dev.Poor, usdc.Requirements(x402.NewAmount(1), r.dev.PayTo.Address.Hex()), time.Now()),
	} {
		forged := resign(t, r.dev.Accounts[7].Key, p, p.Requirements)
		verified := r.verify(forged)
		require.Equal(t, x402.ReasonEVMSignature, verified.InvalidReason, name)
		answer := r.settle(forged)
		require.False(t, answer.Success, "%s: knowing the nonce of a payment does not prove it", name)
		require.Equal(t, x402.ReasonEVMSignature, answer.ErrorReason, name)
		require.Empty(t, answer.Transaction, name)
	}
	stranger := r.pay(usdc, 50)
	r.mined(r.submit(r.dev.Accounts[6], devchain.TokenAddress, calldata(t, stranger)))
	require.Equal(t, x402.ReasonEVMSignature, r.settle(resign(t, r.dev.Accounts[7].Key, stranger, stranger.Requirements)).ErrorReason)
}

func TestABrokenConnectionIsTriedOnceMore(t *testing.T) {
	t.Parallel()
	var proxy *httptest.Server
	var requests atomic.Int64
	r := newRig(t, func(c *evm.Config, _ *devchain.Config) {
		proxy = httptest.NewUnstartedServer(nil)
		c.URLs = []string{"http://" + proxy.Listener.Addr().String()}
	})
	node, err := url.Parse(r.dev.URL())
	require.NoError(t, err)
	forward := httputil.NewSingleHostReverseProxy(node)
	proxy.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if requests.Add(1)%2 == 1 {
			panic(http.ErrAbortHandler)
		}
		forward.ServeHTTP(w, req)
	})
	proxy.Start()
	t.Cleanup(proxy.Close)
	for range 5 {
		require.True(t, r.verify(r.pay(usdc, 1)).IsValid)
	}
}
