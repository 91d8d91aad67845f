package webhook_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/webhook"
)

func TestAnOwnerWhoIsSuspendedHearsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var suspended atomic.Bool
		r := newRig(t, func(c *webhook.Config) {
			c.Admits = func(_ context.Context, owner string) (bool, error) { return owner != ann || !suspended.Load(), nil }
		})
		mine, other := r.hook(ann, "https://ann.example/hook"), r.hook(bob, "https://bob.example/hook")
		r.net.always("ann.example", 500)
		defer r.run()()
		emit(t, r.store, confirmed(ann, 1))
		time.Sleep(2 * time.Second)
		require.Len(t, r.net.requests(), 1)

		suspended.Store(true)
		emit(t, r.store, confirmed(ann, 2), confirmed(bob, 1))
		time.Sleep(2 * time.Minute)
		require.Len(t, r.deliveries(mine.ID), 1, "nothing is queued")
		require.Equal(t, webhook.DeliveryDead, r.deliveries(mine.ID)[0].Status, "and nothing is sent again")
		require.Len(t, r.net.requests(), 2)
		require.Equal(t, webhook.DeliveryDelivered, r.deliveries(other.ID)[0].Status)
		require.Equal(t, webhook.EndpointActive, r.endpoint(mine.ID).Status)

		suspended.Store(false)
		r.net.always("ann.example", 200)
		_, err := r.Redeliver(t.Context(), ann, mine.ID, r.deliveries(mine.ID)[0].ID)
		require.NoError(t, err)
		time.Sleep(2 * time.Second)
		require.Equal(t, webhook.DeliveryDelivered, r.deliveries(mine.ID)[0].Status)
	})
}
