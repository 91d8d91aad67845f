package catalog

import (
	"errors"
	"net/http"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/x402"
)

const (
	paymentsPath = "/api/v1/clients/payments"
	paymentPath  = paymentsPath + "/{id}"
)

func (a *api) routePayments(rt *v402api.Router) {
	rt.Handle("POST "+paymentsPath, a.anyone(a.postPayment))
	rt.Handle("POST "+paymentsPath+"/batch", a.anyone(a.postPayments))
	rt.Handle("GET "+paymentPath, a.anyone(a.getPayment))
	rt.Handle("POST "+paymentPath+"/confirm", a.anyone(a.postConfirm))
	rt.Handle("POST "+paymentPath+"/fail", a.anyone(a.postFail))
	rt.Handle("POST "+paymentPath+"/cancel", a.anyone(a.postCancel))
	rt.Handle("GET /api/v1/clients/payment-history", a.user(a.getHistory))
	rt.Handle("GET /api/v1/clients/chains", a.anyone(a.getChains))
	rt.Handle("GET /api/v1/providers/payments", a.provider(a.getReceived))
	rt.Handle("GET /api/v1/providers/payments/{id}", a.provider(a.getReceivedPayment))
	rt.Handle("GET /api/v1/providers/content-key", a.provider(a.getContentKey))
	rt.Handle("GET /api/v1/admin/payments", a.admin(a.getAllPayments))
	rt.Handle("GET /api/v1/admin/payments/{id}", a.admin(a.getAnyPayment))
	rt.Handle("POST /api/v1/admin/payments/{id}/refund", a.admin(a.postRefund))
	rt.Handle("POST /api/v1/admin/payments/{id}/reconcile", a.admin(a.postReconcile))
}

// paymentView is a payment. First come the keys that the documentation shows for
// a provider's list, in its order.
type paymentView struct {
	ID                string        `json:"id"`
	Transaction       *string       `json:"transaction_hash"`
	Chain             string        `json:"chain"`
	Amount            string        `json:"amount"`
	Fee               string        `json:"facilitator_fee"`
	Status            PaymentStatus `json:"status"`
	Payer             string        `json:"payer_address"`
	ProductID         string        `json:"product_id"`
	CreatedAt         v402api.Time  `json:"created_at"`
	ConfirmedAt       v402api.Time  `json:"confirmed_at"`
	Payee             string        `json:"payee_address"`
	Currency          string        `json:"currency"`
	Scheme            Scheme        `json:"payment_scheme"`
	Method            PaymentMethod `json:"method"`
	Network           x402.Network  `json:"network"`
	Asset             *string       `json:"asset"` // address of the token; null for the network's coin
	Refunded          string        `json:"refunded_amount"`
	ExternalReference *string       `json:"external_reference"`
	Block             *uint64       `json:"block_number"`
	Confirmations     uint64        `json:"confirmations"`
	FailureCode       *string       `json:"error_code"`
	FailureReason     *string       `json:"failure_reason"`
	ExpiresAt         v402api.Time  `json:"expires_at"`
	UpdatedAt         v402api.Time  `json:"updated_at"`
}

func viewPayment(p Payment) paymentView {
	return paymentView{
		ID: p.ID, Transaction: orNull(p.Transaction), Chain: p.Chain, Amount: p.Amount.String(), Fee: p.Fee.String(), Status: p.Status,
		Payer: p.Payer, ProductID: p.ProductID, CreatedAt: v402api.Time(p.CreatedAt), ConfirmedAt: v402api.Time(p.ConfirmedAt),
		Payee: p.Payee, Currency: p.Currency, Scheme: p.Scheme, Method: p.Method, Network: p.Network, Asset: orNull(p.Asset),
		Refunded: p.Refunded.String(), ExternalReference: orNull(p.ExternalReference), Block: orNull(p.Block), Confirmations: p.Confirmations,
		FailureCode: orNull(p.FailureCode), FailureReason: orNull(p.FailureReason), ExpiresAt: v402api.Time(p.ExpiresAt), UpdatedAt: v402api.Time(p.UpdatedAt),
	}
}

