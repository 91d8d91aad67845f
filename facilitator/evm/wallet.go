package evm

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	x402evm "github.com/v402/v402/x402/evm"
)

const (
	maxWalletSignature = 8 << 10   // bytes; several owners sign for some wallets
	maxWalletGas       = 3_000_000 // that a wallet may use to check a signature
)

// ValidSignature says whether signature over digest is that of wallet: of its
// key, without asking the chain, or else in the eyes of the contract that the
// wallet is (ERC-1271). A contract that reverts, answers something else or needs
// more than 3,000,000 gas says no. An error means that the chain could not be
// asked. A wallet that is not deployed yet (ERC-6492) has no say.
func (c *Chain) ValidSignature(ctx context.Context, wallet string, digest [32]byte, signature []byte) (bool, error) {
	address, err := x402evm.ParseAddress(wallet)
	if err != nil || len(signature) > maxWalletSignature {
		return false, nil
	}
	if sig, err := x402evm.ParseSignature(signature); err == nil {
		if from, err := recoverNative(x402evm.Hash(digest), sig); err == nil && from == address {
			return true, nil
		}
	}
	var answer hexutil.Bytes
	ask := map[string]any{"data": hexutil.Bytes(askWallet(common.Address(address), digest, signature)), "gas": hexutil.Uint64(2 * maxWalletGas)}
	if err := c.node.read(ctx, &query{method: "eth_call", args: []any{ask, "latest"}, result: &answer}); err != nil {
		return false, fmt.Errorf("evm: ask wallet %s: %w", address, err)
	}
	return isTrue(answer), nil
}

// validSelector is that of isValidSignature(bytes32,bytes), and what it returns
// for a valid one (ERC-1271).
var validSelector = [4]byte{0x16, 0x26, 0xba, 0x7e}

// askWallet is a program for eth_call that asks wallet with a limit of gas and
// returns 1 for yes and 0 for all else, so that no node's own words for a failed
// call need be understood.
func askWallet(wallet common.Address, digest [32]byte, signature []byte) []byte {
	const word = 32
	question := append(validSelector[:len(validSelector):len(validSelector)], digest[:]...)
	question = append(question, common.LeftPadBytes([]byte{2 * word}, word)...) // where signature begins
	question = append(question, common.LeftPadBytes(binary.BigEndian.AppendUint32(nil, uint32(len(signature))), word)...)
	question = append(question, signature...)
	question = append(question, make([]byte, (word-len(signature)%word)%word)...)

	const push1, push2, push4, push20, push32 = 0x60, 0x61, 0x63, 0x73, 0x7f
	size := binary.BigEndian.AppendUint16(nil, uint16(len(question)))
	program := []byte{push2, size[0], size[1], push1, 0, push1, 0, 0x39} // CODECOPY: memory[0:size] = question
	const begin = 4                                                      // where the program says at which of its bytes the question begins
	program = append(program, push1, 0, push1, 0, push2, size[0], size[1], push1, 0, push20)
	program = append(program, wallet[:]...)
	program = append(program, push4)
	program = binary.BigEndian.AppendUint32(program, maxWalletGas)
	program = append(program,
		0xfa,                  // STATICCALL: 1 if it did not fail
		0x3d, push1, 31, 0x10, // RETURNDATASIZE > 31
		0x16, push1, 5, 0x1b, // AND, SHL: 32 bytes of the answer, or none
		push1, 0, push1, 0, 0x52, // memory[0:32] = 0
		push1, 0, push1, 0, 0x3e, // RETURNDATACOPY
		push1, 0, 0x51, push32, // MLOAD, and what it is compared with
	)
	program = append(program, common.RightPadBytes(validSelector[:], word)...)
	program = append(program, 0x14, push1, 0, 0x52, push1, word, push1, 0, 0xf3) // EQ, memory[0:32] = that, RETURN
	program[begin] = byte(len(program))
	return append(program, question...)
}
