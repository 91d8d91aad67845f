package catalog_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/internal/webtest"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
	"github.com/v402/v402/x402"
)

// noon is when the desks below are open.
var noon = time.Date(2024, 1, 15, 14, 30, 0, 0, time.UTC)

// desk is a catalog over HTTP as a provider sees it: "o1", unless the header
// X-User says otherwise.
type desk struct {
	t       testing.TB
	store   catalog.Store
	service *catalog.Service
	handler http.Handler
	clock   time.Time
}

// openDesk opens one whose answers are checked against openapi.yaml.
func openDesk(t testing.TB, s catalog.Store, edits ...func(*catalog.Config)) *desk {
	t.Helper()
	d := &desk{t: t, store: s, clock: noon}
	c := catalog.Config{
		Store: s, Now: func() time.Time { return d.clock }, Logger: slog.New(slog.DiscardHandler),
		Log: catalog.LogConfig{Country: func(netip.Addr) string { return "US" }},
		Authenticate: func(r *http.Request) (account.User, error) {
			u := account.User{ID: "o1", Role: account.RoleContentProvider, Status: account.StatusActive}
			switch name := r.Header.Get("X-User"); name {
			case "":
			case "nobody":
				return account.User{}, account.ErrUnauthenticated
			case "reader":
				u.ID, u.Role = name, account.RoleEndUser
			default:
				u.ID = name
			}
			return u, nil
		},
	}
	for _, edit := range edits {
		edit(&c)
	}
	var err error
	d.service, err = catalog.New(c)
	require.NoError(t, err)
	d.handler = webtest.Specified(t, "openapi.yaml", d.service.Handler())
	return d
}

// onEachStore runs a test over each kind of store.
func onEachStore(t *testing.T, test func(t *testing.T, d *desk)) {
	webtest.OverEachStore(t, func(t *testing.T, s catalog.Store) { test(t, openDesk(t, s)) })
}

func (d *desk) get(path string, headers ...string) *httptest.ResponseRecorder {
	d.t.Helper()
	r := httptest.NewRequest("GET", "/api/v1"+path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return webtest.Send(d.handler, r)
}

// read reads a success.
func (d *desk) read(path string, into any) {
	d.t.Helper()
	w := d.get(path)
	require.Equal(d.t, 200, w.Code, "%s", w.Body)
	require.NoError(d.t, json.Unmarshal(w.Body.Bytes(), into), "%s", w.Body)
}

// sell adds a product that is on sale.
func (d *desk) sell(id, title, price, currency string, edits ...func(*catalog.Product)) catalog.Product {
	d.t.Helper()
	amount, err := x402.ParseAtomic(price)
	require.NoError(d.t, err)
	p := catalog.Product{
		ID: id, OwnerID: "o1", Title: title, Type: catalog.TypeCourse, ContentURL: "https://example.com/" + id, Price: amount, Currency: currency,
		Scheme: catalog.SchemeExact, Status: catalog.ProductActive, CreatedAt: noon.Add(-time.Hour), UpdatedAt: noon.Add(-time.Hour),
	}
	for _, edit := range edits {
		edit(&p)
	}
	require.NoError(d.t, d.store.AddProducts(context.Background(), []catalog.Product{p}))
	return p
}

// ask notes n attempts of an address, a second apart, the last one a second before
// now, and stores them.
func (d *desk) ask(p catalog.Product, ip string, n int, status catalog.LogStatus) {
	d.t.Helper()
	now := d.clock
	for i := range n {
		d.clock = now.Add(time.Duration(i-n) * time.Second)
		d.service.Record(p, catalog.LogEntry{Status: status, UserAgent: "Mozilla/5.0 (compatible; AI-Crawler/1.0)"}, net.JoinHostPort(ip, "1234"))
	}
	d.clock = now
	require.NoError(d.t, d.service.FlushLog(context.Background()))
}

const fiveETH = "5000000000000000000"

func TestTheAccessLogHasTheFormOfTheDocumentation(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *desk) {
		p := d.sell("550e8400-e29b-41d4-a716-446655440000", "Premium AI Tutorial Series", fiveETH, "ETH")
		d.ask(p, "192.168.1.100", 156, catalog.LogRequested)
		d.ask(p, "192.168.1.100", 1, catalog.LogPaid)
		w := d.get("/providers/access-logs?page=1&size=50&unpaid_only=true&start_date=2024-01-15T00:00:00Z")
		require.Equal(t, 200, w.Code)
		var page struct {
			Items []json.RawMessage
			Total int
			Page  int
			Size  int
			Pages int
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
		require.Equal(t, []int{50, 156, 1, 50, 4}, []int{len(page.Items), page.Total, page.Page, page.Size, page.Pages})
		var first struct {
			ID string `json:"id"`
		}
		require.NoError(t, json.Unmarshal(page.Items[0], &first))
		require.JSONEq(t, `{"id":"`+first.ID+`","product_id":"550e8400-e29b-41d4-a716-446655440000","ip_address":"192.168.1.100",
			"user_agent":"Mozilla/5.0 (compatible; AI-Crawler/1.0)","status":"requested","access_granted":false,"country_code":"US",
			"created_at":"2024-01-15T14:29:59Z","price":"5000000000000000000","currency":"ETH","payment_id":null,"payer_address":null}`, string(page.Items[0]))
		require.True(t, strings.HasPrefix(w.Body.String(), `{"items":[{"id":"log-`))
		require.Contains(t, w.Body.String(), `"total":156,"page":1,"size":50,"pages":4,"sampling":{"left_out":0,"entries_per_second":100,"burst":10000,`+
			`"flush_seconds":1,"retention_days":90,"ip_truncated":false}}`)
	})
}

