package facilitator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/store"
	"github.com/v402/v402/x402"
)

const (
	network = x402.BaseSepolia
	usdc    = "0x036CbD53842c5426634e7929541eC2318f3dCF7e"
	shop    = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"
	alice   = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
	relayer = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
)

// authorization is the payload of the fake scheme, in the shape of EIP-3009.
type authorization struct {
	From        string `json:"from"`
	To          string `json:"to"`
	Value       string `json:"value"`
	ValidAfter  string `json:"validAfter"`
	ValidBefore string `json:"validBefore"`
	Nonce       string `json:"nonce"`
}

type payload struct {
	Authorization authorization `json:"authorization"`
	Signature     string        `json:"signature"`
}

// pay is a payment of 10000 by alice to the shop that is valid for five
// minutes, changed by edit.
func pay(version int, nonce int, edits ...func(*payload, *x402.PaymentRequirements)) x402.Payment {
	q := x402.PaymentRequirements{
		Scheme: x402.SchemeExact, Network: network, Amount: x402.NewAmount(10000), Asset: usdc, PayTo: shop,
		MaxTimeoutSeconds: 300, Extra: json.RawMessage(`{"name":"USDC","version":"2"}`),
	}
	body := payload{Signature: "good", Authorization: authorization{
		From: alice, To: shop, Value: "10000", ValidAfter: "0",
		ValidBefore: strconv.FormatInt(time.Now().Add(5*time.Minute).Unix(), 10), Nonce: fmt.Sprintf("0x%064x", nonce),
	}}
	for _, edit := range edits {
		edit(&body, &q)
	}
	j, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return x402.Payment{Payload: x402.PaymentPayload{Version: version, Accepted: q, Payload: j}, Requirements: q}
}

// token is the chain behind the fakes of all processes: it moves money once
// for each nonce.
type token struct {
	mu        sync.Mutex
	moved     map[string]string // key of a payment to the transaction that made it
	reverted  map[string]bool   // transactions
	cancelled map[string]bool   // keys that the payer cancelled
	transfers int
}

func newToken() *token {
	return &token{moved: map[string]string{}, reverted: map[string]bool{}, cancelled: map[string]bool{}}
}

// execute mines a transaction; it can be sent any number of times.
func (k *token) execute(key, hash string) (ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if by, used := k.moved[key]; used || k.cancelled[key] {
		if by != hash {
			k.reverted[hash] = true
		}
		return by == hash && used
	}
	k.moved[key] = hash
	k.transfers++
	return true
}

func (k *token) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.transfers
}

func (k *token) by(key string) (hash string, used bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	hash, used = k.moved[key]
	return hash, used || k.cancelled[key]
}

// chain is one process's access to the token.
type chain struct {
	network x402.Network
	token   *token
	journal facilitator.Journal
	owner   string
	asking  time.Duration // to verify
	mining  time.Duration // from sending to confirmation

	down     atomic.Bool // the node does not answer
	panics   atomic.Bool
	verifies atomic.Int64
	settles  atomic.Int64
	findings atomic.Int64
	sent     atomic.Int64
	wait     sync.WaitGroup
}

func newChain(k *token, j facilitator.Journal, owner string) *chain {
	return &chain{network: network, token: k, journal: j, owner: owner, mining: 50 * time.Millisecond}
}

var errDown = errors.New("dial http://user:secret@node.internal: connection refused")

func (c *chain) Network() x402.Network { return c.network }

func (c *chain) Kinds() []x402.Kind {
	return []x402.Kind{
		{Version: x402.V2, Scheme: x402.SchemeExact, Network: c.network},
		{Version: x402.V1, Scheme: x402.SchemeExact, Network: c.network},
	}
}

func (c *chain) Signers() []string { return []string{relayer} }

func (c *chain) Inspect(p x402.Payment, now time.Time) (facilitator.Transfer, error) {
	var body payload
	if err := json.Unmarshal(p.Payload.Payload, &body); err != nil {
		return facilitator.Transfer{}, &x402.Error{Reason: x402.ReasonEVMPayload, Field: "payload", Err: err}
	}
	a := body.Authorization
	before, err := strconv.ParseInt(a.ValidBefore, 10, 64)
	switch {
	case err != nil:
		return facilitator.Transfer{}, x402.Refuse(x402.ReasonEVMPayload, "validBefore", "not a number")
	case p.Requirements.Scheme != x402.SchemeExact:
		return facilitator.Transfer{}, &x402.Error{Reason: x402.ReasonUnsupportedScheme}
	case !c.network.SameAddress(a.To, p.Requirements.PayTo):
		return facilitator.Transfer{}, &x402.Error{Reason: x402.ReasonEVMRecipient, Field: "to"}
	case a.Value != p.Requirements.Amount.String():
		return facilitator.Transfer{}, &x402.Error{Reason: x402.ReasonEVMAmount, Field: "value"}
	case before < now.Unix()+6:
		return facilitator.Transfer{}, &x402.Error{Reason: x402.ReasonEVMExpired, Field: "validBefore"}
	case body.Signature != "good":
		return facilitator.Transfer{}, &x402.Error{Reason: x402.ReasonEVMSignature}
	}
	id, err := p.Identity()
	if err != nil {
		return facilitator.Transfer{}, err
	}
	return facilitator.Transfer{Payment: p, Key: id.String(), Payer: a.From, ValidBefore: time.Unix(before, 0)}, nil
}

