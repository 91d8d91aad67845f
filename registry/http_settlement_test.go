package registry_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// month asks for the netting of January 2024.
const month = `{"from":"2024-01-01","to":"2024-02-01"%s}`

// trade has A owe B 10.00 and 2.99, and B owe A 4.50, and lets the month pass.
func trade(a *api) (payer, payee *member) {
	payer, payee = a.join("Platform A"), a.join("Platform B")
	payer.publish("a")
	payee.publish("b")
	payer.sell("b", "100", "10")
	payer.sell("b", "29.99", "2.99")
	payee.sell("a", "45", "4.50")
	a.pass(20 * 24 * 60 * 60 * 1e9)
	return payer, payee
}

func TestWhatPlatformsOweEachOtherIsNettedPaidAndConfirmed(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		payer, payee := trade(a)
		third := a.join("Platform C")
		const parties = `"payer_id":1,"payer_name":"Platform A","payee_id":2,"payee_name":"Platform B","gross_amount":12.99,"counter_amount":4.5,"net_amount":8.49,"line_count":3,"payee_line_count":3,`

		w := a.admin("POST", "/api/admin/settlements/run", fmt.Sprintf(month, `,"dry_run":true`))
		a.want(w, 200)
		require.Contains(t, w.Body.String(), `"data":{"run_id":null,"dry_run":true,"mode":"bilateral","currency":"USD","from":"2024-01-01T00:00:00Z","to":"2024-02-01T00:00:00Z","settlement_count":1,"net_amount":8.49,`)
		require.Contains(t, w.Body.String(), parties+`"status":"draft"`)
		_, ids := a.list(payer.do("GET", "/api/settlements", ""), "settlement_id")
		require.Empty(t, ids)

		w = a.admin("POST", "/api/admin/settlements/run", fmt.Sprintf(month, ""))
		a.want(w, 201)
		require.Contains(t, w.Body.String(), parties+`"status":"issued"`)
		w = a.admin("POST", "/api/admin/settlements/run", fmt.Sprintf(month, ""))
		a.want(w, 200)
		require.Contains(t, w.Body.String(), `"message":"There is nothing to settle","data":{"run_id":null,`)
		require.Contains(t, w.Body.String(), `"earlier":[{"settlement_id":1,`)

		_, statuses := a.list(payer.do("GET", "/api/royalties?direction=owed", ""), "status")
		require.Equal(t, []string{"settling", "settling"}, statuses)
		for role, want := range map[string]int{"": 1, "?role=payer": 1, "?role=payee": 0, "?status=issued&run_id=1": 1, "?status=paid": 0, "?from=2024-02-01": 1, "?to=2024-02-01": 0} {
			_, ids = a.list(payer.do("GET", "/api/settlements"+role, ""), "settlement_id")
			require.Len(t, ids, want, role)
		}
		_, ids = a.list(third.do("GET", "/api/settlements", ""), "settlement_id")
		require.Empty(t, ids)
		_, ids = a.list(a.admin("GET", "/api/admin/settlements?platform_id=2", ""), "settlement_id")
		require.Equal(t, []string{"1"}, ids)

		// The statement, with where to pay to, for the parties alone.
		for _, m := range []*member{payer, payee} {
			w = m.do("GET", "/api/settlements/1", "")
			a.want(w, 200)
			require.Contains(t, w.Body.String(), `"payee_bank":{"bank_name":"First Bank","bank_account_number":"000123456789","bank_routing_number":"021000021"}`)
		}
		var statement struct {
			Settlement struct {
				Net float64 `json:"net_amount"`
			}
			Lines []struct{ Amount json.Number }
			Next  int64
		}
		a.data(payer.do("GET", "/api/settlements/1", ""), &statement)
		require.Equal(t, []struct{ Amount json.Number }{{"10"}, {"2.99"}, {"-4.5"}}, statement.Lines)
		require.Zero(t, statement.Next)
		a.data(payer.do("GET", "/api/settlements/1?after=2", ""), &statement)
		require.Len(t, statement.Lines, 1)
		a.want(payer.do("GET", "/api/settlements/1?after=x", ""), 422)
		w = a.admin("GET", "/api/admin/settlements/1", "")
		a.want(w, 200)
		require.NotContains(t, w.Body.String(), "000123456789")
		_, subjects := a.list(a.admin("GET", "/api/admin/audit?action=secrets.read&actor=platform:1", ""), "subject")
		require.Equal(t, []string{"platform:2", "platform:2", "platform:2"}, subjects, "every read is audited")
		for _, path := range []string{"/api/settlements/1", "/api/settlements/1.csv", "/api/settlements/2", "/api/settlements/2.csv"} {
			a.same(third.do("GET", path, ""), 404, `{"success":false,"message":"Settlement not found","data":null}`)
		}
		for _, w := range []*httptest.ResponseRecorder{payer.do("GET", "/api/settlements/1.csv", ""), a.admin("GET", "/api/admin/settlements/1.csv", "")} {
			a.want(w, 200)
			require.Equal(t, `attachment; filename="settlement-1.csv"`, w.Header().Get("Content-Disposition"))
			rows, err := csv.NewReader(w.Body).ReadAll()
			require.NoError(t, err)
			require.Len(t, rows, 5)
			require.Equal(t, []string{"total", "1", "", "", "", "", "", "", "", "8.49", ""}, rows[4])
		}

		// Pay and confirm.
		a.same(payer.do("POST", "/api/settlements/1/pay", `{}`), 422, `{"success":false,"message":"Validation failed","errors":{"reference":["The reference field is required."]}}`)
		a.same(payee.do("POST", "/api/settlements/1/pay", `{"reference":"wire 7"}`), 403, `{"success":false,"message":"Only the paying platform can do this","data":null}`)
		a.want(third.do("POST", "/api/settlements/1/pay", `{"reference":"wire 7"}`), 404)
		a.same(payee.do("POST", "/api/settlements/1/confirm", ``), 400, `{"success":false,"message":"Settlement status does not allow this","data":null}`)
		w = payer.do("POST", "/api/settlements/1/pay", `{"reference":"wire 7"}`)
		a.want(w, 200)
		require.Contains(t, w.Body.String(), `"status":"paid","reference":"wire 7"`)
		a.want(payer.do("POST", "/api/settlements/1/pay", `{"reference":"wire 7"}`), 200)
		a.want(payer.do("POST", "/api/settlements/1/pay", `{"reference":"wire 8"}`), 400)
		a.same(payer.do("POST", "/api/settlements/1/confirm", ``), 403, `{"success":false,"message":"Only the paid platform can do this","data":null}`)
		a.want(payee.do("POST", "/api/settlements/1/confirm", ``), 200)
		_, statuses = a.list(payee.do("GET", "/api/royalties", ""), "status")
		require.Equal(t, []string{"paid", "paid", "paid"}, statuses)
	})
}

