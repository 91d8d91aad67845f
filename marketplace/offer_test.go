package marketplace_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// described is what an offer is made from.
func described(id string) marketplace.OfferInput {
	return marketplace.OfferInput{
		ID: id, IssuerID: "edut.firstparty", Title: "Title",
		Pricing: marketplace.Pricing{Currency: "USDC", Amount: x402.NewAmount(1), Decimals: 6, ChainID: 8453},
	}
}

func TestWhatIsWrongWithAnOfferIsNamed(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	for field, change := range map[string]func(*marketplace.OfferInput){
		"offer_id":              func(o *marketplace.OfferInput) { o.ID = "Ab" },
		"offer_id ":             func(o *marketplace.OfferInput) { o.ID = strings.Repeat("a", 129) },
		"title":                 func(o *marketplace.OfferInput) { o.Title = "" },
		"title ":                func(o *marketplace.OfferInput) { o.Title = strings.Repeat("ä", 161) },
		"summary":               func(o *marketplace.OfferInput) { o.Summary = strings.Repeat("a", 401) },
		"access_class":          func(o *marketplace.OfferInput) { o.AccessClass = "open" },
		"entitlement_type":      func(o *marketplace.OfferInput) { o.Type = "thing" },
		"scope":                 func(o *marketplace.OfferInput) { o.Scope = "world" },
		"term_seconds":          func(o *marketplace.OfferInput) { o.TermSeconds = -1 },
		"seats":                 func(o *marketplace.OfferInput) { o.Seats = -1 },
		"pricing.chain_id":      func(o *marketplace.OfferInput) { o.Pricing.ChainID = 1 },
		"pricing.currency":      func(o *marketplace.OfferInput) { o.Pricing.Currency = "DOGE" },
		"pricing.decimals":      func(o *marketplace.OfferInput) { o.Pricing.Decimals = 18 },
		"pricing.amount_atomic": func(o *marketplace.OfferInput) { o.Pricing.Amount = x402.Amount{} },
	} {
		in := described("edut.new")
		change(&in)
		_, err := r.CreateOffer(t.Context(), roomAdmin, in)
		require.Equal(t, strings.TrimSpace(field), refused(t, err, marketplace.CodeInvalidRequest).Field)
		in.ID = roomOffer
		_, err = r.EditOffer(t.Context(), roomAdmin, roomOffer, in)
		if field[0] != 'o' {
			refused(t, err, marketplace.CodeInvalidRequest)
		}
	}
	_, err := r.CreateOffer(t.Context(), roomAdmin, described("edut.new"))
	require.NoError(t, err)
	_, err = r.CreateOffer(t.Context(), roomAdmin, described("edut.new"))
	refused(t, err, marketplace.CodeOfferExists)
	unknown := described("edut.other")
	unknown.IssuerID = "nobody.here"
	_, err = r.CreateOffer(t.Context(), roomAdmin, unknown)
	refused(t, err, marketplace.CodeIssuerNotFound)
}

func TestAnOfferGoesFromStatusToStatusAsDocumented(t *testing.T) {
	t.Parallel()
	all := []marketplace.OfferStatus{marketplace.OfferDraft, marketplace.OfferActive, marketplace.OfferPaused, marketplace.OfferRetired}
	next := map[marketplace.OfferStatus][]marketplace.OfferStatus{
		marketplace.OfferDraft:  {marketplace.OfferDraft, marketplace.OfferActive, marketplace.OfferRetired},
		marketplace.OfferActive: {marketplace.OfferActive, marketplace.OfferPaused, marketplace.OfferRetired},
		marketplace.OfferPaused: {marketplace.OfferPaused, marketplace.OfferActive, marketplace.OfferRetired}, marketplace.OfferRetired: {marketplace.OfferRetired},
	}
	rapid.Check(t, func(rt *rapid.T) {
		r := openRoom(t, nil)
		o, err := r.CreateOffer(t.Context(), roomIssuer, described("edut.new"))
		require.NoError(rt, err)
		require.Equal(rt, marketplace.OfferDraft, o.Status)
		r.events()
		for _, to := range rapid.SliceOfN(rapid.SampledFrom(all), 1, 8).Draw(rt, "statuses") {
			got, err := r.SetOfferStatus(t.Context(), roomIssuer, o.ID, to)
			if !slices.Contains(next[o.Status], to) {
				require.ErrorIs(rt, err, &marketplace.Error{Code: marketplace.CodeOfferState})
				require.Empty(rt, r.events())
				continue
			}
			require.NoError(rt, err)
			require.Equal(rt, to, got.Status)
			require.Equal(rt, o.Status != to, len(r.events()) == 1)
			o = got
		}
	})
}

