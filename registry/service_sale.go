package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// ReportSale stores a sale by p and its royalty, both or none. The same report
// again, by its idempotency key or by its transaction hash and contract, stores
// nothing and returns what is there; it is a ValidationError if it has other
// amounts, or if the sale with the idempotency key was voided.
func (s *Service) ReportSale(ctx context.Context, p Platform, r SaleReport) (Reported, error) {
	reported, err := s.reportSales(ctx, p, []SaleReport{r}, "")
	if err != nil {
		return Reported{}, err
	}
	return reported[0], nil
}

// ReportSales stores up to 250 sales, all or none. Fields of what is wrong are
// as "sales.0.sale_amount".
func (s *Service) ReportSales(ctx context.Context, p Platform, reports []SaleReport) ([]Reported, error) {
	switch {
	case len(reports) == 0:
		return nil, Invalid("sales", "The sales field is required.")
	case len(reports) > MaxBatch:
		return nil, Invalid("sales", fmt.Sprintf("The sales must not have more than %d items.", MaxBatch))
	}
	return s.reportSales(ctx, p, reports, "sales.")
}

// reportSales does it; fields are prefixed unless prefix is empty.
func (s *Service) reportSales(ctx context.Context, p Platform, reports []SaleReport, prefix string) ([]Reported, error) {
	now := s.now()
	all := faults{}
	sales := make([]NewSale, len(reports))
	known := map[string]*Contract{}
	for i := range reports {
		f, sale, err := s.newSale(ctx, p, &reports[i], known, now)
		if err != nil {
			return nil, err
		}
		all.merge(f, prefix, i)
		sales[i] = sale
	}
	if err := all.err(); err != nil {
		return nil, err
	}
	check := func(stored []Reported) error { return repetitions(reports, sales, stored, prefix) }
	reported, err := s.store.AddSales(ctx, sales, check, func(created []Reported) Trail { return reportTrail(p, created, now) })
	var inactive *ContractInactiveError
	switch {
	case errors.As(err, &inactive):
		all.merge(faults{"contract_hash": {"Contract is not active."}}, prefix, inactive.Index)
		return nil, all.err()
	case err != nil:
		return nil, refusal(err, nil, "report sales")
	}
	return reported, nil
}

// repetitions says which repeated reports are not the ones that are stored.
func repetitions(reports []SaleReport, sent []NewSale, stored []Reported, prefix string) error {
	all := faults{}
	for i := range stored {
		if !stored[i].Created {
			all.merge(differences(&reports[i], &sent[i].Sale, &stored[i].Sale), prefix, i)
		}
	}
	return all.err()
}

// newSale makes a sale of a report, or says what is wrong with it. Contracts
// that it looks up stay in known.
func (s *Service) newSale(ctx context.Context, p Platform, r *SaleReport, known map[string]*Contract, now time.Time) (faults, NewSale, error) {
	f := r.check(s.options.USDOnly, now)
	amount := checkSaleAmount(&f, r.SaleAmount)
	royalty := checkRoyaltyAmount(&f, r.RoyaltyAmount, r.SaleAmount)
	var c Contract
	if !f.has("contract_hash") {
		var err error
		if c, err = s.soldContract(ctx, &f, r.ContractHash, known, r.TransactionHash == "" && r.IdempotencyKey == ""); err != nil {
			return nil, NewSale{}, err
		}
	}
	under := c.Terms != nil && royalty < c.Terms.Royalty(amount)
	if under && s.options.RefuseUnderreported && len(f) == 0 {
		f.add("royalty_amount", fmt.Sprintf("Royalty amount is below the %s that the contract asks for.", c.Terms.Royalty(amount)))
	}
	soldAt := r.SoldAt.UTC().Truncate(time.Microsecond)
	if r.SoldAt.IsZero() {
		soldAt = now
	}
	sale := Sale{
		ContractID: c.ID, ContractHash: c.Hash, SellerID: p.ID, SellerName: p.PlatformName, OriginID: c.PlatformID, OriginName: c.PlatformName,
		BuyerWalletAddress: r.BuyerWalletAddress, Amount: amount, RoyaltyAmount: royalty, TransactionHash: r.TransactionHash,
		TransactionKey: s.foldHex(r.TransactionHash), IdempotencyKey: r.IdempotencyKey, Metadata: compact(r.Metadata), Status: SaleReported, SoldAt: soldAt, ReportedAt: now,
	}
	return f, NewSale{sale, newRoyalty(sale, under, now)}, nil
}

