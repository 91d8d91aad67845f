package marketplace_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

// paidChain is a chain with one transaction: facilitator/evm has a real one.
type paidChain struct{ paid x402.Transaction }

func (c *paidChain) Network() x402.Network { return x402.Base }

func (c *paidChain) Transaction(_ context.Context, hash string) (x402.Transaction, error) {
	if hash != c.paid.Hash {
		return x402.Transaction{}, x402.ErrTransactionNotFound
	}
	return c.paid, nil
}

func Example() {
	const (
		usdc     = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
		treasury = "0x1111111111111111111111111111111111111111"
	)
	ctx, chain, admin := context.Background(), &paidChain{}, marketplace.Actor{Name: "admin:me", Admin: true}
	service, err := marketplace.New(marketplace.Config{
		Store: memory.New(),
		Chains: []marketplace.ChainConfig{{
			Network: x402.Base, Chain: chain, Treasury: treasury,
			Currencies: []marketplace.Currency{{Code: "USDC", Address: usdc, Decimals: 6}},
		}},
		BundleMembership: true,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := publish(ctx, service, admin); err != nil {
		fmt.Println(err)
		return
	}

	buyer := marketplace.Buyer{
		Wallet: "0x3ea6cbf98d23e2cf7b6f4f9bb1fb4f50b710f2d5", OfferID: "edut.governance.core", OrgRootID: "org.acme.root",
		PrincipalID: "human.joshua", PrincipalRole: "org_root_owner",
	}
	quote, err := service.Quote(ctx, marketplace.QuoteRequest{Buyer: buyer})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, line := range quote.Lines {
		fmt.Println(line.Label, marketplace.DisplayAmount(line.Amount, quote.Decimals), quote.Currency)
	}
	confirm := marketplace.ConfirmRequest{QuoteID: quote.ID, Buyer: buyer, TxHash: "0x" + strings.Repeat("b", 64), ChainID: 8453}
	_, err = service.Confirm(ctx, confirm)
	var refused *marketplace.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.Code, "again after", refused.RetryAfter)
	}

	// The buyer signs and sends quote.Transaction, and it is mined.
	chain.paid = x402.Transaction{
		Network: x402.Base, Hash: confirm.TxHash, Succeeded: true, Confirmations: 1, Block: 1, Time: time.Now(), From: buyer.Wallet,
		Transfers: []x402.TokenTransfer{{Asset: usdc, From: buyer.Wallet, To: treasury, Amount: quote.Total}},
	}
	bought, err := service.Confirm(ctx, confirm)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(bought.Entitlement.ID, bought.Entitlement.State)
	v, err := service.VerifyEntitlement(ctx, marketplace.VerifyRequest{Wallet: buyer.Wallet, OfferID: buyer.OfferID})
	fmt.Println(v.Valid, v.Code, err)
	// Output:
	// Governance Core License 499.00 USDC
	// EDUT Membership Activation 5.00 USDC
	// tx_not_found again after 2s
	// ent:8453:0x3ea6cbf98d23e2cf7b6f4f9bb1fb4f50b710f2d5:000001 active
	// true valid <nil>
}

// publish makes an offer that can be bought.
func publish(ctx context.Context, service *marketplace.Service, admin marketplace.Actor) error {
	if _, err := service.PutIssuer(ctx, admin, "edut.firstparty", marketplace.IssuerUpdate{Name: "EDUT"}); err != nil {
		return err
	}
	_, err := service.CreateOffer(ctx, admin, marketplace.OfferInput{
		ID: "edut.governance.core", IssuerID: "edut.firstparty", Title: "EDUT Governance Core", LineLabel: "Governance Core License",
		Pricing:  marketplace.Pricing{Currency: "USDC", Amount: x402.NewAmount(499_000_000), Decimals: 6, ChainID: 8453},
		Policies: marketplace.Policies{MemberOnly: true},
	})
	if err != nil {
		return err
	}
	_, err = service.SetOfferStatus(ctx, admin, "edut.governance.core", marketplace.OfferActive)
	return err
}
