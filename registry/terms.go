package registry

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

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

// whole is all in hundredths of a per cent.
const whole = 10_000

const maxPayees = 20

// Royalty is what a sale owes by the terms: the share of the amount, rounded
// half up to cents, at least the minimum, and at most the amount.
func (t Terms) Royalty(sale Money) Money {
	r := (sale*Money(t.BasisPoints) + whole/2) / whole
	return min(max(r, t.Minimum), sale)
}

// Split divides a royalty of zero or more among the payees. The parts add up to
// it: cents that no share covers go to the largest remainders, the first payee
// first. Without payees there are no parts.
func (t Terms) Split(royalty Money) []Part {
	parts := make([]Part, len(t.Payees))
	order := make([]int, len(t.Payees))
	rest := royalty
	for i, p := range t.Payees {
		parts[i] = Part{Payee: p, Amount: royalty / whole * Money(p.Share)}
		parts[i].Amount += royalty % whole * Money(p.Share) / whole
		rest -= parts[i].Amount
		order[i] = i
	}
	remainder := func(i int) Money { return royalty % whole * Money(t.Payees[i].Share) % whole }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(remainder(b), remainder(a)) })
	for i := 0; rest > 0 && len(order) > 0; i++ {
		parts[order[i%len(order)]].Amount++
		rest--
	}
	return parts
}

// check reports what is wrong with the terms at field.
func (t *Terms) check(f *faults, field string) {
	if t == nil || f.has(field) {
		return
	}
	if t.BasisPoints < 0 || t.BasisPoints > whole {
		f.add(field+".basis_points", "The "+field+".basis_points must be between 0 and 10000.")
	}
	if t.Minimum < 0 || t.Minimum > MaxMoney {
		f.add(field+".minimum", "The "+field+".minimum must be between 0 and "+MaxMoney.String()+".")
	}
	if len(t.Payees) > maxPayees {
		f.add(field+".payees", fmt.Sprintf("The %s.payees must not have more than %d items.", field, maxPayees))
		return
	}
	sum := 0
	for i, p := range t.Payees {
		item := fmt.Sprintf("%s.payees.%d", field, i)
		f.required(item+".name", p.Name, maxText)
		f.optional(item+".wallet", p.Wallet, maxText)
		if p.Share < 1 || p.Share > whole {
			f.add(item+".share", "The "+item+".share must be between 1 and 10000.")
		} else {
			sum += p.Share
		}
	}
	if len(t.Payees) > 0 && sum != whole {
		f.add(field+".payees", "The shares of the payees must add up to 10000.")
	}
}

// readTerms decodes terms strictly: a member that is misspelt would cost somebody
// a royalty.
func readTerms(f *faults, field string, j []byte) *Terms {
	d := json.NewDecoder(bytes.NewReader(j))
	d.DisallowUnknownFields()
	var t Terms
	if d.Decode(&t) != nil {
		f.add(field, "The "+label(field)+" must be an object of basis_points, minimum and payees.")
		return nil
	}
	return &t
}
