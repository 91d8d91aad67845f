package registry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/registry"
)

// issued is a document that the seller pays to the publisher, for one sale.
func (r *room) issued(t *testing.T) registry.Settlement {
	t.Helper()
	hash := fmt.Sprint("issued-", r.now.UnixMicro())
	r.register(t, nil, hash)
	_, err := r.ReportSale(t.Context(), r.seller, sale(hash))
	require.NoError(t, err)
	r.now = r.now.AddDate(0, 1, 0)
	run, err := r.RunSettlements(t.Context(), "admin:ada", registry.RunRequest{From: r.now.AddDate(0, -1, 0), To: r.now})
	require.NoError(t, err)
	require.Len(t, run.Settlements, 1)
	return run.Settlements[0]
}

// steps are what may be done to a settlement.
var steps = map[string]func(t *testing.T, r *room, who registry.Platform, id int64) error{
	"pay": func(t *testing.T, r *room, who registry.Platform, id int64) error {
		_, err := r.PaySettlement(t.Context(), who, id, registry.PayRequest{Reference: "wire 7"})
		return err
	},
	"confirm": func(t *testing.T, r *room, who registry.Platform, id int64) error {
		_, err := r.ConfirmSettlement(t.Context(), who, id)
		return err
	},
	"dispute": func(t *testing.T, r *room, who registry.Platform, id int64) error {
		_, err := r.DisputeSettlement(t.Context(), who, id, registry.DisputeRequest{Reason: "wrong"})
		return err
	},
	"reissue": func(t *testing.T, r *room, _ registry.Platform, id int64) error {
		_, err := r.ResolveSettlement(t.Context(), "admin:ada", id, registry.Resolution{Status: registry.SettlementIssued, Reason: "right"})
		return err
	},
	"cancel": func(t *testing.T, r *room, _ registry.Platform, id int64) error {
		_, err := r.ResolveSettlement(t.Context(), "admin:ada", id, registry.Resolution{Status: registry.SettlementCancelled, Reason: "wrong"})
		return err
	},
}

// reach brings an issued document to a status.
var reach = map[registry.SettlementStatus][]string{
	registry.SettlementIssued:    {},
	registry.SettlementPaid:      {"pay"},
	registry.SettlementConfirmed: {"pay", "confirm"},
	registry.SettlementDisputed:  {"dispute"},
	registry.SettlementCancelled: {"dispute", "cancel"},
}

// allowed says where a step leads, by status, step and who takes it. What is
// not listed is refused.
var allowed = map[string]registry.SettlementStatus{
	"issued pay payer":        registry.SettlementPaid,
	"issued dispute payer":    registry.SettlementDisputed,
	"issued dispute payee":    registry.SettlementDisputed,
	"paid pay payer":          registry.SettlementPaid, // the same reference again
	"paid confirm payee":      registry.SettlementConfirmed,
	"paid dispute payee":      registry.SettlementDisputed,
	"confirmed confirm payee": registry.SettlementConfirmed,
	"disputed dispute payer":  registry.SettlementDisputed, // for the same reason again
	"disputed dispute payee":  registry.SettlementDisputed,
	"disputed reissue admin":  registry.SettlementIssued,
	"disputed cancel admin":   registry.SettlementCancelled,
}

func TestASettlementTakesTheStepsThatItsStatusAllowsAndNoOthers(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	for from, path := range reach {
		for step, do := range steps {
			who := map[string]registry.Platform{"payer": r.seller, "payee": r.publisher, "outsider": r.outsider}
			if step == "reissue" || step == "cancel" {
				who = map[string]registry.Platform{"admin": {}}
			}
			for name, p := range who {
				d := r.issued(t)
				for _, before := range path {
					by := r.seller
					if before == "confirm" {
						by = r.publisher
					}
					require.NoError(t, steps[before](t, r, by, d.ID))
				}
				was, err := r.AnySettlement(t.Context(), d.ID)
				require.NoError(t, err)
				require.Equal(t, from, was.Status)
				err = do(t, r, p, d.ID)
				now, readErr := r.AnySettlement(t.Context(), d.ID)
				require.NoError(t, readErr)
				what := fmt.Sprintf("%s %s %s", from, step, name)
				if to, ok := allowed[what]; ok {
					require.NoError(t, err, what)
					require.Equal(t, to, now.Status, what)
					continue
				}
				require.Equal(t, was, now, what)
				switch {
				case name == "outsider":
					require.Equal(t, registry.ErrSettlementUnknown, err, what)
				case step == "pay" && name == "payee":
					require.Equal(t, registry.ErrNotPayer, err, what)
				case step == "confirm" && name == "payer":
					require.Equal(t, registry.ErrNotPayee, err, what)
				default:
					require.Equal(t, registry.ErrSettlementState, err, what)
				}
			}
		}
	}
}

