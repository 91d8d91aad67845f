package catalog

import (
	"time"

	"github.com/v402/v402/internal/web/v402api"
)

// become moves p to another status and returns the type of the event that tells
// of it, or "" if p was there already.
func (p *Product) become(to ProductStatus, now time.Time) (event string, err error) {
	switch from := p.Status; {
	case from == ProductDeleted:
		return "", ErrProductDeleted
	case from == to:
		return "", nil
	case to == ProductActive && (from == ProductDraft || from == ProductInactive):
		if err := p.publishable(); err != nil {
			return "", err
		}
		if p.PublishedAt.IsZero() {
			p.PublishedAt = now
		}
		event = EventProductPublished
	case to == ProductInactive && from == ProductActive:
		event = EventProductUnpublished
	case to == ProductArchived && (from == ProductActive || from == ProductInactive):
		event = EventProductArchived
	case to == ProductDeleted:
		p.DeletedAt = now
		event = EventProductDeleted
	default:
		return "", ErrProductState
	}
	p.Status = to
	return event, nil
}

// publishable says whether p may be sold as it is.
func (p *Product) publishable() error {
	if p.Moderation.Rejected {
		return ErrProductRejected
	}
	var f v402api.Faults
	f.Required("title", p.Title, maxTitle)
	f.Required("content_url", p.ContentURL, maxContentURL)
	f.WebURL("content_url", p.ContentURL, maxContentURL)
	checkPrice(&f, p)
	return f.Err()
}
