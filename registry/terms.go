package registry

// Terms are the royalty that a contract asks for, in the spirit of EIP-2981.
type Terms struct {
	BasisPoints int     `json:"basis_points"`      // hundredths of a per cent of the sale amount, 0..10000
	Minimum     Money   `json:"minimum,omitempty"` // in dollars; the royalty is at least this, and at most the sale
	Payees      []Payee `json:"payees,omitempty"`  // at most 20; their shares add up to 10000
}

// Payee receives a share of a royalty.
type Payee struct {
	Name   string `json:"name"`
	Wallet string `json:"wallet,omitempty"`
	Share  int    `json:"share"` // hundredths of a per cent of the royalty
}

// Part is what one payee receives.
type Part struct {
	Payee
	Amount Money `json:"amount"`
}

// Quote is the royalty due for a sale of a contract.
type Quote struct {
	Contract      Contract
	SaleAmount    Money
	RoyaltyAmount Money
	Parts         []Part // add up to RoyaltyAmount
}
