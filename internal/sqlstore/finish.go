package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/store"
)

// FinishSettlements implements [facilitator.Journal].
func (s *DB) FinishSettlements(ctx context.Context, outcomes []facilitator.Outcome) ([]bool, error) {
	for i := range outcomes {
		if err := checkOutcome(&outcomes[i]); err != nil {
			return nil, s.errorf("finish settlement %s: %w", outcomes[i].ID, err)
		}
	}
	changed := make([]bool, len(outcomes))
	if len(outcomes) == 0 {
		return changed, nil
	}
	rounds := roundsOf(outcomes)
	err := s.change(ctx, func(ctx context.Context, tx querier) error {
		clear(changed)
		var events []store.Event
		for _, round := range rounds {
			if err := s.finishRound(ctx, tx, outcomes, round, changed); err != nil {
				return err
			}
		}
		for i := range outcomes {
			if changed[i] && outcomes[i].Event != nil {
				events = append(events, *outcomes[i].Event)
			}
		}
		return s.saveEvents(ctx, tx, events)
	})
	if err != nil {
		return nil, s.errorf("finish settlements: %w", err)
	}
	return changed, nil
}

func checkOutcome(o *facilitator.Outcome) error {
	switch o.State {
	case facilitator.Reserved, facilitator.Unknown, facilitator.Confirmed, facilitator.Failed:
		_, err := number("block", o.Block)
		return err
	default:
		return fmt.Errorf("%q is not an outcome", o.State)
	}
}

// roundsOf orders the outcomes by ID, which is the order of locking. Each round
// has one of an ID at most: the second news of a settlement is for the next.
func roundsOf(outcomes []facilitator.Outcome) [][]int {
	order := make([]int, len(outcomes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(outcomes[a].ID, outcomes[b].ID) })
	var rounds [][]int
	nth := 0
	for i, index := range order {
		if i > 0 && outcomes[order[i-1]].ID == outcomes[index].ID {
			nth++
		} else {
			nth = 0
		}
		if nth == len(rounds) {
			rounds = append(rounds, nil)
		}
		rounds[nth] = append(rounds[nth], index)
	}
	return rounds
}

// finishRound applies the outcomes with the indexes of round, and sets changed
// of those that did something.
func (s *DB) finishRound(ctx context.Context, tx querier, outcomes []facilitator.Outcome, round []int, changed []bool) error {
	if err := s.lockSettlements(ctx, tx, outcomes, round); err != nil {
		return err
	}
	done := make(map[string]bool, len(round))
	for run := range pieces(round, s.rows) {
		args := []any{micros(now())}
		for _, i := range run {
			o := &outcomes[i]
			args = append(args, o.ID, string(o.State), o.Transaction, int64(o.Block), string(o.Reason), o.Message)
		}
		ids, err := all(ctx, tx, column[string], finishQuery(len(run)), args...)
		if err != nil {
			return err
		}
		for _, id := range ids {
			done[id] = true
		}
	}
	for _, i := range round {
		changed[i] = done[outcomes[i].ID]
	}
	return nil
}

// finishQuery applies outcomes that change something to what is not final, and
// returns the IDs. It takes the time, then the values of rows outcomes. An empty
// hash leaves the hash as it is; a settlement that is reserved again has no
// relayer.
func finishQuery(rows int) string {
	return fromValues(2, rows, value{"v_id", "TEXT"}, value{"v_state", "TEXT"}, value{"v_hash", "TEXT"},
		value{"v_block", "BIGINT"}, value{"v_reason", "TEXT"}, value{"v_message", "TEXT"}) +
		`UPDATE v402_settlements SET state = v_state, block = v_block, reason = v_reason, message = v_message,
			tx_hash = CASE WHEN v_hash = '' THEN tx_hash ELSE v_hash END,
			relayer = CASE WHEN v_state = 'reserved' THEN '' ELSE relayer END,
			nonce = CASE WHEN v_state = 'reserved' THEN NULL ELSE nonce END, updated_at = $1
		FROM v WHERE id = v_id AND ` + unfinished + `
			AND NOT (state = v_state AND v_hash IN ('', tx_hash) AND block = v_block AND reason = v_reason AND message = v_message)
		RETURNING id`
}

// lockSettlements locks the rows of round by ID, as everybody does, so that
// two calls cannot wait for each other.
func (s *DB) lockSettlements(ctx context.Context, tx querier, outcomes []facilitator.Outcome, round []int) error {
	if s.lock == "" {
		return nil
	}
	for run := range pieces(round, s.names) {
		args := make([]any, len(run))
		for i, index := range run {
			args[i] = outcomes[index].ID
		}
		query := "SELECT id FROM v402_settlements WHERE id IN " + list(1, len(run)) + " ORDER BY id" + s.lock
		if _, err := all(ctx, tx, column[string], query, args...); err != nil {
			return err
		}
	}
	return nil
}
