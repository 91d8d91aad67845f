package deps_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// light are the packages that a website links, and what they may link
// themselves: packages of this module, and third-party modules.
var light = map[string]struct{ own, modules []string }{
	"x402":                          {},
	"store":                         {},
	"middleware":                    {own: []string{"x402"}},
	"facilitator/webhook/signature": {},
	"x402/payer":                    {own: []string{"x402"}},
	"x402/evm": {own: []string{"x402"}, modules: []string{
		"github.com/decred/dcrd/dcrec/secp256k1/v4", "golang.org/x/crypto", "golang.org/x/sys",
	}},
}

func TestLightPackagesStayLight(t *testing.T) {
	t.Parallel()
	packages := load(t)
	for name, may := range light {
		for _, p := range packages.ours(name) {
			for _, dep := range own(p.Deps) {
				require.True(t, matches(dep, may.own), "%s links %s", name, dep)
			}
			require.Subset(t, may.modules, packages.modules(p.Deps), "third-party modules of %s", name)
		}
	}
}

func TestSigningLinksAtMostThreeModules(t *testing.T) {
	t.Parallel()
	packages := load(t)
	for _, p := range packages.ours("x402/evm") {
		require.LessOrEqual(t, len(packages.modules(p.Deps)), 3)
	}
}

func TestTestsOfLightPackagesAreLightToo(t *testing.T) {
	t.Parallel()
	packages := load(t)
	for name, may := range light {
		for _, p := range packages.ours(name) {
			imports := append(slices.Clone(p.TestImports), p.XTestImports...)
			for _, path := range imports {
				if !strings.Contains(strings.SplitN(path, "/", 2)[0], ".") || strings.HasPrefix(path, module+"/") {
					continue // the standard library, or ours
				}
				tools := append([]string{"github.com/stretchr/testify", "pgregory.net/rapid"}, may.modules...)
				require.True(t, slices.ContainsFunc(tools, func(tool string) bool {
					return path == tool || strings.HasPrefix(path, tool+"/")
				}), "a test of %s imports %s", name, path)
			}
			for _, dep := range own(imports) {
				_, isLight := light[dep]
				require.True(t, isLight || matches(dep, []string{"store/storetest", "store/memory"}), "a test of %s imports %s", name, dep)
			}
		}
	}
}

// domains are the rooms that must not know each other.
var domains = []string{"registry", "marketplace", "orders"}

func TestDomainsImportWhatIsSharedAndNotEachOther(t *testing.T) {
	t.Parallel()
	packages := load(t)
	for _, domain := range domains {
		shared := []string{domain + "/...", "x402/...", "store", "internal/web", "internal/seal", "internal/till"}
		for _, p := range packages.ours(domain + "/...") {
			for _, dep := range own(p.Deps) {
				require.True(t, matches(dep, shared), "%s links %s", p.ImportPath, dep)
			}
		}
	}
}

func TestTheFacilitatorKnowsNoChain(t *testing.T) {
	t.Parallel()
	packages := load(t)
	rooms := []string{"facilitator", "facilitator/catalog", "facilitator/account", "facilitator/report", "facilitator/webhook", "facilitator/ops"}
	strange := []string{"facilitator/evm/...", "facilitator/svm/...", "internal/devchain", "internal/sqlstore", "store/sqlite", "store/postgres"}
	for _, p := range packages.ours(rooms...) {
		forbid(t, packages, p, "github.com/ethereum/go-ethereum", "github.com/gagliardetto/solana-go", "modernc.org/sqlite", "github.com/jackc/pgx/v5")
		for _, dep := range own(p.Deps) {
			require.False(t, matches(dep, append(strange, domains...)), "%s links %s", p.ImportPath, dep)
		}
	}
}

func TestTheSharedSQLNamesNoDriver(t *testing.T) {
	t.Parallel()
	packages := load(t)
	for _, p := range packages.ours("internal/sqlstore") {
		forbid(t, packages, p, "modernc.org/sqlite", "github.com/jackc/pgx/v5", "github.com/lib/pq")
	}
}

func forbid(t *testing.T, packages graph, p pkg, modules ...string) {
	t.Helper()
	for _, linked := range packages.modules(p.Deps) {
		require.NotContains(t, modules, linked, "%s links it", p.ImportPath)
	}
}

// onlyFor lists rooms that few may enter: who may import them, besides themselves.
var onlyFor = map[string][]string{
	"facilitator/evm/...":   {"examples/...", "internal/..."},
	"facilitator/svm/...":   {"examples/...", "internal/..."},
	"internal/devchain/...": {"examples/...", "internal/..."},
	"internal/sqlstore/...": {"store/sqlite", "store/postgres", "internal/..."},
	"examples/...":          {},
	"store/storetest/...":   {},
	"internal/e2e/...":      {},
	"internal/interop/...":  {},
}

func TestSomeRoomsAreForFew(t *testing.T) {
	t.Parallel()
	packages := load(t)
	for room, may := range onlyFor {
		may = append(slices.Clone(may), room)
		for _, p := range packages.ours("facilitator/...", "x402/...", "middleware/...", "store/...", "internal/...", "examples/...",
			"registry/...", "marketplace/...", "orders/...") {
			name := strings.TrimPrefix(p.ImportPath, module+"/")
			for _, path := range own(p.Imports) {
				require.False(t, matches(path, []string{room}) && !matches(name, may), "%s imports %s", name, path)
			}
		}
	}
}
