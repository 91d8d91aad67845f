package marketplace

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/v402/v402/store"
)

// EventOwner is the owner of the issuer that may be told of an event; empty if
// there is none, or the event is not one of [Events]. What happens to a membership
// is told to the issuer whose quote brought it.
func (s *Service) EventOwner(ctx context.Context, e store.Event) (string, error) {
	if !slices.Contains(Events, e.Type) {
		return "", nil
	}
	id, err := s.eventIssuer(ctx, e)
	if err != nil || id == "" {
		return "", refusal(err, nil, "look for the quote of an event")
	}
	i, err := s.store.Issuer(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return i.OwnerID, refusal(err, nil, "look for the issuer of an event")
}

func (s *Service) eventIssuer(ctx context.Context, e store.Event) (string, error) {
	if id := EventIssuer(e); id != "" {
		return id, nil
	}
	var data struct {
		QuoteID string `json:"quote_id"`
	}
	if json.Unmarshal(e.Data, &data) != nil || data.QuoteID == "" {
		return "", nil
	}
	q, err := s.store.CheckoutQuote(ctx, data.QuoteID)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return q.IssuerID, err
}
