package report_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/facilitator/report"
	"github.com/v402/v402/store/memory"
)

func TestBadInputIsRefusedInTheDocumentedForm(t *testing.T) {
	t.Parallel()
	o := openOffice(t, memory.New())
	p := o.sell("p1", "Title", "ETH", catalog.ProductActive)
	product, board, revenue := "/providers/products/"+p.ID+"/analytics?", "/providers/analytics/dashboard?", "/providers/analytics/revenue?"
	for _, c := range []struct{ path, field, code string }{
		{board + "days=0", "days", "INVALID_RANGE"},
		{board + "days=366", "days", "INVALID_RANGE"},
		{board + "days=-30", "days", "INVALID_RANGE"},
		{board + "days=thirty", "days", "INVALID_TYPE"},
		{board + "days=1.5", "days", "INVALID_TYPE"},
		{board + "days=99999999999999999999", "days", "INVALID_TYPE"},
		{product + "group_by=year", "group_by", "INVALID_ENUM"},
		{product + "start_date=yesterday", "start_date", "INVALID_DATE"},
		{product + "end_date=2024-02-30", "end_date", "INVALID_DATE"},
		{product + "start_date=2024-01-31&end_date=2024-01-01", "start_date", "INVALID_RANGE"},
		{product + "start_date=2030-01-01", "start_date", "INVALID_RANGE"}, // after now
		{product + "start_date=0002-01-01&end_date=9999-12-31&group_by=hour", "group_by", "INVALID_RANGE"},
		{revenue + "group_by=Week", "group_by", "INVALID_ENUM"},
		{revenue + "start_date=1705312800", "start_date", "INVALID_DATE"},
		{revenue + "start_date=2021-01-01&end_date=2024-01-01", "group_by", "INVALID_RANGE"},
		{revenue + "start_date=%zz", "query", "INVALID_FORMAT"},
	} {
		w := o.get("", c.path)
		require.Equal(t, http.StatusBadRequest, w.Code, "%s: %s", c.path, w.Body)
		require.Contains(t, w.Body.String(), `"error":"VALIDATION_ERROR"`)
		require.Contains(t, w.Body.String(), `"code":"`+c.code+`","field":"`+c.field+`"`, c.path)
	}
	for path, status := range map[string]int{
		product + "start_date=2024-01-01&end_date=2024-01-31&group_by=hour": 200, revenue + "start_date=2022-01-01&end_date=2024-01-01": 200,
		board: 200, board + "days=365": 200, board + "days=1": 200, revenue: 200, "/reports/openapi.yaml": 200,
		"/providers/products/unknown/analytics": 404, "/providers/analytics/nothing": 404,
	} {
		require.Equal(t, status, o.get("", path).Code, path)
	}
}

func TestNumbersAreForTheirProviderAndAdmins(t *testing.T) {
	t.Parallel()
	o := openOffice(t, memory.New())
	p := o.sell("p1", "Title", "ETH", catalog.ProductActive)
	o.saw(p, 3, noon)
	product := "/providers/products/" + p.ID + "/analytics"
	for _, c := range []struct {
		who, path string
		status    int
		part      string
	}{
		{"", product, 200, `"total_count":3`}, {"admin", product, 200, `"total_count":3`}, {"o2", product, 404, "NOT_FOUND"},
		{"reader", product, 403, "FORBIDDEN"}, {"suspended", product, 403, "ACCOUNT_SUSPENDED"}, {"nobody", product, 401, "AUTHENTICATION_REQUIRED"},
		{"nobody", "/providers/analytics/dashboard", 401, "AUTHENTICATION_REQUIRED"}, {"reader", "/providers/analytics/revenue", 403, "FORBIDDEN"},
		{"o2", "/providers/analytics/dashboard", 200, `"total_views":0`},
	} {
		w := o.get(c.who, c.path)
		require.Equal(t, c.status, w.Code, "%s %s: %s", c.who, c.path, w.Body)
		require.Contains(t, w.Body.String(), c.part, c.who)
	}
}

func TestReportsAreMadeWithoutHTTP(t *testing.T) {
	t.Parallel()
	o := openOffice(t, memory.New())
	p := o.sell("p1", "Title", "ETH", catalog.ProductActive)
	o.saw(p, 3, noon)
	owner := account.User{ID: "o1"}
	got, err := o.service.Product(t.Context(), owner, p.ID, report.Range{}, "")
	require.NoError(t, err)
	require.EqualValues(t, 3, got.Total.Views)
	require.Equal(t, report.GroupDay, got.Group)
	_, err = o.service.Product(t.Context(), account.User{ID: "o2"}, p.ID, report.Range{}, "")
	require.ErrorIs(t, err, catalog.ErrProductUnknown)
	var refused *report.Error
	_, err = o.service.Dashboard(t.Context(), "o1", 400)
	require.ErrorAs(t, err, &refused)
	_, err = o.service.Revenue(t.Context(), "o1", report.Range{}, "decade")
	require.ErrorAs(t, err, &refused)
	_, err = report.New(report.Config{})
	require.ErrorContains(t, err, "Store is required")
}
