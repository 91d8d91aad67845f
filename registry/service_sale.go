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

const (
	maxWallet   = 42
	maxMetadata = 16 << 10 // bytes
	maxAhead    = 24 * time.Hour
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

// merge adds what is wrong with the input of an index.
func (f *faults) merge(of faults, prefix string, index int) {
	for field, messages := range of {
		if prefix != "" {
			field = prefix + strconv.Itoa(index) + "." + field
		}
		for _, m := range messages {
			f.add(field, m)
		}
	}
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

// time checks when something happened: not before 1970 and not in the future,
// but for clocks and zones that are off.
func (f *faults) time(field string, t, now time.Time) {
	switch {
	case f.has(field) || t.IsZero():
	case t.Sub(now) > maxAhead:
		f.add(field, "The "+label(field)+" must not be more than 24 hours in the future.")
	case t.Unix() < 0:
		f.add(field, "The "+label(field)+" must not be before 1970.")
	}
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

// VoidSale voids a sale that p reported, within Config.VoidWindow of its report.
// ErrSaleUnknown comes before ErrNotSeller, ErrSaleVoided and ErrVoidTooLate. A
// royalty in an issued settlement is taken back by an adjustment in the next.
func (s *Service) VoidSale(ctx context.Context, p Platform, id int64, r VoidRequest) (Voided, error) {
	f := r.faults.clone()
	f.optional("reason", r.Reason, maxReason)
	if err := f.err(); err != nil {
		return Voided{}, err
	}
	now := s.now()
	check := func(sale Sale) error {
		switch {
		case sale.SellerID != p.ID && sale.OriginID != p.ID:
			return ErrSaleUnknown
		case sale.SellerID != p.ID:
			return ErrNotSeller
		case sale.Status != SaleReported:
			return ErrSaleVoided
		case now.Sub(sale.ReportedAt) > s.options.VoidWindow:
			return ErrVoidTooLate
		}
		return nil
	}
	v, err := s.store.VoidSale(ctx, id, r.Reason, now, check, func(v Voided) Trail {
		subject := strconv.FormatInt(id, 10)
		t := audited(now, p.Actor(), "sale.void", "sale:"+subject, detail(map[string]any{"reason": r.Reason}))
		data := saleEvent(v.Sale)
		if v.Adjustment != nil {
			data.AdjustmentID = v.Adjustment.ID
		}
		t.Events = append(t.Events, newEvent(EventSaleVoided, subject, data, now))
		return t
	})
	return v, refusal(err, ErrSaleUnknown, "void a sale")
}

// Sale returns one that p sold or that is of p's contract; ErrSaleUnknown for
// any other.
func (s *Service) Sale(ctx context.Context, p Platform, id int64) (Sale, error) {
	sale, err := s.store.Sale(ctx, id)
	if err == nil && sale.SellerID != p.ID && sale.OriginID != p.ID {
		return Sale{}, ErrSaleUnknown
	}
	return sale, refusal(err, ErrSaleUnknown, "look for a sale")
}

// Sales lists sales that p is a party to, whatever f says. A ContractKey may be
// the hash in whatever form.
func (s *Service) Sales(ctx context.Context, p Platform, f SaleFilter, page PageOptions) (List[Sale], error) {
	list, err := s.store.Sales(ctx, s.ownSales(p, f), page.Bounded())
	return list, refusal(err, nil, "list sales")
}

// EachSale calls each with every sale that Sales would list, the oldest first,
// holding a page at a time. An error of each ends it and is returned.
func (s *Service) EachSale(ctx context.Context, p Platform, f SaleFilter, each func(Sale) error) error {
	f = s.ownSales(p, f)
	for after := int64(0); ; {
		sales, err := s.store.SalesAfter(ctx, f, after, MaxPerPage)
		if err != nil {
			return refusal(err, nil, "list sales")
		}
		for _, sale := range sales {
			if err := each(sale); err != nil {
				return err
			}
			after = sale.ID
		}
		if len(sales) < MaxPerPage {
			return nil
		}
	}
}

func (s *Service) ownSales(p Platform, f SaleFilter) SaleFilter {
	if f.SellerID != p.ID && f.OriginID != p.ID {
		f.PartyID = p.ID
	}
	f.ContractKey = s.ContractKey(f.ContractKey)
	return f
}
