package evm

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	x402evm "github.com/v402/v402/x402/evm"
)

// logEntry is an event as eth_getLogs and receipts give it.
type logEntry struct {
	Address common.Address `json:"address"`
	Topics  []common.Hash  `json:"topics"`
	Data    hexutil.Bytes  `json:"data"`
	Block   hexutil.Uint64 `json:"blockNumber"`
	Tx      common.Hash    `json:"transactionHash"`
	Index   hexutil.Uint64 `json:"logIndex"`
	Removed bool           `json:"removed"`
}

// receipt is what is needed of a mined transaction.
type receipt struct {
	Status  hexutil.Uint64 `json:"status"`
	Block   hexutil.Uint64 `json:"blockNumber"`
	Tx      common.Hash    `json:"transactionHash"`
	GasUsed hexutil.Uint64 `json:"gasUsed"`
	Logs    []logEntry     `json:"logs"`
}

var (
	topicUsed     = common.Hash(x402evm.AuthorizationUsedTopic)
	topicTransfer = common.Hash(x402evm.TransferTopic)
)

// isUse says whether l is the AuthorizationUsed of e.
func (l *logEntry) isUse(e *x402evm.Exact) bool {
	return l.Address == common.Address(e.Asset) && len(l.Topics) == 3 && l.Topics[0] == topicUsed &&
		l.Topics[1] == addressTopic(e.Authorization.From) && l.Topics[2] == common.Hash(e.Authorization.Nonce)
}

// isTransfer says whether l is the Transfer that e authorizes.
func (l *logEntry) isTransfer(e *x402evm.Exact) bool {
	a := &e.Authorization
	return l.Address == common.Address(e.Asset) && len(l.Topics) == 3 && l.Topics[0] == topicTransfer &&
		l.Topics[1] == addressTopic(a.From) && l.Topics[2] == addressTopic(a.To) &&
		len(l.Data) == 32 && new(big.Int).SetBytes(l.Data).Cmp(a.Value.Big()) == 0
}

// pays says whether the logs of one transaction show that e was used and paid
// for. In a transaction of ours, which does nothing else, both events suffice.
// In a stranger's they must be neighbours: the token emits them together, and
// one Transfer must not stand for two authorizations.
func pays(e *x402evm.Exact, logs []logEntry, ours bool) bool {
	for i := range logs {
		if logs[i].Removed || !logs[i].isUse(e) {
			continue
		}
		for j := range logs {
			if !logs[j].isTransfer(e) {
				continue
			}
			if ours || logs[j].Index == logs[i].Index+1 {
				return true
			}
		}
	}
	return false
}

func addressTopic(a x402evm.Address) common.Hash { return common.BytesToHash(a[:]) }

// logFilter is the argument of eth_getLogs.
type logFilter struct {
	From    hexutil.Uint64   `json:"fromBlock"`
	To      hexutil.Uint64   `json:"toBlock"`
	Address []common.Address `json:"address"`
	Topics  [][]common.Hash  `json:"topics"`
}