func TestTheAccessLogIsFiltered(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *desk) {
		a, b := d.sell("a", "A", "1", "ETH"), d.sell("b", "B", "1", "ETH")
		other := d.sell("c", "C", "1", "ETH", func(p *catalog.Product) { p.OwnerID = "o2" })
		d.ask(a, "10.0.0.1", 3, catalog.LogRequested)
		d.ask(b, "10.0.0.2", 2, catalog.LogDenied)
		d.ask(b, "2001:db8::1", 1, catalog.LogPaid)
		d.ask(other, "10.0.0.1", 9, catalog.LogRequested)
		for query, want := range map[string]int{
			"": 6, "?product_id=a": 3, "?product_id=c": 0, "?status=denied": 2, "?paid_only=true": 1, "?unpaid_only=true": 5, "?ip_address=10.0.0.1": 3,
			"?ip_address=2001:db8:0:0::1": 1, "?country_code=us": 6, "?country_code=DE": 0, "?start_date=2024-01-15": 6, "?start_date=2024-01-16": 0,
			"?end_date=2024-01-15": 6, "?end_date=2024-01-14": 0, "?start_date=2024-01-15T14:29:59Z": 3, "?end_date=2024-01-15T14:29:57Z": 1,
			"?unpaid_only=true&product_id=b&status=denied&ip_address=10.0.0.2": 2, "?size=500": 6,
		} {
			var page struct{ Total int }
			d.read("/providers/access-logs"+query, &page)
			require.Equal(t, want, page.Total, query)
		}
		var page struct{ Total int }
		d.read("/providers/products/b/access-logs?status=paid", &page)
		require.Equal(t, 1, page.Total)
	})
}

// demanded is an analysis of unpaid requests.
type demanded struct {
	Items []struct {
		IP       string   `json:"ip_address"`
		Count    int      `json:"request_count"`
		Last     string   `json:"last_request"`
		Products []string `json:"products_requested"`
		Value    string   `json:"potential_value"`
	}
	Revenue    string `json:"total_potential_revenue"`
	Requesters int    `json:"unique_requesters"`
	Top        []struct {
		ID       string `json:"product_id"`
		Title    string
		Requests int `json:"unpaid_requests"`
	} `json:"top_requested_products"`
	Currency   *string
	ByCurrency map[string]string `json:"by_currency"`
	Total      int
	Pages      int
	Sampling   struct {
		LeftOut int `json:"left_out"`
	}
}

