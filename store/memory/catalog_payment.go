package memory

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// paymentData is what a catalog keeps of payments and what they bought.
type paymentData struct {
	payments  map[string]*payment                 // by ID
	byKey     map[string]*payment                 // of x402
	used      map[chainHash]catalog.PaymentMethod // what transactions have proven
	proofs    map[proof]string                    // the payment's ID
	refunds   []*catalog.Refund
	grants    map[string]*catalog.Grant   // by ID
	byPayment map[string]*catalog.Grant   // by the payment's ID
	repeats   map[string]int64            // of the last access, by the grant's ID
	ofProduct map[string][]*catalog.Grant // by the product's ID, the oldest first
	quotes    []catalog.Quote
}

// payment is a payment and who works on it.
type payment struct {
	catalog.Payment
	owner       string
	leasedUntil time.Time
}

type chainHash struct {
	network x402.Network
	hash    string
}

type proof struct {
	chainHash
	log int64
}

func (d *paymentData) init() {
	d.payments, d.byKey = map[string]*payment{}, map[string]*payment{}
	d.used, d.proofs = map[chainHash]catalog.PaymentMethod{}, map[proof]string{}
	d.grants, d.byPayment, d.ofProduct = map[string]*catalog.Grant{}, map[string]*catalog.Grant{}, map[string][]*catalog.Grant{}
	d.repeats = map[string]int64{}
}

func showPayment(p *payment) catalog.Payment {
	c := p.Payment
	c.Payload = bytes.Clone(c.Payload)
	return c
}

// keepPayment is p as every backend keeps it.
func keepPayment(p catalog.Payment) catalog.Payment {
	p.Payload = bytes.Clone(p.Payload)
	p.AccessDuration = p.AccessDuration.Truncate(time.Microsecond)
	p.CreatedAt, p.ExpiresAt, p.UpdatedAt = stored(p.CreatedAt), stored(p.ExpiresAt), stored(p.UpdatedAt)
	p.ConfirmedAt = maybe(p.ConfirmedAt)
	return p
}

// maybe is [stored] for a time that may be zero.
func maybe(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return stored(t)
}

// AddProductPayment implements [catalog.PaymentStore].
func (s *Store) AddProductPayment(ctx context.Context, p catalog.Payment, owner string, until time.Time, events ...store.Event) (catalog.Payment, bool, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return catalog.Payment{}, false, err
	}
	defer leave()
	d := &s.payments
	if old := d.byKey[p.Key]; old != nil && p.Key != "" {
		return showPayment(old), false, nil
	}
	if s.catalog.products[p.ProductID] == nil {
		return catalog.Payment{}, false, missing("product", p.ProductID)
	}
	row := &payment{keepPayment(p), owner, stored(until)}
	d.payments[p.ID] = row
	if p.Key != "" {
		d.byKey[p.Key] = row
	}
	for _, e := range events {
		s.save(e)
	}
	return showPayment(row), true, nil
}

// UpdateProductPayment implements [catalog.PaymentStore].
func (s *Store) UpdateProductPayment(ctx context.Context, id string, change func(*catalog.Payment) ([]store.Event, error)) (catalog.Payment, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return catalog.Payment{}, err
	}
	defer leave()
	return s.updatePayment(id, change)
}

func (s *Store) updatePayment(id string, change func(*catalog.Payment) ([]store.Event, error)) (catalog.Payment, error) {
	row := s.payments.payments[id]
	if row == nil {
		return catalog.Payment{}, missing("payment", id)
	}
	c := showPayment(row)
	events, err := change(&c)
	if err != nil {
		return catalog.Payment{}, err
	}
	s.putPayment(row, c, events)
	return showPayment(row), nil
}

// putPayment stores what may change of a payment.
func (s *Store) putPayment(row *payment, changed catalog.Payment, events []store.Event) {
	row.Payment = keepPayment(catalog.MergePayment(row.Payment, changed))
	if row.Status == catalog.PaymentRefunded || row.Status == catalog.PaymentDisputed {
		if g := s.payments.byPayment[row.ID]; g != nil && g.RevokedAt.IsZero() {
			g.RevokedAt, g.RevokedReason = row.UpdatedAt, string(row.Status)
		}
	}
	for _, e := range events {
		s.save(e)
	}
}

