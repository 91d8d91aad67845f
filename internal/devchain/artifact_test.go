package devchain_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/devchain"
)

func TestTheCompiledContractsAreThoseOfTheSources(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("contracts/*.sol")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	slices.Sort(names)
	hash := sha256.New()
	for _, name := range append(names, "contracts/compile.mjs", "contracts/package.json") {
		source, err := os.ReadFile(name)
		require.NoError(t, err)
		hash.Write([]byte(filepath.Base(name) + "\x00" + string(source) + "\x00"))
	}
	var artifact struct {
		Solc    string
		Sources string
	}
	recorded, err := os.ReadFile("contracts/artifacts.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(recorded, &artifact))
	require.Equal(t, hex.EncodeToString(hash.Sum(nil)), artifact.Sources,
		"a source changed since contracts/artifacts.json was made: run go generate ./internal/devchain")
	require.Contains(t, artifact.Solc, "0.8.30")
}

func TestTheContractsCanBePlacedElsewhere(t *testing.T) {
	t.Parallel()
	code, err := devchain.Code()
	require.NoError(t, err)
	require.NotEmpty(t, code[devchain.TokenAddress])
	require.NotEmpty(t, code[devchain.MulticallAddress])
}
