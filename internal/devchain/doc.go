// Package devchain is an Ethereum chain in this process, for development and
// for tests: go-ethereum's own node with its simulated consensus, JSON-RPC on a
// loopback port, funded accounts whose keys everybody knows, and a test USDC
// where the real one lives on Base Sepolia.
//
//	chain, err := devchain.Start(ctx, devchain.Config{})
//	if err != nil {
//		return err
//	}
//	defer chain.Close()
//	client, err := ethclient.Dial(chain.URL())
//
// A block is made as soon as a transaction arrives, or every Config.BlockTime.
// Blocks carry the time of the wall clock, which EIP-3009 authorisations are
// judged by. The levers of [Chain] (Mint, SetPaused, Reorg, AdvanceTime, ...)
// put the chain into states that are hard to reach otherwise.
//
// Nothing here guards anything: whoever reaches the port owns the chain. It
// listens on loopback addresses only.
package devchain
