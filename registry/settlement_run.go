package registry

import (
	"context"
	"fmt"
	"time"
)

// RunRequest asks to net what is pending.
type RunRequest struct {
	From, To time.Time      // the period [From, To); To is not in the future
	Currency string         // "USD", also if empty
	Mode     SettlementMode // Bilateral if empty
	Minimum  *Money         // in place of Config.MinSettlement
	DryRun   bool           // nothing is stored: the documents are drafts without IDs
}

// RunResult is what came of a RunRequest. A run for a period that has been
// netted issues nothing again; Earlier has the documents that are there.
type RunResult struct {
	Run         Run          // ID 0 for a dry run, and where nothing was issued
	Settlements []Settlement // issued by this run, or drafts
	Earlier     []Settlement // of the same period, issued before
	Carried     [][2]int64   // pairs of platforms whose royalties wait for a later run
}

// usd is the currency of the ledger.
const usd = "USD"

func (r *RunRequest) validate(now time.Time) error {
	var f faults
	r.From, r.To = r.From.UTC().Truncate(time.Microsecond), r.To.UTC().Truncate(time.Microsecond)
	if r.Currency == "" {
		r.Currency = usd
	}
	if r.Mode == "" {
		r.Mode = Bilateral
	}
	if r.From.IsZero() {
		f.add("from", "The from field is required.")
	}
	if r.To.IsZero() {
		f.add("to", "The to field is required.")
	}
	if !f.has("from") && !f.has("to") && !r.From.Before(r.To) {
		f.add("to", "The to field must be after from.")
	}
	if !f.has("to") && r.To.After(now) {
		f.add("to", "The period must have ended.")
	}
	if r.Currency != usd {
		f.add("currency", "The ledger is in USD.")
	}
	if r.Mode != Bilateral && r.Mode != Multilateral {
		f.add("mode", "The mode must be bilateral or multilateral.")
	}
	if r.Minimum != nil && *r.Minimum < 0 {
		f.add("minimum", "The minimum cannot be negative.")
	}
	return f.err()
}

// RunSettlements nets what is pending and was due before r.To, and issues the
// documents. Of royalties from before r.From only those are left that were
// reported late or carried forward. A pair of platforms gets one live document
// for a period, and a period is netted in one mode.
func (s *Service) RunSettlements(ctx context.Context, actor string, r RunRequest) (RunResult, error) {
	if err := r.validate(s.now()); err != nil {
		return RunResult{}, err
	}
	minimum := s.options.MinSettlement
	if r.Minimum != nil {
		minimum = *r.Minimum
	}
	run := Run{Mode: r.Mode, Currency: r.Currency, From: r.From, To: r.To, IssuedAt: s.now(), IssuedBy: actor}
	var out RunResult
	plan := func(owed []Owed, live []Settlement) (Netting, error) {
		n, err := netPeriod(run, owed, live, minimum)
		out.Earlier, out.Carried = live, n.Carried
		return n, err
	}
	if r.DryRun {
		return s.draft(ctx, run, plan, &out)
	}
	var err error
	out.Run, out.Settlements, err = s.store.IssueSettlements(ctx, run, plan, func(run Run, issued []Settlement) Trail {
		return issueTrail(actor, run, issued)
	})
	if err != nil {
		return RunResult{}, refusal(err, nil, "run settlements")
	}
	if out.Run.ID == 0 {
		out.Run, out.Settlements = run, nil
	}
	return out, nil
}

func (s *Service) draft(ctx context.Context, run Run, plan func([]Owed, []Settlement) (Netting, error), out *RunResult) (RunResult, error) {
	owed, live, err := s.store.OwedSums(ctx, run)
	if err != nil {
		return RunResult{}, refusal(err, nil, "sum up what is owed")
	}
	n, err := plan(owed, live)
	if err != nil {
		return RunResult{}, err
	}
	out.Run, out.Settlements = run, n.Settlements
	for i := range out.Settlements {
		out.Settlements[i].Run, out.Settlements[i].Status = run, SettlementDraft
	}
	return *out, nil
}

// netPeriod plans a run beside the documents that its period has already.
func netPeriod(run Run, owed []Owed, live []Settlement, minimum Money) (Netting, error) {
	taken := map[[2]int64]bool{}
	for i := range live {
		if live[i].Run.Mode != run.Mode {
			return Netting{}, &Error{State, fmt.Sprintf("The period was netted in %s mode", live[i].Run.Mode)}
		}
		taken[pairOf(live[i].PayerID, live[i].PayeeID)] = true
	}
	var open []Owed
	carried := map[[2]int64]bool{}
	var n Netting
	for _, o := range owed {
		pair := pairOf(o.SellerID, o.OriginID)
		switch {
		case !taken[pair] && (run.Mode == Bilateral || len(live) == 0):
			open = append(open, o)
		case !carried[pair]:
			carried[pair] = true
			n.Carried = append(n.Carried, pair)
		}
	}
	planned, err := Net(run.Mode, open, minimum)
	if err != nil {
		return Netting{}, err
	}
	n.Settlements, n.Carried = planned.Settlements, append(n.Carried, planned.Carried...)
	for i := range n.Settlements {
		d := &n.Settlements[i]
		d.Status, d.UpdatedAt = SettlementIssued, run.IssuedAt
		if d.Net == 0 {
			d.Status, d.PaidAt, d.ConfirmedAt = SettlementConfirmed, run.IssuedAt, run.IssuedAt
		}
	}
	return n, nil
}
