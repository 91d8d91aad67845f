package marketplace

import (
	"context"
	"strings"

	"github.com/oklog/ulid/v2"

	"github.com/v402/v402/store"
)

func errCursor() *Error { return Invalid("cursor", "cursor is not one that a list returned.") }

// checkCursor refuses a cursor that no list has returned: it is what look finds.
func checkCursor[T any](ctx context.Context, cursor string, look func(context.Context, string) (T, error)) error {
	if cursor == "" {
		return nil
	}
	_, err := look(ctx, cursor)
	return refusal(err, errCursor(), "look for a cursor")
}

// checkQuoteCursor refuses a cursor that is no ID of a quote. The quote that it is
// of may be forgotten.
func checkQuoteCursor(cursor string) error {
	id, ok := strings.CutPrefix(cursor, quotePrefix)
	if _, err := ulid.ParseStrict(id); cursor != "" && (!ok || err != nil) {
		return errCursor()
	}
	return nil
}

// known finds the wallet of a membership.
func (s *Service) known(ctx context.Context, wallet string) (Membership, error) {
	m, err := s.store.Membership(ctx, wallet)
	if err == nil && m.Status == MembershipNone {
		err = store.ErrNotFound
	}
	return m, err
}

// checkWallet refuses a cursor that is no wallet. The approval that it was of may
// be withdrawn.
func checkWallet(cursor string) error {
	if address, err := wallet("cursor", cursor); cursor != "" && (err != nil || address != cursor) {
		return errCursor()
	}
	return nil
}
