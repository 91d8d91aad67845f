package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/marketplace"
	"github.com/v402/v402/store"
)

// TestWallet holds a [marketplace.WalletStore] to its promises.
func TestWallet(t *testing.T, open Open[marketplace.WalletStore]) {
	walletPromises.run(t, open.one)
	walletReplicaPromises.run(t, open.some(4))
}

var walletReplicaPromises = promises[[]marketplace.WalletStore]{
	"of many replicas that use one intent at once, one wins": func(t *testing.T, replicas []marketplace.WalletStore) {
		require.NoError(t, replicas[0].AddWalletIntent(t.Context(), newIntent("wi_1")))
		_, errs := together(len(replicas), func(i int) (struct{}, error) {
			return struct{}{}, replicas[i].AddWalletSession(t.Context(), newSession("token "+string(rune('a'+i)), "wi_1"))
		})
		require.Equal(t, len(replicas)-1, countErrors(t, errs, store.ErrConflict))
	},
	"of many replicas that claim one answer at once, one wins": func(t *testing.T, replicas []marketplace.WalletStore) {
		won, errs := together(len(replicas), func(i int) (bool, error) {
			a := newAnswer("a")
			a.Owner = string(rune('a' + i))
			_, won, err := replicas[i].ClaimAnswer(t.Context(), a, at)
			return won, err
		})
		noErrors(t, errs)
		require.Equal(t, 1, count(won, true))
	},
}

// countErrors requires that all of errs are nil or the one that is wanted, and
// counts those.
func countErrors(t *testing.T, errs []error, want error) int {
	t.Helper()
	n := 0
	for _, err := range errs {
		if err != nil {
			require.ErrorIs(t, err, want)
			n++
		}
	}
	return n
}

func newIntent(id string) marketplace.WalletIntent {
	return marketplace.WalletIntent{
		ID: id, Wallet: "0x3ea6cbf98d23e2cf7b6f4f9bb1fb4f50b710f2d5", ChainID: 8453, Nonce: "0x01", Origin: "https://shop.example",
		IssuedAt: at, ExpiresAt: at.Add(5 * time.Minute),
	}
}

func newSession(tokenHash, intentID string) marketplace.WalletSession {
	return marketplace.WalletSession{
		TokenHash: tokenHash, Wallet: "0x3ea6cbf98d23e2cf7b6f4f9bb1fb4f50b710f2d5", ChainID: 8453, IntentID: intentID,
		IssuedAt: at.Add(time.Minute), ExpiresAt: at.Add(30 * 24 * time.Hour),
	}
}

func newAnswer(id string) marketplace.KeptAnswer {
	return marketplace.KeptAnswer{ID: id, Fingerprint: "f", Owner: "o", LeasedUntil: at.Add(time.Minute), ExpiresAt: at.Add(24 * time.Hour)}
}