func (c *chain) Verify(ctx context.Context, t facilitator.Transfer) error {
	c.verifies.Add(1)
	time.Sleep(c.asking)
	if c.down.Load() {
		return errDown
	}
	if _, used := c.token.by(t.Key); used {
		return &x402.Error{Reason: x402.ReasonEVMNonceUsed}
	}
	return ctx.Err()
}

func (c *chain) FindSettled(_ context.Context, t facilitator.Transfer) (*facilitator.Found, error) {
	c.findings.Add(1)
	if c.down.Load() {
		return nil, errDown
	}
	if hash, _ := c.token.by(t.Key); hash != "" {
		return &facilitator.Found{Transaction: hash, Block: 7}, nil
	}
	return nil, nil
}

func (c *chain) Settle(ctx context.Context, s facilitator.Settlement) (facilitator.Settlement, error) {
	c.settles.Add(1)
	if c.panics.Swap(false) {
		panic("the chain's code is broken")
	}
	rows := []facilitator.Settlement{s}
	if s.State == facilitator.Reserved {
		var err error
		if rows, err = c.submit(ctx, s); err != nil {
			return s, err
		}
	}
	if len(rows) == 0 {
		return c.journal.Settlement(ctx, s.ID)
	}
	done := make(chan struct{})
	c.wait.Go(func() {
		defer close(done)
		c.follow(rows[0])
	})
	select {
	case <-done:
	case <-ctx.Done():
	}
	return c.journal.Settlement(context.WithoutCancel(ctx), s.ID)
}

func (c *chain) submit(ctx context.Context, s facilitator.Settlement) ([]facilitator.Settlement, error) {
	return c.journal.SubmitSettlements(ctx, facilitator.Account{Network: c.network, Address: relayer}, c.owner, 0, []string{s.ID},
		func(s *facilitator.Settlement, nonce uint64) (facilitator.Transaction, error) {
			return facilitator.Transaction{Hash: fmt.Sprintf("0x%s-%d", s.ID, nonce), Nonce: nonce}, nil
		})
}

// follow sends a submitted settlement and records its end.
func (c *chain) follow(s facilitator.Settlement) {
	ctx := context.Background()
	if c.down.Load() {
		return
	}
	c.sent.Add(1)
	hash := s.Transactions[len(s.Transactions)-1].Hash
	ok := c.token.execute(s.Key, hash)
	time.Sleep(c.mining)
	outcome := s.Confirm(hash, 7, time.Now())
	if by, _ := c.token.by(s.Key); !ok && by != "" {
		outcome = s.Confirm(by, 7, time.Now())
	} else if !ok {
		outcome = s.Fail(hash, x402.ReasonEVMNonceUsed, "", time.Now())
	}
	for errors.Is(c.finish(ctx, outcome), errFault) {
		time.Sleep(time.Second)
	}
}

// finish records an outcome; a panic of the journal is as good as an error.
func (c *chain) finish(ctx context.Context, o facilitator.Outcome) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errFault
		}
	}()
	_, err = c.journal.FinishSettlements(ctx, []facilitator.Outcome{o})
	return err
}

// Run takes over what other processes left.
func (c *chain) Run(ctx context.Context) error {
	defer c.wait.Wait()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		if c.down.Load() {
			continue
		}
		now := time.Now()
		rows, err := c.journal.LeaseSettlements(ctx, c.network, facilitator.Lease{Owner: c.owner, Until: now.Add(15 * time.Second)}, now, 100)
		if err != nil {
			continue
		}
		for _, row := range rows {
			if row.State == facilitator.Reserved {
				signed, err := c.submit(ctx, row)
				if err != nil || len(signed) == 0 {
					continue
				}
				row = signed[0]
			}
			c.wait.Go(func() { c.follow(row) })
		}
	}
}

// newService makes a service of one process, without running it.
func newService(t testing.TB, j facilitator.Journal, owner string, chains ...facilitator.Chain) *facilitator.Service {
	t.Helper()
	s, err := facilitator.New(facilitator.Config{Chains: chains, Journal: j, Owner: owner, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return s
}

// run runs s until the test or the returned stop ends it.
func run(t testing.TB, s *facilitator.Service) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	return stop
}

// key is the identity of p in the journal.
func key(t testing.TB, p x402.Payment) string {
	t.Helper()
	id, err := p.Identity()
	require.NoError(t, err)
	return id.String()
}

// settlementID reads the settlement's ID out of an answer.
func settlementID(t testing.TB, r x402.SettleResponse) string {
	t.Helper()
	var extra struct {
		ID string `json:"settlement"`
	}
	require.NoError(t, json.Unmarshal(r.Extra, &extra))
	require.NotEmpty(t, extra.ID)
	return extra.ID
}

// events lists the types of the events that the outbox holds for a settlement.
func events(o store.Outbox, id string) (types []string) {
	leased, err := o.LeaseEvents(context.Background(), "test", time.Now(), time.Now(), 1000)
	if err != nil {
		panic(err)
	}
	for _, e := range leased {
		if e.Subject == id {
			types = append(types, e.Type)
		}
	}
	return types
}

func upper(s string) string { return "0x" + strings.ToUpper(s[2:]) }