// newRoyalty is what a sale owes. Nothing is owed to oneself, and nothing has
// to be settled of 0.
func newRoyalty(sale Sale, under bool, now time.Time) Royalty {
	r := Royalty{
		ContractHash: sale.ContractHash, SellerID: sale.SellerID, SellerName: sale.SellerName, OriginID: sale.OriginID,
		OriginName: sale.OriginName, Amount: sale.RoyaltyAmount, Status: RoyaltyPending, Underreported: under,
		DueAt: sale.SoldAt, CreatedAt: now, UpdatedAt: now,
	}
	switch {
	case sale.SellerID == sale.OriginID:
		r.Status = RoyaltyInternal
	case sale.RoyaltyAmount == 0:
		r.Status = RoyaltyPaid
	}
	return r
}

// soldContract looks up a contract. One that was revoked is a fault only if
// strict: otherwise the report may be a repetition.
func (s *Service) soldContract(ctx context.Context, f *faults, hash string, known map[string]*Contract, strict bool) (Contract, error) {
	key := s.ContractKey(hash)
	c := known[key]
	if c == nil {
		found, err := s.Contract(ctx, hash)
		switch {
		case errors.Is(err, ErrContractUnknown):
			f.add("contract_hash", "Contract hash is not registered.")
			return Contract{}, nil
		case err != nil:
			return Contract{}, err
		}
		c = &found
		known[key] = c
	}
	if inactive := c.Status != ContractActive || c.Suspended && s.options.RefuseSuspended; inactive && (strict || len(*f) > 0) {
		f.add("contract_hash", "Contract is not active.")
	}
	return *c, nil
}

// differences says why a repeated report is not the one that is stored, or that
// this one was voided.
func differences(r *SaleReport, sent, stored *Sale) faults {
	same := sent.ContractID == stored.ContractID && sent.Amount == stored.Amount && sent.RoyaltyAmount == stored.RoyaltyAmount
	if r.IdempotencyKey != "" && r.IdempotencyKey == stored.IdempotencyKey {
		same = same && sent.TransactionKey == stored.TransactionKey && sent.BuyerWalletAddress == stored.BuyerWalletAddress &&
			(r.SoldAt.IsZero() || sent.SoldAt.Equal(stored.SoldAt))
		switch {
		case !same:
			return faults{"idempotency_key": {"The idempotency key was used for another sale."}}
		case stored.Status == SaleVoided:
			return faults{"idempotency_key": {"The sale with this idempotency key was voided; use another key to report it anew."}}
		}
		return nil
	}
	if !same {
		return faults{"transaction_hash": {"The transaction hash was reported with other amounts."}}
	}
	return nil
}

// compact is metadata without blanks and of nothing but text.
func compact(j json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if j == nil || json.Compact(&b, j) != nil {
		return nil
	}
	return bytes.ToValidUTF8(b.Bytes(), []byte("\uFFFD"))
}

func reportTrail(p Platform, created []Reported, now time.Time) Trail {
	var t Trail
	for _, r := range created {
		id := strconv.FormatInt(r.Sale.ID, 10)
		t.Audit = append(t.Audit, AuditEntry{At: now, Actor: p.Actor(), Action: "sale.report", Subject: "sale:" + id,
			Detail: detail(map[string]any{"sale_amount": r.Sale.Amount, "royalty_amount": r.Sale.RoyaltyAmount})})
		t.Events = append(t.Events, newEvent(EventSaleReported, id, saleEvent(r.Sale), now))
	}
	return t
}

func saleEvent(sale Sale) SaleEvent {
	e := SaleEvent{
		PlatformIDs: []int64{sale.OriginID}, TransactionID: sale.ID, RoyaltyID: sale.RoyaltyID, ContractHash: sale.ContractHash,
		SellingPlatformID: sale.SellerID, OriginatingPlatformID: sale.OriginID, SaleAmount: sale.Amount,
		RoyaltyAmount: sale.RoyaltyAmount, Status: sale.Status, SoldAt: sale.SoldAt,
	}
	if sale.SellerID != sale.OriginID {
		e.PlatformIDs = append(e.PlatformIDs, sale.SellerID)
	}
	if !sale.VoidedAt.IsZero() {
		e.VoidedAt = &sale.VoidedAt
	}
	return e
}
