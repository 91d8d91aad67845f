package evm

import "strconv"

// MessageDigest is the hash that a wallet signs for a text or other bytes that
// its user is shown (EIP-191, version 0x45; eth_personalSign): of the prefix
// "\x19Ethereum Signed Message:\n", the length of message in bytes, and message.
func MessageDigest(message []byte) Hash {
	return Keccak256([]byte("\x19Ethereum Signed Message:\n"+strconv.Itoa(len(message))), message)
}

// SignMessage signs message as wallets do: see [MessageDigest].
func (s *Signer) SignMessage(message []byte) Signature { return s.SignDigest(MessageDigest(message)) }

// RecoverMessage returns the address whose key signed message with
// [Signer.SignMessage], or with a wallet. Compare it with the expected one: any
// well-formed signature recovers to some address.
func RecoverMessage(message []byte, sig Signature) (Address, error) {
	return Recover(MessageDigest(message), sig)
}
