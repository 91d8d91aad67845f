package storetest

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/middleware"
)

// TestClaims shows that open returns empty claims that keep what
// [middleware.Claims] promises.
func TestClaims(t *testing.T, open Open[middleware.Claims]) {
	claimPromises.run(t, open.one)
}

// claim is a claim of owner on one payment for one request: leased for a minute
// and good for ten.
func claim(owner string) middleware.Claim {
	return middleware.Claim{
		Key: "eip155:84532|0x036c|0x857b|01", Fingerprint: "GET /quote", Owner: owner,
		LeasedUntil: epoch.Add(time.Minute), Expires: epoch.Add(10 * time.Minute),
	}
}

// try claims c.
func try(t *testing.T, s middleware.Claims, c middleware.Claim, now time.Time) middleware.Claimed {
	t.Helper()
	claimed, err := s.Claim(t.Context(), c, now)
	require.NoError(t, err)
	return claimed
}

// answer is an outcome with bytes that are no text.
var answer = middleware.Outcome{
	Status: 201, Body: []byte("a quote\x00\xff"),
	Header: http.Header{"Payment-Response": {"e30="}, "X-Latin": {"caf\xe9", "two"}},
}

var claimPromises = promises[middleware.Claims]{
	"a free claim is won, once": func(t *testing.T, s middleware.Claims) {
		first := try(t, s, claim("a"), epoch)
		require.Equal(t, middleware.Claimed{Won: true, Attempts: 1, Fingerprint: "GET /quote"}, first)
		require.Equal(t, middleware.Claimed{Attempts: 1, Fingerprint: "GET /quote"}, try(t, s, claim("b"), epoch))
		require.False(t, try(t, s, claim("a"), epoch).Won, "not even by its owner")
	},
	"200 callers of one key at once: exactly one wins": func(t *testing.T, s middleware.Claims) {
		results, errs := together(200, func(i int) (middleware.Claimed, error) {
			return s.Claim(t.Context(), claim(fmt.Sprint("owner-", i)), epoch)
		})
		noErrors(t, errs)
		won := 0
		for _, r := range results {
			require.Equal(t, 1, r.Attempts)
			require.Equal(t, "GET /quote", r.Fingerprint)
			if r.Won {
				won++
			}
		}
		require.Equal(t, 1, won)
	},
	"payments do not hinder each other": func(t *testing.T, s middleware.Claims) {
		try(t, s, claim("a"), epoch)
		other := claim("b")
		other.Key = "another payment"
		require.True(t, try(t, s, other, epoch).Won)
	},
	"a lease that ran out is retaken for the same request, with the settlement": func(t *testing.T, s middleware.Claims) {
		try(t, s, claim("a"), epoch)
		require.NoError(t, s.Settled(t.Context(), claim("a").Key, "a", []byte("settled\x00\xff")))
		second := claim("b")
		second.LeasedUntil = epoch.Add(3 * time.Minute)
		require.False(t, try(t, s, second, epoch.Add(59*time.Second)).Won)
		require.Equal(t, middleware.Claimed{
			Won: true, Retaken: true, Attempts: 2, Fingerprint: "GET /quote", Settlement: []byte("settled\x00\xff"),
		}, try(t, s, second, epoch.Add(time.Minute)))
		require.False(t, try(t, s, claim("c"), epoch.Add(2*time.Minute)).Won, "the new lease counts")
		require.Equal(t, 3, try(t, s, claim("c"), epoch.Add(3*time.Minute)).Attempts)
	},
	"another request never takes a claim that has not expired": func(t *testing.T, s middleware.Claims) {
		try(t, s, claim("a"), epoch)
		other := claim("b")
		other.Fingerprint = "POST /quote"
		require.Equal(t, middleware.Claimed{Attempts: 1, Fingerprint: "GET /quote"}, try(t, s, other, epoch.Add(9*time.Minute)))
	},
	"an expired claim is forgotten, with all that it had": func(t *testing.T, s middleware.Claims) {
		try(t, s, claim("a"), epoch)
		require.NoError(t, s.Settled(t.Context(), claim("a").Key, "a", []byte("settled")))
		require.NoError(t, s.Fulfil(t.Context(), claim("a").Key, "a", answer))
		late := claim("b")
		late.Fingerprint, late.Expires = "POST /quote", epoch.Add(time.Hour)
		require.Equal(t, middleware.Claimed{Won: true, Attempts: 1, Fingerprint: "POST /quote"}, try(t, s, late, epoch.Add(10*time.Minute)))
		require.Error(t, s.Release(t.Context(), late.Key, "a"), "the first owner has it no longer")
	},
	"renewing keeps a claim from being retaken": func(t *testing.T, s middleware.Claims) {
		try(t, s, claim("a"), epoch)
		require.NoError(t, s.Renew(t.Context(), claim("a").Key, "a", epoch.Add(5*time.Minute)))
		require.False(t, try(t, s, claim("b"), epoch.Add(4*time.Minute)).Won)
		require.True(t, try(t, s, claim("b"), epoch.Add(5*time.Minute)).Won)
	},
	"renewing to a time that has passed gives the claim back to its request": func(t *testing.T, s middleware.Claims) {
		try(t, s, claim("a"), epoch)
		require.NoError(t, s.Settled(t.Context(), claim("a").Key, "a", nil))
		require.NoError(t, s.Renew(t.Context(), claim("a").Key, "a", epoch))
		other := claim("b")
		other.Fingerprint = "POST /quote"
		require.False(t, try(t, s, other, epoch).Won)
		again := try(t, s, claim("b"), epoch)
		require.True(t, again.Won)
		require.True(t, again.Retaken)
		require.NotNil(t, again.Settlement, "an empty settlement is one")
	},
	"a fulfilled claim tells its outcome, to whoever asks": func(t *testing.T, s middleware.Claims) {
		try(t, s, claim("a"), epoch)
		require.NoError(t, s.Fulfil(t.Context(), claim("a").Key, "a", answer))
		want := middleware.Claimed{Attempts: 1, Fingerprint: "GET /quote", Outcome: &answer}
		require.Equal(t, want, try(t, s, claim("b"), epoch.Add(9*time.Minute)), "the lease does not matter any more")
		other := claim("b")
		other.Fingerprint = "POST /quote"
		require.Equal(t, want, try(t, s, other, epoch))
	},
	"an outcome that is lost is told as lost": func(t *testing.T, s middleware.Claims) {
		try(t, s, claim("a"), epoch)
		lost := middleware.Outcome{Status: 200, Lost: true}
		require.NoError(t, s.Fulfil(t.Context(), claim("a").Key, "a", lost))
		require.Equal(t, &lost, try(t, s, claim("b"), epoch).Outcome)
	},
	"a released claim is free": func(t *testing.T, s middleware.Claims) {
		try(t, s, claim("a"), epoch)
		require.NoError(t, s.Settled(t.Context(), claim("a").Key, "a", []byte("x")))
		require.NoError(t, s.Release(t.Context(), claim("a").Key, "a"))
		other := claim("b")
		other.Fingerprint = "POST /quote"
		require.Equal(t, middleware.Claimed{Won: true, Attempts: 1, Fingerprint: "POST /quote"}, try(t, s, other, epoch))
	},
	"only the owner changes a claim, until it is fulfilled": func(t *testing.T, s middleware.Claims) {
		changes := func(key, owner string) []error {
			return []error{
				s.Renew(t.Context(), key, owner, epoch.Add(time.Hour)), s.Settled(t.Context(), key, owner, []byte("x")),
				s.Fulfil(t.Context(), key, owner, answer), s.Release(t.Context(), key, owner),
			}
		}
		refused := func(errs []error) {
			t.Helper()
			for _, err := range errs {
				require.Error(t, err)
			}
		}
		key := claim("a").Key
		refused(changes(key, "a"))
		try(t, s, claim("a"), epoch)
		refused(changes(key, "b"))
		require.Equal(t, middleware.Claimed{Won: true, Retaken: true, Attempts: 2, Fingerprint: "GET /quote"},
			try(t, s, claim("b"), epoch.Add(time.Minute)))
		refused(changes(key, "a"))
		require.NoError(t, s.Fulfil(t.Context(), key, "b", answer))
		refused(changes(key, "b"))
		require.Equal(t, &answer, try(t, s, claim("c"), epoch).Outcome)
	},
	"an owner whose lease ran out still has the claim while nobody took it": func(t *testing.T, s middleware.Claims) {
		try(t, s, claim("a"), epoch)
		require.NoError(t, s.Fulfil(t.Context(), claim("a").Key, "a", answer))
	},
	"claims that have expired do not get in the way of new ones": func(t *testing.T, s middleware.Claims) {
		for i := range 300 {
			c := claim("a")
			c.Key = fmt.Sprint("payment-", i)
			now := epoch.Add(time.Duration(i) * time.Minute)
			c.LeasedUntil, c.Expires = now.Add(time.Minute), now.Add(2*time.Minute)
			require.True(t, try(t, s, c, now).Won)
		}
	},
	"a claim that is held is not forgotten before its lease runs out": func(t *testing.T, s middleware.Claims) {
		held := claim("a")
		held.Key, held.LeasedUntil = "held", epoch.Add(24*time.Hour)
		try(t, s, held, epoch)
		for i := range 200 {
			c := claim("b")
			c.Key = fmt.Sprint("payment-", i)
			try(t, s, c, epoch.Add(time.Hour))
		}
		require.NoError(t, s.Fulfil(t.Context(), held.Key, "a", answer))
	},
	"a claim needs a key and an owner": func(t *testing.T, s middleware.Claims) {
		for _, spoil := range []func(*middleware.Claim){
			func(c *middleware.Claim) { c.Key = "" }, func(c *middleware.Claim) { c.Owner = "" },
		} {
			c := claim("a")
			spoil(&c)
			_, err := s.Claim(t.Context(), c, epoch)
			require.Error(t, err)
		}
		require.True(t, try(t, s, claim("a"), epoch).Won)
	},
	"what is returned may be changed without harm": func(t *testing.T, s middleware.Claims) {
		try(t, s, claim("a"), epoch)
		mine := middleware.Outcome{Status: 200, Header: http.Header{"A": {"b"}}, Body: []byte("body")}
		require.NoError(t, s.Fulfil(t.Context(), claim("a").Key, "a", mine))
		for _, o := range []*middleware.Outcome{&mine, try(t, s, claim("b"), epoch).Outcome} {
			o.Body[0] = 'X'
			o.Header["A"][0] = "changed"
		}
		got := try(t, s, claim("b"), epoch).Outcome
		require.Equal(t, &middleware.Outcome{Status: 200, Header: http.Header{"A": {"b"}}, Body: []byte("body")}, got)
	},
	"a context that has ended is its error, and nothing changes": func(t *testing.T, s middleware.Claims) {
		_, err := s.Claim(cancelled(t), claim("a"), epoch)
		require.ErrorIs(t, err, cancelled(t).Err())
		require.True(t, try(t, s, claim("b"), epoch).Won)
		require.ErrorIs(t, s.Release(cancelled(t), claim("b").Key, "b"), cancelled(t).Err())
		require.False(t, try(t, s, claim("c"), epoch).Won)
	},
}
