package catalog_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
)

// filterAll selects everything but what is deleted.
var filterAll catalog.ProductFilter

func noEvent(catalog.Review, catalog.Product, bool) store.Event {
	return store.Event{ID: fmt.Sprint(time.Now().UnixNano()), Type: "none", Data: []byte("{}")}
}

func newReview(product string, author, rating int) catalog.Review {
	return catalog.Review{
		ID: fmt.Sprint(product, author), ProductID: product, AuthorID: fmt.Sprint(author), Rating: rating, CreatedAt: opening, UpdatedAt: opening,
	}
}

func TestAFoundProductIsShownWithAllThatIsForSaleAndNotWhereItIs(t *testing.T) {
	overEachStore(t, func(t *testing.T, s *shop) {
		id := s.sell("Premium AI Tutorial", `,"description":"All of it","category":"Education","tags":["ai","video"],"content_type":"video/mp4","preview_content":"Look",`+
			`"thumbnail_url":"https://ann.example/t.jpg","access_duration":86400,"type":"course","quote_url":"https://ann.example/quote"`)
		s.want(s.do("ann", "PUT", "/api/v1/providers/wallets/base", `{"address":"0x742d35Cc6634C0532925a3b844Bc454e4438f44e"}`), 200)
		found := s.want(s.do("", "GET", "/api/v1/clients/discover?query=ai+tutorial&category=education&min_price=1&max_price=5000000000000000000&chain=base", ""), 200)
		shows(t, json.RawMessage(`{"items":[{"id":"`+id+`","title":"Premium AI Tutorial","description":"All of it","type":"course","category":"Education",`+
			`"price":"5000000000000000000","currency":"ETH","payment_scheme":"exact","thumbnail_url":"https://ann.example/t.jpg","rating":0,"purchase_count":0,`+
			`"provider":{"id":"user-ann","name":"Ann","verified":true},"access_info":{"duration":86400,"max_accesses":null,"content_type":"video/mp4"}}],`+
			`"total":1,"page":1,"size":20,"filters_applied":{"query":"ai tutorial","category":"education","price_range":["1","5000000000000000000"]},"suggestions":["video"]}`),
			json.RawMessage(found))
		content := s.want(s.do("", "GET", "/api/v1/clients/content/"+id, ""), 200)
		shows(t, json.RawMessage(`{"id":"`+id+`","title":"Premium AI Tutorial","provider":{"name":"Ann","website":"https://ann.example","verified":true,"rating":0},`+
			`"preview_content":"Look","payment_options":[{"chain":"base","address":"0x742d35Cc6634C0532925a3b844Bc454e4438f44e","estimated_fee":null,`+
			`"network":"eip155:8453","currency":"ETH","amount":"5000000000000000000","asset":null}],`+
			`"statistics":{"view_count":0,"purchase_count":0,"rating":0,"review_count":0}}`), json.RawMessage(content))
		for _, body := range []string{found, content} {
			require.NotContains(t, body, "secret")
			require.NotContains(t, body, "content_url")
			require.NotContains(t, body, "quote")
		}
	})
}

func TestAllWordsMustBeFoundAndTheBestComesFirst(t *testing.T) {
	overEachStore(t, func(t *testing.T, s *shop) {
		s.sell("Cooking for two", `,"description":"with a tutorial","tags":["food"]`)
		s.sell("Tutorial of Go", `,"description":"for two","tags":["go","programming"]`)
		s.sell("Tutorial of Rust", `,"tags":["rust","programming"]`)
		require.Equal(t, []string{"Tutorial of Rust", "Tutorial of Go", "Cooking for two"}, s.discover("query=tutorial&sort_by=recent").titles())
		first := s.discover("query=tutorial").titles()
		require.Equal(t, "Cooking for two", first[2], "a title counts more than a description")
		require.Equal(t, []string{"Tutorial of Go"}, s.discover("query="+url.QueryEscape("TUTORIAL, two prog")).titles())
		require.Empty(t, s.discover("query=tutorial+missing").titles())
		l := s.discover("query=tutorial&size=2&page=2")
		require.Equal(t, 3, l.Total)
		require.Len(t, l.Items, 1)
		require.Equal(t, 2, l.Pages)
	})
}

func TestSuggestionsAreTagsOfWhatWasFoundOrTitlesThatAreNear(t *testing.T) {
	overEachStore(t, func(t *testing.T, s *shop) {
		s.sell("Tutorial of Go", `,"tags":["go","programming","Tutorials"]`)
		s.sell("Tutorial of Rust", `,"tags":["rust","programming"]`)
		require.Equal(t, []string{"programming", "go", "rust"}, s.discover("query=tutorial").Suggestions)
		require.Equal(t, []string{"Tutorial of Rust"}, s.discover("query=rusty+tutrial").Suggestions)
		require.Empty(t, s.discover("query=zzzz").Suggestions)
		require.Empty(t, s.discover("").Suggestions)
	})
}

