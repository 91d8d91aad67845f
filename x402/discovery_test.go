package x402_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/v402/v402/x402"
)

const (
	itemV2 = `{"resource":"https://h/p","type":"http","x402Version":2,"accepts":[` + requirementV2 + `],"lastUpdated":"2025-11-22T01:02:03.456Z",` +
		`"description":"d","mimeType":"m","serviceName":"s","tags":["t"],"iconUrl":"https://h/i","extensions":{"bazaar":{}},"metadata":{"score":1}}`
	itemV1 = `{"resource":"https://h/p","type":"http","x402Version":1,"accepts":[` + requirementV1 + `],"lastUpdated":"2025-11-22T01:02:03Z",` +
		`"description":"d","mimeType":"application/json"}`
	page   = `{"x402Version":2,"items":[` + itemV2 + `,` + itemV1 + `],"pagination":{"limit":20,"offset":0,"total":2}}`
	search = `{"x402Version":2,"resources":[` + itemV2 + `],"partialResults":true,"pagination":{"limit":20,"cursor":"c"}}`
)

func TestAnEntryReadsItsOffersInItsOwnVersion(t *testing.T) {
	t.Parallel()
	p := read[x402.DiscoveryPage](t, page)
	for i, item := range p.Items {
		assert.Equal(t, x402.V2-i, item.Version)
		assert.Equal(t, x402.BaseSepolia, item.Accepts[0].Network)
		assert.Equal(t, "10000", item.Accepts[0].Amount.String())
	}
	old := read[x402.DiscoveredResource](t, strings.Replace(itemV1, `,"description":"d","mimeType":"application/json"}`, `}`, 1))
	assert.Equal(t, "d", old.Description, "v1 describes the resource in each offer")
}

func TestATimeIsReadInEveryFormInUse(t *testing.T) {
	t.Parallel()
	want := time.Date(2025, 11, 22, 1, 2, 3, 0, time.UTC)
	for _, form := range []string{`"2025-11-22T01:02:03Z"`, `"2025-11-22T01:02:03.000Z"`, `"2025-11-22T03:02:03+02:00"`, `1763773323`, `1763773323000`} {
		item := read[x402.DiscoveredResource](t, strings.Replace(itemV2, `"2025-11-22T01:02:03.456Z"`, form, 1))
		assert.True(t, want.Equal(item.LastUpdated), "%s is %s", form, item.LastUpdated)
	}
	for _, form := range []string{`"yesterday"`, `""`, `-1`, `1.5`, `true`, `{}`, `1e9`} {
		var item x402.DiscoveredResource
		assert.ErrorContains(t, json.Unmarshal([]byte(strings.Replace(itemV2, `"2025-11-22T01:02:03.456Z"`, form, 1)), &item), "lastUpdated", form)
	}
}

func TestASearchThatFitsOnePageHasNoCursor(t *testing.T) {
	t.Parallel()
	p := read[x402.SearchPage](t, `{"x402Version":2,"resources":[],"pagination":null,"partialResults":null}`)
	assert.Nil(t, p.Pagination)
	assert.False(t, p.PartialResults)
}

func TestAnEntryThatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	for document, field := range map[string]string{
		strings.Replace(page, `"10000"`, `"x"`, 1):                                                 "items[0].accepts[0].amount",
		strings.Replace(page, `"maxAmountRequired":"10000"`, `"a":0`, 1):                           "",
		strings.Replace(page, `"type":"http","x402Version":1`, `"type":"http","x402Version":7`, 1): "items[1].x402Version",
	} {
		var p x402.DiscoveryPage
		err := json.Unmarshal([]byte(document), &p)
		assert.ErrorContains(t, err, field)
	}
}

func FuzzDiscoveryPage(f *testing.F) {
	f.Add([]byte(page))
	f.Add([]byte(search))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p x402.DiscoveryPage
		if json.Unmarshal(data, &p) == nil {
			j, err := json.Marshal(p)
			if err != nil {
				t.Fatalf("read but not written: %v", err)
			}
			if err := json.Unmarshal(j, &p); err != nil {
				t.Fatalf("%s: %v", j, err)
			}
		}
		var s x402.SearchPage
		if json.Unmarshal(data, &s) == nil {
			if _, err := json.Marshal(s); err != nil {
				t.Fatalf("read but not written: %v", err)
			}
		}
	})
}
