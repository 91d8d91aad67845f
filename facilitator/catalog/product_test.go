package catalog_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/facilitator/catalog"
	"github.com/v402/v402/store"
	"github.com/v402/v402/store/memory"
)

// step is something that can be done to a product, and from where it leads where.
type step struct {
	name string
	do   func(s *catalog.Service, t *rapid.T, id string) error
	from []catalog.ProductStatus
	to   catalog.ProductStatus
}

func put(status catalog.ProductStatus) func(*catalog.Service, *rapid.T, string) error {
	return func(s *catalog.Service, t *rapid.T, id string) error {
		_, err := s.UpdateProduct(t.Context(), users["ann"], id, catalog.ProductUpdate{Status: &status})
		return err
	}
}

var steps = []step{
	{"publish", func(s *catalog.Service, t *rapid.T, id string) error {
		_, err := s.Publish(t.Context(), users["ann"], id)
		return err
	}, []catalog.ProductStatus{catalog.ProductDraft, catalog.ProductInactive}, catalog.ProductActive},
	{"unpublish", func(s *catalog.Service, t *rapid.T, id string) error {
		_, err := s.Unpublish(t.Context(), users["ann"], id)
		return err
	}, []catalog.ProductStatus{catalog.ProductActive}, catalog.ProductInactive},
	{"delete", func(s *catalog.Service, t *rapid.T, id string) error {
		_, err := s.DeleteProduct(t.Context(), users["ann"], id)
		return err
	}, []catalog.ProductStatus{catalog.ProductDraft, catalog.ProductActive, catalog.ProductInactive, catalog.ProductArchived}, catalog.ProductDeleted},
	{"put active", put(catalog.ProductActive), []catalog.ProductStatus{catalog.ProductDraft, catalog.ProductInactive, catalog.ProductActive}, catalog.ProductActive},
	{"put inactive", put(catalog.ProductInactive), []catalog.ProductStatus{catalog.ProductActive, catalog.ProductInactive}, catalog.ProductInactive},
	{"put archived", put(catalog.ProductArchived), []catalog.ProductStatus{catalog.ProductActive, catalog.ProductInactive, catalog.ProductArchived}, catalog.ProductArchived},
	{"put draft", put(catalog.ProductDraft), []catalog.ProductStatus{catalog.ProductDraft}, catalog.ProductDraft},
}

func moderate(action catalog.ModerationAction) func(*catalog.Service, *rapid.T, string) error {
	return func(s *catalog.Service, t *rapid.T, id string) error {
		_, err := s.Moderate(t.Context(), users["admin"], id, action, "because")
		return err
	}
}

func TestAProductGoesOnlyTheWaysThatThereAre(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		service, err := catalog.New(catalog.Config{Store: &backend{shelves: memory.New()}})
		require.NoError(t, err)
		p, err := service.CreateProduct(t.Context(), users["ann"], catalog.Draft{Title: "T", ContentURL: "https://a.example", Price: "5"})
		require.NoError(t, err)
		status, flagged, rejected, published := catalog.ProductDraft, false, false, false
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "moderated") {
				action := rapid.SampledFrom([]catalog.ModerationAction{catalog.Approve, catalog.Reject, catalog.Flag, catalog.Unflag}).Draw(t, "action")
				err := moderate(action)(service, t, p.ID)
				if status == catalog.ProductDeleted || action == catalog.Unflag && rejected {
					require.ErrorIs(t, err, store.ErrConflict)
				} else {
					require.NoError(t, err)
					flagged = action == catalog.Flag || action == catalog.Reject
					rejected = action == catalog.Reject || action == catalog.Flag && rejected
					if action == catalog.Reject && status == catalog.ProductActive {
						status = catalog.ProductInactive
					}
				}
			} else {
				s := rapid.SampledFrom(steps).Draw(t, "step")
				err := s.do(service, t, p.ID)
				switch allowed := slices.Contains(s.from, status); {
				case !allowed, s.to == catalog.ProductActive && rejected && status != catalog.ProductActive:
					require.ErrorIs(t, err, store.ErrConflict, "%s of %s", s.name, status)
				default:
					require.NoError(t, err, "%s of %s", s.name, status)
					status = s.to
					published = published || s.to == catalog.ProductActive
				}
			}
			got, err := service.Product(t.Context(), p.ID)
			require.NoError(t, err)
			require.Equal(t, status, got.Status)
			require.Equal(t, flagged, got.Moderation.Flagged)
			require.Equal(t, rejected, got.Moderation.Rejected)
			require.Equal(t, published, !got.PublishedAt.IsZero())
			require.Equal(t, status == catalog.ProductDeleted, !got.DeletedAt.IsZero())
			require.Equal(t, status == catalog.ProductActive && !flagged, got.OnSale())
		}
	})
}

