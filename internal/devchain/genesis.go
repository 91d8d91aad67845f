package devchain

import (
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
)

const (
	blockGasLimit = 120_000_000
	firstBaseFee  = 5_000_000 // wei: 0.005 gwei, as on Base; it falls while blocks are nearly empty
)

var (
	startEther = new(big.Int).Mul(big.NewInt(10_000), big.NewInt(params.Ether))
	startUSDC  = big.NewInt(1_000_000_000_000) // a million, in millionths
)

// genesis is the first block: the contracts, ether for every account, and USDC
// for the payers.
func genesis(cfg Config, accounts []Account) (*core.Genesis, error) {
	code, err := Code()
	if err != nil {
		return nil, err
	}
	alloc := core.SystemContractAllocs()
	for address, runtime := range code {
		alloc[address] = types.Account{Code: runtime, Balance: new(big.Int), Nonce: 1}
	}
	token := alloc[TokenAddress]
	token.Storage = make(map[common.Hash]common.Hash)
	supply := new(big.Int)
	for i, account := range accounts {
		alloc[account.Address] = types.Account{Balance: startEther}
		if i == payerIndex || i >= firstSpare {
			token.Storage[balanceSlot(account.Address)] = common.BigToHash(startUSDC)
			supply.Add(supply, startUSDC)
		}
	}
	token.Storage[common.BigToHash(big.NewInt(1))] = common.BigToHash(supply)
	alloc[TokenAddress] = token
	alloc[faucet.Address] = types.Account{Balance: startEther}

	wallet := alloc[WalletAddress]
	wallet.Storage = map[common.Hash]common.Hash{{}: common.BytesToHash(accounts[payerIndex].Address[:])}
	alloc[WalletAddress] = wallet

	return &core.Genesis{
		Config:    chainRules(cfg.ChainID),
		Timestamp: uint64(time.Now().Unix()) - 1,
		GasLimit:  blockGasLimit,
		BaseFee:   big.NewInt(firstBaseFee),
		Alloc:     alloc,
	}, nil
}

// chainRules are the rules that Base runs: everything up to Prague.
func chainRules(chainID uint64) *params.ChainConfig {
	rules := *params.AllDevChainProtocolChanges
	rules.ChainID = new(big.Int).SetUint64(chainID)
	rules.OsakaTime, rules.BogotaTime = nil, nil
	return &rules
}

// balanceSlot is where the test USDC keeps the balance of an account: the
// mapping in slot 0.
func balanceSlot(account common.Address) common.Hash {
	return crypto.Keccak256Hash(common.LeftPadBytes(account[:], 32), make([]byte, 32))
}
