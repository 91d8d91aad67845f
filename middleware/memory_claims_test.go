package middleware_test

import (
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/v402/v402/middleware"
)

var epoch = time.Unix(1_700_000_000, 0)

func claim(key, fingerprint, owner string) middleware.Claim {
	return middleware.Claim{Key: key, Fingerprint: fingerprint, Owner: owner, LeasedUntil: epoch.Add(time.Minute), Expires: epoch.Add(time.Hour)}
}

func TestOneOfManyWinsAClaim(t *testing.T) {
	t.Parallel()
	m := middleware.NewMemoryClaims()
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			if c, err := m.Claim(t.Context(), claim("k", "f", fmt.Sprint(i)), epoch); err == nil && c.Won {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, won.Load())
}

func TestAClaimIsRetakenByTheSameRequestOnly(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	m := middleware.NewMemoryClaims()
	_, err := m.Claim(ctx, claim("k", "f", "a"), epoch)
	require.NoError(t, err)
	require.NoError(t, m.Settled(ctx, "k", "a", []byte("moved")))

	late := epoch.Add(time.Minute)
	other := claim("k", "g", "b")
	c, err := m.Claim(ctx, other, late)
	require.NoError(t, err)
	require.False(t, c.Won)
	require.Equal(t, "f", c.Fingerprint)

	same := claim("k", "f", "b")
	same.LeasedUntil = late.Add(time.Minute)
	c, err = m.Claim(ctx, same, late.Add(-1))
	require.NoError(t, err)
	require.False(t, c.Won, "the lease holds to its last moment")
	c, err = m.Claim(ctx, same, late)
	require.NoError(t, err)
	require.Equal(t, middleware.Claimed{Won: true, Retaken: true, Attempts: 2, Fingerprint: "f", Settlement: []byte("moved")}, c)

	require.ErrorIs(t, m.Renew(ctx, "k", "a", late), middleware.ErrClaimLost)
	require.ErrorIs(t, m.Settled(ctx, "k", "a", nil), middleware.ErrClaimLost)
	require.ErrorIs(t, m.Fulfil(ctx, "k", "a", middleware.Outcome{}), middleware.ErrClaimLost)
	require.ErrorIs(t, m.Release(ctx, "k", "a"), middleware.ErrClaimLost)
	require.NoError(t, m.Fulfil(ctx, "k", "b", middleware.Outcome{Status: 200, Body: []byte("x"), Header: http.Header{"A": {"1"}}}))
	require.ErrorIs(t, m.Release(ctx, "k", "b"), middleware.ErrClaimLost, "an answered claim stays")
	c, err = m.Claim(ctx, same, late.Add(10*time.Minute))
	require.NoError(t, err)
	require.False(t, c.Won)
	require.Equal(t, "x", string(c.Outcome.Body))
}

func TestExpiredClaimsAreForgottenAndLiveOnesAreNot(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	m := &middleware.MemoryClaims{MaxClaims: 2}
	for _, key := range []string{"a", "b"} {
		_, err := m.Claim(ctx, claim(key, "f", "o"), epoch)
		require.NoError(t, err)
	}
	_, err := m.Claim(ctx, claim("c", "f", "o"), epoch)
	require.ErrorIs(t, err, middleware.ErrClaimsFull)
	require.NoError(t, m.Release(ctx, "a", "o"))
	_, err = m.Claim(ctx, claim("c", "f", "o"), epoch)
	require.NoError(t, err, "a released claim makes room")
	require.NoError(t, m.Renew(ctx, "b", "o", epoch.Add(2*time.Hour)))
	require.NoError(t, m.Fulfil(ctx, "c", "o", middleware.Outcome{Status: 200}))

	_, err = m.Claim(ctx, claim("d", "f", "o"), epoch.Add(time.Hour-1))
	require.ErrorIs(t, err, middleware.ErrClaimsFull)
	d := claim("d", "f", "o")
	d.Expires = epoch.Add(3 * time.Hour)
	_, err = m.Claim(ctx, d, epoch.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, 2, m.Len(), "what is still being served stays beyond its time")
	c, err := m.Claim(ctx, claim("b", "g", "o"), epoch.Add(time.Hour))
	require.NoError(t, err)
	require.False(t, c.Won)
}

func TestAnswersAreBoundedAndDroppedOnesStayUsed(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	m := &middleware.MemoryClaims{MaxBytes: 10_000}
	for i := range 20 {
		key := fmt.Sprint(i)
		_, err := m.Claim(ctx, claim(key, "f", "o"), epoch)
		require.NoError(t, err)
		require.NoError(t, m.Fulfil(ctx, key, "o", middleware.Outcome{Status: 200, Body: make([]byte, 2000)}))
	}
	kept := 0
	for i := range 20 {
		c, err := m.Claim(ctx, claim(fmt.Sprint(i), "f", "p"), epoch)
		require.NoError(t, err)
		require.False(t, c.Won)
		if !c.Outcome.Lost {
			kept++
			require.GreaterOrEqual(t, i, 15, "the newest are kept")
		}
	}
	require.Positive(t, kept)
	require.LessOrEqual(t, kept*2000, 10_000)
}