// ConfirmProductPayment implements [catalog.PaymentStore].
func (s *Store) ConfirmProductPayment(ctx context.Context, id string, p catalog.Proof, change func(*catalog.Payment) (*catalog.Grant, []store.Event, error)) (catalog.Payment, *catalog.Grant, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return catalog.Payment{}, nil, err
	}
	defer leave()
	row := s.payments.payments[id]
	if row == nil {
		return catalog.Payment{}, nil, missing("payment", id)
	}
	c := showPayment(row)
	g, events, err := change(&c)
	if err != nil {
		return catalog.Payment{}, nil, err
	}
	if err := s.prove(row, p); err != nil {
		return catalog.Payment{}, nil, err
	}
	s.putPayment(row, c, events)
	if g == nil {
		return showPayment(row), nil, nil
	}
	if old := s.payments.byPayment[id]; old != nil {
		old.RevokedAt, old.RevokedReason = time.Time{}, ""
		c := *old
		return showPayment(row), &c, nil
	}
	g = s.addGrant(*g)
	s.countPurchase(row.ProductID, g.CreatedAt)
	return showPayment(row), g, nil
}

// prove ties a transfer to a payment.
func (s *Store) prove(row *payment, p catalog.Proof) error {
	d := &s.payments
	hash := chainHash{p.Network, p.Transaction}
	if method, known := d.used[hash]; known && method != p.Method {
		return catalog.ErrProofUsed
	}
	if p.Method == catalog.MethodTransaction {
		if by, known := d.proofs[proof{hash, p.LogIndex}]; known && by != row.ID {
			return catalog.ErrProofUsed
		}
		for _, other := range d.payments {
			if !p.Signed && fitsBetter(other, row, p.Amount) {
				return catalog.ErrEarlierPayment
			}
		}
		d.proofs[proof{hash, p.LogIndex}] = row.ID
	}
	d.used[hash] = p.Method
	return nil
}

// fitsBetter says whether an open payment fits a transfer of amount better than
// row does.
func fitsBetter(other, row *payment, amount x402.Amount) bool {
	more := other.Amount.Cmp(row.Amount)
	if more < 0 || more == 0 && !other.CreatedAt.Before(row.CreatedAt) || more > 0 && other.Amount.Cmp(amount) > 0 {
		return false
	}
	same := row.Network.SameAddress
	return other != row && other.Method == catalog.MethodTransaction && other.Status.Open() && other.Network == row.Network &&
		same(other.Asset, row.Asset) && same(other.Payer, row.Payer) && same(other.Payee, row.Payee)
}

// LeaseProductPayments implements [catalog.PaymentStore].
func (s *Store) LeaseProductPayments(ctx context.Context, owner string, now, until time.Time, limit int) ([]catalog.Payment, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var list []*payment
	for _, p := range s.payments.payments {
		due := p.Status == catalog.PaymentProcessing || p.Status == catalog.PaymentPending && !p.ExpiresAt.After(now)
		if due && !p.leasedUntil.After(now) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *payment) int { return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID)) })
	var out []catalog.Payment
	for _, p := range list[:min(limit, len(list))] {
		p.owner, p.leasedUntil = owner, stored(until)
		out = append(out, showPayment(p))
	}
	return out, nil
}

// TakeProductPayment implements [catalog.PaymentStore].
func (s *Store) TakeProductPayment(ctx context.Context, id, owner string, now, until time.Time) (catalog.Payment, bool, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return catalog.Payment{}, false, err
	}
	defer leave()
	p := s.payments.payments[id]
	switch {
	case p == nil:
		return catalog.Payment{}, false, missing("payment", id)
	case !p.Status.Open(), p.owner != owner && p.leasedUntil.After(now):
		return showPayment(p), false, nil
	}
	p.owner, p.leasedUntil = owner, stored(until)
	return showPayment(p), true, nil
}

