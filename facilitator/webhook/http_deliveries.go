package webhook

import (
	"net/http"
	"time"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/internal/web/v402api"
)

// deliveryView is an entry of the delivery log. What it says of an answer is of
// the last attempt.
type deliveryView struct {
	ID            string         `json:"id"`
	WebhookID     string         `json:"webhook_id"`
	EventID       string         `json:"event_id"`
	EventType     string         `json:"event_type"`
	Status        DeliveryStatus `json:"status"`
	Attempts      int            `json:"attempts"`
	StatusCode    *int           `json:"status_code"` // null: no answer
	DurationMS    *int64         `json:"duration_ms"`
	Response      *string        `json:"response"`
	Error         *string        `json:"error"`
	LastAttemptAt v402api.Time   `json:"last_attempt_at"`
	NextAttemptAt v402api.Time   `json:"next_attempt_at"` // null unless it is pending
	CreatedAt     v402api.Time   `json:"created_at"`
}

func viewDelivery(d Delivery) deliveryView {
	v := deliveryView{
		ID: d.ID, WebhookID: d.Queue, EventID: d.Event.ID, EventType: d.Event.Type, Status: d.Status, Attempts: d.Attempts,
		CreatedAt: v402api.Time(d.CreatedAt),
	}
	if d.Status == DeliveryPending {
		v.NextAttemptAt = v402api.Time(d.NextAt)
	}
	if n := len(d.Log); n > 0 {
		last := viewAttempt(d.Log[n-1])
		v.StatusCode, v.DurationMS, v.Response, v.Error, v.LastAttemptAt = last.StatusCode, &last.DurationMS, last.Response, last.Error, last.At
	}
	return v
}

// attemptView is one attempt.
type attemptView struct {
	N          int          `json:"n"`
	At         v402api.Time `json:"at"`
	DurationMS int64        `json:"duration_ms"`
	StatusCode *int         `json:"status_code"`
	Response   *string      `json:"response"`
	Error      *string      `json:"error"`
}

func viewAttempt(a Attempt) attemptView {
	v := attemptView{N: a.N, At: v402api.Time(a.At), DurationMS: a.DurationMS}
	if a.StatusCode != 0 {
		v.StatusCode, v.Response = &a.StatusCode, &a.Response
	}
	if a.Error != "" {
		v.Error = &a.Error
	}
	return v
}

// deliveryWhole is a delivery with its last attempts.
type deliveryWhole struct {
	deliveryView
	Log []attemptView `json:"log"` // the oldest first
}

func (a *api) getLogs(w http.ResponseWriter, r *http.Request, u account.User) error {
	q := v402api.QueryOf(r)
	f, page := filterOf(q), q.Page(defaultSize, maxSize)
	f.Status = v402api.OneOf(q, "status", DeliveryPending, DeliveryDelivered, DeliveryDead)
	if err := q.Err(); err != nil {
		return err
	}
	l, err := a.Deliveries(r.Context(), u.ID, r.PathValue("id"), f, page)
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusOK, v402api.PageOf(l, viewDelivery))
}

// filterOf reads what selects deliveries.
func filterOf(q *v402api.Query) DeliveryFilter {
	const most = 100 // characters
	f := DeliveryFilter{
		EventType: q.Text("event_type", most), EventID: q.Text("event_id", most), From: q.Time("start_date"), To: q.Until("end_date"),
	}
	checkRange(&q.Faults, f.From, f.To)
	return f
}

func checkRange(f *v402api.Faults, from, to time.Time) {
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		f.Add("end_date", v402api.InvalidRange, "end_date must not be before start_date")
	}
}

func (a *api) getDelivery(w http.ResponseWriter, r *http.Request, u account.User) error {
	d, err := a.Delivery(r.Context(), u.ID, r.PathValue("id"), r.PathValue("delivery"))
	if err != nil {
		return err
	}
	whole := deliveryWhole{viewDelivery(d), make([]attemptView, len(d.Log))}
	for i := range d.Log {
		whole.Log[i] = viewAttempt(d.Log[i])
	}
	return v402api.JSON(w, http.StatusOK, whole)
}

func (a *api) postRedeliver(w http.ResponseWriter, r *http.Request, u account.User) error {
	var in struct{}
	if err := v402api.Read(r, maxForm, &in); err != nil {
		return err
	}
	d, err := a.Redeliver(r.Context(), u.ID, r.PathValue("id"), r.PathValue("delivery"))
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusAccepted, viewDelivery(d))
}

// replay is the body of a replay.
type replay struct {
	Status    DeliveryStatus `json:"status"`
	EventType string         `json:"event_type"`
	StartDate v402api.Time   `json:"start_date"`
	EndDate   v402api.Time   `json:"end_date"`
}

// replayView says how much was queued again.
type replayView struct {
	WebhookID string `json:"webhook_id"`
	Replayed  int    `json:"replayed"`
}

func (a *api) postReplay(w http.ResponseWriter, r *http.Request, u account.User) error {
	in := replay{Status: DeliveryDead}
	if err := v402api.Read(r, maxForm, &in); err != nil {
		return err
	}
	var faults v402api.Faults
	v402api.Enum(&faults, "status", in.Status, DeliveryDead, DeliveryDelivered)
	checkRange(&faults, time.Time(in.StartDate), time.Time(in.EndDate))
	if err := faults.Err(); err != nil {
		return err
	}
	id := r.PathValue("id")
	n, err := a.Replay(r.Context(), u.ID, id, DeliveryFilter{
		Status: in.Status, EventType: in.EventType, From: time.Time(in.StartDate), To: time.Time(in.EndDate),
	})
	if err != nil {
		return err
	}
	return v402api.JSON(w, http.StatusAccepted, replayView{id, n})
}
