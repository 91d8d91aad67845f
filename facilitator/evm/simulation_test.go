package evm_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheSimulationWasCompiledFromTheSourceThatIsHere(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("contracts/Simulation.sol")
	require.NoError(t, err)
	artifact, err := os.ReadFile("contracts/Simulation.json")
	require.NoError(t, err)
	var a struct{ Source string }
	require.NoError(t, json.Unmarshal(artifact, &a))
	sum := sha256.Sum256(source)
	require.Equal(t, hex.EncodeToString(sum[:]), a.Source, "run go generate ./facilitator/evm")
}