// FreeProductPayment implements [catalog.PaymentStore].
func (s *Store) FreeProductPayment(ctx context.Context, id, owner string) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if p := s.payments.payments[id]; p != nil && p.owner == owner {
		p.owner, p.leasedUntil = "", time.Time{}
	}
	return nil
}

// ProductPayment implements [catalog.PaymentStore].
func (s *Store) ProductPayment(ctx context.Context, id string) (catalog.Payment, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return catalog.Payment{}, err
	}
	defer leave()
	p := s.payments.payments[id]
	if p == nil {
		return catalog.Payment{}, missing("payment", id)
	}
	return showPayment(p), nil
}

// ProductPaymentByKey implements [catalog.PaymentStore].
func (s *Store) ProductPaymentByKey(ctx context.Context, key string) (catalog.Payment, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return catalog.Payment{}, err
	}
	defer leave()
	p := s.payments.byKey[key]
	if p == nil {
		return catalog.Payment{}, missing("payment", key)
	}
	return showPayment(p), nil
}

// ProductPayments implements [catalog.PaymentStore].
func (s *Store) ProductPayments(ctx context.Context, f catalog.PaymentFilter, o store.PageNumber) (store.List[catalog.Payment], error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return store.List[catalog.Payment]{}, err
	}
	defer leave()
	list := s.payments.find(func(p *payment) bool { return f.Matches(p.Payment) })
	o = o.Bounded()
	out := store.List[catalog.Payment]{Total: int64(len(list)), Page: o.Page, Size: o.Size}
	for _, p := range list[min(o.Offset(), len(list)):min(o.Offset()+o.Size, len(list))] {
		out.Items = append(out.Items, showPayment(p))
	}
	return out, nil
}

// ProductPaymentsAfter implements [catalog.PaymentStore].
func (s *Store) ProductPaymentsAfter(ctx context.Context, f catalog.PaymentFilter, last catalog.Payment, limit int) ([]catalog.Payment, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	after := payment{Payment: last}
	list := s.payments.find(func(p *payment) bool { return f.Matches(p.Payment) && (last.ID == "" || newest(p, &after) > 0) })
	var out []catalog.Payment
	for _, p := range list[:min(limit, len(list))] {
		out = append(out, showPayment(p))
	}
	return out, nil
}

// find lists payments that are selected, the newest first.
func (d *paymentData) find(selected func(p *payment) bool) []*payment {
	var list []*payment
	for _, p := range d.payments {
		if selected(p) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, newest)
	return list
}

// newest compares payments, of which the newest comes first.
func newest(a, b *payment) int {
	return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
}

// AddPaymentRefund implements [catalog.PaymentStore].
func (s *Store) AddPaymentRefund(ctx context.Context, r catalog.Refund, change func(*catalog.Payment) ([]store.Event, error)) (catalog.Payment, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return catalog.Payment{}, err
	}
	defer leave()
	p, err := s.updatePayment(r.PaymentID, change)
	if err != nil {
		return p, err
	}
	r.CreatedAt, r.SettledAt = stored(r.CreatedAt), maybe(r.SettledAt)
	s.payments.refunds = append(s.payments.refunds, &r)
	return p, nil
}

// SettlePaymentRefund implements [catalog.PaymentStore].
func (s *Store) SettlePaymentRefund(ctx context.Context, id, transaction string, at time.Time) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	for _, r := range s.payments.refunds {
		if r.ID == id {
			r.Transaction, r.SettledAt = transaction, stored(at)
			return nil
		}
	}
	return missing("refund", id)
}

// PaymentRefunds implements [catalog.PaymentStore].
func (s *Store) PaymentRefunds(ctx context.Context, paymentID string) ([]catalog.Refund, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var list []catalog.Refund
	for _, r := range s.payments.refunds {
		if r.PaymentID == paymentID {
			list = append(list, *r)
		}
	}
	return list, nil
}
