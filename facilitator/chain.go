package facilitator

import (
	"context"
	"time"

	"github.com/v402/v402/x402"
)

// Transfer is what a payment will move, as its scheme read it: the payment has
// passed every check that needs no chain, but perhaps that of its signature.
type Transfer struct {
	Payment     x402.Payment
	Key         string // identity of the payment; x402.Identity.String
	Payer       string
	ValidBefore time.Time
	Decoded     any       // the chain's own reading of the payload, handed back to it
	At          time.Time // as of when the service had it inspected

	// Prove checks that the payer signed; nil if Inspect has done so. A chain that
	// checks signatures itself makes it unnecessary to do so before Verify.
	Prove func() error
}

// Chain verifies and settles payments on one network. Every scheme and version
// that the network serves is behind it. facilitator/evm is one.
type Chain interface {
	Network() x402.Network
	// Kinds lists what the chain serves, for GET /supported.
	Kinds() []x402.Kind
	// Signers lists the addresses that send transactions.
	Signers() []string
	// Inspect reads a payment and makes the checks that need no chain. What it
	// refuses is an *x402.Error.
	Inspect(p x402.Payment, now time.Time) (Transfer, error)
	// Verify asks the chain whether t, with its signature, would succeed now. What
	// the chain refuses is an *x402.Error, and a signature that is not the payer's
	// comes before any other reason; any other error means that the chain could
	// not be asked.
	Verify(ctx context.Context, t Transfer) error
	// Settle carries a settlement that is leased to this process to its end, and
	// returns it. The journal holds it as Reserved; or, if an earlier call ended
	// in an error, perhaps as Submitted: then the chain takes up following it.
	// If ctx ends first the work goes on and the settlement is returned as it
	// stands. After an error nobody works on it, and the caller asks again.
	Settle(ctx context.Context, s Settlement) (Settlement, error)
	// FindSettled looks for a transaction by anybody that made the transfer.
	// It returns nil if there is none.
	FindSettled(ctx context.Context, t Transfer) (*Found, error)
	// Run follows the chain and resumes what a crash left, until ctx ends.
	Run(ctx context.Context) error
}

// Found is a transfer on the chain.
type Found struct {
	Transaction string
	Block       uint64
}