// paymentBody creates a payment.
type paymentBody struct {
	ProductID         string `json:"product_id"`
	Payer             string `json:"payer_address"`
	Payee             string `json:"payee_address"`
	Amount            *Price `json:"amount"`
	Chain             string `json:"chain"`
	Currency          string `json:"currency"`
	Scheme            Scheme `json:"payment_scheme"`
	ExternalReference string `json:"external_reference"`
}

// request checks the form of what was sent.
func (a *api) request(r *http.Request, u account.User, in paymentBody) (PaymentRequest, error) {
	out := PaymentRequest{
		ProductID: in.ProductID, Payer: in.Payer, Payee: in.Payee, Chain: in.Chain, Currency: in.Currency, Scheme: in.Scheme,
		ExternalReference: in.ExternalReference, Buyer: u, Requester: a.requester(r, u), Resource: "/api/v1/clients/access/" + in.ProductID,
	}
	amount, err := atomic("amount", in.Amount)
	out.Amount = amount
	return out, err
}

// atomic reads an amount, which may be missing.
func atomic(field string, text *Price) (*x402.Amount, error) {
	if text == nil {
		return nil, nil
	}
	amount, err := x402.ParseAtomic(string(*text))
	if err != nil {
		return nil, v402api.Invalid(field, v402api.InvalidFormat,
			field+" must be a whole number of the smallest unit, in decimal digits without sign, point or leading zeros")
	}
	return &amount, nil
}

func (a *api) postPayment(w http.ResponseWriter, r *http.Request, u account.User) error {
	var in paymentBody
	if err := v402api.Read(r, v402api.MaxBody, &in); err != nil {
		return err
	}
	request, err := a.request(r, u, in)
	if err != nil {
		return err
	}
	p, err := a.CreatePayment(r.Context(), request)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusCreated, viewPayment(p))
}

// batchView has one result for each payment that was asked for, in their order.
type batchView struct {
	Items   []batchItem `json:"items"`
	Total   int         `json:"total"`
	Created int         `json:"created"`
	Failed  int         `json:"failed"`
}

type batchItem struct {
	Status  int          `json:"status"` // as HTTP has it: 201, or that of the error
	Payment *paymentView `json:"payment"`
	Error   *batchError  `json:"error"`
}

type batchError struct {
	Error   v402api.Code   `json:"error"`
	Message string         `json:"message"`
	Details map[string]any `json:"details"`
}

func (a *api) postPayments(w http.ResponseWriter, r *http.Request, u account.User) error {
	var in struct {
		Payments []paymentBody `json:"payments"`
	}
	if err := v402api.Read(r, v402api.MaxBody, &in); err != nil {
		return err
	}
	if len(in.Payments) == 0 || len(in.Payments) > MaxPaymentBatch {
		_, err := a.CreatePayments(r.Context(), make([]PaymentRequest, len(in.Payments)))
		return err
	}
	out := batchView{Items: make([]batchItem, len(in.Payments)), Total: len(in.Payments)}
	for i, body := range in.Payments {
		request, err := a.request(r, u, body)
		var p Payment
		if err == nil {
			p, err = a.CreatePayment(r.Context(), request)
		}
		if out.Items[i], err = a.batchItem(p, err); err != nil {
			return err
		}
		if out.Items[i].Error == nil {
			out.Created++
		} else {
			out.Failed++
		}
	}
	return v402api.JSON(w, http.StatusOK, out)
}

