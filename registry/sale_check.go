package registry

import (
	"encoding/json"
	"fmt"
	"time"
)

const (
	maxWallet   = 42       // characters
	maxMetadata = 16 << 10 // bytes
)

// check collects what is wrong with r by itself, but for the amounts.
func (r *SaleReport) check(usdOnly bool, now time.Time) faults {
	f := r.faults.clone()
	f.required("contract_hash", r.ContractHash, maxText)
	f.optional("buyer_wallet_address", r.BuyerWalletAddress, maxWallet)
	f.optional("transaction_hash", r.TransactionHash, maxText)
	f.optional("idempotency_key", r.IdempotencyKey, maxText)
	f.time("sold_at", r.SoldAt, now)
	if r.Metadata != nil && !f.has("metadata") {
		var object map[string]json.RawMessage
		var currency string
		switch {
		case len(r.Metadata) > maxMetadata:
			f.add("metadata", fmt.Sprintf("The metadata must not be greater than %d kilobytes.", maxMetadata>>10))
		case json.Unmarshal(r.Metadata, &object) != nil || object == nil:
			f.add("metadata", "The metadata must be an object.")
		case usdOnly && object["currency"] != nil && (json.Unmarshal(object["currency"], &currency) != nil || currency != "USD"):
			f.add("metadata.currency", "The metadata.currency must be USD.")
		}
	}
	return f
}

// checkSaleAmount checks the exact amount and rounds it to cents.
func checkSaleAmount(f *faults, d Decimal) Money {
	const field = "sale_amount"
	switch {
	case f.has(field):
	case !d.Given():
		f.add(field, "The sale amount field is required.")
	case d.Cmp(Dollars(1)) < 0:
		f.add(field, "Sale amount must be at least $0.01.")
	case d.Cmp(Dollars(MaxMoney)) > 0:
		f.add(field, "The sale amount must not be greater than "+MaxMoney.String()+".")
	default:
		return d.Cents()
	}
	return 0
}

func checkRoyaltyAmount(f *faults, d, sale Decimal) Money {
	const field = "royalty_amount"
	switch {
	case f.has(field):
	case !d.Given():
		f.add(field, "The royalty amount field is required.")
	case d.Sign() < 0:
		f.add(field, "Royalty amount cannot be negative.")
	case sale.Given() && d.Cmp(sale) > 0:
		f.add(field, "Royalty amount cannot exceed sale amount.")
	case d.Cmp(Dollars(MaxMoney)) > 0:
		f.add(field, "The royalty amount must not be greater than "+MaxMoney.String()+".")
	default:
		return d.Cents()
	}
	return 0
}
