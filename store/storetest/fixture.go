package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/x402"
)

// The account and the process that the tests use where it does not matter.
var relayer = facilitator.Account{Network: x402.BaseSepolia, Address: "0x1f9090aaE28b8a3dCeaDf281B0F12828e676c326"}

const owner = "replica-1"

// epoch is when the tests begin: not a whole second, and not in UTC.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.FixedZone("", 3600))

// lease is that of owner, for an hour.
func lease() facilitator.Lease {
	return facilitator.Lease{Owner: owner, Until: epoch.Add(time.Hour)}
}

// settlement is the nth settlement of account's network.
func settlement(n int) facilitator.Settlement {
	payload := fmt.Sprintf(`{"signature":"0x2d6a","authorization":{"from":"0x857b06519E91e3A54538791bDbb0E22373e36b66","nonce":"0x%064x"}}`, n)
	requirements := x402.PaymentRequirements{
		Scheme: x402.SchemeExact, Network: relayer.Network, Amount: x402.NewAmount(10000),
		Asset: "0x036CbD53842c5426634e7929541eC2318f3dCF7e", PayTo: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
		MaxTimeoutSeconds: 60, Extra: json.RawMessage(`{"name":"USDC","version":"2"}`),
		Unknown: x402.Unknown{"note": json.RawMessage(`"kept"`)},
	}
	return facilitator.Settlement{
		ID:  fmt.Sprintf("settlement-%05d", n),
		Key: fmt.Sprintf("%s|0x036c|0x857b|%064x", relayer.Network, n),
		Payment: x402.Payment{
			Payload: x402.PaymentPayload{
				Version: x402.V2, Accepted: requirements, Payload: json.RawMessage(payload),
				Resource:   &x402.ResourceInfo{URL: "https://api.example.com/quote", Description: "a quote – “now”"},
				Extensions: map[string]json.RawMessage{"bazaar": json.RawMessage(`{"info":{}}`)},
			},
			Requirements: requirements,
		},
		Network: relayer.Network, Scheme: x402.SchemeExact,
		Payer: "0x857b06519E91e3A54538791bDbb0E22373e36b66", PayTo: requirements.PayTo, Asset: requirements.Asset,
		Amount: requirements.Amount, ValidBefore: epoch.Add(time.Minute),
		CreatedAt: epoch.Add(time.Duration(n) * time.Millisecond),
	}
}

// settlements are the settlements from first to before last.
func settlements(first, last int) []facilitator.Settlement {
	list := make([]facilitator.Settlement, 0, last-first)
	for n := first; n < last; n++ {
		list = append(list, settlement(n))
	}
	return list
}

func idsOf(list []facilitator.Settlement) []string {
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	return ids
}

// noncesOf are the nonces of the newest transactions.
func noncesOf(list []facilitator.Settlement) []uint64 {
	nonces := make([]uint64, len(list))
	for i := range list {
		nonces[i] = list[i].Transactions[len(list[i].Transactions)-1].Nonce
	}
	return nonces
}

// sign makes a transaction that shows what it was made of.
func sign(s *facilitator.Settlement, nonce uint64) (facilitator.Transaction, error) {
	return transaction(s.ID, nonce, 0), nil
}

// transaction is the nth replacement of a settlement's transaction.
func transaction(id string, nonce uint64, n int) facilitator.Transaction {
	return facilitator.Transaction{
		Hash: fmt.Sprintf("0x%s-%d-%d", id, nonce, n), Raw: []byte{2, 0, 0xff, byte(nonce), byte(n)}, Nonce: nonce,
	}
}

// reserve stores settlements under owner's lease.
func reserve(t *testing.T, j facilitator.Journal, list ...facilitator.Settlement) []facilitator.Settlement {
	t.Helper()
	stored, created, err := j.ReserveSettlements(t.Context(), list, lease())
	require.NoError(t, err)
	require.NotContains(t, created, false)
	return stored
}

// submit reserves settlements and submits them as account's.
func submit(t *testing.T, j facilitator.Journal, floor uint64, list ...facilitator.Settlement) []facilitator.Settlement {
	t.Helper()
	submitted, err := j.SubmitSettlements(t.Context(), relayer, owner, floor, idsOf(reserve(t, j, list...)), sign)
	require.NoError(t, err)
	require.Len(t, submitted, len(list))
	return submitted
}

// finish applies one outcome and returns whether it changed anything.
func finish(t *testing.T, j facilitator.Journal, o facilitator.Outcome) bool {
	t.Helper()
	changed, err := j.FinishSettlements(t.Context(), []facilitator.Outcome{o})
	require.NoError(t, err)
	require.Len(t, changed, 1)
	return changed[0]
}

// load reads a settlement.
func load(t *testing.T, j facilitator.Journal, id string) facilitator.Settlement {
	t.Helper()
	s, err := j.Settlement(t.Context(), id)
	require.NoError(t, err)
	return s
}

// same requires that two settlements are equal, whatever the location of their
// times and the spaces in their JSON.
func same(t require.TestingT, want, got facilitator.Settlement, msg ...any) {
	require.Equal(t, plain(want), plain(got), msg...)
}

// plain is s with its times in UTC, its payment as JSON and without UpdatedAt.
func plain(s facilitator.Settlement) any {
	payment, err := json.Marshal(s.Payment)
	if err != nil {
		panic(err) // the fixtures are wrong
	}
	amount := s.Amount.String()
	s.CreatedAt, s.ValidBefore, s.UpdatedAt = s.CreatedAt.UTC().Round(0), s.ValidBefore.UTC().Round(0), time.Time{}
	s.Payment, s.Amount = x402.Payment{}, x402.Amount{}
	if len(s.Transactions) == 0 {
		s.Transactions = nil
	}
	return []any{s, string(payment), amount}
}
