package registry_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store/memory"
)

func Example() {
	ctx := context.Background()
	service, err := registry.New(registry.Config{Store: memory.New()})
	if err != nil {
		fmt.Println(err)
		return
	}
	publisher, seller := join(ctx, service, "Publisher"), join(ctx, service, "Seller")
	_, err = service.RegisterContracts(ctx, publisher, registry.Registration{
		IPFSHash: "QmTest123", MetadataCID: "QmMeta456", ContractHashes: []string{"hash1", "hash2"},
		Terms: &registry.Terms{BasisPoints: 1000, Payees: []registry.Payee{{Name: "Ann", Share: 6667}, {Name: "Bob", Share: 3333}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	quote, err := service.QuoteRoyalty(ctx, "hash1", registry.Dollars(29_99))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("royalty:", quote.RoyaltyAmount)
	for _, part := range quote.Parts {
		fmt.Println(part.Name, part.Amount)
	}
	reported, err := service.ReportSale(ctx, seller, registry.SaleReport{
		ContractHash: "hash1", SaleAmount: registry.Dollars(29_99), RoyaltyAmount: registry.Dollars(quote.RoyaltyAmount),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(reported.Royalty.SellerName, "owes", reported.Royalty.OriginName, reported.Royalty.Amount)

	_, err = service.ReportSale(ctx, seller, registry.SaleReport{ContractHash: "hash9", SaleAmount: registry.Dollars(1), RoyaltyAmount: registry.Dollars(2)})
	var invalid *registry.ValidationError
	if errors.As(err, &invalid) {
		fmt.Println(invalid.Fields)
	}
	// Output:
	// royalty: 3.00
	// Ann 2.00
	// Bob 1.00
	// Seller owes Publisher 3.00
	// map[contract_hash:[Contract hash is not registered.] royalty_amount:[Royalty amount cannot exceed sale amount.]]
}

// join makes a platform.
func join(ctx context.Context, service *registry.Service, name string) registry.Platform {
	applied, err := service.Apply(ctx, registry.Application{
		Name: "Ada", Email: name + "@example.com", Password: "correct horse", PasswordConfirmation: "correct horse",
		PlatformName: name, PlatformAddress: "1 Main St", TINNumber: "12-3456789", PlatformPhone: "+1 555 0100",
		PlatformEmail: "desk@example.com", BankAccountNumber: "000123", BankRoutingNumber: "021000021", BankName: "First Bank",
	})
	if err != nil {
		panic(err)
	}
	approved, err := service.Approve(ctx, "admin:me", applied.ID, registry.Decision{})
	if err != nil {
		panic(err)
	}
	platform, err := service.Authenticate(ctx, approved.APIKey)
	if err != nil {
		panic(err)
	}
	return platform
}
