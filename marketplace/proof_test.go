package marketplace_test

import (
	"encoding/hex"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/x402/evm"
)

// sponsored is the request of the wallet of a key that another wallet pays for,
// with the text that its owner has to sign.
func sponsored(owner *evm.Signer) (marketplace.QuoteRequest, string) {
	r := ask(roomOffer, 0)
	r.Wallet, r.PayerWallet = owner.Address().String(), roomWallet(2)
	return r, "EDUT-CHECKOUT-AUTH:" + roomOffer + ":" + strings.ToLower(r.Wallet) + ":" + roomWallet(2) + ":org.acme.root:8453"
}

func sign(owner *evm.Signer, text string) string { return owner.SignMessage([]byte(text)).String() }

func TestAnotherWalletPaysWithTheSignatureOfTheOwner(t *testing.T) {
	t.Parallel()
	r, owner := openRoom(t, nil), roomKey(t, 1)
	request, text := sponsored(owner)
	_, err := r.Quote(t.Context(), request)
	e := refused(t, err, marketplace.CodeOwnershipProofRequired)
	require.Equal(t, 400, e.Code.Status())
	require.Equal(t, "ownership_proof", e.Field)

	request.OwnershipProof = sign(owner, text)
	q, err := r.Quote(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, roomWallet(2), q.PayerWallet)
	require.Equal(t, request.Wallet, q.SentWallet, "as it was sent")
	require.Equal(t, strings.ToLower(request.Wallet), q.Wallet)

	sig := owner.SignMessage([]byte(text))
	sig[64] -= 27
	request.OwnershipProof = hex.EncodeToString(sig[:])
	_, err = r.Quote(t.Context(), request)
	require.NoError(t, err, "v of 0 or 1, without 0x")
}

func TestForgedProofsAreRefused(t *testing.T) {
	t.Parallel()
	r, owner := openRoom(t, nil), roomKey(t, 1)
	request, text := sponsored(owner)
	good := owner.SignMessage([]byte(text))
	malleable := good
	order, _ := new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)
	new(big.Int).Sub(order, new(big.Int).SetBytes(good[32:64])).FillBytes(malleable[32:64])
	malleable[64] = 27 + 28 - good[64]
	wrongV := good
	wrongV[64] = 29
	digest := owner.SignDigest(evm.Keccak256([]byte(text)))
	for name, proof := range map[string]string{
		"not hexadecimal": "0xzz", "empty": "0x", "short": good.String()[:130], "long": "0x" + strings.Repeat("ab", 5000),
		"high s": malleable.String(), "v of 29": wrongV.String(), "no prefix of EIP-191": digest.String(), "another's": sign(roomKey(t, 2), text),
		"another offer":        sign(owner, strings.Replace(text, roomOffer, "edut.other", 1)),
		"another payer":        sign(owner, strings.Replace(text, roomWallet(2), roomWallet(3), 1)),
		"another organisation": sign(owner, strings.Replace(text, "org.acme.root", "org.other", 1)),
		"another chain":        sign(owner, strings.Replace(text, ":8453", ":84532", 1)),
		"checksummed wallets":  sign(owner, strings.Replace(text, strings.ToLower(request.Wallet), request.Wallet, 1)),
	} {
		request.OwnershipProof = proof
		_, err := r.Quote(t.Context(), request)
		require.Equal(t, 403, refused(t, err, marketplace.CodeOwnershipProofInvalid).Code.Status(), name)
	}
}

func TestTheContractOfAContractWalletIsAskedForItsSignature(t *testing.T) {
	t.Parallel()
	r, owner := openRoom(t, nil), roomKey(t, 1)
	request, text := sponsored(owner)
	request.OwnershipProof = "0x1234" // whatever its contract takes
	r.chain.signed = func(wallet string, digest [32]byte, signature []byte) (bool, error) {
		require.Equal(t, strings.ToLower(request.Wallet), wallet)
		require.Equal(t, [32]byte(evm.MessageDigest([]byte(text))), digest)
		return string(signature) == "\x12\x34", nil
	}
	_, err := r.Quote(t.Context(), request)
	require.NoError(t, err)
	request.OwnershipProof = "0x1235"
	_, err = r.Quote(t.Context(), request)
	refused(t, err, marketplace.CodeOwnershipProofInvalid)
	r.chain.signed = func(string, [32]byte, []byte) (bool, error) { return true, errDown }
	_, err = r.Quote(t.Context(), request)
	e := refused(t, err, marketplace.CodeChainUnavailable)
	require.Positive(t, e.RetryAfter)
	require.ErrorIs(t, err, errDown)
}

