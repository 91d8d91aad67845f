package interop_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	x402payer "github.com/v402/v402/x402/payer"
)

const price = 1000 // millionths of a dollar: $0.001

var buyers = map[string]string{"protocol 2": "buyer-v2.mjs", "protocol 1": "buyer-v1.mjs"}

func TestOfficialClientsPayOurGuard(t *testing.T) {
	t.Parallel()
	onEveryChain(t, func(t *testing.T, c *chain) {
		shop := openShop(t, c)
		for name, script := range buyers {
			before := c.balance(t, payTo)

			got := buy(t, script, payer.Key, shop.url+"/paid")
			require.Equal(t, http.StatusOK, got.Status, "%s: %+v", name, got)
			require.JSONEq(t, `{"word":"sesame"}`, got.Body)
			require.NotNil(t, got.Settlement, name)
			require.True(t, got.Settlement.Success, name)
			require.True(t, strings.EqualFold(payer.Address.Hex(), got.Settlement.Payer), "%s: %s", name, got.Settlement.Payer)
			c.requireTransfer(t, got.Settlement.Transaction)
			require.EqualValues(t, price, c.balance(t, payTo)-before, name)

			got = buy(t, script, payer.Key, shop.url+"/echo", "POST", "say it back")
			require.Equal(t, http.StatusOK, got.Status, "%s: %+v", name, got)
			require.Equal(t, "say it back", got.Body, name)

			got = buy(t, script, payer.Key, shop.url+"/stream")
			require.Equal(t, http.StatusOK, got.Status, "%s: %+v", name, got)
			require.Equal(t, "settled before", got.Body, name)
			require.NotNil(t, got.Settlement, name)
			require.EqualValues(t, 3*price, c.balance(t, payTo)-before, name)
		}
	})
}

func TestOfficialClientsAreNotChargedForNothing(t *testing.T) {
	t.Parallel()
	onEveryChain(t, func(t *testing.T, c *chain) {
		shop := openShop(t, c)
		for name, script := range buyers {
			got := buy(t, script, payer.Key, shop.url+"/broken")
			require.Equal(t, http.StatusInternalServerError, got.Status, "%s: %+v", name, got)
			require.Nil(t, got.Settlement, name)

			served := shop.served.Load()
			got = buy(t, script, poor.Key, shop.url+"/paid")
			require.Equal(t, http.StatusPaymentRequired, got.Status, "%s: %+v", name, got)
			require.Contains(t, got.Refusal, "insufficient", name)
			require.Equal(t, served, shop.served.Load(), "the handler must not run")
		}
		require.Zero(t, c.balance(t, payTo))
	})
}

func TestOfficialServersSellThroughOurFacilitator(t *testing.T) {
	t.Parallel()
	onEveryChain(t, func(t *testing.T, c *chain) {
		env := []string{"FACILITATOR=" + serveFacilitator(t, c), "PAY_TO=" + payTo.Address.Hex()}
		v2, v1 := serve(t, "seller-v2.mjs", env), serve(t, "seller-v1.mjs", env)
		sales := []struct{ script, url string }{
			{"buyer-v2.mjs", v2 + "/paid"},
			{"buyer-v2.mjs", v1 + "/paid"},
			{"buyer-v1.mjs", v1 + "/paid"},
		}
		for _, sale := range sales {
			before := c.balance(t, payTo)
			got := buy(t, sale.script, payer.Key, sale.url)
			require.Equal(t, http.StatusOK, got.Status, "%+v: %+v", sale, got)
			require.JSONEq(t, `{"word":"sesame"}`, got.Body)
			require.True(t, got.Settlement.Success)
			c.requireTransfer(t, got.Settlement.Transaction)
			require.EqualValues(t, price, c.balance(t, payTo)-before)
		}

		before := c.balance(t, payTo)
		got := buy(t, "buyer-v2.mjs", poor.Key, v2+"/paid")
		require.Equal(t, http.StatusPaymentRequired, got.Status, "%+v", got)
		got = buy(t, "buyer-v2.mjs", payer.Key, v2+"/broken")
		require.Equal(t, http.StatusInternalServerError, got.Status, "%+v", got)
		require.Equal(t, before, c.balance(t, payTo))
	})
}

func TestOurPayerBuysFromOfficialServers(t *testing.T) {
	t.Parallel()
	onEveryChain(t, func(t *testing.T, c *chain) {
		env := []string{"FACILITATOR=" + serveFacilitator(t, c), "PAY_TO=" + payTo.Address.Hex()}
		v2, v1 := serve(t, "seller-v2.mjs", env), serve(t, "seller-v1.mjs", env)
		client := ourBuyer(t, payer.Key)
		for _, url := range []string{v2, v1} {
			before := c.balance(t, payTo)
			resp, err := client.Get(url + "/paid")
			require.NoError(t, err)
			requireBought(t, c, resp, `{"word":"sesame"}`)
			require.EqualValues(t, price, c.balance(t, payTo)-before)
		}

		resp, err := client.Post(v2+"/echo", "text/plain", strings.NewReader("say it back"))
		require.NoError(t, err)
		requireBought(t, c, resp, "say it back")

		before := c.balance(t, payTo)
		resp, err = ourBuyer(t, poor.Key).Get(v2 + "/paid")
		if err == nil {
			_ = resp.Body.Close()
		}
		require.ErrorIs(t, err, x402payer.ErrRefused)
		require.Equal(t, before, c.balance(t, payTo))
	})
}

func requireBought(t *testing.T, c *chain, resp *http.Response, want string) {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", body)
	require.Equal(t, want, string(body))
	receipt, ok := x402payer.ReceiptFrom(resp)
	require.True(t, ok, "the seller says what became of the payment")
	require.True(t, receipt.Success)
	c.requireTransfer(t, receipt.Transaction)
}