// batchItem is one result; an error that is ours to mend is returned if nothing
// was created.
func (a *api) batchItem(p Payment, err error) (batchItem, error) {
	var refused *Error
	switch {
	case err == nil:
		v := viewPayment(p)
		return batchItem{Status: http.StatusCreated, Payment: &v}, nil
	case !errors.As(err, &refused):
		a.log.Error("catalog: create a payment of a batch", "error", err)
		refused = &Error{Code: v402api.Internal, Message: "Internal server error"}
	}
	details := map[string]any{}
	if len(refused.Faults) > 0 {
		details["field"], details["code"] = refused.Faults[0].Field, refused.Faults[0].Code
	}
	return batchItem{Status: refused.Code.Status(), Error: &batchError{refused.Code, refused.Message, details}}, nil
}

func (a *api) getPayment(w http.ResponseWriter, r *http.Request, u account.User) error {
	p, err := a.Payment(r.Context(), u, r.PathValue("id"))
	return answerPayment(w, p, err)
}

func answerPayment(w http.ResponseWriter, p Payment, err error) error {
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, viewPayment(p))
}

// confirmedView is a payment and, if it is confirmed, what opens the product.
type confirmedView struct {
	paymentView
	AccessToken *string        `json:"access_token"`
	ContentURL  *string        `json:"content_url"`
	Grant       *accessDetails `json:"grant"`
}

func (a *api) postConfirm(w http.ResponseWriter, r *http.Request, u account.User) error {
	var in struct {
		Transaction string  `json:"transaction_hash"`
		Signature   string  `json:"payer_signature"`
		Block       *uint64 `json:"block_number"` // what the chain says counts, of this and what follows
		GasUsed     *Price  `json:"gas_used"`
		GasPrice    *Price  `json:"gas_price"`
	}
	if err := v402api.Read(r, v402api.MaxBody, &in); err != nil {
		return err
	}
	p, g, err := a.ConfirmPayment(r.Context(), u, r.PathValue("id"), Confirmation{Transaction: in.Transaction, Signature: in.Signature})
	if err != nil {
		return err
	}
	out := confirmedView{paymentView: viewPayment(p)}
	if g.ID == "" { // not confirmed yet, or disputed
		status := http.StatusOK
		if p.Status.Open() {
			status = http.StatusAccepted
		}
		return v402api.JSON(w, status, out)
	}
	view := a.viewGrant(g)
	out.Grant = &view
	if product, err := a.store.Product(r.Context(), p.ProductID); err == nil && g.Live(a.now()) {
		if opened, err := a.open(&product, g); err == nil {
			out.AccessToken = orNull(opened.Token)
			if !g.Counted() { // the first access is yet to be counted
				out.ContentURL = orNull(opened.ContentURL)
			}
		}
	}
	return v402api.JSON(w, http.StatusOK, out)
}

func (a *api) postFail(w http.ResponseWriter, r *http.Request, u account.User) error {
	var in struct {
		Reason string `json:"reason"`
		Code   string `json:"error_code"`
	}
	if err := v402api.Read(r, v402api.MaxBody, &in); err != nil {
		return err
	}
	p, err := a.FailPayment(r.Context(), u, r.PathValue("id"), in.Code, in.Reason)
	return answerPayment(w, p, err)
}

func (a *api) postCancel(w http.ResponseWriter, r *http.Request, u account.User) error {
	p, err := a.CancelPayment(r.Context(), u, r.PathValue("id"))
	return answerPayment(w, p, err)
}

// maxPayments is how many payments a page has at most.
const maxPayments = 200

// listPayments answers a list of those that the caller may see.
func (a *api) listPayments(w http.ResponseWriter, r *http.Request, f PaymentFilter) error {
	q := v402api.QueryOf(r)
	f = paymentFilter(q, f)
	page := q.Page(defaultSize, maxPayments)
	if err := q.Err(); err != nil {
		return err
	}
	list, err := a.Payments(r.Context(), f, page)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, v402api.PageOf(list, viewPayment))
}