func TestWithNoncesAProofIsGoodOnce(t *testing.T) {
	t.Parallel()
	r, owner := openRoom(t, func(c *marketplace.Config) { c.ProofNonces = true }), roomKey(t, 1)
	request, text := sponsored(owner)
	request.OwnershipProof = sign(owner, text)
	_, err := r.Quote(t.Context(), request)
	require.Equal(t, "ownership_nonce", refused(t, err, marketplace.CodeInvalidRequest).Field)

	nonce, err := r.ProofNonce(t.Context(), request.Wallet)
	require.NoError(t, err)
	request.ProofNonce, request.OwnershipProof = nonce.ID, sign(owner, text+":"+nonce.ID)
	_, err = r.Quote(t.Context(), request)
	require.NoError(t, err)
	_, err = r.Quote(t.Context(), request)
	refused(t, err, marketplace.CodeOwnershipProofInvalid)

	late, err := r.ProofNonce(t.Context(), request.Wallet)
	require.NoError(t, err)
	request.ProofNonce, request.OwnershipProof = late.ID, sign(owner, text+":"+late.ID)
	r.now = r.now.Add(5 * time.Minute)
	_, err = r.Quote(t.Context(), request)
	refused(t, err, marketplace.CodeOwnershipProofInvalid)
}

func TestTheTextThatIsSignedCanBeTheHosts(t *testing.T) {
	t.Parallel()
	r := openRoom(t, func(c *marketplace.Config) {
		c.ProofMessage = func(p marketplace.Proof) string { return "pay " + p.OfferID + " by " + p.PayerWallet }
	})
	owner := roomKey(t, 1)
	request, _ := sponsored(owner)
	request.OwnershipProof = sign(owner, "pay "+roomOffer+" by "+roomWallet(2))
	_, err := r.Quote(t.Context(), request)
	require.NoError(t, err)
}

func TestAnotherWalletPaysForMembershipWithTheSignatureOfTheOwner(t *testing.T) {
	t.Parallel()
	r, owner := openRoom(t, nil), roomKey(t, 1)
	request := marketplace.MembershipRequest{Wallet: owner.Address().String(), PayerWallet: roomWallet(2), DesignationCode: "D-1"}
	_, err := r.QuoteMembership(t.Context(), request)
	refused(t, err, marketplace.CodeOwnershipProofRequired)
	request.OwnershipProof = sign(owner, "EDUT-PAYER-AUTH:D-1:"+strings.ToLower(request.Wallet)+":"+roomWallet(2)+":8453")
	_, err = r.QuoteMembership(t.Context(), request)
	require.NoError(t, err)
	request.DesignationCode = "D-2"
	_, err = r.QuoteMembership(t.Context(), request)
	refused(t, err, marketplace.CodeOwnershipProofInvalid)
}

func TestTheOwnerOfAnOrganisationPaysForItWithoutAProof(t *testing.T) {
	t.Parallel()
	r := openRoom(t, nil)
	r.plain("edut.suite", func(in *marketplace.OfferInput) { in.TermSeconds = 3600 })
	request := ask(roomOffer, 1)
	request.PayerWallet, request.PrincipalRole = roomWallet(2), "workspace_member"
	sponsor := ask("edut.suite", 2)
	for _, c := range []struct {
		what string
		role string
		org  string
		ok   bool
	}{
		{"a member of the organisation", "workspace_member", "org.acme.root", false},
		{"the owner of another one", "org_root_owner", "org.other", false},
		{"its owner", "org_root_owner", "org.acme.root", true},
	} {
		sponsor.PrincipalRole, sponsor.OrgRootID = c.role, c.org
		q, err := r.Quote(t.Context(), sponsor)
		require.NoError(t, err)
		_, err = r.settle(q, r.payment(q))
		require.NoError(t, err)
		if _, err = r.Quote(t.Context(), request); c.ok {
			require.NoError(t, err, c.what)
			continue
		}
		refused(t, err, marketplace.CodeOwnershipProofRequired)
	}
	r.now = r.now.Add(time.Hour)
	_, err := r.Quote(t.Context(), request)
	refused(t, err, marketplace.CodeOwnershipProofRequired)
}
