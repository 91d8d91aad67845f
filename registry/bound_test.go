package registry_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store/memory"
)

// crowded is a store in which no list ends: each page is full of the first entry.
type crowded struct{ *memory.Store }

const crowd = 1_000_000

func endlessly[T any](l registry.List[T], err error) (registry.List[T], error) {
	if len(l.Items) > 0 {
		for len(l.Items) < registry.MaxPerPage {
			l.Items = append(l.Items, l.Items[0])
		}
		l.Total, l.PerPage = crowd, registry.MaxPerPage
	}
	return l, err
}

func (c crowded) Platforms(ctx context.Context, f registry.PlatformFilter, _ registry.PageOptions) (registry.List[registry.Platform], error) {
	return endlessly(c.Store.Platforms(ctx, f, registry.PageOptions{}))
}

func (c crowded) Mirrors(ctx context.Context, f registry.MirrorFilter, _ registry.PageOptions) (registry.List[registry.Mirror], error) {
	return endlessly(c.Store.Mirrors(ctx, f, registry.PageOptions{}))
}

func TestListsWithoutPagesEndAtAThousand(t *testing.T) {
	t.Parallel()
	r := newRoom(t, func(c *registry.Config) { c.Store = crowded{c.Store.(*memory.Store)} })
	_, err := r.Apply(t.Context(), applicationOf("one", "one@example.com"))
	require.NoError(t, err)
	pending, err := r.PendingApplications(t.Context(), "admin:me")
	require.NoError(t, err)
	require.Len(t, pending, 1000)

	r.register(t, nil, "hash1")
	_, _, err = r.ReportMirror(t.Context(), r.seller, registry.MirrorReport{ContractHash: "hash1", MirroredIPFSHash: "QmCopy"})
	require.NoError(t, err)
	mirrors, total, err := r.PublicationMirrors(t.Context(), "QmWork")
	require.NoError(t, err)
	require.Len(t, mirrors, 1000)
	require.EqualValues(t, crowd, total, "as many as there are")
}