func TestUnpaidRequestsHaveTheFormAndTheSumsOfTheDocumentation(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *desk) {
		const first, second = "550e8400-e29b-41d4-a716-446655440000", "660e8400-e29b-41d4-a716-446655440001"
		p, q := d.sell(first, "Premium AI Tutorial Series", fiveETH, "ETH"), d.sell(second, "Another", fiveETH, "ETH")
		d.ask(p, "192.168.1.100", 10, catalog.LogRequested)
		d.ask(q, "192.168.1.100", 5, catalog.LogRequested)
		d.ask(p, "10.9.9.9", 2, catalog.LogRequested) // too rarely to be listed
		for n := range 22 {
			d.ask(p, fmt.Sprintf("10.0.0.%d", n), 3, catalog.LogRequested)
		}
		d.ask(q, "10.0.0.0", 167, catalog.LogRequested)
		d.ask(p, "10.0.0.1", 1, catalog.LogDenied)
		w := d.get("/providers/unpaid-requests?hours=24&min_requests=3&size=500")
		require.Equal(t, 200, w.Code)
		var got demanded
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
		require.Equal(t, "1250000000000000000000", got.Revenue, "250 × 5e18")
		require.Equal(t, 23, got.Requesters)
		require.Len(t, got.Items, 23)
		require.Equal(t, "10.0.0.0", got.Items[0].IP)
		require.Equal(t, "850000000000000000000", got.Items[0].Value)
		item, err := json.Marshal(jsonItems(t, w.Body.Bytes())[1])
		require.NoError(t, err)
		require.JSONEq(t, `{"ip_address":"192.168.1.100","request_count":15,"last_request":"2024-01-15T14:29:59Z",
			"products_requested":["`+first+`","`+second+`"],"country_code":"US","user_agent":"Mozilla/5.0 (compatible; AI-Crawler/1.0)",
			"potential_value":"75000000000000000000","by_currency":{"ETH":"75000000000000000000"}}`, string(item))
		require.Equal(t, second, got.Top[0].ID)
		require.Equal(t, 172, got.Top[0].Requests)
		require.Equal(t, "Premium AI Tutorial Series", got.Top[1].Title)
		require.Equal(t, 78, got.Top[1].Requests)
		require.Equal(t, "ETH", *got.Currency)
	})
}

func jsonItems(t *testing.T, body []byte) []any {
	t.Helper()
	var got struct{ Items []any }
	require.NoError(t, json.Unmarshal(body, &got))
	return got.Items
}

func TestRequestersAreSortedByValueAndThenByTheirLastRequest(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *desk) {
		cheap, dear := d.sell("cheap", "Cheap", "1", "ETH"), d.sell("dear", "Dear", "100", "ETH")
		d.ask(cheap, "10.0.0.1", 5, catalog.LogRequested)
		d.ask(dear, "10.0.0.2", 1, catalog.LogRequested)
		d.clock = d.clock.Add(time.Minute)
		d.ask(cheap, "10.0.0.3", 5, catalog.LogRequested)
		d.ask(cheap, "10.0.0.4", 6, catalog.LogRequested)
		var ips []string
		for page := 1; page <= 3; page++ {
			var got demanded
			d.read(fmt.Sprintf("/providers/unpaid-requests?size=2&page=%d", page), &got)
			require.Equal(t, []int{4, 4, 2}, []int{got.Requesters, got.Total, got.Pages})
			for _, i := range got.Items {
				ips = append(ips, i.IP)
			}
		}
		require.Equal(t, []string{"10.0.0.2", "10.0.0.4", "10.0.0.3", "10.0.0.1"}, ips)
	})
}

func TestSumsOfSeveralCurrenciesAreKeptApartAndExact(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *desk) {
		huge := strings.Repeat("9", 77)
		eth, usdc := d.sell("eth", "ETH", huge, "ETH"), d.sell("usdc", "USDC", "1000000", "USDC")
		d.ask(usdc, "10.0.0.1", 11, catalog.LogRequested)
		d.ask(eth, "10.0.0.2", 10, catalog.LogRequested)
		var got demanded
		d.read("/providers/unpaid-requests", &got)
		require.Equal(t, "USDC", *got.Currency, "that of most requests")
		require.Equal(t, "11000000", got.Revenue)
		require.Equal(t, map[string]string{"USDC": "11000000", "ETH": huge + "0"}, got.ByCurrency, "beyond 256 bits")
		require.Equal(t, []string{"10.0.0.1", "10.0.0.2"}, []string{got.Items[0].IP, got.Items[1].IP})
		require.Equal(t, "0", got.Items[1].Value)
	})
}

