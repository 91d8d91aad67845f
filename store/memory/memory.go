package memory

import (
	"sync"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/middleware"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
	"github.com/v402/v402/x402/payer"
)

// Store keeps everything in maps behind one mutex. It is safe for concurrent
// use; what it returns is a copy. Nothing in it outlives the process.
type Store struct {
	mu sync.Mutex

	settlements map[string]*settlement                    // by ID
	keys        map[string]*settlement                    // by key
	unfinished  map[x402.Network]map[*settlement]struct{} // what is not final
	next        map[facilitator.Account]uint64            // one above the newest nonce given
	claims      map[string]*claim                         // by key
	expiring    expiries                                  // claims, the first to be forgotten on top
	spendings   map[string]payer.Spending                 // by ID
	outbox      []*event                                  // in the order in which they were saved
	saved       map[string]struct{}                       // IDs in outbox
	registry    registryData
	accounts    accountData
	webhooks    webhookData
	accessLog   accessLog
	payments    paymentData
	wallet      walletData
	market      marketData
	catalog     catalogData
	reports     reportData
}

var (
	_ facilitator.Journal = (*Store)(nil)
	_ middleware.Claims   = (*Store)(nil)
	_ payer.Ledger        = (*Store)(nil)
	_ store.Outbox        = (*Store)(nil)
)

// New returns an empty store.
func New() *Store {
	s := &Store{
		settlements: map[string]*settlement{},
		keys:        map[string]*settlement{},
		unfinished:  map[x402.Network]map[*settlement]struct{}{},
		next:        map[facilitator.Account]uint64{},
		claims:      map[string]*claim{},
		spendings:   map[string]payer.Spending{},
		saved:       map[string]struct{}{},
	}
	s.registry.init()
	s.accounts.init()
	s.webhooks.init()
	s.accessLog.gaps = map[gap]int64{}
	s.wallet.init()
	s.market.init()
	s.payments.init()
	s.catalog.init()
	return s
}

// Close does nothing; it is there so that backends can be exchanged.
func (s *Store) Close() error { return nil }