func TestAnIssuerActsForItself(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	stranger := marketplace.Actor{IssuerID: "other.issuer"}
	for _, do := range []func(marketplace.Actor) error{
		func(a marketplace.Actor) error {
			_, err := r.CreateOffer(t.Context(), a, described("edut.new"))
			return err
		},
		func(a marketplace.Actor) error {
			_, err := r.EditOffer(t.Context(), a, roomOffer, described(roomOffer))
			return err
		},
		func(a marketplace.Actor) error {
			_, err := r.SetOfferStatus(t.Context(), a, roomOffer, marketplace.OfferPaused)
			return err
		},
		func(a marketplace.Actor) error {
			_, err := r.RevokePolicy(t.Context(), a, roomOffer, strings.Repeat("a", 64))
			return err
		},
		func(a marketplace.Actor) error {
			_, err := r.BuyerApprovals(t.Context(), a, roomOffer, store.Page{})
			return err
		},
		func(a marketplace.Actor) error {
			_, err := r.PutIssuer(t.Context(), a, "edut.firstparty", marketplace.IssuerUpdate{Name: "X"})
			return err
		},
	} {
		refused(t, do(stranger), marketplace.CodeForbidden)
		refused(t, do(marketplace.Actor{}), marketplace.CodeUnauthorized)
		require.NoError(t, do(roomIssuer))
	}
	_, err := r.PutIssuer(t.Context(), roomIssuer, "edut.firstparty", marketplace.IssuerUpdate{Name: "X", Status: marketplace.IssuerSuspended})
	refused(t, err, marketplace.CodeForbidden)
	_, err = r.PutIssuer(t.Context(), stranger, "other.issuer", marketplace.IssuerUpdate{Name: "X"})
	refused(t, err, marketplace.CodeForbidden)
	for _, do := range []func() error{
		func() error {
			_, err := r.Audit(t.Context(), roomIssuer, marketplace.AuditFilter{}, store.Page{})
			return err
		},
		func() error {
			_, err := r.Memberships(t.Context(), roomIssuer, marketplace.MembershipFilter{}, store.Page{})
			return err
		},
		func() error { _, err := r.ApproveOffer(t.Context(), roomIssuer, roomOffer); return err },
		func() error {
			_, err := r.SetMembership(t.Context(), roomIssuer, roomWallet(1), marketplace.MembershipActive, "")
			return err
		},
	} {
		refused(t, do(), marketplace.CodeForbidden)
	}
	r.plain("edut.sold", nil)
	r.quote("edut.sold", 1)
	list, err := r.CheckoutQuotes(t.Context(), roomIssuer, marketplace.QuoteFilter{}, store.Page{})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	list, err = r.CheckoutQuotes(t.Context(), stranger, marketplace.QuoteFilter{IssuerID: "edut.firstparty"}, store.Page{})
	require.NoError(t, err)
	require.Empty(t, list.Items)
}

func TestOffersOfIssuersNeedAnAdminWhereThatIsAskedFor(t *testing.T) {
	t.Parallel()
	r := openRoom(t, func(c *marketplace.Config) { c.ApproveOffers = true })
	_, err := r.CreateOffer(t.Context(), roomIssuer, described("edut.new"))
	require.NoError(t, err)
	activate := func() error {
		_, err := r.SetOfferStatus(t.Context(), roomIssuer, "edut.new", marketplace.OfferActive)
		return err
	}
	refused(t, activate(), marketplace.CodeOfferState)
	_, err = r.ApproveOffer(t.Context(), roomAdmin, "edut.new")
	require.NoError(t, err)
	require.NoError(t, activate())
	edited, err := r.EditOffer(t.Context(), roomIssuer, "edut.new", described("edut.new"))
	require.NoError(t, err)
	require.Equal(t, marketplace.OfferPaused, edited.Status)
	refused(t, activate(), marketplace.CodeOfferState)
}

func TestTheNumberOfRevokedPoliciesIsBounded(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	revoke := func(n int) error {
		_, err := r.RevokePolicy(t.Context(), roomIssuer, roomOffer, fmt.Sprintf("%064x", n))
		return err
	}
	for n := range 256 {
		require.NoError(t, revoke(n))
	}
	refused(t, revoke(256), marketplace.CodeOfferState)
	require.NoError(t, revoke(7), "one that is revoked")
	o, err := r.Offer(t.Context(), roomOffer)
	require.NoError(t, err)
	require.Len(t, o.RevokedPolicies, 256)
}