func TestADisputedSettlementIsIssuedAgainOrCancelled(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		payer, payee := trade(a)
		a.want(a.admin("POST", "/api/admin/settlements/run", fmt.Sprintf(month, "")), 201)
		a.same(payee.do("POST", "/api/settlements/1/dispute", `{"reason":7}`), 422, `{"success":false,"message":"Validation failed","errors":{"reason":["The reason must be a string."]}}`)
		a.want(payee.do("POST", "/api/settlements/1/dispute", `{}`), 422)
		a.same(payee.do("POST", "/api/settlements/1/dispute", `{"reason":"late\u0000"}`), 422, `{"success":false,"message":"Validation failed","errors":{"reason":["The reason has characters that are not text."]}}`)
		a.want(payee.do("POST", "/api/settlements/1/dispute", `{"reason":"a sale is missing"}`), 200)
		a.want(payer.do("POST", "/api/settlements/1/pay", `{"reference":"wire 7"}`), 400)
		resolve := "/api/admin/settlements/1/resolve"
		a.same(a.admin("POST", resolve, `{"status":"paid"}`), 422, `{"success":false,"message":"Validation failed","errors":{"reason":["The reason field is required."],"status":["The selected status is invalid."]}}`)
		a.want(a.admin("POST", resolve, `{"status":"issued","reason":"all is there"}`), 200)
		a.want(a.admin("POST", resolve, `{"status":"issued","reason":"all is there"}`), 400)
		a.want(a.admin("POST", "/api/admin/settlements/9/resolve", `{"status":"issued","reason":"x"}`), 404)
		a.want(payer.do("POST", "/api/settlements/1/dispute", `{"reason":"too much"}`), 200)
		w := a.admin("POST", resolve, `{"status":"cancelled","reason":"agreed"}`)
		a.want(w, 200)
		require.Contains(t, w.Body.String(), `"status":"cancelled"`)
		_, statuses := a.list(payer.do("GET", "/api/royalties?direction=owed", ""), "status")
		require.Equal(t, []string{"pending", "pending"}, statuses)
		a.want(a.admin("POST", "/api/admin/settlements/run", fmt.Sprintf(month, "")), 201)
	})
}

