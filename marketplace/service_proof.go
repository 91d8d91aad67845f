package marketplace

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

// prove checks that the owner of a wallet lets another one pay.
func (s *Service) prove(ctx context.Context, p Proof, proof string) error {
	message := s.options.ProofMessage(p)
	ok, err := s.signedDigest(ctx, p.ChainID, p.Wallet, evm.MessageDigest([]byte(message)), proof)
	switch {
	case err != nil:
		return err
	case !ok:
		e := Refuse(CodeOwnershipProofInvalid, "ownership_proof is not the wallet's signature (EIP-191) of %q.", message)
		e.Field = "ownership_proof"
		return e
	}
	return nil
}

// signedDigest says whether a wallet has signed a digest: by its key, or as its
// contract says (ERC-1271).
func (s *Service) signedDigest(ctx context.Context, chainID uint64, wallet string, digest evm.Hash, signature string) (bool, error) {
	raw, err := hex.DecodeString(strings.TrimPrefix(signature, "0x"))
	if err != nil || len(raw) == 0 || len(raw) > maxSignature {
		return false, nil
	}
	if sig, err := evm.ParseSignature(raw); err == nil {
		signer, err := evm.Recover(digest, sig)
		if err == nil && strings.EqualFold(signer.String(), wallet) {
			return true, nil
		}
	}
	chain := s.chains[chainID]
	if chain == nil {
		return false, nil
	}
	contracts, ok := chain.Chain.(SignatureChain)
	if !ok {
		return false, nil
	}
	valid, err := contracts.ValidSignature(ctx, wallet, digest, raw)
	if err != nil {
		return false, unavailable(chain.Network, err)
	}
	return valid, nil
}

// maxSignature is more than contract wallets ask for, in bytes.
const maxSignature = 4096

func unavailable(network x402.Network, err error) *Error {
	e := Refuse(CodeChainUnavailable, "Chain %s does not answer; nothing was changed.", network).again(5 * time.Second)
	e.Err = err
	return e
}

// ProofNonce is a nonce for the next [Proof] of a wallet. It is good once, until
// it expires.
func (s *Service) ProofNonce(ctx context.Context, address string) (Challenge, error) {
	owner, err := wallet("wallet", address)
	if err != nil {
		return Challenge{}, err
	}
	now := s.now()
	c := Challenge{ID: rand.Text(), Wallet: owner, CreatedAt: now, ExpiresAt: now.Add(s.options.ProofTTL)}
	return c, refusal(s.store.AddChallenge(ctx, c), nil, "make a nonce")
}
