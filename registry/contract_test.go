package registry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store"
)

func TestARegistrationIsWholeOrRefused(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	ctx := t.Context()
	r.register(t, nil, "h1", "0xAB")
	tooMany := make([]string, registry.MaxBatch+1)
	for i := range tooMany {
		tooMany[i] = fmt.Sprint("many-", i)
	}
	for name, test := range map[string]struct {
		in   registry.Registration
		want map[string][]string
	}{
		"nothing": {registry.Registration{}, map[string][]string{
			"ipfs_hash": {"The ipfs hash field is required."}, "metadata_cid": {"The metadata cid field is required."},
			"contract_hashes": {"The contract hashes field is required."},
		}},
		"251": {registry.Registration{IPFSHash: "i", MetadataCID: "m", ContractHashes: tooMany}, map[string][]string{
			"contract_hashes": {"The contract hashes must not have more than 250 items."},
		}},
		"twice": {registry.Registration{IPFSHash: "i", MetadataCID: "m", ContractHashes: []string{"a", "b", "a", "b"}}, map[string][]string{
			"contract_hashes": {"Contract hashes must be unique within the request"},
		}},
		"twice in hex": {registry.Registration{IPFSHash: "i", MetadataCID: "m", ContractHashes: []string{"0xCD", "0xcd"}}, map[string][]string{
			"contract_hashes": {"Contract hashes must be unique within the request"},
		}},
		"taken": {registry.Registration{IPFSHash: "i", MetadataCID: "m", ContractHashes: []string{"new", "0xab", "h1"}}, map[string][]string{
			"contract_hashes": {"Contract hashes already exist: 0xab, h1"},
		}},
		"items": {decode[registry.Registration](t, `{"ipfs_hash":"i","metadata_cid":7,"contract_hashes":["a","",5,"`+strings.Repeat("x", 256)+`"]}`), map[string][]string{
			"metadata_cid":      {"The metadata cid must be a string."},
			"contract_hashes.1": {"The contract_hashes.1 field is required."}, "contract_hashes.2": {"The contract_hashes.2 must be a string."},
			"contract_hashes.3": {"The contract_hashes.3 must not be greater than 255 characters."},
		}},
		"no list": {decode[registry.Registration](t, `{"ipfs_hash":"i","metadata_cid":"m","contract_hashes":"a"}`), map[string][]string{
			"contract_hashes": {"The contract hashes must be an array."},
		}},
		"terms": {decode[registry.Registration](t, `{"ipfs_hash":"i","metadata_cid":"m","contract_hashes":["a"],"royalty":{"basis_points":10001,
			"minimum":-1,"payees":[{"name":"","share":5000},{"name":"b","share":0}]}}`), map[string][]string{
			"royalty.basis_points":   {"The royalty.basis_points must be between 0 and 10000."},
			"royalty.minimum":        {"The royalty.minimum must be between 0 and 99999999.99."},
			"royalty.payees.0.name":  {"The royalty.payees.0.name field is required."},
			"royalty.payees.1.share": {"The royalty.payees.1.share must be between 1 and 10000."},
			"royalty.payees":         {"The shares of the payees must add up to 10000."},
		}},
		"odd terms": {decode[registry.Registration](t, `{"ipfs_hash":"i","metadata_cid":"m","contract_hashes":["a"],"royalty":{"bps":1}}`), map[string][]string{
			"royalty": {"The royalty must be an object of basis_points, minimum and payees."},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.RegisterContracts(ctx, r.outsider, test.in)
			invalid(t, err, test.want)
		})
	}
	list, err := r.Contracts(ctx, registry.ContractFilter{}, registry.PageOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 2, list.Total, "nothing was stored")
}

func TestHexadecimalHashesAreOneInWhateverCase(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	r.register(t, nil, "0xAbC", "0xAbCg", "abC")
	for asked, want := range map[string]string{"0xabc": "0xAbC", "0XABC": "0xAbC", "0xAbCg": "0xAbCg", "0xabcg": "", "abC": "abC", "abc": "", "0x": ""} {
		c, err := r.ValidateContract(t.Context(), registry.ContractQuery{ContractHash: asked})
		if want == "" {
			require.ErrorIs(t, err, registry.ErrContractUnknown, asked)
			continue
		}
		require.NoError(t, err, asked)
		require.Equal(t, want, c.Hash)
	}
	exact := newRoom(t, func(c *registry.Config) { c.CaseSensitiveHex = true })
	exact.register(t, nil, "0xAB", "0xab")
}

func TestCIDsAreCheckedIfThatIsWanted(t *testing.T) {
	t.Parallel()
	r := newRoom(t, func(c *registry.Config) { c.StrictCID = true })
	for cid, ok := range map[string]bool{
		"QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG": true, "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi": true, "QmTest123": false,
	} {
		_, err := r.RegisterContracts(t.Context(), r.publisher, registry.Registration{IPFSHash: cid, MetadataCID: cid, ContractHashes: []string{cid}})
		if ok {
			require.NoError(t, err)
			continue
		}
		invalid(t, err, map[string][]string{"ipfs_hash": {"The ipfs hash must be a valid CID."}, "metadata_cid": {"The metadata cid must be a valid CID."}})
	}
}