func TestWhatIsNotOnSaleIsNowhereToBeSeen(t *testing.T) {
	overEachStore(t, func(t *testing.T, s *shop) {
		id := s.draft("Whales", `,"category":"sea"`)
		seen := func(want bool, why string) {
			t.Helper()
			for _, query := range []string{"", "query=whales", "query=wha&category=sea", "category=sea"} {
				require.Equal(t, want, len(s.discover(query).Items) == 1, "%s: %s", why, query)
			}
			status := map[bool]int{true: 200, false: 404}[want]
			s.want(s.do("", "GET", "/api/v1/clients/content/"+id, ""), status)
			s.want(s.do("", "GET", "/api/v1/clients/products/"+id+"/reviews", ""), status)
			require.NoError(t, s.service.FlushViews(t.Context()))
			require.Equal(t, want, strings.Contains(s.want(s.do("", "GET", "/api/v1/clients/categories", ""), 200), "sea"), why)
			require.Equal(t, want, strings.Contains(s.want(s.do("", "GET", "/api/v1/clients/trending", ""), 200), id), why)
		}
		own, moderate := "/api/v1/providers/products/"+id, "/api/v1/admin/products/"+id+"/moderate?moderation_action="
		seen(false, "draft")
		s.want(s.do("ann", "POST", own+"/publish", ""), 200)
		seen(true, "published")
		s.want(s.do("admin", "POST", moderate+"flag", ""), 200)
		seen(false, "flagged")
		s.want(s.do("admin", "POST", moderate+"unflag", ""), 200)
		seen(true, "unflagged")
		s.want(s.do("ann", "POST", own+"/unpublish", ""), 200)
		seen(false, "unpublished")
		s.want(s.do("ann", "POST", own+"/publish", ""), 200)
		seen(true, "published again")
		observe := func(kind string, after time.Duration) {
			require.NoError(t, s.service.Observe(t.Context(), store.Event{
				ID: kind, Type: kind, Subject: "user-ann", Data: []byte(`{"user_id":"user-ann","status":"x"}`), CreatedAt: opening.Add(after),
			}))
		}
		observe(account.EventSuspended, time.Minute)
		seen(false, "its owner is suspended")
		observe(account.EventReinstated, time.Second)
		seen(false, "an event that comes late")
		observe(account.EventReinstated, 2*time.Minute)
		seen(true, "its owner is reinstated")
		observe(account.EventBanned, 3*time.Minute)
		seen(false, "its owner is banned")
		observe(account.EventReinstated, 4*time.Minute)
		s.want(s.do("admin", "POST", moderate+"reject", ""), 200)
		seen(false, "rejected")
		s.refused(s.do("ann", "POST", own+"/publish", ""), 400, "INVALID_STATE")
		s.refused(s.do("admin", "POST", moderate+"unflag", ""), 400, "INVALID_STATE")
		s.want(s.do("admin", "POST", moderate+"approve", ""), 200)
		seen(false, "approved, but not published")
		s.want(s.do("ann", "POST", own+"/publish", ""), 200)
		seen(true, "published once more")
		s.want(s.do("ann", "DELETE", own, ""), 200)
		seen(false, "deleted")
	})
}

func TestViewsAreCountedWithoutAWriteEach(t *testing.T) {
	overEachStore(t, func(t *testing.T, s *shop) {
		id := s.sell("Seen", "")
		for range 5 {
			s.want(s.do("", "GET", "/api/v1/clients/content/"+id, ""), 200)
		}
		views := func() (p product) {
			s.data(s.do("ann", "GET", "/api/v1/providers/products/"+id, ""), 200, &p)
			return p
		}
		require.Zero(t, views().Views)
		require.NoError(t, s.service.FlushViews(t.Context()))
		require.NoError(t, s.service.FlushViews(t.Context()))
		require.EqualValues(t, 5, views().Views)
		require.Equal(t, []string{"product.created", "product.published", "product.viewed"}, s.events())
		trending := s.want(s.do("", "GET", "/api/v1/clients/trending?period=1h&limit=1", ""), 200)
		shows(t, json.RawMessage(`{"items":[{"id":"`+id+`","rank":1,"period_views":5,"period_purchases":0}],"total":1,"period":"1h"}`), json.RawMessage(trending))
		s.pass(3 * time.Hour)
		require.Contains(t, s.want(s.do("", "GET", "/api/v1/clients/trending?period=1h", ""), 200), `"items":[]`)
	})
}