// paymentFilter is f with what the parameters of a list select.
func paymentFilter(q *v402api.Query, f PaymentFilter) PaymentFilter {
	f.ProductID, f.Status = q.Text("product_id", maxShort), v402api.OneOf(q, "status", PaymentStatuses...)
	if chain := q.Text("chain", maxShort); chain != "" {
		if n, err := ParseChain(chain); err != nil {
			q.Add("chain", v402api.InvalidEnum, "chain is not known")
		} else {
			f.Chain = ChainName(n)
		}
	}
	f.From, f.To = q.Time("start_date"), q.Until("end_date")
	f.MinAmount, f.MaxAmount = queryAmount(q, "min_amount"), queryAmount(q, "max_amount")
	return f
}

func queryAmount(q *v402api.Query, name string) *x402.Amount {
	text := Price(q.Text(name, maxShort))
	if text == "" {
		return nil
	}
	amount, err := atomic(name, &text)
	if err != nil {
		q.Add(name, v402api.InvalidFormat, name+" must be a whole number of the smallest unit, in decimal digits")
	}
	return amount
}

func (a *api) getHistory(w http.ResponseWriter, r *http.Request, u account.User) error {
	return a.listPayments(w, r, PaymentFilter{UserID: u.ID})
}

func (a *api) getReceived(w http.ResponseWriter, r *http.Request, u account.User) error {
	return a.listPayments(w, r, PaymentFilter{OwnerID: u.ID})
}

func (a *api) getReceivedPayment(w http.ResponseWriter, r *http.Request, u account.User) error {
	p, err := a.ReceivedPayment(r.Context(), u.ID, r.PathValue("id"))
	return answerPayment(w, p, err)
}

func (a *api) getContentKey(w http.ResponseWriter, _ *http.Request, u account.User) error {
	return v402api.JSON(w, http.StatusOK, struct {
		Key       string `json:"content_key"`
		Algorithm string `json:"algorithm"`
		Warning   string `json:"warning"`
	}{a.ContentKey(u.ID), "HMAC-SHA256", "Keep this key secret: it verifies access tokens and content URLs of your products, and makes them"})
}

// chainView is a network that products are paid on.
type chainView struct {
	Name             string       `json:"name"`
	DisplayName      string       `json:"display_name"`
	ChainID          *uint64      `json:"chain_id"` // null where there is none
	Currency         string       `json:"currency"`
	Status           string       `json:"status"`            // "active", or "inactive" where nothing can be paid here
	AverageFee       *string      `json:"average_fee"`       // null: not measured
	ConfirmationTime *uint64      `json:"confirmation_time"` // null: not measured
	Network          x402.Network `json:"network"`
	Currencies       []string     `json:"currencies"`
	Confirmations    uint64       `json:"confirmations"` // that prove a payment
	X402             bool         `json:"x402"`          // tokens are paid through the protocol
	Transactions     bool         `json:"transactions"`  // payments by transaction are proven
}

func (a *api) getChains(w http.ResponseWriter, r *http.Request, _ account.User) error {
	supported, err := a.supported(r.Context())
	if err != nil {
		return err
	}
	list := make([]chainView, len(a.networks))
	for i, n := range a.networks {
		v := chainView{
			Name: ChainName(n), DisplayName: displayName(n), Currency: nativeCoin(n).Currency, Status: "inactive", Network: n,
			Currencies: orEmpty(a.coins.on(n)), Confirmations: a.options.Payments.confirmations(n), X402: serves(&supported, n),
		}
		if id, ok := n.ChainID(); ok {
			v.ChainID = &id
		}
		if _, v.Transactions = a.chain(n); v.Transactions || v.X402 {
			v.Status = "active"
		}
		list[i] = v
	}
	return v402api.JSON(w, http.StatusOK, struct {
		Chains []chainView `json:"chains"`
	}{list})
}

// displayName is how people call n.
func displayName(n x402.Network) string {
	for _, c := range wellKnown {
		if c.network == n {
			return c.display
		}
	}
	return ChainName(n)
}
