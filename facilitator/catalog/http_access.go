package catalog

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web"
	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/middleware"
	"github.com/v402/v402/x402"
)

const accessPath = "/api/v1/clients/access/{id}"

// HeaderAccessToken has the access token of a request, beside Authorization:
// Bearer and the query parameter "token"; and in answers of [Service.Guard].
const HeaderAccessToken = "X-V402-Access-Token"

func (a *api) routeAccess(rt *v402api.Router) {
	rt.Handle("GET "+accessPath, a.buyer(a.getAccess))
	rt.Handle("GET "+accessPath+"/grants", a.buyer(a.getGrants))
}

// buyerHandler serves a request of u, if that is known, and of who owns the
// address payer, if that was proven.
type buyerHandler func(w http.ResponseWriter, r *http.Request, u account.User, payer string) error

// buyer serves whoever asks. A request that a wallet has signed is its payer's;
// an access token is no credential of a user.
func (a *api) buyer(h buyerHandler) http.Handler {
	return a.web.Func(func(w http.ResponseWriter, r *http.Request) error {
		r = withAccessToken(r)
		u, payer, err := a.caller(r)
		if err := a.limit(w, r, v402api.Authenticated, u, err); err != nil {
			return err
		}
		return h(w, r, u, payer)
	})
}

// caller returns who sends r, if that is known, and the address that it has
// proven to own, if any. A signature is good once, so it is looked at once.
func (a *api) caller(r *http.Request) (u account.User, payer string, err error) {
	if a.options.Payments.Buyer == nil {
		u, err = a.authenticate(r)
	} else {
		u, payer, err = a.options.Payments.Buyer(r)
		err = unlessAnonymous(err)
	}
	if err == nil && u.ID != "" {
		err = account.Admitted(u)
	}
	return u, payer, err
}

func without(r *http.Request, header string) *http.Request {
	r = r.Clone(r.Context())
	r.Header.Del(header)
	return r
}

// withAccessToken moves an access token to a header of its own.
func withAccessToken(r *http.Request) *http.Request {
	if r.Header.Get(HeaderAccessToken) != "" {
		return r
	}
	token := r.URL.Query().Get("token")
	scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if bearer = strings.TrimSpace(bearer); strings.EqualFold(scheme, "Bearer") && isAccessToken(bearer) {
		r, token = without(r, "Authorization"), bearer
	} else if token != "" {
		r = r.Clone(r.Context())
	}
	if token != "" {
		r.Header.Set(HeaderAccessToken, token)
	}
	return r
}

// isAccessToken tells an access token from the credentials of a user. It proves
// nothing.
func isAccessToken(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	j, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Issuer   string          `json:"iss"`
		Audience json.RawMessage `json:"aud"`
	}
	return err == nil && json.Unmarshal(j, &claims) == nil && claims.Issuer == "v402" && len(claims.Audience) > 0
}

// accessBody is what a buyer gets. First come the keys that the documentation
// shows, in its order.
type accessBody struct {
	Status     string         `json:"status"`
	ContentURL string         `json:"content_url"`
	Token      string         `json:"access_token"`
	ExpiresAt  v402api.Time   `json:"expires_at"`
	Paid       paidView       `json:"payment_info"`
	ProductID  string         `json:"product_id"`
	Grant      *accessDetails `json:"grant"` // null if the product is free
}

type paidView struct {
	Amount        string  `json:"amount"`
	Transaction   *string `json:"transaction_hash"`
	Network       *string `json:"network"`
	Confirmations uint64  `json:"confirmations"`
}

type accessDetails struct {
	ID          string       `json:"id"`
	Status      GrantStatus  `json:"status"`
	Accesses    int64        `json:"access_count"`
	MaxAccesses *int64       `json:"max_access_count"`
	CreatedAt   v402api.Time `json:"created_at"`
	ExpiresAt   v402api.Time `json:"expires_at"`
	PaymentID   string       `json:"payment_id"`
}

func (a *api) viewGrant(g Grant) accessDetails {
	return accessDetails{g.ID, g.Status(a.now()), g.Accesses, orNull(g.MaxAccesses), v402api.Time(g.CreatedAt), v402api.Time(g.ExpiresAt), g.PaymentID}
}

func viewPaid(p Paid) paidView {
	v := paidView{Amount: p.Amount.String(), Transaction: orNull(p.Transaction), Confirmations: p.Confirmations}
	if p.Network != "" {
		v.Network = orNull(ChainName(p.Network))
	}
	return v
}

func (a *api) getAccess(w http.ResponseWriter, r *http.Request, u account.User, payer string) error {
	got, err := a.enter(r, r.PathValue("id"), u, payer)
	if err != nil {
		return a.deny(w, r, err)
	}
	if got.Settlement != nil {
		middleware.SetReceipt(w.Header(), got.Version, *got.Settlement)
	}
	body := accessBody{
		Status: "success", ContentURL: got.ContentURL, Token: got.Token, ExpiresAt: v402api.Time(got.Grant.ExpiresAt),
		Paid: viewPaid(got.Grant.Paid), ProductID: got.Product.ID,
	}
	if got.Grant.ID != "" {
		g := a.viewGrant(got.Grant)
		body.Grant = &g
	}
	return v402api.JSON(w, http.StatusOK, body)
}

// enter opens a product for a request with whatever that brings, and takes note
// of the attempt.
func (s *Service) enter(r *http.Request, productID string, u account.User, payer string) (Access, error) {
	return s.enterAs(r, productID, u, payer, false)
}