func TestReviewsAreWrittenByBuyersOnceAndChanged(t *testing.T) {
	overEachStore(t, func(t *testing.T, s *shop) {
		id := s.sell("Reviewed", "")
		path := "/api/v1/clients/products/" + id + "/reviews"
		s.refused(s.do("eve", "POST", path, `{"rating":5}`), 403, "FORBIDDEN")
		s.bought(id, users["eve"].PublicKey, "user-dan", "user-ann")
		s.refused(s.do("ann", "POST", path, `{"rating":5}`), 403, "FORBIDDEN")
		s.want(s.do("eve", "POST", path, `{"rating":5,"comment":"Good"}`), 201)
		s.want(s.do("dan", "POST", path, `{"rating":4}`), 201)
		s.pass(time.Hour)
		changed := s.want(s.do("eve", "POST", path, `{"rating":1,"comment":"Bad"}`), 200)
		shows(t, json.RawMessage(`{"product_id":"`+id+`","author":{"id":"user-eve","name":"Eve"},"rating":1,"comment":"Bad",`+
			`"created_at":"2024-01-15T10:30:00Z","updated_at":"2024-01-15T11:30:00Z"}`), json.RawMessage(changed))
		listed := s.want(s.do("", "GET", path, ""), 200)
		shows(t, json.RawMessage(`{"items":[{"author":{"id":"user-dan","name":""},"rating":4},{"rating":1,"comment":"Bad"}],"total":2,"page":1,"size":20,"pages":1,"rating":2.5}`),
			json.RawMessage(listed))
		content := s.want(s.do("", "GET", "/api/v1/clients/content/"+id, ""), 200)
		shows(t, json.RawMessage(`{"provider":{"rating":2.5},"statistics":{"rating":2.5,"review_count":2}}`), json.RawMessage(content))
	})
}

func TestAPriceIsShownInTheUnitOfEachNetwork(t *testing.T) {
	overEachStore(t, func(t *testing.T, s *shop) {
		id := s.sell("Dollars", `,"price":"1500000","currency":"usdc"`)
		for chain, address := range map[string]string{
			"base": "0x742d35cc6634c0532925a3b844bc454e4438f44e", "bsc": "0x742d35cc6634c0532925a3b844bc454e4438f44e",
			"solana": "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM", "polygon": "0x742d35cc6634c0532925a3b844bc454e4438f44e",
		} {
			s.want(s.do("ann", "PUT", "/api/v1/providers/wallets/"+chain, `{"address":"`+address+`"}`), 200)
		}
		s.want(s.do("ann", "DELETE", "/api/v1/providers/wallets/eip155:137", ""), 200)
		content := s.want(s.do("", "GET", "/api/v1/clients/content/"+id, ""), 200)
		shows(t, json.RawMessage(`{"payment_options":[`+
			`{"chain":"base","estimated_fee":"0","network":"eip155:8453","currency":"USDC","amount":"1500000","asset":"0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"},`+
			`{"chain":"bsc","amount":"1500000000000000000","asset":"0x8AC76a51cc950d9822D68b83fE1Ad97B32Cd580d"},`+
			`{"chain":"solana","address":"9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM","amount":"1500000"}]}`), json.RawMessage(content))
		require.Len(t, s.discover("chain=solana&currency=USDC").Items, 1)
		require.Empty(t, s.discover("chain=polygon").Items)
		free := s.sell("Gift", `,"payment_scheme":"free"`)
		require.Contains(t, s.want(s.do("", "GET", "/api/v1/clients/content/"+free, ""), 200), `"payment_options":[]`)
		shows(t, json.RawMessage(`{"items":[{"chain":"bsc"},{"chain":"base"},{"chain":"solana"}],"total":3}`), json.RawMessage(s.want(s.do("ann", "GET", "/api/v1/providers/wallets", ""), 200)))
	})
}

func TestEventsOfOtherThingsAreIgnored(t *testing.T) {
	overEachStore(t, func(t *testing.T, s *shop) {
		s.sell("Whales", "")
		for _, kind := range []string{account.EventRegistered, account.EventUpdated, "payment.confirmed", ""} {
			require.NoError(t, s.service.Observe(t.Context(), store.Event{ID: kind, Type: kind, Subject: "user-ann", CreatedAt: opening}))
		}
		require.Len(t, s.discover("").Items, 1)
	})
}

func TestAWalletThatWasSetLaterStandsAndIsToldOf(t *testing.T) {
	overEachStore(t, func(t *testing.T, s *shop) {
		set := func(address string) *httptest.ResponseRecorder {
			return s.do("ann", "PUT", "/api/v1/providers/wallets/base", `{"address":"`+address+`"}`)
		}
		s.want(set("0x742d35Cc6634C0532925a3b844Bc454e4438f44e"), 200)
		s.pass(-time.Minute) // a replica whose clock is slow
		s.refused(set("0x209693Bc6afc0C5328bA36FaF03C514EF312287C"), 409, "CONFLICT")
		list, err := s.service.Wallets(t.Context(), "user-ann")
		require.NoError(t, err)
		require.Equal(t, "0x742d35Cc6634C0532925a3b844Bc454e4438f44e", list[0].Address)
		require.Equal(t, []string{catalog.EventWalletChanged}, s.events())
	})
}