func TestSettlementsAreBoundedToo(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	m := &middleware.MemoryClaims{MaxBytes: 10_000}
	for round := range 3 {
		a, b := fmt.Sprint("a", round), fmt.Sprint("b", round)
		for i, key := range []string{a, b} {
			_, err := m.Claim(ctx, claim(key, "f", "o"), epoch)
			require.NoError(t, err)
			err = m.Settled(ctx, key, "o", make([]byte, 6000))
			require.Equal(t, i == 1, err != nil, "round %d", round)
			require.NoError(t, m.Settled(ctx, key, "o", make([]byte, 4000+2000*(1-i))), "it is replaced, and a small one always fits")
		}
		require.NoError(t, m.Release(ctx, a, "o"))
		require.NoError(t, m.Fulfil(ctx, b, "o", middleware.Outcome{}), "both make room")
	}
}

// Whoever sends payments that are refused could else fill the memory for as
// long as they say that they are valid.
func TestAReleasedClaimIsForgottenAtOnceWhateverItsExpiry(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	m := middleware.NewMemoryClaims()
	_, err := m.Claim(ctx, claim("live", "f", "o"), epoch)
	require.NoError(t, err)
	refused := claim("refused", "f", "o")
	refused.Expires = epoch.AddDate(1, 0, 0)
	_, err = m.Claim(ctx, refused, epoch)
	require.NoError(t, err)
	held := make([]byte, 4096)
	trace := weak.Make(&held[0])
	require.NoError(t, m.Settled(ctx, "refused", "o", held))
	require.NoError(t, m.Release(ctx, "refused", "o"))
	runtime.GC()
	require.Nil(t, trace.Value())
	require.Equal(t, 1, m.Len())
}

func TestWhenClaimsAreFullPaymentsAreRefusedAndNothingRuns(t *testing.T) {
	t.Parallel()
	s := open(t, nil, func(cfg *middleware.Config) { cfg.Claims = &middleware.MemoryClaims{MaxClaims: 1} })
	name, value := s.pay(t, "GET", "/paid")
	require.Equal(t, 200, s.do("GET", "/paid", "", name, value).Code)
	name, second := s.pay(t, "GET", "/paid")
	require.Equal(t, 503, s.do("GET", "/paid", "", name, second).Code)
	require.EqualValues(t, 1, s.ran.Load())
	require.EqualValues(t, 1, s.settled.Load())
	require.Equal(t, 200, s.do("GET", "/paid", "", name, value).Code, "the live claim is still known")
}

// The promise of Claims as a state machine: at any time a key has at most one
// owner that can act, an answered one never changes, and no key is won for two
// fingerprints while it lives.
func TestClaimsKeepTheirPromiseInAnyOrderOfCalls(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		ctx := t.Context()
		m := middleware.NewMemoryClaims()
		type state struct {
			owner, fingerprint string
			lease              time.Time
			done               bool
		}
		model := map[string]*state{}
		now, serial := epoch, 0
		pick := func(name string, from ...string) string { return rapid.SampledFrom(from).Draw(rt, name) }
		owners := []string{"0"}
		rt.Repeat(map[string]func(*rapid.T){
			"wait": func(rt *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(1, 90).Draw(rt, "s")) * time.Second) },
			"claim": func(rt *rapid.T) {
				serial++
				owner := fmt.Sprint(serial)
				owners = append(owners, owner)
				key, fp := pick("key", "a", "b"), pick("fp", "f", "g")
				c, err := m.Claim(ctx, middleware.Claim{Key: key, Fingerprint: fp, Owner: owner, LeasedUntil: now.Add(time.Minute), Expires: now.Add(1000 * time.Hour)}, now)
				require.NoError(rt, err)
				have := model[key]
				free := have == nil || have.fingerprint == fp && !have.done && !have.lease.After(now)
				require.Equal(rt, free, c.Won)
				require.Equal(rt, free && have != nil, c.Retaken)
				if c.Won {
					model[key] = &state{owner: owner, fingerprint: fp, lease: now.Add(time.Minute)}
				} else {
					require.Equal(rt, have.fingerprint, c.Fingerprint)
					require.Equal(rt, have.done, c.Outcome != nil)
				}
			},
			"act": func(rt *rapid.T) {
				key, owner := pick("key", "a", "b"), rapid.SampledFrom(owners).Draw(rt, "owner")
				have := model[key]
				may := have != nil && have.owner == owner && !have.done
				var err error
				switch pick("what", "renew", "fulfil", "release", "settled") {
				case "renew":
					if err = m.Renew(ctx, key, owner, now.Add(time.Minute)); may {
						have.lease = now.Add(time.Minute)
					}
				case "fulfil":
					if err = m.Fulfil(ctx, key, owner, middleware.Outcome{Status: 200}); may {
						have.done = true
					}
				case "release":
					if err = m.Release(ctx, key, owner); may {
						delete(model, key)
					}
				case "settled":
					err = m.Settled(ctx, key, owner, []byte("x"))
				}
				require.Equal(rt, may, err == nil)
			},
		})
	})
}