func TestAPaymentEndsTheDemandThatItMeets(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *desk) {
		p := d.sell("p", "P", "7", "ETH")
		d.ask(p, "10.0.0.1", 3, catalog.LogRequested)
		d.clock = d.clock.Add(time.Minute)
		d.ask(p, "10.0.0.1", 1, catalog.LogPaid)
		d.ask(p, "10.0.0.2", 1, catalog.LogRequested)
		var got demanded
		d.read("/providers/unpaid-requests", &got)
		require.Equal(t, "7", got.Revenue)
		require.Len(t, got.Items, 1)
		d.clock = d.clock.Add(time.Minute)
		d.ask(p, "10.0.0.1", 2, catalog.LogRequested)
		d.read("/providers/unpaid-requests", &got)
		require.Equal(t, "21", got.Revenue, "what was asked for after it counts again")
	})
}

func TestOldRequestsAndThoseOfOthersAreNotAnalysed(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *desk) {
		mine := d.sell("mine", "Mine", "1", "ETH")
		d.ask(d.sell("theirs", "Theirs", "1", "ETH", func(p *catalog.Product) { p.OwnerID = "o2" }), "10.0.0.1", 3, catalog.LogRequested)
		d.ask(mine, "10.0.0.1", 1, catalog.LogRequested)
		var got demanded
		d.read("/providers/unpaid-requests?hours=1", &got)
		require.Equal(t, 1, got.Requesters)
		d.clock = d.clock.Add(time.Hour)
		d.read("/providers/unpaid-requests?hours=1", &got)
		require.Equal(t, []any{0, 0, 0, "0"}, []any{got.Requesters, got.Pages, len(got.Items), got.Revenue})
		require.Nil(t, got.Currency)
		d.read("/providers/unpaid-requests?hours=168&product_id=mine", &got)
		require.Equal(t, 1, got.Requesters)
	})
}

func TestNothingIsAnalysedThatTheLogNoLongerKeeps(t *testing.T) {
	webtest.OverEachStore(t, func(t *testing.T, s catalog.Store) {
		d := openDesk(t, s, func(c *catalog.Config) { c.Log.Retention = 2 * time.Hour })
		p := d.sell("p", "P", "1", "ETH")
		d.clock = noon.Add(-3 * time.Hour)
		d.ask(p, "10.0.0.1", 3, catalog.LogRequested)
		d.clock = noon.Add(-time.Hour)
		d.ask(p, "10.0.0.1", 2, catalog.LogRequested)
		d.clock = noon
		var got demanded
		for range 2 {
			d.read("/providers/unpaid-requests?hours=168", &got)
			require.Equal(t, "2", got.Revenue, "whether it was purged yet or not")
			_, err := s.PurgeLog(t.Context(), noon.Add(-2*time.Hour), 100)
			require.NoError(t, err)
		}
	})
}

func TestWhatWasLeftOutIsTold(t *testing.T) {
	t.Parallel()
	d := openDesk(t, memory.New(), func(c *catalog.Config) {
		c.Log = catalog.LogConfig{Rate: 1, Burst: 10, Retention: -1, TruncateIP: true}
	})
	p := d.sell("p", "P", "1", "ETH")
	d.ask(p, "10.1.2.3", 25, catalog.LogRequested)
	var got demanded
	d.read("/providers/unpaid-requests", &got)
	require.Equal(t, 15, got.Sampling.LeftOut)
	require.Equal(t, "10.1.2.0", got.Items[0].IP)
	w := d.get("/providers/access-logs?ip_address=10.1.2.77")
	require.Contains(t, w.Body.String(), `"total":10,`, "it is looked for as it is kept")
	require.Contains(t, w.Body.String(), `"sampling":{"left_out":15,"entries_per_second":1,"burst":10,"flush_seconds":1,"retention_days":null,"ip_truncated":true}`)
}

