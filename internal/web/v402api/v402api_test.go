package v402api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/store"
)

var now = time.Date(2024, 1, 15, 10, 45, 0, 123, time.UTC)

// answer serves one request with h.
func answer(a *v402api.API, method, path, body string, h v402api.HandlerFunc) *httptest.ResponseRecorder {
	a.Now = func() time.Time { return now }
	rt := a.Router()
	rt.Handle("POST /things/{id}", a.Public(v402api.Anonymous, h))
	w := httptest.NewRecorder()
	rt.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w
}

// refuse is a handler that does nothing else.
func refuse(err error) v402api.HandlerFunc {
	return func(http.ResponseWriter, *http.Request) error { return err }
}

func TestAnErrorHasTheFormOfTheDocumentation(t *testing.T) {
	t.Parallel()
	w := answer(&v402api.API{}, "POST", "/things/1", "", refuse(v402api.Invalid("amount", v402api.AmountTooLow, "Invalid payment amount")))
	require.Equal(t, 400, w.Code)
	require.Equal(t, `{"error":"VALIDATION_ERROR","message":"Invalid payment amount",`+
		`"details":{"field":"amount","code":"AMOUNT_TOO_LOW"},"timestamp":"2024-01-15T10:45:00Z"}`+"\n", w.Body.String())
	require.Equal(t, "default-src 'self'", w.Header().Get("Content-Security-Policy"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
}

func TestEachCodeHasItsStatusAndAnObjectOfDetails(t *testing.T) {
	t.Parallel()
	for code, status := range map[v402api.Code]int{
		v402api.AuthenticationMissing: 401, v402api.InvalidCredentials: 401, v402api.Forbidden: 403, v402api.AccountSuspended: 403,
		v402api.NotFound: 404, v402api.Conflict: 409, v402api.InvalidState: 400, v402api.PaymentRequired: 402, v402api.PaymentExpired: 409,
		v402api.PaymentProcessed: 409, v402api.TransactionUsed: 409, v402api.TooLarge: 413, v402api.TooManyRequests: 429,
		v402api.ChainUnavailable: 503, v402api.Internal: 500, "SOMETHING_ELSE": 500,
	} {
		w := answer(&v402api.API{}, "POST", "/things/1", "", refuse(fmt.Errorf("wrapped: %w", &v402api.Error{Code: code, Message: "m"})))
		require.Equal(t, status, w.Code, code)
		require.Contains(t, w.Body.String(), `"error":"`+string(code)+`","message":"m","details":{},`)
	}
}

func TestRefusalsAreComparableWithTheErrorsOfStores(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, &v402api.Error{Code: v402api.NotFound}, store.ErrNotFound)
	require.ErrorIs(t, &v402api.Error{Code: v402api.InvalidState}, store.ErrConflict)
	require.NotErrorIs(t, &v402api.Error{Code: v402api.Forbidden}, store.ErrConflict)
	require.ErrorIs(t, &v402api.Error{Code: v402api.ChainUnavailable}, &v402api.Error{Code: v402api.ChainUnavailable})
	require.NotErrorIs(t, &v402api.Error{Code: v402api.Forbidden}, &v402api.Error{Code: v402api.Forbidden})
	cause := errors.New("cause")
	require.ErrorIs(t, &v402api.Error{Code: v402api.ChainUnavailable, Err: cause}, cause)
}

func TestWhatIsOursToMendIsLoggedAndNotTold(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	a := &v402api.API{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	w := answer(a, "POST", "/things/1", "", refuse(errors.New("password of the database")))
	require.Equal(t, 500, w.Code)
	require.NotContains(t, w.Body.String(), "password")
	require.Contains(t, log.String(), "password of the database")
}

func TestUnknownPathsAndMethodsAreAnsweredInForm(t *testing.T) {
	t.Parallel()
	w := answer(&v402api.API{}, "GET", "/nothing", "", nil)
	require.Equal(t, 404, w.Code)
	require.Contains(t, w.Body.String(), `"error":"NOT_FOUND"`)
	w = answer(&v402api.API{}, "GET", "/things/1", "", nil)
	require.Equal(t, 405, w.Code)
	require.Equal(t, "POST", w.Header().Get("Allow"))
	require.Contains(t, w.Body.String(), `"error":"METHOD_NOT_ALLOWED"`)
	w = answer(&v402api.API{}, "OPTIONS", "/whatever", "", nil)
	require.Equal(t, 204, w.Code)
	require.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
	require.Contains(t, w.Header().Get("Access-Control-Allow-Methods"), "PATCH")
	for _, header := range []string{"X-V402-API-Key", "X-V402-Chain-ID", "X-V402-Version", "X-V402-Request-ID", "X-V402-SDK-Version"} {
		require.Contains(t, w.Header().Get("Access-Control-Allow-Headers"), header)
	}
	require.Equal(t, "86400", w.Header().Get("Access-Control-Max-Age"))
	require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
}

// thing is a body.
type thing struct {
	Title string         `json:"title"`
	Price *string        `json:"price"`
	Count int            `json:"count"`
	Tags  []string       `json:"tags"`
	At    v402api.Time   `json:"at"`
	Extra map[string]any `json:"extra"`
}

func TestABodyIsDecodedStrictlyAndAllThatIsWrongIsTold(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{}`:                              `[]`,
		``:                                `[]`,
		`{"title":null}`:                  `[]`,
		`{"title":1}`:                     `[title INVALID_TYPE]`,
		`{"count":1.5}`:                   `[count INVALID_TYPE]`,
		`{"price":5}`:                     `[price INVALID_TYPE]`,
		`{"tags":["a",2]}`:                `[tags INVALID_TYPE]`,
		`{"at":"monday"}`:                 `[at INVALID_DATE]`,
		`{"extra":[]}`:                    `[extra INVALID_TYPE]`,
		`{"title":"a","title":"b"}`:       `[title INVALID_FORMAT]`,
		`{"title":"a","t\u0069tle":"b"}`:  `[title INVALID_FORMAT]`,
		`{"prise":1,"count":1,"prise":1}`: `[prise INVALID_FORMAT]`,
		`{"Title":"x","count":"many","prise":"1"}`: `[count INVALID_TYPE Title UNKNOWN_FIELD prise UNKNOWN_FIELD]`,
		`[]`:          `the whole`,
		`null`:        `the whole`,
		`{"title":"`:  `the whole`,
		`{} {}`:       `the whole`,
		`"x"`:         `the whole`,
		"\xff\xfe{}":  `the whole`,
		`{"title":""`: `the whole`,
	} {
		var in thing
		err := v402api.Read(httptest.NewRequest("POST", "/", strings.NewReader(body)), 100, &in)
		var got []string
		var refused *v402api.Error
		if errors.As(err, &refused) {
			require.Equal(t, v402api.ValidationFailed, refused.Code)
			for _, f := range refused.Faults {
				got = append(got, f.Field, f.Code)
			}
			if got == nil {
				got = []string{"the whole"}
			}
		}
		require.Equal(t, strings.Trim(want, "[]"), strings.Join(got, " "), body)
	}
	err := v402api.Read(httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat(" ", 101))), 100, &thing{})
	var refused *v402api.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, v402api.TooLarge, refused.Code)
}

