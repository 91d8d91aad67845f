package catalog

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/v402/v402/middleware"
	"github.com/v402/v402/x402"
)

// terms are what a request for a product may be paid with.
type terms struct {
	product  Product
	resource x402.ResourceInfo
	timeout  x402.Seconds      // to pay
	x402     []PaymentOption   // through the facilitator
	plain    []PaymentOption   // by transaction
	protocol *middleware.Terms // of x402; nil if there are none
}

// PaymentRequiredError says that a product must be paid for, how, and, if a
// payment came, why it does not do.
type PaymentRequiredError struct {
	Reason     x402.Reason // [x402.ReasonPaymentRequired] if no payment came
	Message    string
	Settlement *x402.SettleResponse // of the payment, if it got that far
	Version    int                  // of the payment

	terms *terms
}

// Error implements error.
func (e *PaymentRequiredError) Error() string {
	return "catalog: payment required: " + string(e.Reason) + ": " + e.Message
}

// Requirements are the ways to pay through x402.
func (e *PaymentRequiredError) Requirements() []x402.PaymentRequirements {
	if e.terms.protocol == nil {
		return nil
	}
	return e.terms.protocol.Requirements()
}

// Transactions are the ways to pay by transaction: see [Service.CreatePayment].
func (e *PaymentRequiredError) Transactions() []PaymentOption { return e.terms.plain }

func (t *terms) required(reason x402.Reason, message string) *PaymentRequiredError {
	return &PaymentRequiredError{Reason: reason, Message: message, terms: t}
}

// termsOf are the terms of a request; nil if the product is free for it.
func (s *Service) termsOf(ctx context.Context, product *Product, r AccessRequest) (*terms, error) {
	prices, err := s.prices(ctx, s.priceRequest(product, r))
	if err != nil {
		return nil, err
	}
	price := prices[0]
	if r.Payment != nil {
		price = s.meant(product, prices, r.Payment)
	}
	if price.IsZero() {
		return nil, nil
	}
	options, err := s.optionsAt(ctx, product, price)
	if err != nil {
		return nil, err
	}
	t := &terms{product: *product, timeout: s.timeout(), resource: x402.ResourceInfo{
		URL: r.URL, Description: shortened(product.Title, maxResource), MimeType: product.ContentType,
	}}
	if err := s.sort(ctx, t, options); err != nil {
		return nil, err
	}
	if len(t.x402) == 0 {
		if len(t.plain) == 0 {
			return nil, ErrNotPayable
		}
		return t, nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL, nil)
	if err != nil {
		return nil, refusal(err, nil, "read the URL of a request")
	}
	t.protocol, err = middleware.NewTerms(request, s.options.Facilitator, s.options.Assets, t.resource, s.offers(t.x402)...)
	return t, refusal(err, nil, "compute terms")
}

func (s *Service) priceRequest(product *Product, r AccessRequest) PriceRequest {
	p := PriceRequest{Product: *product, Requester: r.Requester, User: r.User}
	if u, err := url.Parse(r.URL); err == nil {
		p.Resource = u.RequestURI()
	}
	return p
}

// sort tells apart which options the facilitator serves and which are proven by
// a chain.
func (s *Service) sort(ctx context.Context, t *terms, options []PaymentOption) error {
	supported, err := s.supported(ctx)
	if err != nil {
		return err
	}
	for _, o := range options {
		if !o.Coin.Native() && serves(&supported, o.Coin.Network) {
			t.x402 = append(t.x402, o)
		}
		if _, ok := s.chain(o.Coin.Network); ok {
			t.plain = append(t.plain, o)
		}
	}
	return nil
}

// serves says whether exact payments on n are settled.
func serves(supported *x402.Supported, n x402.Network) bool {
	_, v2 := supported.Kind(x402.V2, x402.SchemeExact, n)
	_, v1 := supported.Kind(x402.V1, x402.SchemeExact, n)
	return v1 || v2
}

func (s *Service) supported(ctx context.Context) (x402.Supported, error) {
	if s.options.Facilitator == nil {
		return x402.Supported{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.Payments.ContentWait)
	defer cancel()
	supported, err := s.options.Facilitator.Supported(ctx)
	if err != nil {
		return supported, &Error{Code: ErrChainUnavailable.Code, Message: "The facilitator cannot be asked now; try again later", Err: err}
	}
	return supported, nil
}

func (s *Service) timeout() x402.Seconds { return x402.Seconds(s.options.Payments.Timeout.Seconds()) }

func (s *Service) offers(options []PaymentOption) []middleware.Offer {
	list := make([]middleware.Offer, len(options))
	for i, o := range options {
		list[i] = middleware.Offer{
			Network: o.Coin.Network, Asset: o.Coin.Token.Address, Amount: o.Amount, PayTo: o.PayTo,
			MaxTimeoutSeconds: s.timeout(),
			Extra:             o.Coin.Token.Requirements(o.Amount, o.PayTo).Extra,
		}
	}
	return list
}

// maxResource is the longest that hosted facilitators accept, in bytes.
const maxResource = 500

func shortened(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// meant is the price that a payment was made for: of those that were told, the
// one that it pays, or else the price of now.
func (s *Service) meant(product *Product, prices []x402.Amount, p *x402.PaymentPayload) x402.Amount {
	paid := p.Accepted.Amount
	if p.Version == x402.V1 {
		var payload struct {
			Authorization struct {
				Value *x402.Amount `json:"value"`
			} `json:"authorization"`
		}
		if json.Unmarshal(p.Payload, &payload) != nil || payload.Authorization.Value == nil {
			return prices[0]
		}
		paid = *payload.Authorization.Value
	}
	for _, price := range prices {
		if amount, ok := s.coinAmount(product, p.Accepted.Network, price); ok && amount.Equal(paid) {
			return price
		}
	}
	return prices[0]
}
