package account

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/mr-tron/base58"

	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/evm"
)

// ParsePublicKey reads what names a wallet: an EVM address, in whatever case, a
// contract wallet with its chain, such as "eip155:8453:0x…" (CAIP-10), or a Solana
// public key in base58. It returns the form in which users have it.
func ParsePublicKey(s string) (publicKey string, ok bool) {
	if network, address, ok := contractWallet(s); ok {
		address, ok = ParsePublicKey(address)
		return string(network) + ":" + address, ok
	}
	if strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0X") {
		a, err := evm.ParseAddress("0x" + s[2:])
		return "0x" + hex.EncodeToString(a[:]), err == nil
	}
	_, ok = solanaKey(s)
	return s, ok
}

// WalletAddress is the address in a public key of [User]: without the chain that
// a contract wallet is on.
func WalletAddress(publicKey string) string {
	if _, address, ok := contractWallet(publicKey); ok {
		return address
	}
	return publicKey
}

// contractWallet splits the public key of a contract wallet: another may own the
// same address on another chain.
func contractWallet(publicKey string) (n x402.Network, address string, ok bool) {
	i := strings.LastIndex(publicKey, ":0x")
	if i < 0 {
		return "", "", false
	}
	n, err := x402.ParseNetwork(publicKey[:i])
	return n, publicKey[i+1:], err == nil && n.Namespace() == "eip155" && string(n) == publicKey[:i]
}

func isEVM(publicKey string) bool { return strings.Contains(publicKey, "0x") } // base58 has no zero

// solanaKey reads 32 bytes in base58.
func solanaKey(s string) (ed25519.PublicKey, bool) {
	const longest = 44 // digits of base58 that 32 bytes have
	if len(s) > longest {
		return nil, false
	}
	key, err := base58.Decode(s)
	return key, err == nil && len(key) == ed25519.PublicKeySize && base58.Encode(key) == s
}

// maxSignature bounds a signature as text: several owners sign for some contract
// wallets.
const maxSignature = 16 << 10

// readSignature decodes a signature: hexadecimal with "0x"; for Solana also
// base58 or base64.
func readSignature(publicKey, s string) ([]byte, bool) {
	if len(s) > maxSignature {
		return nil, false
	}
	if digits, ok := strings.CutPrefix(s, "0x"); ok {
		b, err := hex.DecodeString(digits)
		return b, err == nil && len(b) > 0
	}
	if isEVM(publicKey) || len(s) > 2*ed25519.SignatureSize {
		return nil, false
	}
	for _, decode := range []func(string) ([]byte, error){base58.Decode, base64.StdEncoding.DecodeString} {
		if b, err := decode(s); err == nil && len(b) == ed25519.SignatureSize {
			return b, true
		}
	}
	return nil, false
}

// keySigned says whether the key that publicKey names made signature over text,
// as wallets sign texts: EIP-191 for EVM, Ed25519 over the text for Solana.
func keySigned(publicKey string, text, signature []byte) bool {
	if key, ok := solanaKey(publicKey); ok && !isEVM(publicKey) {
		return len(signature) == ed25519.SignatureSize && ed25519.Verify(key, text, signature)
	}
	sig, err := evm.ParseSignature(signature)
	if err != nil {
		return false
	}
	from, err := evm.RecoverMessage(text, sig)
	return err == nil && "0x"+hex.EncodeToString(from[:]) == publicKey
}