func (s *Service) enterAs(r *http.Request, productID string, u account.User, payer string, handled bool) (Access, error) {
	request := AccessRequest{
		ProductID: productID, URL: s.resourceURL(r), Token: r.Header.Get(HeaderAccessToken), User: u, Payer: payer,
		Requester: s.requester(r, u), Handled: handled,
	}
	payload, paid, err := middleware.ReadPayment(r)
	var got Access
	switch {
	case err != nil:
		got, err = s.unreadable(r, request, err)
	default:
		if paid {
			request.Payment = &payload
		}
		got, err = s.Access(r.Context(), request)
	}
	if got.Product.ID != "" {
		s.noteAccess(r, &got, payer, paid, err)
	}
	return got, err
}

// unreadable refuses a payment that cannot be read, with the terms of the product.
func (s *Service) unreadable(r *http.Request, request AccessRequest, cause error) (Access, error) {
	request.Token, request.User, request.Payer = "", account.User{}, ""
	got, err := s.Access(r.Context(), request)
	var required *PaymentRequiredError
	if !errors.As(err, &required) {
		return got, err
	}
	var e *x402.Error
	if errors.As(cause, &e) {
		required.Reason, required.Message = "invalid_payment_header", string(e.Reason)+": "+e.Message()
	}
	return got, required
}

// requester is whom a dynamic price is told to.
func (s *Service) requester(r *http.Request, u account.User) string {
	if u.ID != "" {
		return "user " + u.ID
	}
	return web.ClientOf(s.clientAddr(r))
}

// maxURL is the longest URL that a challenge names, in bytes; beyond, its query
// is left out.
const maxURL = 1 << 10

// resourceURL is the URL of r as its sender sees it.
func (s *Service) resourceURL(r *http.Request) string {
	base := strings.TrimRight(s.options.Payments.PublicURL, "/")
	if base == "" {
		u := url.URL{Scheme: "http", Host: r.Host}
		if r.TLS != nil {
			u.Scheme = "https"
		}
		base = u.String()
	}
	address := base + r.URL.EscapedPath()
	query := slices.DeleteFunc(strings.Split(r.URL.RawQuery, "&"), func(pair string) bool {
		return pair == "" || strings.HasPrefix(pair, "token=") // which is a secret
	})
	if full := address + "?" + strings.Join(query, "&"); len(query) > 0 && len(full) <= maxURL {
		return full
	}
	return address
}

// noteAccess takes note of an attempt.
func (s *Service) noteAccess(r *http.Request, got *Access, payer string, paid bool, err error) {
	e := LogEntry{UserAgent: r.UserAgent(), PaymentID: got.Grant.PaymentID, Payer: got.Grant.Payer}
	if e.Payer == "" {
		e.Payer = payer
	}
	var required *PaymentRequiredError
	var refused *Error
	switch {
	case err == nil:
		e.Status = LogPaid
	case errors.As(err, &required) && !paid:
		e.Status = LogRequested
	case required != nil, errors.As(err, &refused) && refused.Code.Status() < http.StatusInternalServerError:
		e.Status = LogDenied
	default:
		e.Status = LogError
	}
	s.record(&got.Product, e, s.clientAddr(r))
}

// deny answers a request that was not let in: here if the protocol says how,
// and otherwise by the error that is returned.
func (s *Service) deny(w http.ResponseWriter, r *http.Request, err error) error {
	var required *PaymentRequiredError
	var unsettled *UnsettledError
	switch {
	case errors.As(err, &required):
		return required.write(w)
	case errors.As(err, &unsettled):
		if unsettled.Err != nil {
			s.log.ErrorContext(r.Context(), "catalog: settle a payment: the outcome is unknown", "error", unsettled.Err)
		}
		return unsettled.write(w, v402api.Time(s.now()))
	default:
		return err
	}
}

// write answers 402 with the challenge.
func (e *PaymentRequiredError) write(w http.ResponseWriter) error {
	web.Secure(w.Header())
	w.Header().Set("WWW-Authenticate", "X402")
	if e.Settlement != nil {
		middleware.SetReceipt(w.Header(), e.Version, *e.Settlement)
	}
	if e.terms.protocol != nil {
		e.terms.protocol.Write(w, e.Reason, e.Message)
		return nil
	}
	return e.terms.writePlain(w, e.Reason, e.Message)
}

// unsettledBody is the API's error; error is a reason of x402.
type unsettledBody struct {
	Error     x402.Reason       `json:"error"`
	Message   string            `json:"message"`
	Details   map[string]string `json:"details"`
	Timestamp v402api.Time      `json:"timestamp"`
}

// write answers without a challenge: a new payment could be a second one.
func (e *UnsettledError) write(w http.ResponseWriter, now v402api.Time) error {
	middleware.SetReceipt(w.Header(), e.Version, e.Response)
	status := http.StatusBadGateway
	if e.Response.ErrorReason.Is(x402.ReasonSettlementPending) {
		status = http.StatusPaymentRequired
	}
	return v402api.JSON(w, status, unsettledBody{
		Error:     e.Response.ErrorReason,
		Message:   "It is not known yet whether the payment was settled; send the same payment again, never a new one",
		Details:   map[string]string{},
		Timestamp: now,
	})
}

type grantsView struct {
	Items []accessDetails `json:"items"`
	Total int             `json:"total"`
}

func (a *api) getGrants(w http.ResponseWriter, r *http.Request, u account.User, payer string) error {
	list, err := a.Grants(r.Context(), r.PathValue("id"), u, payer)
	if err != nil {
		return err
	}
	out := grantsView{Items: make([]accessDetails, len(list)), Total: len(list)}
	for i, g := range list {
		out.Items[i] = a.viewGrant(g)
	}
	return v402api.JSON(w, http.StatusOK, out)
}
