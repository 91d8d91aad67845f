package e2e_test

import (
	"encoding/json"
	"fmt"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
)

// view is the chain as a node sees it that is some blocks behind.
type view struct {
	lags bool
	head uint64
}

func (c *chaos) view(lag uint64) (view, error) {
	if lag == 0 {
		return view{}, nil
	}
	number := &call{Method: "eth_blockNumber", Params: []json.RawMessage{}}
	if err := c.forward([]*call{number}); err != nil {
		return view{}, err
	}
	var head hexutil.Uint64
	if err := json.Unmarshal(number.answer.Result, &head); err != nil {
		return view{}, err
	}
	return view{lags: true, head: uint64(head) - min(lag, uint64(head))}, nil
}

// blockParam is the place of the block among the parameters of a method.
var blockParam = map[string]int{
	"eth_getBlockByNumber": 0, "eth_getTransactionCount": 1, "eth_getBalance": 1, "eth_getCode": 1, "eth_call": 1,
}

// hides answers c if it asks for what the node has not got yet, and makes it
// ask for the node's own head instead of the chain's.
func (v view) hides(c *call) bool {
	if !v.lags {
		return false
	}
	if i, ok := blockParam[c.Method]; ok && i < len(c.Params) {
		return v.hidesBlock(c, &c.Params[i])
	}
	if c.Method == "eth_getLogs" {
		var filter map[string]json.RawMessage
		if json.Unmarshal(c.Params[0], &filter) != nil {
			return false
		}
		if from, ok := number(filter["fromBlock"]); ok && from > v.head {
			c.succeed("[]")
			return true
		}
		filter["toBlock"] = v.clip(filter["toBlock"])
		c.Params[0], _ = json.Marshal(filter)
	}
	return false
}

func (v view) hidesBlock(c *call, block *json.RawMessage) bool {
	if n, ok := number(*block); ok && n > v.head {
		c.fail(-32000, "header not found")
		return true
	}
	*block = v.clip(*block)
	return false
}

// clip is block, but no later than the node's head.
func (v view) clip(block json.RawMessage) json.RawMessage {
	if n, ok := number(block); ok && n <= v.head {
		return block
	}
	return fmt.Appendf(nil, `"0x%x"`, v.head)
}

// number reads a block number; a tag such as "latest" is none.
func number(block json.RawMessage) (uint64, bool) {
	var n hexutil.Uint64
	err := json.Unmarshal(block, &n)
	return uint64(n), err == nil
}

// age takes out of an answer what the node has not got yet.
func (v view) age(c *call) {
	if !v.lags {
		return
	}
	switch c.Method {
	case "eth_blockNumber":
		c.succeed(fmt.Sprintf(`"0x%x"`, v.head))
	case "eth_getTransactionReceipt":
		var receipt struct {
			Block hexutil.Uint64 `json:"blockNumber"`
		}
		if json.Unmarshal(c.answer.Result, &receipt) == nil && uint64(receipt.Block) > v.head {
			c.succeed("null")
		}
	}
}

// swallow answers for a transaction as if it had been taken.
func (c *call) swallow() {
	var raw hexutil.Bytes
	var tx types.Transaction
	if json.Unmarshal(c.Params[0], &raw) != nil || tx.UnmarshalBinary(raw) != nil {
		c.fail(-32602, "invalid argument")
		return
	}
	c.succeed(fmt.Sprintf("%q", tx.Hash().Hex()))
}
