package seal_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/seal"
)

func newSealer(t *testing.T, key []byte, old ...[]byte) *seal.Sealer {
	t.Helper()
	s, err := seal.New("test key ", key, old)
	require.NoError(t, err)
	return s
}

func TestWhatIsSealedOpensAtItsPlaceAlone(t *testing.T) {
	t.Parallel()
	s := newSealer(t, nil)
	sealed := s.Seal("here", []byte("secret"))
	require.NotContains(t, sealed, "secret")
	require.NotEqual(t, sealed, s.Seal("here", []byte("secret")))
	opened, err := s.Open("here", sealed)
	require.NoError(t, err)
	require.Equal(t, "secret", string(opened))
	_, err = s.Open("there", sealed)
	require.ErrorContains(t, err, "damaged")
	_, err = newSealer(t, nil).Open("here", sealed)
	require.ErrorContains(t, err, "OldEncryptionKeys")
}

func TestAnOldKeyOpensAndTheNewOneSeals(t *testing.T) {
	t.Parallel()
	old, young := bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 32)
	sealed := newSealer(t, old).Seal("here", []byte("secret"))
	both := newSealer(t, young, old)
	opened, err := both.Open("here", sealed)
	require.NoError(t, err)
	require.Equal(t, "secret", string(opened))
	_, err = newSealer(t, old).Open("here", both.Seal("here", nil))
	require.Error(t, err)
}

func TestWhatIsDamagedDoesNotOpen(t *testing.T) {
	t.Parallel()
	s := newSealer(t, bytes.Repeat([]byte{1}, 24))
	sealed := s.Seal("here", []byte("secret"))
	for _, bad := range []string{"", "v1", "v2" + sealed[2:], sealed[:len(sealed)-8], sealed[:20], sealed[:12] + "%%%", sealed + "AAAA"} {
		_, err := s.Open("here", bad)
		require.Error(t, err, bad)
	}
	_, err := seal.New("test key ", []byte("short"), nil)
	require.Error(t, err)
	_, err = seal.New("test key ", nil, [][]byte{{1}})
	require.Error(t, err)
}
