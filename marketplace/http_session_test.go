package marketplace_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/signer/core/apitypes"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/x402/evm"
)

// intended is what the tests use of an intent.
type intended struct {
	ID        string                `json:"intent_id"`
	TypedData marketplace.TypedData `json:"typed_data"`
	raw       json.RawMessage
}

// intend asks for something to sign.
func (d *desk) intend(wallet string) intended {
	d.t.Helper()
	w := d.do("POST", "/secret/wallet/intent", `{"wallet":"`+wallet+`","origin":"https://shop.example"}`)
	d.want(w, 200)
	var i intended
	d.read(w, &i)
	var raw struct {
		TypedData json.RawMessage `json:"typed_data"`
	}
	d.read(w, &raw)
	i.raw = raw.TypedData
	return i
}

// verify sends a signed intent.
func (d *desk) verify(i intended, wallet string, key *evm.Signer) *httptest.ResponseRecorder {
	d.t.Helper()
	digest, err := i.TypedData.Digest()
	require.NoError(d.t, err)
	return d.do("POST", "/secret/wallet/verify", `{"intent_id":"`+i.ID+`","wallet":"`+wallet+`","signature":"`+key.SignDigest(digest).String()+`"}`)
}

// signIn starts a session and returns its token.
func (d *desk) signIn(key *evm.Signer) string {
	d.t.Helper()
	wallet := key.Address().String()
	w := d.verify(d.intend(wallet), wallet, key)
	d.want(w, 200)
	return w.Header().Get("X-Edut-Session")
}

func TestAnIntentIsSignedAsWalletsSignTypedData(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	i := d.intend(signer(t, 1).Address().String())
	var theirs apitypes.TypedData
	require.NoError(t, json.Unmarshal(i.raw, &theirs))
	want, _, err := apitypes.TypedDataAndHash(theirs)
	require.NoError(t, err)
	got, err := i.TypedData.Digest()
	require.NoError(t, err)
	require.Equal(t, want, got[:])
	require.Equal(t, "EDUT Designation", i.TypedData.Domain.Name)
	require.Equal(t, uint64(8453), i.TypedData.Domain.ChainID)
	require.Equal(t, "2026-02-17T07:34:30Z", i.TypedData.Message.ExpiresAt, "five minutes later")
	_, err = marketplace.TypedData{}.Digest()
	require.Error(t, err)
}

func TestASignedIntentStartsOneSession(t *testing.T) {
	overEachStore(t, func(t *testing.T, d *desk) {
		key, stranger := signer(t, 1), signer(t, 2)
		wallet := key.Address().String()
		i := d.intend(wallet)
		d.refused(d.verify(i, wallet, stranger), 403, "signature_not_verified")
		d.refused(d.verify(i, stranger.Address().String(), stranger), 403, "signature_not_verified")
		forged := i
		forged.TypedData.Message.Origin = "https://other.example"
		d.refused(d.verify(forged, wallet, key), 403, "signature_not_verified")
		w := d.verify(i, strings.ToLower(wallet), key)
		d.want(w, 200)
		var got struct {
			Status, Wallet string
			Token          string    `json:"session_token"`
			Membership     string    `json:"membership_status"`
			ExpiresAt      time.Time `json:"session_expires_at"`
		}
		d.read(w, &got)
		require.Equal(t, "signature_verified", got.Status)
		require.Equal(t, "none", got.Membership)
		require.Equal(t, got.Token, w.Header().Get("X-Edut-Session"))
		require.Equal(t, "2026-03-19T07:29:30Z", w.Header().Get("X-Edut-Session-Expires-At"), "30 days later")
		d.refused(d.verify(i, wallet, key), 403, "signature_not_verified")

		late := d.intend(wallet)
		d.pass(5 * time.Minute)
		d.refused(d.verify(late, wallet, key), 403, "signature_not_verified")
	})
}

func TestASessionEndsWhenItIsTold(t *testing.T) {
	overEachStore(t, func(t *testing.T, d *desk) {
		use := func(token string) *httptest.ResponseRecorder {
			return d.do("GET", "/marketplace/offers", "", "X-Edut-Session", token)
		}
		old := d.signIn(signer(t, 1))
		d.want(use(old), 200)
		d.refused(use(old+"x"), 401, "wallet_session_required")
		d.refused(use("guess"), 401, "wallet_session_required")
		w := d.do("POST", "/secret/wallet/session/refresh", "", "Authorization", "Bearer "+old)
		d.want(w, 200)
		fresh := w.Header().Get("X-Edut-Session")
		require.NotEqual(t, old, fresh)
		d.want(use(old), 200) // for requests that are under way
		d.refused(d.do("POST", "/secret/wallet/session/refresh", "", "X-Edut-Session", old), 401, "wallet_session_required")
		d.pass(time.Minute)
		d.refused(use(old), 401, "wallet_session_required")
		d.want(use(fresh), 200)
		d.want(d.do("POST", "/secret/wallet/session/revoke", "", "X-Edut-Session", fresh), 200)
		d.refused(use(fresh), 401, "wallet_session_required")
		d.refused(d.do("POST", "/secret/wallet/session/revoke", ""), 401, "wallet_session_required")

		last := d.signIn(signer(t, 2))
		d.pass(30 * 24 * time.Hour)
		d.refused(use(last), 401, "wallet_session_required")
	})
}

func TestAContractWalletSignsIn(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	body := func(i intended) string {
		return `{"intent_id":"` + i.ID + `","wallet":"` + buyer + `","signature":"` + proofOfIt + `"}`
	}
	d.want(d.do("POST", "/secret/wallet/verify", body(d.intend(buyer))), 200)
	i := d.intend(buyer)
	d.chain.stop(errDown)
	d.refused(d.do("POST", "/secret/wallet/verify", body(i)), 503, "chain_unavailable")
	d.chain.stop(nil)
	d.want(d.do("POST", "/secret/wallet/verify", body(i)), 200)
}

func TestPrivateEntitlementsAreShownToTheirHolder(t *testing.T) {
	t.Parallel()
	d := openDesk(t, func(c *config) { c.PrivateEntitlements = true })
	key := signer(t, 1)
	id := d.buy(key.Address().String(), 1)
	for _, path := range []string{"/marketplace/entitlements?wallet=" + key.Address().String(), "/marketplace/entitlements/" + id} {
		d.refused(d.do("GET", path, ""), 401, "wallet_session_required")
		d.refused(d.do("GET", path, "", "X-Edut-Session", d.signIn(signer(t, 2))), 401, "wallet_session_required")
		w := d.do("GET", path, "", "X-Edut-Session", d.signIn(key))
		d.want(w, 200)
		require.Contains(t, w.Body.String(), `"tx_hash"`)
		d.want(d.admin("GET", path, ""), 200)
		d.want(d.issuer("GET", path, ""), 200)
	}
	w := d.do("GET", "/marketplace/entitlements?wallet="+key.Address().String(), "", "Authorization", "Bearer "+otherKey)
	d.want(w, 200)
	require.Equal(t, "{\"entitlements\":[]}\n", w.Body.String(), "what other issuers sold is not shown")
}
