package catalog_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The IDs in the documentation.
const (
	documentedID    = "550e8400-e29b-41d4-a716-446655440000"
	documentedOwner = "123e4567-e89b-12d3-a456-426614174000"
)

func documented(t testing.TB, name string) string {
	t.Helper()
	return read(t, "testdata/"+name+".json")
}

// member is a member of a JSON object.
type member struct {
	name  string
	value json.RawMessage
}

// members are those of an object, in their order.
func members(t testing.TB, j json.RawMessage) (list []member) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(j))
	_, err := d.Token()
	require.NoError(t, err)
	for d.More() {
		name, err := d.Token()
		require.NoError(t, err)
		var value json.RawMessage
		require.NoError(t, d.Decode(&value))
		list = append(list, member{name.(string), value})
	}
	return list
}

// shows requires that got has everything that the documentation shows, to the
// byte and in its order. More members may be between and after.
func shows(t testing.TB, shown, got json.RawMessage) {
	t.Helper()
	shown, got = bytes.TrimSpace(shown), bytes.TrimSpace(got)
	switch shown[0] {
	case '{':
		rest := members(t, got)
		for _, m := range members(t, shown) {
			i := 0
			for i < len(rest) && rest[i].name != m.name {
				i++
			}
			require.Less(t, i, len(rest), "%q is missing or out of order in %s", m.name, got)
			shows(t, m.value, rest[i].value)
			rest = rest[i+1:]
		}
	case '[':
		var want, have []json.RawMessage
		require.NoError(t, json.Unmarshal(shown, &want))
		require.NoError(t, json.Unmarshal(got, &have))
		require.Len(t, have, len(want))
		for i := range want {
			shows(t, want[i], have[i])
		}
	default:
		require.Equal(t, string(shown), string(got))
	}
}

func TestTheDocumentedProductGoesItsWayAsDocumented(t *testing.T) {
	overEachStore(t, func(t *testing.T, s *shop) {
		created := s.want(s.do("ann", "POST", "/api/v1/providers/products", documented(t, "create")), 201)
		id := string(members(t, json.RawMessage(created))[0].value)
		id = strings.Trim(id, `"`)
		rename := func(body string) json.RawMessage {
			return json.RawMessage(strings.NewReplacer(id, documentedID, "user-ann", documentedOwner).Replace(body))
		}
		shows(t, json.RawMessage(documented(t, "created")), rename(created))
		shows(t, json.RawMessage(`{"description":"Comprehensive guide to modern AI development","content_url":"https://example.com/content/ai-tutorial-series",`+
			`"type":"course","category":"education","tags":["ai","machine-learning","tutorial"],"currency":"ETH","payment_scheme":"exact",`+
			`"thumbnail_url":"https://example.com/thumbnails/ai-course.jpg","content_type":"video/series",`+
			`"preview_content":"Learn AI development from basics to advanced...","access_duration":86400,"max_access_count":null}`), rename(created))

		published := s.want(s.do("ann", "POST", "/api/v1/providers/products/"+id+"/publish", ""), 200)
		shows(t, json.RawMessage(`{"status":"active","published_at":"2024-01-15T10:30:00Z"}`), rename(published))
		s.bought(id, "user-eve", users["dan"].ID)
		for who, rating := range map[string]string{"eve": "5", "dan": "4"} {
			s.want(s.do(who, "POST", "/api/v1/clients/products/"+id+"/reviews", `{"rating":`+rating+`}`), 201)
		}
		for range 3 {
			s.want(s.do("", "GET", "/api/v1/clients/content/"+id, ""), 200)
		}
		require.NoError(t, s.service.FlushViews(t.Context()))
		listed := s.want(s.do("ann", "GET", "/api/v1/providers/products?page=1&size=20&status=active&category=education&sort_by=created_at&sort_order=desc", ""), 200)
		shown := strings.NewReplacer(`"view_count": 1250`, `"view_count": 3`, `"purchase_count": 89`, `"purchase_count": 0`, `4.85`, `4.5`).Replace(documented(t, "list"))
		shows(t, json.RawMessage(shown), rename(listed))

		updated := s.want(s.do("ann", "PUT", "/api/v1/providers/products/"+id, documented(t, "update")), 200)
		shows(t, json.RawMessage(`{"title":"Advanced AI Tutorial Series - Updated","status":"active","price":"4500000000000000000"}`), rename(updated))
	})
}