func TestABodyOfNonsenseIsAnsweredInShort(t *testing.T) {
	t.Parallel()
	var body strings.Builder
	for n := range 50_000 {
		fmt.Fprintf(&body, `,"%d%s":1`, n, strings.Repeat("x", n%2*100))
	}
	err := v402api.Decode([]byte("{"+body.String()[1:]+"}"), &thing{})
	var refused *v402api.Error
	require.ErrorAs(t, err, &refused)
	require.Len(t, refused.Faults, 100)
	for _, f := range refused.Faults {
		require.Equal(t, v402api.UnknownField, f.Code)
		require.LessOrEqual(t, len(f.Message), 100)
	}
}

func TestSeveralFaultsAreAllInTheDetails(t *testing.T) {
	t.Parallel()
	w := answer(&v402api.API{}, "POST", "/things/1", `{"title":1,"count":"2"}`, func(_ http.ResponseWriter, r *http.Request) error {
		return v402api.Read(r, v402api.MaxBody, &thing{})
	})
	var got struct {
		Details struct {
			Field  string
			Errors []v402api.Fault
		}
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	require.Equal(t, "title", got.Details.Field)
	require.Len(t, got.Details.Errors, 2)
}

func TestAQueryIsReadWithDefaultsAndBounds(t *testing.T) {
	t.Parallel()
	read := func(query string) (got []string) {
		q := v402api.QueryOf(httptest.NewRequest("GET", "/?"+query, nil))
		page := q.Page(20, 100)
		by, down := q.Sort("created_at", "price")
		status := v402api.OneOf(q, "status", "active", "draft")
		flag, given := q.MaybeBool("flag")
		got = []string{fmt.Sprintf("%d %d %s %t %q %t %t %q %t", page.Page, page.Size, by, down, status, flag, given, q.Text("search", 5), q.Bool("paid"))}
		got = append(got, v402api.Time(q.Time("start_date")).String(), v402api.Time(q.Until("end_date")).String())
		var refused *v402api.Error
		if errors.As(q.Err(), &refused) {
			for _, f := range refused.Faults {
				got = append(got, f.Field+" "+f.Code)
			}
		}
		return got
	}
	require.Equal(t, []string{`1 20 created_at true "" false false "" false`, "", ""}, read(""))
	require.Equal(t, []string{`2 100 price false "active" true true "x" false`, "2024-01-15T00:00:00Z", "2024-02-01T00:00:00Z"},
		read("page=2&size=100&sort_by=price&sort_order=asc&status=active&flag=TRUE&search=x&start_date=2024-01-15&end_date=2024-01-31&other=1"))
	require.Equal(t, []string{`1 20 created_at true "" false false "" false`, "2024-01-15T08:00:00Z", ""}, read("start_date=2024-01-15T10:00:00+02:00&sort_by=color"))
	for query, want := range map[string]string{
		"page=0": "page INVALID_RANGE", "page=x": "page INVALID_TYPE", "size=101": "size INVALID_RANGE", "status=gone": "status INVALID_ENUM",
		"sort_order=up": "sort_order INVALID_ENUM", "flag=2": "flag INVALID_TYPE", "start_date=soon": "start_date INVALID_DATE",
		"search=123456": "search TOO_LONG", "search=%ff": "search INVALID_FORMAT", "x=%zz": "query INVALID_FORMAT", "page=99999999999999999999": "page INVALID_TYPE",
	} {
		got := read(query)
		require.Equal(t, want, got[len(got)-1], query)
	}
}

func TestALimitIsToldInHeadersAndKeptByUserOrAddress(t *testing.T) {
	t.Parallel()
	a := &v402api.API{Limits: v402api.NewLimits(v402api.Rates{Anonymous: 2, Provider: -1})}
	ask := func() *httptest.ResponseRecorder {
		return answer(a, "POST", "/things/1", "", func(w http.ResponseWriter, _ *http.Request) error { return v402api.JSON(w, 200, 1) })
	}
	w := ask()
	require.Equal(t, []string{"2", "1", fmt.Sprint(now.Add(30 * time.Second).Unix())},
		[]string{w.Header().Get("X-RateLimit-Limit"), w.Header().Get("X-RateLimit-Remaining"), w.Header().Get("X-RateLimit-Reset")})
	ask()
	w = ask()
	require.Equal(t, 429, w.Code)
	require.Equal(t, "30", w.Header().Get("Retry-After"))
	require.Equal(t, "0", w.Header().Get("X-RateLimit-Remaining"))
	require.Contains(t, w.Body.String(), `"error":"RATE_LIMIT_EXCEEDED"`)
	r := httptest.NewRequest("GET", "/", nil)
	for range 3 {
		require.NoError(t, a.Admit(httptest.NewRecorder(), r, v402api.Provider, ""), "no limit")
	}
	for range 100 {
		require.NoError(t, a.Limits.WalletCheck(r, now))
	}
	require.Error(t, a.Limits.WalletCheck(r, now))
	for range 100 {
		require.NoError(t, a.Admit(httptest.NewRecorder(), r, v402api.Authenticated, "ada"))
	}
	require.Error(t, a.Admit(httptest.NewRecorder(), r, v402api.Authenticated, "ada"))
	require.NoError(t, a.Admit(httptest.NewRecorder(), r, v402api.Authenticated, "bob"))
}

func TestAnEmptyListIsAnArray(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	require.NoError(t, v402api.JSON(w, 200, v402api.PageOf(store.List[int]{Page: 1, Size: 50}, func(n int) int { return n })))
	require.Equal(t, `{"items":[],"total":0,"page":1,"size":50,"pages":0}`+"\n", w.Body.String())
	require.EqualValues(t, 4, store.List[int]{Total: 156, Size: 50}.Pages())
	require.Equal(t, 50, store.PageNumber{Page: 2}.Offset())
}

func TestTextsAreCheckedByRule(t *testing.T) {
	t.Parallel()
	var f v402api.Faults
	f.Required("a", " ", 5)
	f.Required("b", "123456", 5)
	f.Email("c", "Ada <ada@example.com>")
	f.Email("d", "ada@example.com")
	f.WebURL("e", "ftp://x", 100)
	f.WebURL("f", "https://user@x/", 100)
	f.WebURL("g", "https://x/", 100)
	v402api.Enum(&f, "h", "x", "y", "z")
	f.Text("i", "\x00", 100)
	var codes []string
	for _, fault := range f {
		codes = append(codes, fault.Field+" "+fault.Code)
	}
	require.Equal(t, []string{"a REQUIRED", "b TOO_LONG", "c INVALID_EMAIL", "e INVALID_URL", "f INVALID_URL", "h INVALID_ENUM", "i INVALID_FORMAT"}, codes)
	require.NoError(t, v402api.Faults{}.Err())
}
