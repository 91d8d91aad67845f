package registry_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// atOnce sends n requests at the same time and counts the statuses.
func atOnce(n int, send func(i int) *httptest.ResponseRecorder) (statuses map[int]int, bodies []string) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	start := make(chan struct{})
	statuses = map[int]int{}
	for i := range n {
		wg.Go(func() {
			<-start
			w := send(i)
			mu.Lock()
			defer mu.Unlock()
			statuses[w.Code]++
			bodies = append(bodies, w.Body.String())
		})
	}
	close(start)
	wg.Wait()
	return statuses, bodies
}

func TestOfConcurrentRegistrationsOfAHashOneSucceeds(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		members := []*member{a.join("Platform A"), a.join("Platform B")}
		for round := range 5 {
			statuses, _ := atOnce(6, func(i int) *httptest.ResponseRecorder {
				// Each brings a hash of its own, which only the one that succeeds may store.
				return members[i%2].do("POST", "/api/contracts/register",
					fmt.Sprintf(`{"ipfs_hash":"Qm","metadata_cid":"Qm","contract_hashes":["own %d %d","shared %d"]}`, round, i, round))
			})
			require.Equal(t, map[int]int{201: 1, 422: 5}, statuses)
		}
		require.EqualValues(t, 10, a.stats().Contracts["active"])
	})
}

func TestTwoHundredAndFiftyContractsPassAndOneMoreStoresNothing(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		owner := a.join("Platform A")
		body := `{"ipfs_hash":"Qm","metadata_cid":"Qm","contract_hashes":%s}`
		a.same(owner.do("POST", "/api/contracts/register", fmt.Sprintf(body, hashes(251))), 422,
			`{"success":false,"message":"Validation failed","errors":{"contract_hashes":["The contract hashes must not have more than 250 items."]}}`)
		require.Zero(t, a.stats().Contracts["active"])
		w := owner.do("POST", "/api/contracts/register", fmt.Sprintf(body, hashes(250)))
		a.want(w, 201)
		require.Contains(t, w.Body.String(), `"registered_count":250,`)
		require.EqualValues(t, 250, a.stats().Contracts["active"])

		// One that is taken among 250 undoes the 249 others.
		a.want(owner.do("POST", "/api/contracts/register", fmt.Sprintf(body, strings.ReplaceAll(hashes(250), `"h`, `"j`))[:200]), 422)
		a.want(owner.do("POST", "/api/contracts/register", fmt.Sprintf(body, strings.Replace(strings.ReplaceAll(hashes(250), `"h`, `"j`), `"j9"`, `"h9"`, 1))), 422)
		require.EqualValues(t, 250, a.stats().Contracts["active"])
	})
}

func TestConcurrentReportsOfOneSaleCountOnce(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		owner, seller := a.join("Platform A"), a.join("Platform B")
		owner.publish("hash1")
		for key, body := range map[string]string{
			"k": `{"contract_hash":"hash1","sale_amount":10,"royalty_amount":1}`,
			"":  `{"contract_hash":"hash1","sale_amount":10,"royalty_amount":1,"transaction_hash":"0xab"}`,
		} {
			statuses, bodies := atOnce(6, func(int) *httptest.ResponseRecorder {
				if key == "" {
					return seller.do("POST", "/api/sales", body)
				}
				return seller.do("POST", "/api/sales", body, "Idempotency-Key", key)
			})
			require.Equal(t, map[int]int{201: 1, 200: 5}, statuses)
			ids := map[int64]bool{}
			for _, b := range bodies {
				var got struct {
					Data struct {
						ID int64 `json:"transaction_id"`
					}
				}
				require.NoError(t, json.Unmarshal([]byte(b), &got))
				ids[got.Data.ID] = true
			}
			require.Len(t, ids, 1)
		}
		require.EqualValues(t, 2, a.stats().Royalties["pending"])
	})
}

func TestConcurrentDecisionsMakeOneKey(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		a.want(a.do("POST", "/api/platforms/register", application("ann@example.com", "Books")), 201)
		statuses, bodies := atOnce(6, func(i int) *httptest.ResponseRecorder {
			if i%3 == 2 {
				return a.admin("POST", "/api/admin/applications/1/reject", "")
			}
			return a.admin("POST", "/api/admin/applications/1/approve", "")
		})
		require.Equal(t, map[int]int{200: 1, 400: 5}, statuses)
		require.LessOrEqual(t, strings.Count(strings.Join(bodies, ""), `"api_key"`), 1)
	})
}

func TestOfConcurrentRotationsOfAKeyOneMakesTheOneThatIsGood(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		m := a.join("Platform A")
		old := m.key
		statuses, bodies := atOnce(6, func(int) *httptest.ResponseRecorder {
			return a.do("POST", "/api/platforms/me/api-key/rotate", "", "X-API-Key", old)
		})
		require.Equal(t, map[int]int{200: 1, 401: 5}, statuses)
		for _, b := range bodies {
			if key := apiKey.FindString(b); key != "" {
				m.key = strings.TrimSuffix(strings.TrimPrefix(key, `"api_key":"`), `"`)
			}
		}
		a.want(m.do("GET", "/api/platforms/me", ""), 200)
		a.want(a.do("GET", "/api/platforms/me", "", "X-API-Key", old), 401)
	})
}

func TestConcurrentApplicationsWithOneEmailAreOne(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		statuses, _ := atOnce(6, func(i int) *httptest.ResponseRecorder {
			email := "ann@example.com"
			if i%2 == 0 {
				email = "ANN@example.com"
			}
			return a.do("POST", "/api/platforms/register", application(email, "Books"))
		})
		require.Equal(t, map[int]int{201: 1, 422: 5}, statuses)
	})
}

func TestARevocationAndASaleAtOnceEndInOneOrder(t *testing.T) {
	overEachStore(t, func(t *testing.T, a *api) {
		owner, seller := a.join("Platform A"), a.join("Platform B")
		for round := range 5 {
			hash := fmt.Sprint("hash", round)
			owner.publish(hash)
			statuses, _ := atOnce(4, func(i int) *httptest.ResponseRecorder {
				if i == 0 {
					return owner.do("PUT", "/api/contracts/"+hash+"/revoke", "")
				}
				return seller.do("POST", "/api/sales", fmt.Sprintf(`{"contract_hash":%q,"sale_amount":1,"royalty_amount":0.5}`, hash))
			})
			require.Equal(t, 1, statuses[200])
			require.Equal(t, 3, statuses[201]+statuses[422])
			a.want(seller.do("POST", "/api/sales", fmt.Sprintf(`{"contract_hash":%q,"sale_amount":1,"royalty_amount":0.5}`, hash)), 422)
		}
	})
}
