package x402

import (
	"errors"
	"time"
)

// ErrTransactionNotFound is returned for a transaction that a chain does not know.
var ErrTransactionNotFound = errors.New("the chain does not know the transaction")

// Transaction is what a chain says about one transaction, as far as it moved
// money: the proof that somebody paid without this protocol.
type Transaction struct {
	Network       Network
	Hash          string          // as the network writes it
	Succeeded     bool            // false if it was reverted, and while it is not mined
	From          string          // who sent it
	To            string          // the recipient or the contract called; empty if it created one
	Value         Amount          // native coin from From to To, in its smallest unit; it has moved only if Succeeded
	Input         []byte          // of the call
	Transfers     []TokenTransfer // of tokens, in the order of the log
	Block         uint64          // that mined it; 0 while it is not mined
	Time          time.Time       // of that block, UTC
	Confirmations uint64          // 1 in the newest block; 0 while it is not mined
}

// TokenTransfer is one movement of a token within a transaction (on EVM chains
// a Transfer event, EIP-20).
type TokenTransfer struct {
	Asset    string // address of the token
	From, To string
	Amount   Amount // in atomic units
	LogIndex uint64 // position in the log of its block
}

// Mined says whether t is in a block.
func (t Transaction) Mined() bool { return t.Confirmations > 0 }
