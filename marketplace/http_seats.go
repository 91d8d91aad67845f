package marketplace

import (
	"net/http"

	"github.com/v402/v402/internal/web"
)

func (a *api) routeSeats(rt *web.Router) {
	const seats = "/marketplace/entitlements/{entitlement_id}/activations"
	rt.Handle("GET "+seats, a.known(a.getSeats))
	rt.Handle("POST "+seats, a.change(a.postSeat))
	rt.Handle("POST "+seats+"/{instance_id}/heartbeat", a.change(a.postHeartbeat))
	rt.Handle("DELETE "+seats+"/{instance_id}", a.change(a.deleteSeat))
}

// seatView is an instance that takes a seat.
type seatView struct {
	EntitlementID string `json:"entitlement_id"`
	InstanceID    string `json:"instance_id"`
	Name          string `json:"name,omitempty"`
	ActivatedAt   stamp  `json:"activated_at"`
	LastSeenAt    stamp  `json:"last_seen_at"`
}

func viewSeat(s Activation) seatView {
	return seatView{s.EntitlementID, s.InstanceID, s.Name, stamp(s.ActivatedAt), stamp(s.LastSeenAt)}
}

func (a *api) getSeats(w http.ResponseWriter, r *http.Request, actor Actor) error {
	list, err := a.Seats(r.Context(), actor, r.PathValue("entitlement_id"))
	if err != nil {
		return err
	}
	return a.succeed(w, struct {
		Activations []seatView `json:"activations"`
	}{views(list, viewSeat)})
}

func (a *api) postSeat(w http.ResponseWriter, r *http.Request, actor Actor) error {
	var b struct {
		InstanceID string `json:"instance_id"`
		Name       string `json:"name"`
	}
	if err := read(r, &b); err != nil {
		return err
	}
	seat, err := a.ActivateSeat(r.Context(), actor, SeatRequest{r.PathValue("entitlement_id"), b.InstanceID, b.Name})
	if err != nil {
		return err
	}
	return a.succeed(w, viewSeat(seat))
}

func (a *api) postHeartbeat(w http.ResponseWriter, r *http.Request, actor Actor) error {
	if err := read(r, &struct{}{}); err != nil {
		return err
	}
	seat, err := a.Heartbeat(r.Context(), actor, r.PathValue("entitlement_id"), r.PathValue("instance_id"))
	if err != nil {
		return err
	}
	return a.succeed(w, viewSeat(seat))
}

func (a *api) deleteSeat(w http.ResponseWriter, r *http.Request, actor Actor) error {
	entitlementID, instanceID := r.PathValue("entitlement_id"), r.PathValue("instance_id")
	if err := a.ReleaseSeat(r.Context(), actor, entitlementID, instanceID); err != nil {
		return err
	}
	return a.succeed(w, struct {
		Status        string `json:"status"`
		EntitlementID string `json:"entitlement_id"`
		InstanceID    string `json:"instance_id"`
	}{"activation_released", entitlementID, instanceID})
}