func TestThePolicyHashIsOfTheCanonicalPolicyAndOfNothingElse(t *testing.T) {
	t.Parallel()
	o := marketplace.Offer{
		ID: "edut.governance.core", IssuerID: "edut.firstparty", AccessClass: marketplace.Connected, Type: marketplace.ModuleLicense, Scope: marketplace.ScopeWorkspace,
		Pricing:  marketplace.Pricing{Currency: "USDC", Amount: x402.NewAmount(499_000_000), Decimals: 6, ChainID: 8453},
		Policies: marketplace.Policies{MemberOnly: true, WorkspaceBound: true, InternalUseOnly: true},
	}
	const canonical = `{"access_class":"connected","entitlement_type":"module_license","issuer_id":"edut.firstparty","offer_id":"edut.governance.core",` +
		`"policies":{"internal_use_only":true,"member_only":true,"multi_tenant":false,"transferable":false,"workspace_bound":true},` +
		`"pricing":{"amount_atomic":"499000000","chain_id":8453,"currency":"USDC","decimals":6},"scope":"workspace","version":1}`
	j, err := o.Policy().Canonical()
	require.NoError(t, err)
	require.Equal(t, canonical, string(j))
	sum := sha256.Sum256([]byte(canonical))
	hash, err := o.Policy().Hash()
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(sum[:]), hash)

	same := o
	same.Title, same.Summary, same.Status, same.LineLabel = "Other", "Other", marketplace.OfferPaused, "Other"
	again, err := same.Policy().Hash()
	require.NoError(t, err)
	require.Equal(t, hash, again)
	for _, change := range []func(*marketplace.Offer){
		func(o *marketplace.Offer) { o.Policies.Transferable = true }, func(o *marketplace.Offer) { o.Policies.MaxPerWallet = 1 },
		func(o *marketplace.Offer) { o.Pricing.Amount = x402.NewAmount(1) }, func(o *marketplace.Offer) { o.TermSeconds = 1 },
		func(o *marketplace.Offer) { o.Seats = 1 }, func(o *marketplace.Offer) { o.AccessClass = marketplace.Sovereign },
	} {
		other := o
		change(&other)
		changed, err := other.Policy().Hash()
		require.NoError(t, err)
		require.NotEqual(t, hash, changed)
	}
	var members map[string]any
	require.NoError(t, json.Unmarshal(j, &members))
}

func TestTheAuditLogSaysWhoDidWhat(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	e := r.buy(roomOffer, 1)
	_, err := r.SuspendEntitlement(t.Context(), roomIssuer, e.ID, "late")
	require.NoError(t, err)
	list, err := r.Audit(t.Context(), roomAdmin, marketplace.AuditFilter{}, store.Page{})
	require.NoError(t, err)
	var said []string
	for _, entry := range slices.Backward(list.Items) {
		said = append(said, entry.Actor+" "+entry.Action+" "+entry.Subject)
	}
	require.Equal(t, []string{
		"admin:test issuer.put issuer:edut.firstparty", "admin:test offer.create offer:" + roomOffer, "admin:test offer.status offer:" + roomOffer,
		"wallet:" + roomWallet(1) + " quote.confirm quote:" + e.QuoteID, "issuer:test entitlement.suspended entitlement:" + e.ID,
	}, said)
}

func TestAConfigThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	good := openRoom(t, nil).config
	for name, change := range map[string]func(*marketplace.Config){
		"no store":          func(c *marketplace.Config) { c.Store = nil },
		"negative TTL":      func(c *marketplace.Config) { c.QuoteTTL = -1 },
		"no EVM chain":      func(c *marketplace.Config) { c.Chains[0].Network, c.Chains[0].Chain = x402.Solana, nil },
		"another chain":     func(c *marketplace.Config) { c.Chains[0].Network = x402.Ethereum },
		"no treasury":       func(c *marketplace.Config) { c.Chains[0].Treasury = "" },
		"bad contract":      func(c *marketplace.Config) { c.Chains[0].Contract = "0x1" },
		"twice":             func(c *marketplace.Config) { c.Chains = append(c.Chains, c.Chains[0]) },
		"bad token":         func(c *marketplace.Config) { c.Chains[0].Currencies[0].Address = "0x1" },
		"currency twice":    func(c *marketplace.Config) { c.Chains[0].Currencies[1].Code = "USDC" },
		"too many decimals": func(c *marketplace.Config) { c.Chains[0].Currencies[0].Decimals = 19 },
		"too small a fee":   func(c *marketplace.Config) { c.Chains[0].Currencies[0].MembershipFee = x402.NewAmount(4_999_999) },
		"short licence key": func(c *marketplace.Config) { c.LicenceKey = make([]byte, 5) },
	} {
		c := good
		c.Chains = slices.Clone(good.Chains)
		c.Chains[0].Currencies = slices.Clone(good.Chains[0].Currencies)
		change(&c)
		_, err := marketplace.New(c)
		require.Error(t, err, name)
	}
}
