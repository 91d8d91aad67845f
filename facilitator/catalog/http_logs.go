package catalog

import (
	"net/http"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web/v402api"
)

const maxLogPage = 500 // entries on a page of the access log

func (a *api) routeLogs(rt *v402api.Router) {
	rt.Handle("GET /api/v1/providers/access-logs", a.provider(a.getAccessLog))
	rt.Handle("GET /api/v1/providers/products/{id}/access-logs", a.provider(a.getProductLog))
	rt.Handle("GET /api/v1/providers/unpaid-requests", a.provider(a.getUnpaidRequests))
}

// logEntryView is an entry of the access log.
type logEntryView struct {
	ID            string       `json:"id"`
	ProductID     string       `json:"product_id"`
	IPAddress     *string      `json:"ip_address"`
	UserAgent     string       `json:"user_agent"`
	Status        LogStatus    `json:"status"`
	AccessGranted bool         `json:"access_granted"`
	CountryCode   *string      `json:"country_code"`
	CreatedAt     v402api.Time `json:"created_at"`
	Price         string       `json:"price"`
	Currency      string       `json:"currency"`
	PaymentID     *string      `json:"payment_id"`
	PayerAddress  *string      `json:"payer_address"`
}

func viewLogEntry(e LogEntry) logEntryView {
	return logEntryView{
		ID: e.ID, ProductID: e.ProductID, IPAddress: orNull(e.IP), UserAgent: e.UserAgent, Status: e.Status, AccessGranted: e.Granted(),
		CountryCode: orNull(e.Country), CreatedAt: v402api.Time(e.CreatedAt), Price: e.Price.String(), Currency: e.Currency,
		PaymentID: orNull(e.PaymentID), PayerAddress: orNull(e.Payer),
	}
}

// samplingView says what is in the log and what is not.
type samplingView struct {
	LeftOut          int64   `json:"left_out"` // attempts of the time asked about, in whole hours
	EntriesPerSecond int     `json:"entries_per_second"`
	Burst            int     `json:"burst"`
	FlushSeconds     float64 `json:"flush_seconds"`
	RetentionDays    *int64  `json:"retention_days"` // null: for good
	IPTruncated      bool    `json:"ip_truncated"`
}

func (a *api) viewSampling(left int64) samplingView {
	c := a.recorder.c
	v := samplingView{LeftOut: left, EntriesPerSecond: c.Rate, Burst: c.Burst, FlushSeconds: c.FlushEvery.Seconds(), IPTruncated: c.TruncateIP}
	if c.Retention > 0 {
		days := int64(c.Retention.Hours() / 24)
		v.RetentionDays = &days
	}
	return v
}

// logView is a page of the access log.
type logView struct {
	v402api.Page[logEntryView]
	Sampling samplingView `json:"sampling"`
}

// logQuery is what the parameters of a list select.
func logQuery(q *v402api.Query) LogFilter {
	return LogFilter{
		ProductID: q.Text("product_id", maxID), Status: v402api.OneOf(q, "status", logStatuses...),
		Paid: q.Bool("paid_only"), Unpaid: q.Bool("unpaid_only"), IP: q.Text("ip_address", maxID), Country: q.Text("country_code", maxID),
		From: q.Time("start_date"), To: q.Until("end_date"),
	}
}

const maxID = 100 // characters of what names one thing

func (a *api) getAccessLog(w http.ResponseWriter, r *http.Request, u account.User) error {
	q := v402api.QueryOf(r)
	return a.answerLog(w, r, u, q, logQuery(q))
}

// getProductLog lists the attempts to reach one product.
func (a *api) getProductLog(w http.ResponseWriter, r *http.Request, u account.User) error {
	q := v402api.QueryOf(r)
	f := logQuery(q)
	f.ProductID = r.PathValue("id")
	return a.answerLog(w, r, u, q, f)
}

func (a *api) answerLog(w http.ResponseWriter, r *http.Request, u account.User, q *v402api.Query, f LogFilter) error {
	page := q.Page(50, maxLogPage)
	if err := q.Err(); err != nil {
		return err
	}
	l, err := a.AccessLog(r.Context(), u.ID, f, page)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, logView{v402api.PageOf(l.List, viewLogEntry), a.viewSampling(l.Left)})
}

// requesterView is one who asks and does not pay.
type requesterView struct {
	IPAddress         *string           `json:"ip_address"`
	RequestCount      int64             `json:"request_count"`
	LastRequest       v402api.Time      `json:"last_request"`
	ProductsRequested []string          `json:"products_requested"`
	CountryCode       *string           `json:"country_code"`
	UserAgent         string            `json:"user_agent"`
	PotentialValue    string            `json:"potential_value"`
	ByCurrency        map[string]string `json:"by_currency"`
}

func viewRequester(r Requester, currency string) requesterView {
	return requesterView{
		IPAddress: orNull(r.IP), RequestCount: r.Requests, LastRequest: v402api.Time(r.LastRequest), ProductsRequested: r.ProductIDs,
		CountryCode: orNull(r.Country), UserAgent: r.UserAgent, PotentialValue: r.Value.In(currency).String(), ByCurrency: viewSums(r.Value),
	}
}

func viewSums(s Sums) map[string]string {
	v := make(map[string]string, len(s))
	for currency, sum := range s {
		v[currency] = sum.String()
	}
	return v
}

// requestedView is a product that is asked for.
type requestedView struct {
	ProductID      string `json:"product_id"`
	Title          string `json:"title"`
	UnpaidRequests int64  `json:"unpaid_requests"`
}

// demandView is an analysis of unpaid requests.
type demandView struct {
	Items                 []requesterView   `json:"items"`
	TotalPotentialRevenue string            `json:"total_potential_revenue"`
	UniqueRequesters      int64             `json:"unique_requesters"`
	TopRequestedProducts  []requestedView   `json:"top_requested_products"`
	Currency              *string           `json:"currency"` // of the amounts that stand alone
	ByCurrency            map[string]string `json:"by_currency"`
	Total                 int64             `json:"total"`
	Page                  int               `json:"page"`
	Size                  int               `json:"size"`
	Pages                 int64             `json:"pages"`
	Sampling              samplingView      `json:"sampling"`
}

func demandQuery(q *v402api.Query) DemandQuery {
	const most = 1_000_000_000
	return DemandQuery{Hours: q.Int("hours", 24, 1, MaxDemandHours), MinRequests: q.Int("min_requests", 1, 1, most), ProductID: q.Text("product_id", maxID)}
}

func (a *api) getUnpaidRequests(w http.ResponseWriter, r *http.Request, u account.User) error {
	q := v402api.QueryOf(r)
	of, page := demandQuery(q), q.Page(50, maxLogPage)
	if err := q.Err(); err != nil {
		return err
	}
	d, err := a.UnpaidDemand(r.Context(), u.ID, of, page)
	if err != nil {
		return err
	}
	items := v402api.PageOf(d.Requesters, func(of Requester) requesterView { return viewRequester(of, d.Currency) })
	products := make([]requestedView, len(d.Products))
	for i, p := range d.Products {
		products[i] = requestedView{p.ProductID, p.Title, p.Requests}
	}
	return v402api.JSON(w, http.StatusOK, demandView{
		Items: items.Items, TotalPotentialRevenue: d.Value.In(d.Currency).String(), UniqueRequesters: items.Total, TopRequestedProducts: products,
		Currency: orNull(d.Currency), ByCurrency: viewSums(d.Value), Total: items.Total, Page: items.Page, Size: items.Size, Pages: items.Pages,
		Sampling: a.viewSampling(d.Left),
	})
}
