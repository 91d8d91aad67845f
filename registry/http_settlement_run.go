package registry

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"
)

// runInput is the body of POST /api/admin/settlements/run.
type runInput struct {
	RunRequest
	faults faults
}

func (in *runInput) UnmarshalJSON(j []byte) error {
	m, err := readMembers(j)
	if err != nil {
		return err
	}
	var mode string
	m.time(&in.faults, "from", &in.From)
	m.time(&in.faults, "to", &in.To)
	m.text(&in.faults, "currency", &in.Currency)
	m.text(&in.faults, "mode", &mode)
	in.Mode = SettlementMode(mode)
	if m.has("minimum") {
		var d Decimal
		m.number(&in.faults, "minimum", &d)
		if d.Cmp(Dollars(MaxMoney)) > 0 {
			in.faults.add("minimum", "The minimum must not be greater than "+MaxMoney.String()+".")
		}
		minimum := d.Cents()
		in.Minimum = &minimum
	}
	m.flag(&in.faults, "dry_run", &in.DryRun)
	return nil
}

// check adds what is wrong with the request to what was wrong with the members.
func (in *runInput) check(now time.Time) error {
	var invalid *ValidationError
	if errors.As(in.RunRequest.validate(now), &invalid) {
		for _, field := range slices.Sorted(maps.Keys(invalid.Fields)) {
			for _, message := range invalid.Fields[field] {
				if !in.faults.has(field) {
					in.faults.add(field, message)
				}
			}
		}
	}
	return in.faults.err()
}

// runView says what a run issued, or would issue. It lists MaxPerPage documents
// at most; all that were issued are under GET /api/admin/settlements?run_id=.
type runView struct {
	RunID           *int64         `json:"run_id"`
	DryRun          bool           `json:"dry_run"`
	Mode            SettlementMode `json:"mode"`
	Currency        string         `json:"currency"`
	From            stamp          `json:"from"`
	To              stamp          `json:"to"`
	SettlementCount int            `json:"settlement_count"`
	NetAmount       Money          `json:"net_amount"`
	Settlements     []Settlement   `json:"settlements"`
	Earlier         []Settlement   `json:"earlier"`
	Carried         [][2]int64     `json:"carried"` // pairs of platforms whose royalties wait
}

func viewRun(result RunResult, dry bool) runView {
	v := runView{
		RunID: orNull(result.Run.ID), DryRun: dry, Mode: result.Run.Mode, Currency: result.Run.Currency,
		From: stamp(result.Run.From), To: stamp(result.Run.To), SettlementCount: len(result.Settlements),
		Settlements: views(first(result.Settlements), viewSettlement), Earlier: views(first(result.Earlier), viewSettlement),
		Carried: views(first(result.Carried), func(pair [2]int64) [2]int64 { return pair }),
	}
	for i := range result.Settlements {
		v.NetAmount += result.Settlements[i].Net
	}
	return v
}

// first is at most one page of items.
func first[T any](items []T) []T { return items[:min(len(items), MaxPerPage)] }

func (a *api) postRun(w http.ResponseWriter, r *http.Request, actor string) error {
	var in runInput
	if err := read(r, maxForm, &in); err != nil {
		return err
	}
	if err := in.check(a.now()); err != nil {
		return err
	}
	result, err := a.RunSettlements(r.Context(), actor, in.RunRequest)
	if err != nil {
		return err
	}
	v := viewRun(result, in.DryRun)
	if err := a.nameDrafts(r.Context(), v.Settlements); err != nil {
		return err
	}
	switch {
	case in.DryRun:
		return a.succeed(w, http.StatusOK, "Settlements calculated successfully", v)
	case v.RunID == nil:
		return a.succeed(w, http.StatusOK, "There is nothing to settle", v)
	default:
		return a.succeed(w, http.StatusCreated, "Settlements issued successfully", v)
	}
}

// nameDrafts gives drafts the names that a store gives to what it issues.
func (a *api) nameDrafts(ctx context.Context, drafts []Settlement) error {
	names := map[int64]string{}
	for i := range drafts {
		d := &drafts[i]
		for id, to := range map[int64]*string{d.PayerID: &d.PayerName, d.PayeeID: &d.PayeeName} {
			if names[id] == "" && d.Status == SettlementDraft {
				p, err := a.Platform(ctx, id)
				if err != nil {
					return err
				}
				names[id] = p.PlatformName
			}
			*to = cmp.Or(*to, names[id])
		}
	}
	return nil
}
