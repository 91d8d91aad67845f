package registry_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/v402/v402/registry"
	"github.com/v402/v402/store/memory"
)

// room is a registry used without HTTP, with a publisher, a seller and an
// outsider.
type room struct {
	*registry.Service
	store                       *memory.Store
	now                         time.Time
	publisher, seller, outsider registry.Platform
}

func newRoom(t *testing.T, change func(*registry.Config)) *room {
	t.Helper()
	r := &room{store: memory.New(), now: today}
	c := registry.Config{Store: r.store, Now: func() time.Time { return r.now }, PasswordCost: bcrypt.MinCost}
	if change != nil {
		change(&c)
	}
	var err error
	r.Service, err = registry.New(c)
	require.NoError(t, err)
	r.publisher, r.seller, r.outsider = join(t.Context(), r.Service, "Publisher"), join(t.Context(), r.Service, "Seller"), join(t.Context(), r.Service, "Outsider")
	return r
}

// register registers contracts of the publisher's.
func (r *room) register(t *testing.T, terms *registry.Terms, hashes ...string) {
	t.Helper()
	_, err := r.RegisterContracts(t.Context(), r.publisher, registry.Registration{
		IPFSHash: "QmWork", MetadataCID: "QmMeta", ContractHashes: hashes, Terms: terms,
	})
	require.NoError(t, err)
}

// sale is a report of a sale for 29.99 with a royalty of 2.99.
func sale(hash string) registry.SaleReport {
	return registry.SaleReport{ContractHash: hash, SaleAmount: registry.Dollars(2999), RoyaltyAmount: registry.Dollars(299)}
}

// invalid requires err to be a ValidationError of exactly these fields.
func invalid(t *testing.T, err error, fields map[string][]string) {
	t.Helper()
	var v *registry.ValidationError
	require.ErrorAs(t, err, &v)
	require.Equal(t, fields, v.Fields)
}

// decode reads an input from JSON.
func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal([]byte(text), &v))
	return v
}

// actions are those in the audit log, the oldest first.
func (r *room) actions(t *testing.T) []string {
	t.Helper()
	list, err := r.Audit(t.Context(), registry.AuditFilter{}, registry.PageOptions{PerPage: registry.MaxPerPage})
	require.NoError(t, err)
	var actions []string
	for i := range list.Items {
		actions = append(actions, list.Items[len(list.Items)-1-i].Action)
	}
	return actions
}