func TestOnlyThePublisherRevokesAndOnlyOnce(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	ctx := t.Context()
	r.register(t, nil, "h1")
	_, err := r.RevokeContract(ctx, r.publisher, "h2", registry.Revocation{})
	require.ErrorIs(t, err, registry.ErrContractUnknown)
	_, err = r.RevokeContract(ctx, r.publisher, "h1", registry.Revocation{Reason: strings.Repeat("ü", 501)})
	invalid(t, err, map[string][]string{"reason": {"The reason must not be greater than 500 characters."}})
	c, err := r.RevokeContract(ctx, r.publisher, "h1", registry.Revocation{Reason: strings.Repeat("ü", 500)})
	require.NoError(t, err)
	require.Equal(t, registry.ContractRevoked, c.Status)
	require.Equal(t, today, c.RevokedAt)
	_, err = r.RevokeContract(ctx, r.outsider, "h1", registry.Revocation{})
	require.ErrorIs(t, err, registry.ErrNotPublisher, "an outsider learns nothing of its status")
	_, err = r.RevokeContract(ctx, r.publisher, "h1", registry.Revocation{})
	require.ErrorIs(t, err, registry.ErrContractRevoked)
	_, err = r.ValidateContract(ctx, registry.ContractQuery{ContractHash: "h1"})
	require.ErrorIs(t, err, registry.ErrContractUnknown)
	require.ErrorIs(t, err, store.ErrNotFound)
	c, err = r.Contract(ctx, "h1")
	require.NoError(t, err, "its owner sees it still")
	require.Equal(t, registry.ContractRevoked, c.Status)
	_, err = r.RegisterContracts(ctx, r.publisher, registry.Registration{IPFSHash: "i", MetadataCID: "m", ContractHashes: []string{"h1"}})
	invalid(t, err, map[string][]string{"contract_hashes": {"Contract hashes already exist: h1"}})
	_, err = r.SetTerms(ctx, r.publisher, "h1", registry.TermsUpdate{Terms: &registry.Terms{}})
	require.ErrorIs(t, err, registry.ErrContractRevoked)
}

func TestContractsOfASuspendedPlatformStayValidUnlessThatIsNotWanted(t *testing.T) {
	t.Parallel()
	for _, refuse := range []bool{false, true} {
		r := newRoom(t, func(c *registry.Config) { c.RefuseSuspended = refuse })
		r.register(t, nil, "h1")
		_, err := r.Suspend(t.Context(), "admin:me", r.publisher.ID, registry.Decision{})
		require.NoError(t, err)
		_, err = r.ValidateContract(t.Context(), registry.ContractQuery{ContractHash: "h1"})
		_, saleErr := r.ReportSale(t.Context(), r.seller, sale("h1"))
		if refuse {
			require.ErrorIs(t, err, registry.ErrContractUnknown)
			invalid(t, saleErr, map[string][]string{"contract_hash": {"Contract is not active."}})
		} else {
			require.NoError(t, err)
			require.NoError(t, saleErr)
		}
	}
}

func TestTermsAreSetByThePublisherAndQuoted(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	ctx := t.Context()
	r.register(t, nil, "h1")
	_, err := r.QuoteRoyalty(ctx, "h1", registry.Dollars(100))
	require.ErrorIs(t, err, registry.ErrNoTerms)
	terms := decode[registry.TermsUpdate](t, `{"basis_points":1000,"minimum":0.5,"payees":[{"name":"Ann","wallet":"0x1","share":10000}]}`)
	_, err = r.SetTerms(ctx, r.outsider, "h1", terms)
	require.ErrorIs(t, err, registry.ErrNotOwner)
	_, err = r.SetTerms(ctx, r.publisher, "h1", terms)
	require.NoError(t, err)
	quote, err := r.QuoteRoyalty(ctx, "h1", registry.Dollars(2999))
	require.NoError(t, err)
	require.EqualValues(t, 300, quote.RoyaltyAmount)
	require.Equal(t, []registry.Part{{Payee: registry.Payee{Name: "Ann", Wallet: "0x1", Share: 10000}, Amount: 300}}, quote.Parts)
	_, err = r.QuoteRoyalty(ctx, "h1", registry.Decimal{})
	invalid(t, err, map[string][]string{"sale_amount": {"The sale amount field is required."}})
	_, err = r.QuoteRoyalty(ctx, "h2", registry.Dollars(2999))
	require.ErrorIs(t, err, registry.ErrContractUnknown)
	_, err = r.SetTerms(ctx, r.publisher, "h1", decode[registry.TermsUpdate](t, `{}`))
	require.NoError(t, err)
	_, err = r.SetTerms(ctx, r.publisher, "h1", registry.TermsUpdate{})
	require.NoError(t, err)
	_, err = r.QuoteRoyalty(ctx, "h1", registry.Dollars(2999))
	require.ErrorIs(t, err, registry.ErrNoTerms)
}
