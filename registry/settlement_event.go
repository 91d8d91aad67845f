package registry

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/v402/v402/store"
)

// add appends what other has.
func (t *Trail) add(other Trail) {
	t.Audit, t.Events = append(t.Audit, other.Audit...), append(t.Events, other.Events...)
}

// issueTrail has one audit entry for the run and an event for each document.
func issueTrail(actor string, run Run, issued []Settlement) Trail {
	detail, err := json.Marshal(map[string]any{"from": run.From, "to": run.To, "mode": run.Mode, "settlements": len(issued)})
	if err != nil {
		panic(err) // times and strings
	}
	t := Trail{Audit: []AuditEntry{{
		At: run.IssuedAt, Actor: actor, Action: "settlement.run", Subject: "run:" + strconv.FormatInt(run.ID, 10), Detail: detail,
	}}}
	for i := range issued {
		t.Events = append(t.Events, settlementEvent(EventSettlementIssued, &issued[i]))
		if issued[i].Status == SettlementConfirmed {
			t.Events = append(t.Events, settlementEvent(EventSettlementConfirmed, &issued[i]))
		}
	}
	return t
}

// settlementTrail is the trail of one step of d.
func settlementTrail(actor, event string, d *Settlement) Trail {
	detail, err := json.Marshal(map[string]any{"status": d.Status, "reference": d.Reference, "reason": d.Reason})
	if err != nil {
		panic(err) // strings
	}
	return Trail{
		Audit: []AuditEntry{{
			At: d.UpdatedAt, Actor: actor, Action: strings.TrimPrefix(event, "registry."),
			Subject: "settlement:" + strconv.FormatInt(d.ID, 10), Detail: detail,
		}},
		Events: []store.Event{settlementEvent(event, d)},
	}
}

// SettlementEvent is the data of the events of a settlement.
type SettlementEvent struct {
	PlatformIDs  []int64          `json:"platform_ids"` // payer and payee
	SettlementID int64            `json:"settlement_id"`
	RunID        int64            `json:"run_id"`
	PayerID      int64            `json:"payer_id"`
	PayeeID      int64            `json:"payee_id"`
	Net          Money            `json:"net_amount"`
	Currency     string           `json:"currency"`
	Status       SettlementStatus `json:"status"`
	Reference    string           `json:"reference,omitempty"`
	Reason       string           `json:"reason,omitempty"`
	At           time.Time        `json:"at"`
}

func settlementEvent(kind string, d *Settlement) store.Event {
	return newEvent(kind, strconv.FormatInt(d.ID, 10), SettlementEvent{
		PlatformIDs: []int64{d.PayerID, d.PayeeID}, SettlementID: d.ID, RunID: d.Run.ID, PayerID: d.PayerID, PayeeID: d.PayeeID,
		Net: d.Net, Currency: d.Run.Currency, Status: d.Status, Reference: d.Reference, Reason: d.Reason, At: d.UpdatedAt,
	}, d.UpdatedAt)
}
