package catalog

import (
	"net/http"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web/v402api"
)

func (a *api) getAllPayments(w http.ResponseWriter, r *http.Request, _ account.User) error {
	q := v402api.QueryOf(r)
	f := PaymentFilter{OwnerID: q.Text("owner_id", maxShort), UserID: q.Text("user_id", maxShort), Payer: q.Text("payer_address", maxShort)}
	if err := q.Err(); err != nil {
		return err
	}
	return a.listPayments(w, r, f)
}

// adminPaymentView is a payment with its refunds.
type adminPaymentView struct {
	paymentView
	OwnerID string       `json:"owner_id"`
	UserID  *string      `json:"user_id"`
	Refunds []refundView `json:"refunds"`
}

// refundView is a refund; it is owed while settled_at is null.
type refundView struct {
	ID          string       `json:"id"`
	PaymentID   string       `json:"payment_id"`
	Amount      string       `json:"amount"`
	Reason      string       `json:"reason"`
	Actor       string       `json:"refunded_by"`
	Transaction *string      `json:"refund_tx"`
	Owed        bool         `json:"payout_owed"`
	CreatedAt   v402api.Time `json:"created_at"`
	SettledAt   v402api.Time `json:"settled_at"`
}

func viewRefund(r Refund) refundView {
	return refundView{r.ID, r.PaymentID, r.Amount.String(), r.Reason, r.Actor, orNull(r.Transaction), r.SettledAt.IsZero(),
		v402api.Time(r.CreatedAt), v402api.Time(r.SettledAt)}
}

func (a *api) getAnyPayment(w http.ResponseWriter, r *http.Request, _ account.User) error {
	p, err := a.AnyPayment(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return a.answerAdmin(w, r, p)
}

func (a *api) answerAdmin(w http.ResponseWriter, r *http.Request, p Payment) error {
	list, err := a.Refunds(r.Context(), p.ID)
	if err != nil {
		return err
	}
	out := adminPaymentView{viewPayment(p), p.OwnerID, orNull(p.UserID), make([]refundView, len(list))}
	for i, refund := range list {
		out.Refunds[i] = viewRefund(refund)
	}
	return v402api.JSON(w, http.StatusOK, out)
}

// refundedView says what was refunded.
type refundedView struct {
	Message string      `json:"message"`
	Refund  refundView  `json:"refund"`
	Payment paymentView `json:"payment"`
}

func (a *api) postRefund(w http.ResponseWriter, r *http.Request, u account.User) error {
	var in struct {
		Reason string `json:"reason"`
		Amount *Price `json:"amount"`
		Notify bool   `json:"notify_user"`
	}
	if err := v402api.Read(r, v402api.MaxBody, &in); err != nil {
		return err
	}
	amount, err := atomic("amount", in.Amount)
	if err != nil {
		return err
	}
	p, refund, err := a.RefundPayment(r.Context(), r.PathValue("id"), RefundRequest{Actor: u.ID, Reason: in.Reason, Amount: amount, NotifyUser: in.Notify})
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, refundedView{"Refund recorded", viewRefund(refund), viewPayment(p)})
}

// postReconcile asks the chain or the facilitator about an open payment, accepts
// a disputed one, and pays out what is owed of refunds.
func (a *api) postReconcile(w http.ResponseWriter, r *http.Request, _ account.User) error {
	p, err := a.Reconcile(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return a.answerAdmin(w, r, p)
}
