package devchain

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

//go:generate npm --prefix contracts install --ignore-scripts
//go:generate npm --prefix contracts run compile

//go:embed contracts/artifacts.json
var artifactsJSON []byte

// The addresses of the contracts that are on the chain from its first block.
var (
	TokenAddress     = common.HexToAddress("0x036CbD53842c5426634e7929541eC2318f3dCF7e") // Circle's USDC on Base Sepolia
	MulticallAddress = common.HexToAddress("0xcA11bde05977b3631167028862bE2a173976CA11") // Multicall3 on every chain

	PlainTokenAddress    = common.HexToAddress("0x0000000000000000000000000000000000020000") // EIP-20 without EIP-3009
	SilentTokenAddress   = common.HexToAddress("0x0000000000000000000000000000000000030090") // returns silently on a used nonce
	MisnamedTokenAddress = common.HexToAddress("0x0000000000000000000000000000000000712000") // name() differs from the domain's
	FeeTokenAddress      = common.HexToAddress("0x000000000000000000000000000000000000Fee0") // keeps 1 % of every transfer
	YesTokenAddress      = common.HexToAddress("0x0000000000000000000000000000000000000Ee5") // every call succeeds, nothing happens
	WalletAddress        = common.HexToAddress("0x0000000000000000000000000000000000001271") // ERC-1271, owned by the payer
	contractsByName      = map[string]common.Address{
		"TestUSDC": TokenAddress, "Multicall": MulticallAddress,
		"PlainToken": PlainTokenAddress, "SilentToken": SilentTokenAddress, "MisnamedToken": MisnamedTokenAddress,
		"FeeToken": FeeTokenAddress, "YesToken": YesTokenAddress, "Wallet": WalletAddress,
	}
)

// artifacts is what compile.mjs writes.
type artifacts struct {
	Solc    string                   `json:"solc"`
	Sources string                   `json:"sources"` // SHA-256 of the sources, lower-case hex
	Runtime map[string]hexutil.Bytes `json:"runtime"` // by the name of the contract
}

func loadArtifacts() (artifacts, error) {
	var a artifacts
	if err := json.Unmarshal(artifactsJSON, &a); err != nil {
		return a, fmt.Errorf("devchain: reading the compiled contracts: %w", err)
	}
	for name := range contractsByName {
		if len(a.Runtime[name]) == 0 {
			return a, fmt.Errorf("devchain: contracts/artifacts.json has no %s: compile it again", name)
		}
	}
	return a, nil
}

// Code returns the runtime bytecode of every contract by its address, for those
// who place them on another development chain (anvil_setCode).
func Code() (map[common.Address][]byte, error) {
	a, err := loadArtifacts()
	if err != nil {
		return nil, err
	}
	code := make(map[common.Address][]byte, len(contractsByName))
	for name, address := range contractsByName {
		code[address] = a.Runtime[name]
	}
	return code, nil
}
