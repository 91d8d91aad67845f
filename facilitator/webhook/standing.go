package webhook

import (
	"time"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/store"
)

// Standing is how a direct recipient has answered lately. There is no owner who
// could make it active again: it is paused, and tried again at times.
type Standing struct {
	FailingSince time.Time // when the first of the failures was that no success has followed
	ProbeAt      time.Time // when one that is paused is tried again, with one delivery; zero: it is not paused
}

// Paused says whether the recipient is only tried at times.
func (s Standing) Paused() bool { return !s.ProbeAt.IsZero() }

// verdict is what a batch says of its recipient.
type verdict struct {
	made    bool // a request, or it is the recipient's failure that none was made
	success bool
	dead    bool // a delivery was given up
	gone    bool // it wants no more
	absent  bool // there is no such recipient any more
}

func judge(results []result, outcomes []Outcome) (v verdict) {
	for i := range results {
		v.made = v.made || !results[i].unmade
		v.success = v.success || outcomes[i].Status == DeliveryDelivered
		v.dead = v.dead || outcomes[i].Status == DeliveryDead
		v.gone = v.gone || results[i].gone
		v.absent = v.absent || results[i].absent
	}
	return v
}

// reconsider changes the endpoint e after b: it is disabled if it asked for that,
// or if it gave nothing but failures for long and a delivery was given up.
func (p *Publisher) reconsider(e *Endpoint, b *Batch, v verdict, eventID string, now time.Time) account.Trail {
	switch {
	case !v.made:
		return account.Trail{} // it is not its failure
	case v.success:
		e.FailingSince, e.DeliveredAt = time.Time{}, now
	case e.FailingSince.IsZero():
		e.FailingSince = now
	}
	if e.Status != EndpointActive || b.Endpoint == nil || e.URL != b.Endpoint.URL {
		return account.Trail{} // its owner changed it meanwhile
	}
	switch {
	case v.gone:
		e.disable(DisabledGone, now)
	case v.dead && !v.success && now.Sub(e.FailingSince) >= p.options.DisableAfter:
		e.disable(DisabledFailing, now)
	default:
		return account.Trail{}
	}
	return account.Trail{
		Audit:  audited(now, byPublisher, "webhook.disable", e.ID, map[string]any{"reason": e.Reason}),
		Events: []store.Event{disabledEvent(eventID, e)},
	}
}

// weigh changes the standing of a direct recipient in the same way.
func (p *Publisher) weigh(s *Standing, queue string, v verdict, eventID string, now time.Time) account.Trail {
	before := *s
	switch {
	case v.success, v.absent: // what is pending to nobody is given up, and not one by one
		*s = Standing{}
	case v.made:
		if s.FailingSince.IsZero() {
			s.FailingSince = now
		}
		if v.gone || v.dead && now.Sub(s.FailingSince) >= p.options.DisableAfter {
			s.ProbeAt = now
		}
	}
	if s.Paused() {
		s.ProbeAt = now.Add(p.options.RetryMax)
	}
	action, event, failing := "webhook.pause", EventPaused, s.FailingSince
	switch {
	case s.Paused() == before.Paused():
		return account.Trail{}
	case before.Paused():
		action, event, failing = "webhook.resume", EventResumed, before.FailingSince
	}
	return account.Trail{
		Audit:  audited(now, byPublisher, action, queue, nil),
		Events: []store.Event{recipientEvent(eventID, event, queue, failing, now)},
	}
}
