package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

// search returns the titles of what is found.
func search(t *testing.T, s CatalogStore, of catalog.Search) []string {
	t.Helper()
	list, err := s.SearchProducts(t.Context(), of, store.PageNumber{Size: 100})
	require.NoError(t, err)
	require.EqualValues(t, len(list.Items), list.Total)
	return productTitles(list.Items)
}

// shelf puts products with these titles on sale.
func shelf(t *testing.T, s CatalogStore, titles ...string) {
	t.Helper()
	for i, title := range titles {
		p := newProduct("shelf", i)
		p.Title, p.Description, p.Tags, p.Category = title, "", nil, ""
		addProducts(t, s, p)
	}
}

// sorted is what was found in no particular order.
func sorted(titles []string) []string { return slices.Sorted(slices.Values(titles)) }

var searchPromises = promises[CatalogStore]{
	"every word must occur, in whatever case, order and field": func(t *testing.T, s CatalogStore) {
		p := newProduct("ann", 1)
		p.Title, p.Description, p.Tags, p.Category = "Premium AI Tutorial", "Comprehensive guide to development", []string{"machine-learning"}, "Education"
		addProducts(t, s, p)
		shelf(t, s, "Other")
		for query, want := range map[string]bool{
			"ai": true, "AI TUTORIAL": true, "tutorial premium": true, "guide ai": true, "learning": true, "machine-learning": true, "education": true,
			"development, premium!": true, "tutor": false, "premium other": false, "rem": false,
		} {
			require.Equal(t, want, len(search(t, s, catalog.Search{Words: catalog.Words(query)})) == 1, query)
		}
	},
	"the last word may be the beginning of one, and one word may be enough": func(t *testing.T, s CatalogStore) {
		shelf(t, s, "blue whale", "blue wall", "green wallet", "whale")
		prefix := func(query string) []string {
			return sorted(search(t, s, catalog.Search{Words: catalog.Words(query), Prefix: true}))
		}
		require.Equal(t, []string{"blue wall", "blue whale"}, prefix("blue w"))
		require.Equal(t, []string{"blue wall", "green wallet"}, prefix("wall"))
		require.Empty(t, prefix("blu whale"))
		require.Equal(t, []string{"blue wall", "blue whale", "whale"}, sorted(search(t, s, catalog.Search{Words: []string{"wall", "whale"}, Any: true})))
		require.Len(t, search(t, s, catalog.Search{Words: []string{"gre", "wha"}, Any: true, Prefix: true}), 3)
	},
	"a title counts more than tags, and those more than a category and a description": func(t *testing.T, s CatalogStore) {
		for i, p := range []catalog.Product{
			{Title: "in the description", Description: "of whales and other animals"}, {Title: "in the tags", Tags: []string{"whales"}},
			{Title: "whales in the title"}, {Title: "in the category", Category: "whales"},
		} {
			p.ID, p.OwnerID, p.Status, p.CreatedAt = "p"+p.Title, "ann", catalog.ProductActive, at.Add(time.Duration(i)*time.Second)
			addProducts(t, s, p)
		}
		shelf(t, s, "one", "two", "three", "four", "five")
		require.Equal(t, []string{"whales in the title", "in the tags", "in the category", "in the description"}, search(t, s, catalog.Search{Words: []string{"whales"}}))
		page, err := s.SearchProducts(t.Context(), catalog.Search{Words: []string{"whales"}}, store.PageNumber{Page: 2, Size: 3})
		require.NoError(t, err)
		require.Equal(t, []string{"in the description"}, productTitles(page.Items))
		require.EqualValues(t, 4, page.Total)
		page, err = s.SearchProducts(t.Context(), catalog.Search{Words: []string{"whales"}}, store.PageNumber{Page: 9, Size: 3})
		require.NoError(t, err)
		require.Empty(t, page.Items)
		require.EqualValues(t, 4, page.Total)
	},
	"words of any script are found, with and without accents": func(t *testing.T, s CatalogStore) {
		titles := []string{"Crème brûlée", "Ärger über Ölpreise", "机器学习入门", "Курс молодого бойца", "مقدمة في التعلم", "हिन्दी पाठ", "ｆｕｌｌ ｗｉｄｔｈ", "naïve café №5", "日本語のプログラム"}
		shelf(t, s, titles...)
		for query, want := range map[string]string{
			"creme brulee": titles[0], "CRÈME": titles[0], "arger": titles[1], "ölpreise": titles[1], "学习": titles[2], "молодого": titles[3], "التعلم": titles[4],
			"हिन्दी": titles[5], "full width": titles[6], "cafe": titles[7], "プログラム": titles[8],
		} {
			require.Equal(t, []string{want}, search(t, s, catalog.Search{Words: catalog.Words(query)}), query)
		}
	},
	"what looks like a query language is only words": func(t *testing.T, s CatalogStore) {
		shelf(t, s, "and or not near", "plain")
		for _, query := range []string{
			`" OR "plain`, `plain*"`, `title:plain`, `NEAR(plain, 5)`, `'; DROP TABLE v402_catalog_products; --`, `plain & !x | y`, `':*`, `\`, `%`, `^plain`,
			`{title} : plain`, `-plain`, "plain\x00x", "\xff", `plain:A`, `<->`, `()`, `$1`, `?`,
		} {
			words := catalog.Words(query)
			if len(words) == 0 {
				continue
			}
			_, err := s.SearchProducts(t.Context(), catalog.Search{Words: words, Prefix: true}, store.PageNumber{})
			require.NoError(t, err, query)
			_, err = s.SearchProducts(t.Context(), catalog.Search{Words: words, Any: true, Sort: catalog.Newest, Category: query}, store.PageNumber{})
			require.NoError(t, err, query)
		}
		require.Equal(t, []string{"and or not near"}, search(t, s, catalog.Search{Words: catalog.Words("AND OR NOT NEAR")}))
		require.Empty(t, search(t, s, catalog.Search{Words: catalog.Words("plain OR near")}))
	},
	"only what is on sale is found, from the moment it is": func(t *testing.T, s CatalogStore) {
		p := newProduct("ann", 1)
		p.Title, p.Status = "Whales", catalog.ProductDraft
		addProducts(t, s, p)
		found := func(want bool, why string) {
			t.Helper()
			require.Equal(t, want, len(search(t, s, catalog.Search{Words: []string{"whales"}})) == 1, why)
			require.Equal(t, want, len(search(t, s, catalog.Search{})) == 1, why)
			categories, err := s.ProductCategories(t.Context(), 10)
			require.NoError(t, err)
			require.Equal(t, want, len(categories) == 1, why)
		}
		found(false, "draft")
		setProduct(t, s, p.ID, func(p *catalog.Product) { p.Status = catalog.ProductActive })
		found(true, "published")
		setProduct(t, s, p.ID, func(p *catalog.Product) { p.Moderation.Flagged = true })
		found(false, "flagged")
		setProduct(t, s, p.ID, func(p *catalog.Product) { p.Moderation.Flagged = false })
		found(true, "unflagged")
		require.NoError(t, s.SuspendOwner(t.Context(), "ann", true, at.Add(time.Hour)))
		found(false, "suspended")
		require.NoError(t, s.SuspendOwner(t.Context(), "ann", false, at))
		found(false, "what was said before does not count")
		got := setProduct(t, s, p.ID, func(p *catalog.Product) { p.Description = "changed while suspended" })
		require.True(t, got.Suspended)
		found(false, "changed while suspended")
		require.NoError(t, s.SuspendOwner(t.Context(), "ann", false, at.Add(2*time.Hour)))
		require.NoError(t, s.SuspendOwner(t.Context(), "ann", false, at.Add(2*time.Hour)))
		found(true, "reinstated")
		require.Len(t, search(t, s, catalog.Search{Words: []string{"while"}}), 1)
		setProduct(t, s, p.ID, func(p *catalog.Product) { p.Title = "Sharks" })
		require.Empty(t, search(t, s, catalog.Search{Words: []string{"whales"}}))
		require.Len(t, search(t, s, catalog.Search{Words: []string{"sharks"}}), 1)
	},
	"products of an owner who is suspended are so from the beginning": func(t *testing.T, s CatalogStore) {
		require.NoError(t, s.SuspendOwner(t.Context(), "ann", true, at))
		addProducts(t, s, newProduct("ann", 1), newProduct("bob", 1))
		p, err := s.Product(t.Context(), "product-ann-1")
		require.NoError(t, err)
		require.True(t, p.Suspended)
		require.Len(t, search(t, s, catalog.Search{Words: []string{"title"}}), 1)
		require.Len(t, search(t, s, catalog.Search{}), 1)
	},
	"what is found is filtered and sorted, with words and without": func(t *testing.T, s CatalogStore) {
		for n := range 4 {
			p := newProduct("ann", n)
			p.Title = []string{"zero whale", "one whale", "two whale", "three whale"}[n]
			p.Category = []string{"Sea", "sea", "Sea", "Land"}[n]
			p.Type = []catalog.ProductType{catalog.TypeVideo, catalog.TypeVideo, catalog.TypeAudio, catalog.TypeAudio}[n]
			p.ContentType = []string{"video/mp4", "", "audio/ogg", ""}[n]
			p.Currency = []string{"ETH", "USDC", "ETH", "SOL"}[n]
			p.Chains = [][]x402.Network{nil, {x402.Base}, {x402.Ethereum}, nil}[n]
			p.PublishedAt = at.Add(time.Duration(n%3) * time.Hour)
			addProducts(t, s, p)
		}
		putReview(t, s, "product-ann-2", "x", 3)
		putReview(t, s, "product-ann-0", "x", 5)
		require.NoError(t, s.PutWallet(t.Context(), catalog.Wallet{OwnerID: "ann", Network: x402.Base, Address: "0x1", UpdatedAt: at}))
		require.NoError(t, s.PutWallet(t.Context(), catalog.Wallet{OwnerID: "ann", Network: x402.Ethereum, Address: "0x1", UpdatedAt: at}))
		low, high := newProduct("", 1).Price, newProduct("", 2).Price
		for _, c := range []struct {
			of   catalog.Search
			want []string
		}{
			{catalog.Search{Sort: catalog.Newest}, []string{"two", "one", "three", "zero"}},
			{catalog.Search{Sort: catalog.Cheapest}, []string{"zero", "one", "two", "three"}},
			{catalog.Search{Sort: catalog.BestRated}, []string{"zero", "two", "three", "one"}},
			{catalog.Search{Category: "SEA", Sort: catalog.Cheapest}, []string{"zero", "one", "two"}},
			{catalog.Search{Type: catalog.TypeAudio, Sort: catalog.Cheapest}, []string{"two", "three"}},
			{catalog.Search{Media: "video/mp4"}, []string{"zero"}},
			{catalog.Search{Currency: "USDC"}, []string{"one"}},
			{catalog.Search{MinPrice: &low, MaxPrice: &high, Sort: catalog.Cheapest}, []string{"one", "two"}},
			{catalog.Search{Network: x402.Base, Currencies: []string{"ETH", "USDC"}, Sort: catalog.Cheapest}, []string{"zero", "one"}},
			{catalog.Search{Network: x402.Ethereum, Currencies: []string{"ETH"}, Sort: catalog.Cheapest}, []string{"zero", "two"}},
			{catalog.Search{Network: x402.Solana, Currencies: []string{"SOL"}}, []string{}},
			{catalog.Search{Network: x402.Base}, []string{}},
		} {
			for i := range c.want {
				c.want[i] += " whale"
			}
			require.Equal(t, c.want, search(t, s, c.of), "%+v", c.of)
			c.of.Words = []string{"whale"}
			require.Equal(t, c.want, search(t, s, c.of), "%+v", c.of)
			c.of.Words = []string{"shark"}
			require.Empty(t, search(t, s, c.of))
		}
		require.ElementsMatch(t, []string{"zero whale", "one whale"}, search(t, s, catalog.Search{Words: []string{"whale"}, Type: catalog.TypeVideo}))
		for page, want := range []int{3, 1, 1, 1, 0} {
			size := 1
			if page == 0 {
				size = 10
			}
			list, err := s.SearchProducts(t.Context(), catalog.Search{Words: []string{"whale"}, Category: "sea"}, store.PageNumber{Page: page, Size: size})
			require.NoError(t, err)
			require.Len(t, list.Items, want)
			require.EqualValues(t, 3, list.Total)
		}
	},
	"categories are counted whatever their case, the largest first": func(t *testing.T, s CatalogStore) {
		for i, category := range []string{"Sea", "sea", "Land", "", "Air"} {
			p := newProduct("ann", i)
			p.Category = category
			if category == "Air" {
				p.Status = catalog.ProductInactive
			}
			addProducts(t, s, p)
		}
		list, err := s.ProductCategories(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, list, 2)
		require.EqualValues(t, 2, list[0].Products)
		require.Equal(t, catalog.CategoryCount{Category: "Land", Products: 1}, list[1])
		list, err = s.ProductCategories(t.Context(), 1)
		require.NoError(t, err)
		require.Len(t, list, 1)
	},
	"trends are what was seen since an hour, the most seen first": func(t *testing.T, s CatalogStore) {
		for n := range 3 {
			addProducts(t, s, newProduct("ann", n))
		}
		hour := at.Truncate(time.Hour)
		require.NoError(t, s.CountViews(t.Context(), map[string]int64{"product-ann-0": 50}, hour.Add(-time.Minute), noViews))
		require.NoError(t, s.CountViews(t.Context(), map[string]int64{"product-ann-0": 1, "product-ann-1": 2}, hour, noViews))
		require.NoError(t, s.CountViews(t.Context(), map[string]int64{"product-ann-1": 3, "product-ann-2": 4}, hour.Add(time.Hour), noViews))
		views := func(since time.Time, category string, limit int) (views []int64) {
			list, err := s.ProductTrends(t.Context(), since, category, limit)
			require.NoError(t, err)
			for _, trend := range list {
				require.NotEmpty(t, trend.Product.Title)
				views = append(views, trend.Views)
			}
			return views
		}
		require.Equal(t, []int64{5, 4, 1}, views(hour.Add(30*time.Minute), "", 10))
		require.Equal(t, []int64{51, 5}, views(hour.Add(-time.Hour), "", 2))
		require.Equal(t, []int64{5, 4, 1}, views(hour, "EDUCATION", 10))
		require.Empty(t, views(hour, "other", 10))
		setProduct(t, s, "product-ann-1", func(p *catalog.Product) { p.Status = catalog.ProductInactive })
		require.Equal(t, []int64{4, 1}, views(hour, "", 10))
		require.NoError(t, s.CountViews(t.Context(), map[string]int64{"product-ann-2": 1}, hour.AddDate(0, 2, 0), noViews))
		require.Equal(t, []int64{1}, views(hour.AddDate(0, -1, 0), "", 10), "what is older than a month is forgotten")
	},
}
