package catalog

import (
	"context"
	"errors"
	"time"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/catalog/content"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// AccessRequest asks for a product, with whatever gives a right to it.
type AccessRequest struct {
	ProductID string
	URL       string       // absolute, of the request: what a payment is made for
	Token     string       // access token that came with an earlier access
	User      account.User // zero if nobody knows
	Payer     string       // address that the caller has proven to own
	Requester string       // who is told a dynamic price: the user, or the address of the client
	Payment   *x402.PaymentPayload
	Handled   bool // a handler answers: a repeated payment is the same access for a minute and three times only
}

// Access is what a request got.
type Access struct {
	Product    Product
	Grant      Grant                // its ID is empty if the product is free
	ContentURL string               // signed, good for minutes
	Token      string               // access token, good as long as the grant
	Settlement *x402.SettleResponse // of the payment that came with the request
	Version    int                  // of the protocol that it came in
}

// Access opens a product: by an access token, by a grant that the user or the
// payer has, or by the payment that comes with the request, which is verified,
// settled and kept with the grant that it buys.
//
// The same payment again gives the same access, for who did not get the answer,
// and is never settled for another one. It does so for as long as a content URL
// is good, from the access on: what was settled can be read from the chain and
// sent again by anybody. Later the access token opens the product, the user, or a
// signature of the payer: [ErrPaymentSpent]. While one request has a payment
// settled others with the same one wait.
//
// Without any of these, or with a payment that does not do, the error is a
// [*PaymentRequiredError]. It is a [*UnsettledError] if the money may have moved:
// then the same payment must be sent again, and never a new one.
func (s *Service) Access(ctx context.Context, r AccessRequest) (Access, error) {
	product, err := s.store.Product(ctx, r.ProductID)
	if err != nil {
		return Access{}, refusal(err, ErrProductUnknown, "read a product")
	}
	if r.Token != "" {
		a, err := s.byToken(ctx, &product, r)
		var refused *Error
		if err == nil || !errors.As(err, &refused) || r.Payment == nil {
			return a, err
		}
	}
	if a, ok, err := s.byHolder(ctx, &product, r); ok || err != nil {
		return a, err
	}
	if r.Payment != nil {
		return s.pay(ctx, &product, r)
	}
	switch {
	case !product.OnSale():
		return Access{Product: product}, ErrProductUnknown
	case product.Scheme == SchemeUpto:
		return Access{Product: product}, ErrUptoUnsupported
	case isFree(&product):
		return s.free(&product)
	}
	t, err := s.termsOf(ctx, &product, r)
	switch {
	case err != nil:
		return Access{Product: product}, err
	case t == nil:
		return s.free(&product)
	default:
		return Access{Product: product}, t.required(x402.ReasonPaymentRequired, requiredMessage)
	}
}

// requiredMessage is what the challenge says.
const requiredMessage = "Payment required to access this content"

// byToken opens a product by an access token.
func (s *Service) byToken(ctx context.Context, product *Product, r AccessRequest) (Access, error) {
	denied := Access{Product: *product}
	ticket, err := content.Verifier{Keys: s.contentKeys(product.OwnerID), Now: s.options.Now}.Token(product.ID, r.Token)
	switch {
	case errors.Is(err, content.ErrExpired):
		return denied, ErrAccessExpired
	case err != nil:
		return denied, ErrAccessToken
	case ticket.Grant == "":
		if !isFree(product) || !product.OnSale() {
			return denied, ErrAccessExpired
		}
		return s.free(product)
	}
	g, err := s.store.AccessGrant(ctx, ticket.Grant)
	if err != nil {
		return denied, refusal(err, ErrAccessToken, "read a grant")
	}
	if g.ProductID != product.ID { // its provider has made the token
		return denied, ErrAccessToken
	}
	return s.use(ctx, product, g)
}

// byHolder opens a product by a grant of the user or the payer; ok says that
// there is one.
func (s *Service) byHolder(ctx context.Context, product *Product, r AccessRequest) (a Access, ok bool, err error) {
	if r.User.ID == "" && r.Payer == "" {
		return a, false, nil
	}
	g, err := s.store.AccessGrantOf(ctx, product.ID, r.User.ID, foldPayer(r.Payer), s.now())
	if errors.Is(err, store.ErrNotFound) {
		return a, false, nil
	}
	if err != nil {
		return a, false, refusal(err, nil, "read a grant")
	}
	if r.Payment != nil { // which perhaps has just bought this access
		if a, ok, err := s.retried(ctx, product, r); ok || err != nil {
			return a, ok, err
		}
	}
	a, err = s.use(ctx, product, g)
	if errors.Is(err, ErrAccessExhausted) { // by another request meanwhile
		return a, false, nil
	}
	return a, true, err
}

// foldPayer is the one spelling of an address whose network is not known: those
// of EVM chains alone begin with "0x".
func foldPayer(address string) string {
	if len(address) == 42 && address[0] == '0' && (address[1] == 'x' || address[1] == 'X') {
		return foldAddress(x402.Ethereum, address)
	}
	return address
}

// use opens a product by a grant, and counts that if it must.
func (s *Service) use(ctx context.Context, product *Product, g Grant) (Access, error) {
	if g.Accesses == 0 && !g.Counted() { // so that its payment does not open it to others later
		var err error
		if g, err = s.store.StartAccessGrant(ctx, g.ID, s.now()); err != nil {
			return Access{Product: *product}, refusal(err, ErrAccessToken, "count an access")
		}
	}
	if err := notLive(g, s.now()); err != nil {
		return Access{Product: *product}, err
	}
	if g.Counted() {
		counted, ok, err := s.store.UseAccessGrant(ctx, g.ID, s.now())
		switch {
		case err != nil:
			return Access{Product: *product}, refusal(err, ErrAccessToken, "count an access")
		case !ok:
			return Access{Product: *product}, notLive(counted, s.now())
		}
		g = counted
	}
	return s.open(product, g)
}

// notLive says why a grant opens nothing; nil if it does.
func notLive(g Grant, now time.Time) error {
	switch g.Status(now) {
	case GrantActive:
		return nil
	case GrantExpired:
		return ErrAccessExpired
	case GrantExhausted:
		return ErrAccessExhausted
	default:
		return ErrAccessRevoked
	}
}

// forever is how long tokens of grants that never expire are good.
const forever = 10 * 365 * 24 * time.Hour

// open makes what shows the provider that the holder of g may read.
func (s *Service) open(product *Product, g Grant) (Access, error) {
	now := s.now()
	t := content.Ticket{Grant: g.ID, Product: product.ID, Payer: g.Payer, Counted: g.Counted(), IssuedAt: now, Expires: g.ExpiresAt}
	if t.Expires.IsZero() {
		t.Expires = now.Add(forever)
	}
	return s.issue(product, g, t)
}

// free opens a product that costs nothing now: nothing is stored, and the token
// lasts no longer than a content URL, because the price may change.
func (s *Service) free(product *Product) (Access, error) {
	now := s.now()
	t := content.Ticket{Product: product.ID, IssuedAt: now, Expires: now.Add(s.options.Payments.ContentTTL)}
	return s.issue(product, Grant{ProductID: product.ID, CreatedAt: now}, t)
}

func (s *Service) issue(product *Product, g Grant, t content.Ticket) (Access, error) {
	a := Access{Product: *product, Grant: g}
	key := s.ContentKey(product.OwnerID)
	var err error
	if a.Token, err = content.Token(key, t); err != nil {
		return a, refusal(err, nil, "make an access token")
	}
	if soon := t.IssuedAt.Add(s.options.Payments.ContentTTL); soon.Before(t.Expires) {
		t.Expires = soon
	}
	a.ContentURL, err = content.SignURL(key, product.ContentURL, t)
	return a, refusal(err, nil, "sign a content URL")
}

// Grants lists the live grants of a user or payer for a product.
func (s *Service) Grants(ctx context.Context, productID string, user account.User, payer string) ([]Grant, error) {
	if user.ID == "" && payer == "" {
		return nil, ErrUnauthenticated
	}
	list, err := s.store.AccessGrants(ctx, productID, user.ID, foldPayer(payer), s.now())
	return list, refusal(err, nil, "list grants")
}
