package deps_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/v402/v402"

// pkg is what is used of the answer of go list.
type pkg struct {
	ImportPath   string
	Standard     bool
	Module       *struct{ Path string }
	Imports      []string
	Deps         []string
	TestImports  []string
	XTestImports []string
}

// graph is every package of this module and all that they need.
type graph map[string]pkg

var loadGraph = sync.OnceValues(func() (graph, error) {
	cmd := exec.Command("go", "list", "-e", "-deps",
		"-json=ImportPath,Standard,Module,Imports,Deps,TestImports,XTestImports", "./...")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	packages := make(graph)
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		packages[p.ImportPath] = p
	}
})

func load(t *testing.T) graph {
	t.Helper()
	packages, err := loadGraph()
	require.NoError(t, err)
	require.Contains(t, packages, module+"/x402", "the graph is that of this module")
	return packages
}

// ours returns the packages of this module whose path, without the module's,
// matches one of the patterns: a path, or a path and "/..." for all below it too.
func (g graph) ours(patterns ...string) []pkg {
	var found []pkg
	for path, p := range g {
		if name, ok := strings.CutPrefix(path, module+"/"); ok && matches(name, patterns) {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b pkg) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	return found
}

func matches(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		prefix, tree := strings.CutSuffix(pattern, "/...")
		return name == prefix || tree && strings.HasPrefix(name, prefix+"/")
	})
}

// modules returns the third-party modules of the packages, sorted.
func (g graph) modules(paths []string) []string {
	var found []string
	for _, path := range paths {
		if p, ok := g[path]; ok && !p.Standard && p.Module != nil && p.Module.Path != module {
			found = append(found, p.Module.Path)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// own returns those of the paths that are in this module, without its path.
func own(paths []string) []string {
	var found []string
	for _, path := range paths {
		if name, ok := strings.CutPrefix(path, module+"/"); ok {
			found = append(found, name)
		}
	}
	return found
}
