// Package evm verifies and settles x402 payments on EVM chains: it is a
// [facilitator.Chain] for scheme exact by EIP-3009.
//
// A payment is verified by one eth_call that runs the transfer without making
// it, shared by all that verify at the same moment. It is settled by a relayer,
// an account that pays the gas: the transaction is signed and stored in the
// journal before it is sent, sent with others in one round trip, and found
// again by following new blocks. Whatever goes wrong on the way has one end:
//
//   - a lost answer, a dead process: the journal knows the transaction; it is
//     looked up and sent again, by this process or another.
//   - a stuck transaction: it is signed again with the same nonce and a higher
//     fee.
//   - a nonce that went to another transaction: the settlement is sent anew. The
//     token takes an authorization once, so money never moves twice.
//   - an authorization that somebody else submitted: it counts as settled if it
//     paid what was required.
//   - a block that is reorganised away before it is deep enough: the transaction
//     is sent again.
//
// Beside settling, [Chain.Transaction] shows what any transaction has moved, as the
// proof of a payment that was made without this protocol, and [Chain.ValidSignature]
// asks contract wallets about signatures (ERC-1271).
//
// [Chain.Check] compares the configuration with the chain; call it before
// serving. [Chain.Run] follows the chain; nothing settles without it, and
// facilitator.Service.Run runs it.
package evm
