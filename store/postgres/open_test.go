package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/internal/emptydb"
	"github.com/v402/v402/internal/pgtest"
	"github.com/v402/v402/store/postgres"
	"github.com/v402/v402/x402"
)

func TestReplicasThatStartAtOnceAllSucceed(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	errs := make(chan error)
	for range 4 {
		go func() {
			s, err := postgres.Open(t.Context(), database)
			if err == nil {
				err = s.Close()
			}
			errs <- err
		}()
	}
	for range 4 {
		require.NoError(t, <-errs)
	}
	reserve(t, open(t, database))
}

func TestWhatWasStoredIsThereAfterClosing(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	s, err := postgres.Open(t.Context(), database)
	require.NoError(t, err)
	reserve(t, s)
	require.NoError(t, s.Close())
	_, err = s.Settlement(t.Context(), "settlement")
	require.Error(t, err, "it is closed")
	_, err = open(t, database).Settlement(t.Context(), "settlement")
	require.NoError(t, err)
}

func TestADatabaseOfANewerProgramIsRefused(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	reserve(t, open(t, database))
	_, err := pgtest.Pool(t, database).ExecContext(t.Context(), "INSERT INTO v402_goose (version_id, is_applied) VALUES (99999, true)")
	require.NoError(t, err)
	_, err = postgres.Open(t.Context(), database)
	require.ErrorIs(t, err, postgres.ErrNewer)
	require.ErrorContains(t, err, "99999")
}

func TestClosingTheStoreLeavesAPoolOfTheUserOpen(t *testing.T) {
	t.Parallel()
	pool := pgtest.Pool(t, pgtest.Database(t))
	s, err := postgres.New(t.Context(), pool)
	require.NoError(t, err)
	reserve(t, s)
	require.NoError(t, s.Close())
	require.NoError(t, pool.PingContext(t.Context()))
}

func TestAURLThatLeadsNowhereIsAClearError(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://[", "postgres:///v402?host=/no/such/directory"} {
		_, err := postgres.Open(t.Context(), url)
		require.ErrorContains(t, err, "postgres:", url)
	}
}

func TestATransactionThatTheDatabaseGivesUpIsRunAgain(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	pool := pgtest.Pool(t, database+"&default_transaction_isolation=serializable")
	s, err := postgres.New(t.Context(), pool)
	require.NoError(t, err)
	const callers = 12
	errs := make(chan error)
	for i := range callers {
		go func() {
			_, _, err := s.ReserveSettlements(t.Context(), []facilitator.Settlement{settlement(string(rune('a' + i)))}, lease)
			if err == nil {
				_, err = s.SubmitSettlements(t.Context(), facilitator.Account{Network: x402.Base, Address: "0x1"}, "me", 0,
					[]string{string(rune('a' + i))}, sign)
			}
			errs <- err
		}()
	}
	for range callers {
		require.NoError(t, <-errs)
	}
	nonces, err := s.UnfinishedNonces(t.Context(), facilitator.Account{Network: x402.Base, Address: "0x1"}, 0)
	require.NoError(t, err)
	require.Len(t, nonces, callers)
	require.Contains(t, nonces, uint64(callers-1))
}

func TestATransactionIsRunAgainHoweverOftenTheDatabaseGivesItUp(t *testing.T) {
	t.Parallel()
	s := open(t, emptydb.Postgres(t))
	reserve(t, s)
	runs := 0
	_, err := s.SubmitSettlements(t.Context(), facilitator.Account{Network: x402.Base, Address: "0x1"}, "me", 0, []string{"settlement"},
		func(_ *facilitator.Settlement, nonce uint64) (facilitator.Transaction, error) {
			if runs++; runs <= 15 { // as many who want the same rows lose against others
				return facilitator.Transaction{}, deadlock{}
			}
			return sign(nil, nonce)
		})
	require.NoError(t, err)
	require.Equal(t, 16, runs)
}

// deadlock is what the driver reports of one.
type deadlock struct{}

func (deadlock) Error() string    { return "deadlock detected" }
func (deadlock) SQLState() string { return "40P01" }

var lease = facilitator.Lease{Owner: "me", Until: time.Now().Add(time.Hour)}

func sign(_ *facilitator.Settlement, nonce uint64) (facilitator.Transaction, error) {
	return facilitator.Transaction{Hash: "0x1", Raw: []byte{2}, Nonce: nonce}, nil
}

func settlement(id string) facilitator.Settlement {
	return facilitator.Settlement{
		ID: id, Key: id, Network: x402.Base, Amount: x402.NewAmount(1),
		Payment: x402.Payment{Payload: x402.PaymentPayload{Version: x402.V2, Payload: []byte(`{}`)}},
	}
}

func reserve(t *testing.T, s *postgres.Store) {
	t.Helper()
	_, created, err := s.ReserveSettlements(t.Context(), []facilitator.Settlement{settlement("settlement")}, lease)
	require.NoError(t, err)
	require.Equal(t, []bool{true}, created)
}
