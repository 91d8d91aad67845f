package evm

// Function selectors: the first four bytes of the hash of a signature.
var (
	TransferWithAuthorizationSelector = [4]byte{0xe3, 0xee, 0x16, 0x0e} // (address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)
	AuthorizationStateSelector        = [4]byte{0xe9, 0x4a, 0x01, 0x02} // authorizationState(address,bytes32)
	BalanceOfSelector                 = [4]byte{0x70, 0xa0, 0x82, 0x31} // balanceOf(address)
	NameSelector                      = [4]byte{0x06, 0xfd, 0xde, 0x03} // name()
	VersionSelector                   = [4]byte{0x54, 0xfd, 0x4d, 0x50} // version()
	DomainSeparatorSelector           = [4]byte{0x36, 0x44, 0xe5, 0x15} // DOMAIN_SEPARATOR()
	Aggregate3Selector                = [4]byte{0x82, 0xad, 0x56, 0xcb} // aggregate3((address,bool,bytes)[]) of Multicall3
)

// The topics of the events that a settled payment leaves.
var (
	TransferTopic          = Keccak256([]byte("Transfer(address,address,uint256)"))
	AuthorizationUsedTopic = Keccak256([]byte("AuthorizationUsed(address,bytes32)"))
)

// Calldata is the call of the token's transferWithAuthorization that settles e.
func (e *Exact) Calldata() []byte {
	b := make([]byte, 0, 4+9*32)
	b = append(b, TransferWithAuthorizationSelector[:]...)
	b = e.Authorization.appendWords(b)
	b = appendUint(b, uint64(e.Signature[64]))
	return append(b, e.Signature[:64]...)
}
