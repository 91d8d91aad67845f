package registry_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/registry"
)

func TestAPlatformHasOneMirrorOfAPublication(t *testing.T) {
	t.Parallel()
	for _, byCopy := range []bool{false, true} {
		r := newRoom(t, func(c *registry.Config) { c.MirrorByCopy = byCopy })
		ctx := t.Context()
		r.register(t, nil, "h1", "h2")
		first, created, err := r.ReportMirror(ctx, r.seller, decode[registry.MirrorReport](t, `{"contract_hash":"h1","mirrored_ipfs_hash":"QmA","access_count":2}`))
		require.NoError(t, err)
		require.True(t, created)
		require.Equal(t, "QmWork", first.IPFSHash)
		require.Equal(t, today, first.MirroredAt)
		require.Zero(t, first.LastAccessedAt)
		r.now = today.Add(time.Hour)
		second, created, err := r.ReportMirror(ctx, r.seller, decode[registry.MirrorReport](t, `{"contract_hash":"h2","mirrored_ipfs_hash":"QmB","access_count":3}`))
		require.NoError(t, err)
		require.Equal(t, byCopy, created)
		if !byCopy {
			require.Equal(t, first.ID, second.ID)
			require.Equal(t, r.now, second.LastAccessedAt)
		}
		_, created, err = r.ReportMirror(ctx, r.outsider, registry.MirrorReport{ContractHash: "h1", MirroredIPFSHash: "QmA"})
		require.NoError(t, err)
		require.True(t, created, "of another platform it is another mirror")
		mirrors, total, err := r.PublicationMirrors(ctx, "QmWork")
		require.NoError(t, err)
		require.EqualValues(t, len(mirrors), total)
		require.Equal(t, first.ID, mirrors[0].ID, "the oldest first")
		mirrors, _, err = r.PublicationMirrors(ctx, "QmA")
		require.NoError(t, err)
		require.NotNil(t, mirrors)
		require.Empty(t, mirrors)
		require.ErrorIs(t, r.DeleteMirror(ctx, r.publisher, first.ID), registry.ErrNotMirrorOwner)
		require.NoError(t, r.DeleteMirror(ctx, r.seller, first.ID))
		require.ErrorIs(t, r.DeleteMirror(ctx, r.seller, first.ID), registry.ErrMirrorUnknown)
		_, err = r.CountAccess(ctx, first.ID)
		require.ErrorIs(t, err, registry.ErrMirrorUnknown)
	}
}

func TestAMirrorIsToldAllThatIsWrongAtOnce(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	r.register(t, nil, "h1")
	for body, want := range map[string]map[string][]string{
		`{}`: {"contract_hash": {"The contract hash field is required."}, "mirrored_ipfs_hash": {"The mirrored ipfs hash field is required."}},
		`{"contract_hash":"h9","mirrored_ipfs_hash":"` + strings.Repeat("x", 65) + `","access_count":-1,"mirrored_at":"x"}`: {
			"contract_hash": {"Contract hash is not registered."}, "mirrored_ipfs_hash": {"Mirrored IPFS hash cannot exceed 64 characters."},
			"access_count": {"Access count cannot be negative."}, "mirrored_at": {"The mirrored at is not a valid date."},
		},
		`{"contract_hash":"h1","mirrored_ipfs_hash":"x","access_count":1.5,"mirror_location":7}`: {
			"access_count": {"The access count must be an integer."}, "mirror_location": {"The mirror location must be a string."},
		},
		`{"contract_hash":"h1","mirrored_ipfs_hash":"x","access_count":9007199254740993}`: {"access_count": {"The access count must be an integer."}},
	} {
		_, _, err := r.ReportMirror(t.Context(), r.seller, decode[registry.MirrorReport](t, body))
		invalid(t, err, want)
	}
	_, _, err := r.ReportMirror(t.Context(), r.seller, decode[registry.MirrorReport](t, `{"contract_hash":"h1","mirrored_ipfs_hash":"`+strings.Repeat("ü", 64)+`","access_count":"5"}`))
	require.NoError(t, err)
}
