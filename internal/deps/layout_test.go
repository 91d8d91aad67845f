package deps_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	folders = []string{"examples", "facilitator", "internal", "marketplace", "middleware", "orders", "registry", "store", "x402"}
	files   = []string{"CHANGELOG.md", "LICENSE", "README.md", "go.mod", "go.sum"}
)

func TestTheTopLevelHoldsTheRoomsAndNothingElse(t *testing.T) {
	t.Parallel()
	top := topLevel(t)
	for _, name := range top {
		if !strings.HasPrefix(name, ".") {
			require.Contains(t, append(slices.Clone(folders), files...), name)
		}
	}
	for _, name := range files {
		require.Contains(t, top, name)
	}
}

func TestTheGuardOfTheReadmeIsTheExample(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	require.NoError(t, err)
	example, err := os.ReadFile(filepath.Join("..", "..", "examples", "guard", "main.go"))
	require.NoError(t, err)
	_, code, found := strings.Cut(string(example), "func main() {")
	require.True(t, found)
	code, _, _ = strings.Cut(code, "\n}\n")
	require.Contains(t, string(readme), "func main() {"+code+"\n}\n")
}

// topLevel lists what is kept under version control at the top of the
// repository, or everything there where git is missing or this is no clone.
func topLevel(t *testing.T) []string {
	t.Helper()
	root := filepath.Join("..", "..")
	cmd := exec.Command("git", "ls-files")
	cmd.Dir = root
	var names []string
	if out, err := cmd.Output(); err == nil && len(out) > 0 {
		for path := range strings.Lines(string(out)) {
			name, _, _ := strings.Cut(strings.TrimSpace(path), "/")
			names = append(names, name)
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
