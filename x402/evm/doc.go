// Package evm is scheme exact on EVM chains without a chain: it signs, decodes
// and checks payments by EIP-3009, offline. Nothing in it opens a connection.
package evm
