package sqlite_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/emptydb"
	"github.com/v402/v402/registry"
	"github.com/v402/v402/store/sqlite"
)

// registryVictim names the file in the process that is killed.
const registryVictim = "V402_TEST_SQLITE_REGISTRY_VICTIM"

func TestASaleAndItsRoyaltySurviveAKillTogether(t *testing.T) {
	if path := os.Getenv(registryVictim); path != "" {
		sell(t, path)
	}
	t.Parallel()
	for _, after := range []int{1, 17, 40} {
		path := emptydb.SQLite(t)
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), registryVictim+"="+path)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		reported := 0
		for lines := bufio.NewScanner(out); lines.Scan(); reported++ {
			if reported == after {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		require.Error(t, cmd.Wait(), "it was killed")
		requireWholeSales(t, open(t, path), reported)
	}
}

// requireWholeSales requires that what was reported is there, and that each
// sale has its royalty, audit entry and event.
func requireWholeSales(t *testing.T, s *sqlite.Store, reported int) {
	t.Helper()
	sales, err := s.SalesAfter(t.Context(), registry.SaleFilter{}, 0, 1_000_000)
	require.NoError(t, err)
	royalties, err := s.RoyaltiesAfter(t.Context(), registry.RoyaltyFilter{}, 0, 1_000_000)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(sales), reported)
	require.Len(t, royalties, len(sales))
	for i := range sales {
		require.Equal(t, sales[i].ID, royalties[i].SaleID)
		require.Equal(t, sales[i].RoyaltyID, royalties[i].ID)
	}
	audit, err := s.AuditEntries(t.Context(), registry.AuditFilter{Action: "sale.report"}, registry.PageOptions{})
	require.NoError(t, err)
	require.EqualValues(t, len(sales), audit.Total)
	events, err := s.LeaseEvents(t.Context(), "reader", time.Now(), time.Now(), 1_000_000)
	require.NoError(t, err)
	require.Len(t, events, len(sales)+1, "and that of the contracts")
}

// sell reports sales and prints a line for each, until it is killed.
func sell(t *testing.T, path string) {
	ctx := t.Context()
	s, err := sqlite.Open(ctx, path)
	require.NoError(t, err)
	service, err := registry.New(registry.Config{Store: s})
	require.NoError(t, err)
	var platforms []registry.Platform
	for n := range 2 {
		p, err := s.AddPlatform(ctx, registry.Platform{
			Status: registry.PlatformActive, Email: fmt.Sprint(n, "@example.com"), CreatedAt: time.Now(), UpdatedAt: time.Now(),
		}, func(registry.Platform) registry.Trail { return registry.Trail{} })
		require.NoError(t, err)
		platforms = append(platforms, p)
	}
	_, err = service.RegisterContracts(ctx, platforms[0], registry.Registration{IPFSHash: "QmWork", MetadataCID: "QmMeta", ContractHashes: []string{"h1"}})
	require.NoError(t, err)
	for n := 0; ; n++ {
		_, err := service.ReportSale(ctx, platforms[1], registry.SaleReport{
			ContractHash: "h1", SaleAmount: registry.Dollars(2999), RoyaltyAmount: registry.Dollars(299),
		})
		require.NoError(t, err)
		fmt.Println(n)
	}
}