func TestAReissuedSettlementForgetsAPaymentThatDidNotArrive(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	d := r.issued(t)
	require.NoError(t, steps["pay"](t, r, r.seller, d.ID))
	require.NoError(t, steps["dispute"](t, r, r.publisher, d.ID))
	require.NoError(t, steps["reissue"](t, r, registry.Platform{}, d.ID))
	got, err := r.Settlement(t.Context(), r.seller, d.ID)
	require.NoError(t, err)
	require.Empty(t, got.Reference)
	require.True(t, got.PaidAt.IsZero())
	require.Equal(t, "right", got.Reason)
}

func TestEveryStepIsAudited(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	before := len(r.actions(t))
	d := r.issued(t)
	require.NoError(t, steps["dispute"](t, r, r.seller, d.ID))
	require.NoError(t, steps["reissue"](t, r, registry.Platform{}, d.ID))
	require.NoError(t, steps["pay"](t, r, r.seller, d.ID))
	require.NoError(t, steps["pay"](t, r, r.seller, d.ID), "a repetition is not a step")
	require.NoError(t, steps["confirm"](t, r, r.publisher, d.ID))
	got := r.actions(t)[before:]
	require.Equal(t, []string{"settlement.run", "settlement.disputed", "settlement.issued", "settlement.paid", "settlement.confirmed"}, got[len(got)-5:])
}

func TestARunThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	less := registry.Money(-1)
	from, to := today.AddDate(0, -1, 0), today
	for what, c := range map[string]struct {
		request registry.RunRequest
		fields  map[string][]string
	}{
		"empty":    {registry.RunRequest{}, map[string][]string{"from": {"The from field is required."}, "to": {"The to field is required."}}},
		"reversed": {registry.RunRequest{From: to, To: from}, map[string][]string{"to": {"The to field must be after from."}}},
		"future":   {registry.RunRequest{From: from, To: to.AddDate(0, 0, 1)}, map[string][]string{"to": {"The period must have ended."}}},
		"others": {registry.RunRequest{From: from, To: to, Currency: "EUR", Mode: "sideways", Minimum: &less}, map[string][]string{
			"currency": {"The ledger is in USD."}, "mode": {"The mode must be bilateral or multilateral."}, "minimum": {"The minimum cannot be negative."},
		}},
	} {
		t.Run(what, func(t *testing.T) {
			_, err := r.RunSettlements(t.Context(), "admin:ada", c.request)
			invalid(t, err, c.fields)
		})
	}
}

func TestReferencesAndReasonsAreNeededAndBounded(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	d := r.issued(t)
	for reference, message := range map[string]string{
		" ": "The reference field is required.", strings.Repeat("é", 256): "The reference must not be greater than 255 characters.",
		"wire\x0042": "The reference has characters that are not text.", "wire\xff42": "The reference has characters that are not text.",
	} {
		_, err := r.PaySettlement(t.Context(), r.seller, d.ID, registry.PayRequest{Reference: reference})
		invalid(t, err, map[string][]string{"reference": {message}})
	}
	for reason, message := range map[string]string{
		"": "The reason field is required.", strings.Repeat("é", 501): "The reason must not be greater than 500 characters.",
		"late\x00": "The reason has characters that are not text.",
	} {
		_, err := r.DisputeSettlement(t.Context(), r.seller, d.ID, registry.DisputeRequest{Reason: reason})
		invalid(t, err, map[string][]string{"reason": {message}})
		_, err = r.ResolveSettlement(t.Context(), "admin:ada", d.ID, registry.Resolution{Status: registry.SettlementIssued, Reason: reason})
		invalid(t, err, map[string][]string{"reason": {message}})
	}
	_, err := r.ResolveSettlement(t.Context(), "admin:ada", d.ID, registry.Resolution{Status: registry.SettlementPaid, Reason: "r"})
	invalid(t, err, map[string][]string{"status": {"The status must be issued or cancelled."}})
	_, err = r.ResolveSettlement(t.Context(), "admin:ada", 99, registry.Resolution{Status: registry.SettlementIssued, Reason: "r"})
	require.Equal(t, registry.ErrSettlementUnknown, err)
}

func TestRoyaltiesOfOnesOwnAndOfNothingAreNeverNetted(t *testing.T) {
	t.Parallel()
	r := newRoom(t, nil)
	r.register(t, nil, "own")
	_, err := r.ReportSale(t.Context(), r.publisher, sale("own"))
	require.NoError(t, err)
	free := sale("own")
	free.RoyaltyAmount = registry.Dollars(0)
	_, err = r.ReportSale(t.Context(), r.seller, free)
	require.NoError(t, err)
	r.now = r.now.AddDate(0, 1, 0)
	run, err := r.RunSettlements(t.Context(), "admin:ada", registry.RunRequest{From: today.AddDate(0, -1, 0), To: r.now})
	require.NoError(t, err)
	require.Zero(t, run.Run.ID)
	require.Empty(t, run.Settlements)
	require.Empty(t, run.Carried)
}