func TestListsAreExportedWhole(t *testing.T) {
	onEachStore(t, func(t *testing.T, d *desk) {
		p := d.sell("p1", "=HYPERLINK(\"https://evil.example\")", "7", "ETH", func(p *catalog.Product) { p.Tags = []string{"+1", "b"} })
		d.ask(p, "10.0.0.1", 1200, catalog.LogRequested)
		d.ask(p, "10.0.0.2", 1, catalog.LogPaid)
		rows := d.table("/providers/access-logs/export.csv?unpaid_only=true", "access-logs.csv")
		require.Len(t, rows, 1201)
		require.Equal(t, []string{"p1", "requested", "false", "10.0.0.1", "US", "Mozilla/5.0 (compatible; AI-Crawler/1.0)", "7", "ETH", "", "", "2024-01-15T14:29:59Z"}, rows[1][1:])
		seen := map[string]bool{}
		for _, row := range rows[1:] {
			seen[row[0]] = true
		}
		require.Len(t, seen, 1200)

		rows = d.table("/providers/unpaid-requests/export.csv", "unpaid-requests.csv")
		require.Equal(t, [][]string{
			{"ip_address", "country_code", "user_agent", "request_count", "last_request", "products_requested", "potential_value", "currency"},
			{"10.0.0.1", "US", "Mozilla/5.0 (compatible; AI-Crawler/1.0)", "1200", "2024-01-15T14:29:59Z", "p1", "8400", "ETH"},
		}, rows)

		d.bought(p, 700, "7", x402.Ethereum, noon.Add(-time.Minute))
		rows = d.table("/providers/payments/export.csv?status=confirmed", "payments.csv")
		require.Len(t, rows, 701)
		require.Equal(t, []string{"p1", "confirmed", "ethereum", "eip155:1", "7", "ETH", "0", "0"}, rows[1][1:9])
		require.Len(t, d.table("/providers/payments/export.csv?status=failed", "payments.csv"), 1)

		d.sell("p2", "Other", "1", "ETH", func(p *catalog.Product) { p.OwnerID = "o2" })
		rows = d.table("/providers/products/export.csv", "products.csv")
		require.Len(t, rows, 2)
		require.Equal(t, []string{
			"p1", "'=HYPERLINK(\"https://evil.example\")", "active", "course", "", "'+1, b", "7", "ETH", "exact", "0", "0", "0", "0", "https://example.com/p1",
			"2024-01-15T13:30:00Z", "2024-01-15T13:30:00Z", "",
		}, rows[1])
	})
}

