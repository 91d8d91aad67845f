package catalog

import (
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web"
	"github.com/v402/v402/internal/web/v402api"
)

// routeExports comes before routes that take "export.csv" for an ID.
func (a *api) routeExports(rt *v402api.Router) {
	rt.Handle("GET /api/v1/providers/products/export.csv", a.provider(a.getProductsCSV))
	rt.Handle("GET /api/v1/providers/access-logs/export.csv", a.provider(a.getAccessLogCSV))
	rt.Handle("GET /api/v1/providers/payments/export.csv", a.provider(a.getPaymentsCSV))
	rt.Handle("GET /api/v1/providers/unpaid-requests/export.csv", a.provider(a.getUnpaidRequestsCSV))
}

// table writes an answer in CSV as each hands rows to it. Texts of others are
// cells for [web.Cell].
func table(w http.ResponseWriter, name string, header []string, each func(row func(...string) error) error) error {
	w.Header().Set("X-Export-Limit", strconv.Itoa(MaxExport))
	d := web.NewDownload(w, name)
	out := csv.NewWriter(d)
	_ = out.Write(header) // into a buffer
	err := each(func(cells ...string) error { return out.Write(cells) })
	if err == nil {
		out.Flush() // an error here means that the client has gone
	}
	return d.End(err)
}

var productsHeader = []string{
	"id", "title", "status", "type", "category", "tags", "price", "currency", "payment_scheme", "view_count", "purchase_count", "rating", "review_count",
	"content_url", "created_at", "updated_at", "published_at",
}

func (a *api) getProductsCSV(w http.ResponseWriter, r *http.Request, u account.User) error {
	q := v402api.QueryOf(r)
	f := filterOf(q)
	f.OwnerID = u.ID
	if err := q.Err(); err != nil {
		return err
	}
	return table(w, "products.csv", productsHeader, func(row func(...string) error) error {
		return a.EachProduct(r.Context(), f, func(p Product) error {
			rating, _ := hundredths(p.Rating()).MarshalJSON() // never fails
			return row(p.ID, web.Cell(p.Title), string(p.Status), string(p.Type), web.Cell(p.Category), web.Cell(strings.Join(p.Tags, ", ")),
				p.Price.String(), web.Cell(p.Currency), string(p.Scheme), number(p.Views), number(p.Purchases), string(rating), number(p.RatingCount),
				web.Cell(p.ContentURL), v402api.Time(p.CreatedAt).String(), v402api.Time(p.UpdatedAt).String(), v402api.Time(p.PublishedAt).String())
		})
	})
}

var logHeader = []string{
	"id", "product_id", "status", "access_granted", "ip_address", "country_code", "user_agent", "price", "currency", "payment_id", "payer_address", "created_at",
}

func (a *api) getAccessLogCSV(w http.ResponseWriter, r *http.Request, u account.User) error {
	q := v402api.QueryOf(r)
	f := logQuery(q)
	if err := q.Err(); err != nil {
		return err
	}
	return table(w, "access-logs.csv", logHeader, func(row func(...string) error) error {
		return a.EachLogEntry(r.Context(), u.ID, f, func(e LogEntry) error {
			return row(e.ID, web.Cell(e.ProductID), string(e.Status), strconv.FormatBool(e.Granted()), e.IP, e.Country, web.Cell(e.UserAgent),
				e.Price.String(), web.Cell(e.Currency), e.PaymentID, web.Cell(e.Payer), v402api.Time(e.CreatedAt).String())
		})
	})
}

var paymentsHeader = []string{
	"id", "product_id", "status", "chain", "network", "amount", "currency", "facilitator_fee", "refunded_amount", "payer_address", "payee_address",
	"transaction_hash", "payment_scheme", "method", "external_reference", "created_at", "confirmed_at",
}

func (a *api) getPaymentsCSV(w http.ResponseWriter, r *http.Request, u account.User) error {
	q := v402api.QueryOf(r)
	f := paymentFilter(q, PaymentFilter{OwnerID: u.ID})
	if err := q.Err(); err != nil {
		return err
	}
	return table(w, "payments.csv", paymentsHeader, func(row func(...string) error) error {
		return a.EachPayment(r.Context(), f, func(p Payment) error {
			return row(p.ID, web.Cell(p.ProductID), string(p.Status), p.Chain, string(p.Network), p.Amount.String(), web.Cell(p.Currency), p.Fee.String(),
				p.Refunded.String(), web.Cell(p.Payer), web.Cell(p.Payee), web.Cell(p.Transaction), string(p.Scheme), string(p.Method),
				web.Cell(p.ExternalReference), v402api.Time(p.CreatedAt).String(), v402api.Time(p.ConfirmedAt).String())
		})
	})
}

var requestersHeader = []string{"ip_address", "country_code", "user_agent", "request_count", "last_request", "products_requested", "potential_value", "currency"}

func (a *api) getUnpaidRequestsCSV(w http.ResponseWriter, r *http.Request, u account.User) error {
	q := v402api.QueryOf(r)
	of := demandQuery(q)
	if err := q.Err(); err != nil {
		return err
	}
	return table(w, "unpaid-requests.csv", requestersHeader, func(row func(...string) error) error {
		return a.EachRequester(r.Context(), u.ID, of, func(of Requester, currency string) error {
			return row(of.IP, of.Country, web.Cell(of.UserAgent), number(of.Requests), v402api.Time(of.LastRequest).String(), web.Cell(strings.Join(of.ProductIDs, " ")),
				of.Value.In(currency).String(), web.Cell(currency))
		})
	})
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