func TestAVoidAfterTheIssueIsTakenBackInTheNextPeriod(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		payer, payee := trade(a)
		a.want(a.admin("POST", "/api/admin/settlements/run", fmt.Sprintf(month, "")), 201)
		before := payer.do("GET", "/api/settlements/1.csv", "").Body.String()
		w := payer.do("POST", "/api/sales/1/void", `{"reason":"returned"}`)
		a.want(w, 200)
		require.Contains(t, w.Body.String(), `"adjustment_royalty_id":4}`)
		require.Equal(t, before, payer.do("GET", "/api/settlements/1.csv", "").Body.String())
		require.Contains(t, payer.do("GET", "/api/royalties/4", "").Body.String(), `"amount":-10,"status":"pending","underreported":false,"adjusts_royalty_id":1,`)
		a.pass(30 * 24 * 60 * 60 * 1e9)
		w = a.admin("POST", "/api/admin/settlements/run", `{"from":"2024-02-01","to":"2024-03-01"}`)
		a.want(w, 201)
		require.Contains(t, w.Body.String(), `"payer_id":2,"payer_name":"Platform B","payee_id":1,"payee_name":"Platform A",`)
		require.Contains(t, w.Body.String(), `"net_amount":10,"line_count":1,`)
		a.want(payee.do("GET", "/api/settlements/2", ""), 200)
	})
}

func TestARunIsAskedForPrecisely(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		trade(a)
		for body, errors := range map[string]string{
			`{}`:                                  `{"from":["The from field is required."],"to":["The to field is required."]}`,
			`{"from":"x","to":5,"dry_run":"yes"}`: `{"dry_run":["The dry run field must be true or false."],"from":["The from is not a valid date."],"to":["The to is not a valid date."]}`,
			`{"from":"2024-02-01","to":"2024-01-01","mode":"square","currency":"EUR","minimum":-1}`: `{"currency":["The ledger is in USD."],"minimum":["The minimum cannot be negative."],"mode":["The mode must be bilateral or multilateral."],"to":["The to field must be after from."]}`,
			`{"from":"2024-01-01","to":"2030-01-01","minimum":"ten"}`:                               `{"minimum":["The minimum must be a number."],"to":["The period must have ended."]}`,
			`{"from":"2024-01-01","to":"2024-02-01","minimum":1e12}`:                                `{"minimum":["The minimum must not be greater than 99999999.99."]}`,
		} {
			a.same(a.admin("POST", "/api/admin/settlements/run", body), 422, `{"success":false,"message":"Validation failed","errors":`+errors+`}`)
		}
		w := a.admin("POST", "/api/admin/settlements/run", fmt.Sprintf(month, `,"minimum":8.5`))
		a.want(w, 200)
		require.Contains(t, w.Body.String(), `"settlements":[],"earlier":[],"carried":[[1,2]]`)
		w = a.admin("POST", "/api/admin/settlements/run", fmt.Sprintf(month, `,"mode":"multilateral","minimum":8.49`))
		a.want(w, 201)
		require.Contains(t, w.Body.String(), `"net_amount":8.49`)
		statuses, _ := atOnce(4, func(int) *httptest.ResponseRecorder {
			return a.admin("POST", "/api/admin/settlements/run", fmt.Sprintf(month, `,"mode":"multilateral"`))
		})
		require.Equal(t, map[int]int{200: 4}, statuses)
		a.want(a.admin("POST", "/api/admin/settlements/run", fmt.Sprintf(month, ``)), 400) // netted in another mode
	})
}

func TestConcurrentRunsIssueOneDocument(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		payer, _ := trade(a)
		statuses, _ := atOnce(4, func(int) *httptest.ResponseRecorder {
			return a.admin("POST", "/api/admin/settlements/run", fmt.Sprintf(month, ""))
		})
		require.Equal(t, map[int]int{201: 1, 200: 3}, statuses)
		_, ids := a.list(payer.do("GET", "/api/settlements", ""), "settlement_id")
		require.Len(t, ids, 1)
	})
}