var walletPromises = promises[marketplace.WalletStore]{
	"an intent buys one session": func(t *testing.T, s marketplace.WalletStore) {
		want := newIntent("wi_1")
		require.NoError(t, s.AddWalletIntent(t.Context(), want))
		got, err := s.WalletIntent(t.Context(), want.ID)
		require.NoError(t, err)
		require.Equal(t, want, got)
		_, err = s.WalletIntent(t.Context(), "wi_2")
		require.ErrorIs(t, err, store.ErrNotFound)

		session := newSession("hash1", want.ID)
		require.ErrorIs(t, s.AddWalletSession(t.Context(), newSession("hash1", "wi_2")), store.ErrNotFound)
		require.NoError(t, s.AddWalletSession(t.Context(), session))
		require.ErrorIs(t, s.AddWalletSession(t.Context(), newSession("hash2", want.ID)), store.ErrConflict)
		kept, err := s.WalletSession(t.Context(), "hash1")
		require.NoError(t, err)
		require.Equal(t, session, kept)
		_, err = s.WalletSession(t.Context(), "hash2")
		require.ErrorIs(t, err, store.ErrNotFound)
		want.UsedAt = session.IssuedAt
		got, err = s.WalletIntent(t.Context(), want.ID)
		require.NoError(t, err)
		require.Equal(t, want, got)
	},
	"a session is replaced once, and revoked as often as one likes": func(t *testing.T, s marketplace.WalletStore) {
		require.NoError(t, s.AddWalletIntent(t.Context(), newIntent("wi_1")))
		require.NoError(t, s.AddWalletSession(t.Context(), newSession("hash1", "wi_1")))
		end := at.Add(time.Hour)
		next := newSession("hash2", "wi_1")
		require.ErrorIs(t, s.ReplaceWalletSession(t.Context(), "hash9", end, next), store.ErrNotFound)
		require.NoError(t, s.ReplaceWalletSession(t.Context(), "hash1", end, next))
		require.ErrorIs(t, s.ReplaceWalletSession(t.Context(), "hash1", end, newSession("hash3", "wi_1")), store.ErrConflict)
		for hash, want := range map[string]time.Time{"hash1": end, "hash2": {}} {
			got, err := s.WalletSession(t.Context(), hash)
			require.NoError(t, err)
			require.Equal(t, want, got.RevokedAt)
		}
		_, err := s.WalletSession(t.Context(), "hash3")
		require.ErrorIs(t, err, store.ErrNotFound)

		require.ErrorIs(t, s.RevokeWalletSession(t.Context(), "hash9", end), store.ErrNotFound)
		require.NoError(t, s.RevokeWalletSession(t.Context(), "hash1", end.Add(time.Minute)), "it ends earlier")
		require.NoError(t, s.RevokeWalletSession(t.Context(), "hash2", end))
		require.NoError(t, s.RevokeWalletSession(t.Context(), "hash2", end.Add(-time.Minute)))
		for hash, want := range map[string]time.Time{"hash1": end, "hash2": end.Add(-time.Minute)} {
			got, err := s.WalletSession(t.Context(), hash)
			require.NoError(t, err)
			require.Equal(t, want, got.RevokedAt)
		}
	},
	"expired intents make room": func(t *testing.T, s marketplace.WalletStore) {
		require.NoError(t, s.AddWalletIntent(t.Context(), newIntent("wi_1")))
		later := newIntent("wi_2")
		later.IssuedAt, later.ExpiresAt = at.Add(time.Hour), at.Add(2*time.Hour)
		require.NoError(t, s.AddWalletIntent(t.Context(), later))
		_, err := s.WalletIntent(t.Context(), "wi_1")
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = s.WalletIntent(t.Context(), "wi_2")
		require.NoError(t, err)
	},
	"an answer is made by one and kept for all": func(t *testing.T, s marketplace.WalletStore) {
		first, second := newAnswer("a"), newAnswer("a")
		second.Owner = "p"
		held, won, err := s.ClaimAnswer(t.Context(), first, at)
		require.NoError(t, err)
		require.True(t, won)
		require.Equal(t, first, held)
		held, won, err = s.ClaimAnswer(t.Context(), second, at)
		require.NoError(t, err)
		require.False(t, won)
		require.Equal(t, first, held)
		require.ErrorIs(t, s.KeepAnswer(t.Context(), "a", "p", 200, []byte(`{}`)), store.ErrConflict)
		require.NoError(t, s.KeepAnswer(t.Context(), "a", "o", 200, []byte(`{"a":"ä"}`)))
		require.ErrorIs(t, s.KeepAnswer(t.Context(), "a", "o", 201, []byte(`{}`)), store.ErrConflict)
		require.NoError(t, s.ReleaseAnswer(t.Context(), "a", "o"), "an answer is not released")
		for _, now := range []time.Time{at, first.LeasedUntil, first.ExpiresAt.Add(-time.Microsecond)} {
			held, won, err = s.ClaimAnswer(t.Context(), second, now)
			require.NoError(t, err)
			require.False(t, won)
			require.Equal(t, 200, held.Status)
			require.Equal(t, `{"a":"ä"}`, string(held.Body))
		}
		second.ExpiresAt = first.ExpiresAt.Add(time.Hour)
		held, won, err = s.ClaimAnswer(t.Context(), second, first.ExpiresAt)
		require.NoError(t, err)
		require.True(t, won, "it was forgotten")
		require.Equal(t, second, held)
	},
	"a claim is taken over when its owner is gone, and by the same request only": func(t *testing.T, s marketplace.WalletStore) {
		_, _, err := s.ClaimAnswer(t.Context(), newAnswer("a"), at)
		require.NoError(t, err)
		other := newAnswer("a")
		other.Owner, other.Fingerprint, other.LeasedUntil = "p", "g", at.Add(2*time.Minute)
		_, won, err := s.ClaimAnswer(t.Context(), other, at.Add(time.Minute))
		require.NoError(t, err)
		require.False(t, won)
		other.Fingerprint = "f"
		_, won, err = s.ClaimAnswer(t.Context(), other, at.Add(time.Minute-time.Microsecond))
		require.NoError(t, err)
		require.False(t, won)
		_, won, err = s.ClaimAnswer(t.Context(), other, at.Add(time.Minute))
		require.NoError(t, err)
		require.True(t, won)
		require.ErrorIs(t, s.KeepAnswer(t.Context(), "a", "o", 200, nil), store.ErrConflict)

		require.NoError(t, s.ReleaseAnswer(t.Context(), "a", "o"), "it is another's now")
		_, won, err = s.ClaimAnswer(t.Context(), newAnswer("a"), at)
		require.NoError(t, err)
		require.False(t, won)
		require.NoError(t, s.ReleaseAnswer(t.Context(), "a", "p"))
		_, won, err = s.ClaimAnswer(t.Context(), newAnswer("a"), at)
		require.NoError(t, err)
		require.True(t, won)
	},
}