func TestTheDocumentedUpdatePublishesADraft(t *testing.T) {
	overEachStore(t, func(t *testing.T, s *shop) {
		id := s.draft("Premium", "")
		s.pass(90 * 1e9)
		updated := s.want(s.do("ann", "PUT", "/api/v1/providers/products/"+id, documented(t, "update")), 200)
		shows(t, json.RawMessage(`{"title":"Advanced AI Tutorial Series - Updated","status":"active","price":"4500000000000000000",`+
			`"created_at":"2024-01-15T10:30:00Z","updated_at":"2024-01-15T10:31:30Z","published_at":"2024-01-15T10:31:30Z","on_sale":true}`), json.RawMessage(updated))
		require.Equal(t, []string{"product.created", "product.updated", "product.published"}, s.events())
	})
}

func TestTheDocumentedIntegrationCreatesAProduct(t *testing.T) {
	overEachStore(t, func(t *testing.T, s *shop) {
		created := s.want(s.do("ann", "POST", "/api/v1/providers/products",
			`{"title":"Premium Content","content_url":"https://yoursite.com/premium/content-123","price":"5000000000000000000","type":"article"}`), 201)
		shows(t, json.RawMessage(`{"title":"Premium Content","price":"5000000000000000000","type":"article","currency":"ETH","payment_scheme":"exact","access_duration":null}`),
			json.RawMessage(created))
	})
}

func TestAnInvalidAmountIsRefusedAsDocumented(t *testing.T) {
	overEachStore(t, func(t *testing.T, s *shop) {
		w := s.do("ann", "POST", "/api/v1/providers/products", `{"title":"T","content_url":"https://a.example","price":"0"}`)
		require.Equal(t, `{"error":"VALIDATION_ERROR","message":"Invalid payment amount: price must be above 0; what is free has the payment_scheme free",`+
			`"details":{"field":"price","code":"AMOUNT_TOO_LOW"},"timestamp":"2024-01-15T10:30:00Z"}`, s.want(w, 400))
		require.Empty(t, s.events())
	})
}

func TestTheSecurityHeadersAreThoseOfTheDocumentation(t *testing.T) {
	t.Parallel()
	s := newShop(t, backends["memory"](t))
	for _, path := range []string{"/api/v1/clients/discover", "/api/v1/providers/products", "/nowhere"} {
		h := s.do("", "GET", path, "").Header()
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "X-XSS-Protection": "1; mode=block",
			"Strict-Transport-Security": "max-age=31536000; includeSubDomains", "Content-Security-Policy": "default-src 'self'",
		} {
			require.Equal(t, want, h.Get(name), "%s of %s", name, path)
		}
	}
}

func TestARatingIsShownInHundredths(t *testing.T) {
	overEachStore(t, func(t *testing.T, s *shop) {
		id := s.sell("Rated", "")
		// 17 of 20 give 5, the others 4: 4.85.
		for i := range 20 {
			rating := 5
			if i >= 17 {
				rating = 4
			}
			r := newReview(id, i, rating)
			_, _, err := s.store.PutReview(t.Context(), r, noEvent)
			require.NoError(t, err)
		}
		require.Contains(t, s.want(s.do("ann", "GET", "/api/v1/providers/products/"+id, ""), 200), `"rating":4.85,`)
		require.Contains(t, s.want(s.do("", "GET", "/api/v1/clients/discover", ""), 200), `"rating":4.85,`)
	})
}