func TestNoCellOfAnExportIsAFormula(t *testing.T) {
	t.Parallel()
	d := openDesk(t, memory.New())
	const formula = `=HYPERLINK("https://evil.example","x")`
	p := d.sell("p", formula, "7", "ETH", func(p *catalog.Product) { p.Category, p.Tags = "+1", []string{"@SUM(A1)"} })
	d.service.Record(p, catalog.LogEntry{Status: catalog.LogRequested, UserAgent: formula, Payer: "-1"}, "10.0.0.1:1")
	d.service.Record(p, catalog.LogEntry{Status: catalog.LogDenied, UserAgent: "\t=1"}, "10.0.0.2:1")
	d.clock = d.clock.Add(time.Millisecond)
	require.NoError(t, d.service.FlushLog(t.Context()))
	_, _, err := d.store.AddProductPayment(t.Context(), catalog.Payment{
		ID: "pay-1", ProductID: p.ID, OwnerID: "o1", Method: catalog.MethodTransaction, Status: catalog.PaymentPending, Scheme: p.Scheme, Network: x402.Ethereum,
		Chain: "ethereum", Currency: "ETH", Payer: "@payer", Payee: "+payee", Amount: p.Price, ExternalReference: formula, CreatedAt: noon, ExpiresAt: noon.Add(time.Hour), UpdatedAt: noon,
	}, "tester", noon)
	require.NoError(t, err)
	for list, rows := range map[string]int{"products": 2, "access-logs": 3, "unpaid-requests": 2, "payments": 2} {
		table := d.table("/providers/"+list+"/export.csv", list+".csv")
		require.Len(t, table, rows)
		for _, row := range table {
			for _, cell := range row {
				require.False(t, cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n"), "%s: %q", list, cell)
			}
		}
	}
}

// slowLog is a store that tells when its access log is read.
type slowLog struct {
	*memory.Store
	reading func()
}

func (l slowLog) LogEntries(ctx context.Context, f catalog.LogFilter, before string, offset, limit int) ([]catalog.LogEntry, error) {
	l.reading()
	return l.Store.LogEntries(ctx, f, before, offset, limit)
}

func TestAnExportIsSentWhileItIsRead(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	var sent []int
	d := openDesk(t, slowLog{memory.New(), func() { sent = append(sent, w.Body.Len()) }})
	d.ask(d.sell("p", "P", "7", "ETH"), "10.0.0.1", 1200, catalog.LogRequested)
	d.service.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/api/v1/providers/access-logs/export.csv", nil))
	require.Equal(t, 200, w.Code)
	require.Len(t, sent, 3)
	require.Zero(t, sent[0])
	require.Greater(t, sent[1], 10_000, "the first rows are out before the next are read")
	require.Greater(t, sent[2], 2*sent[1]-10_000)
}

// busyShop is a store where something happens before each step of an export.
type busyShop struct {
	*memory.Store
	meanwhile func()
}

func (b *busyShop) ProductsAfter(ctx context.Context, f catalog.ProductFilter, place int64, limit int) ([]catalog.Product, int64, error) {
	b.meanwhile()
	return b.Store.ProductsAfter(ctx, f, place, limit)
}

func (b *busyShop) ProductPaymentsAfter(ctx context.Context, f catalog.PaymentFilter, last catalog.Payment, limit int) ([]catalog.Payment, error) {
	b.meanwhile()
	return b.Store.ProductPaymentsAfter(ctx, f, last, limit)
}

func TestAnExportHasEachRowOnceWhileOthersWrite(t *testing.T) {
	t.Parallel()
	s := &busyShop{Store: memory.New(), meanwhile: func() {}}
	d := openDesk(t, s)
	var p catalog.Product
	for n := range 1300 {
		p = d.sell(fmt.Sprintf("p%04d", n), "P", "7", "ETH")
	}
	d.bought(p, 1300, "7", x402.Ethereum, noon.Add(-time.Minute))
	step := 0
	s.meanwhile = func() { // what was listed goes, and new things come
		_, err := s.UpdateProduct(t.Context(), fmt.Sprintf("p%04d", step), func(p *catalog.Product) ([]store.Event, error) {
			p.Status = catalog.ProductDeleted
			return nil, nil
		})
		require.NoError(t, err)
		step++
		d.bought(d.sell(fmt.Sprintf("new%d", step), "New", "7", "ETH"), 3, "7", x402.Ethereum, d.clock)
	}
	for _, c := range []struct {
		list, old string // and how rows begin that were there before
		want      int
	}{{"products", "p", 1299}, {"payments", "pay-p1299", 1300}} { // one product is deleted before the first step
		seen, old := map[string]bool{}, 0
		for _, row := range d.table("/providers/"+c.list+"/export.csv", c.list+".csv")[1:] {
			require.False(t, seen[row[0]], "%s is there twice", row[0])
			seen[row[0]] = true
			if strings.HasPrefix(row[0], c.old) {
				old++
			}
		}
		require.Equal(t, c.want, old, c.list)
	}
}

// table reads an answer in CSV.
func (d *desk) table(path, name string) [][]string {
	d.t.Helper()
	w := d.get(path)
	require.Equal(d.t, 200, w.Code, "%s", w.Body)
	require.Equal(d.t, "text/csv; charset=utf-8", w.Header().Get("Content-Type"))
	require.Equal(d.t, `attachment; filename="`+name+`"`, w.Header().Get("Content-Disposition"))
	require.Equal(d.t, "100000", w.Header().Get("X-Export-Limit"))
	rows, err := csv.NewReader(w.Body).ReadAll()
	require.NoError(d.t, err)
	return rows
}

func TestListsAreForProviders(t *testing.T) {
	t.Parallel()
	d := openDesk(t, memory.New())
	for _, path := range []string{
		"/providers/access-logs", "/providers/access-logs/export.csv", "/providers/unpaid-requests", "/providers/unpaid-requests/export.csv",
		"/providers/products/p/access-logs", "/providers/products/export.csv", "/providers/insights/top-products", "/providers/insights/recommendations",
	} {
		require.Equal(t, 401, d.get(path, "X-User", "nobody").Code, path)
		require.Equal(t, 403, d.get(path, "X-User", "reader").Code, path)
		require.Equal(t, 200, d.get(path).Code, path)
	}
}