func TestADeletedProductIsListedByItsStatusOnly(t *testing.T) {
	overEachStore(t, func(t *testing.T, s *shop) {
		id := s.sell("Gone", "")
		s.want(s.do("ann", "DELETE", "/api/v1/providers/products/"+id+"?soft_delete=true", ""), 200)
		var l list
		s.data(s.do("ann", "GET", "/api/v1/providers/products", ""), 200, &l)
		require.Empty(t, l.Items)
		s.data(s.do("ann", "GET", "/api/v1/providers/products?status=deleted", ""), 200, &l)
		require.Equal(t, []string{"Gone"}, l.titles())
		s.refused(s.do("ann", "PUT", "/api/v1/providers/products/"+id, `{"title":"Back"}`), 400, "INVALID_STATE")
		s.refused(s.do("ann", "DELETE", "/api/v1/providers/products/"+id, ""), 400, "INVALID_STATE")
		require.Equal(t, []string{"product.created", "product.published", "product.deleted"}, s.events())
		s.want(s.do("ann", "DELETE", "/api/v1/providers/products/"+id+"?soft_delete=false", ""), 200)
		s.refused(s.do("ann", "GET", "/api/v1/providers/products/"+id, ""), 404, "NOT_FOUND")
	})
}

func TestASlugIsTakenOnce(t *testing.T) {
	overEachStore(t, func(t *testing.T, s *shop) {
		s.draft("First", `,"slug":"whales"`)
		id := s.draft("Second", "")
		s.refused(s.do("bob", "POST", "/api/v1/providers/products", `{"title":"T","content_url":"https://b.example","price":"5","slug":"whales"}`), 409, "CONFLICT")
		s.refused(s.do("ann", "PUT", "/api/v1/providers/products/"+id, `{"slug":"whales"}`), 409, "CONFLICT")
		s.want(s.do("ann", "PUT", "/api/v1/providers/products/"+id, `{"slug":"sharks"}`), 200)
		s.want(s.do("ann", "PUT", "/api/v1/providers/products/"+id, `{"slug":"sharks","title":"Same"}`), 200)
	})
}

func TestAnUpdateChangesWhatIsGivenAndNothingElse(t *testing.T) {
	overEachStore(t, func(t *testing.T, s *shop) {
		id := s.draft("Whole", `,"tags":["a","a"," b "],"category":" Sea ","access_duration":60,"max_access_count":3,"chains":["base","ethereum","base"],"slug":"x"`)
		before, err := s.service.Product(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b"}, before.Tags)
		require.Equal(t, "Sea", before.Category)
		require.Len(t, before.Chains, 2)
		s.pass(1e9)
		s.want(s.do("ann", "PUT", "/api/v1/providers/products/"+id, `{"description":"New","title":null}`), 200)
		after, err := s.service.Product(t.Context(), id)
		require.NoError(t, err)
		want := before
		want.Description, want.UpdatedAt = "New", after.UpdatedAt
		require.Equal(t, want, after)
		require.True(t, after.UpdatedAt.After(before.UpdatedAt))
		s.want(s.do("ann", "PUT", "/api/v1/providers/products/"+id, `{"access_duration":0,"max_access_count":0,"chains":[],"tags":[],"category":"","slug":""}`), 200)
		after, err = s.service.Product(t.Context(), id)
		require.NoError(t, err)
		require.Zero(t, after.AccessDuration)
		require.Zero(t, after.MaxAccesses)
		require.Empty(t, after.Chains)
		require.Empty(t, after.Tags)
		require.Empty(t, after.Category+after.Slug)
		s.want(s.do("ann", "PUT", "/api/v1/providers/products/"+id, `{"payment_scheme":"free","price":"0"}`), 200)
		s.refused(s.do("ann", "PUT", "/api/v1/providers/products/"+id, `{"payment_scheme":"exact"}`), 400, "VALIDATION_ERROR")
	})
}

func TestARefusalSaysWhatAStoreWouldSay(t *testing.T) {
	t.Parallel()
	s := newShop(t, backends["memory"](t))
	_, err := s.service.Publish(t.Context(), users["ann"], "none")
	require.ErrorIs(t, err, catalog.ErrProductUnknown)
	require.ErrorIs(t, err, store.ErrNotFound)
	id := s.sell("Sold", "")
	_, err = s.service.Publish(t.Context(), users["ann"], id)
	require.ErrorIs(t, err, catalog.ErrProductState)
	require.ErrorIs(t, err, store.ErrConflict)
	_, err = s.service.CreateProduct(t.Context(), users["ann"], catalog.Draft{})
	var refused *catalog.Error
	require.True(t, errors.As(err, &refused))
	require.Len(t, refused.Faults, 3)
}
