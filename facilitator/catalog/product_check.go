package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/v402/v402/internal/web/v402api"
	"github.com/v402/v402/x402"
)

// Bounds of a product's fields, in characters where nothing else is said.
const (
	maxTitle       = 500
	maxDescription = 5000
	maxContentURL  = 1000
	maxThumbnail   = 500
	maxShort       = 100 // category, content type, content hash
	maxSlug        = 200
	maxTags        = 20
	maxTag         = 50
	maxChains      = 50
	maxCurrency    = 20
	maxDuration    = int64(100 * 365 * 24 * time.Hour / time.Second)
	maxAccesses    = 1_000_000_000
)

var (
	mediaType  = regexp.MustCompile(`^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+$`)
	slugSyntax = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	integer    = regexp.MustCompile(`^-?[0-9]+$`)
)

// apply makes the changes of u to p, but for the status, and returns what is
// wrong with them.
func (s *Service) apply(u *ProductUpdate, p *Product) v402api.Faults {
	var f v402api.Faults
	for _, t := range []struct {
		name string
		from *string
		to   *string
		most int
	}{
		{"description", u.Description, &p.Description, maxDescription},
		{"category", u.Category, &p.Category, maxShort},
		{"content_hash", u.ContentHash, &p.ContentHash, maxShort},
		{"preview_content", u.Preview, &p.Preview, maxDescription},
	} {
		if t.from != nil {
			f.Text(t.name, *t.from, t.most)
			*t.to = *t.from
		}
	}
	p.Category = strings.TrimSpace(p.Category)
	applyTitle(&f, u, p)
	applyURLs(&f, u, p)
	applyKind(&f, u, p)
	applyTags(&f, u, p)
	applyAccess(&f, u, p)
	s.applyPrice(&f, u, p)
	return f
}

func applyTitle(f *v402api.Faults, u *ProductUpdate, p *Product) {
	if u.Title != nil {
		f.Required("title", *u.Title, maxTitle)
		p.Title = strings.TrimSpace(*u.Title)
	}
	if u.Slug != nil {
		f.Text("slug", *u.Slug, maxSlug)
		if *u.Slug != "" && !slugSyntax.MatchString(*u.Slug) {
			f.Add("slug", v402api.InvalidFormat, "slug must consist of lower-case letters, digits and single hyphens")
		}
		p.Slug = *u.Slug
	}
}

func applyURLs(f *v402api.Faults, u *ProductUpdate, p *Product) {
	if u.ContentURL != nil {
		f.Required("content_url", *u.ContentURL, maxContentURL)
		f.WebURL("content_url", *u.ContentURL, maxContentURL)
		p.ContentURL = *u.ContentURL
	}
	if u.Thumbnail != nil {
		f.WebURL("thumbnail_url", *u.Thumbnail, maxThumbnail)
		p.Thumbnail = *u.Thumbnail
	}
	if u.QuoteURL != nil {
		f.WebURL("quote_url", *u.QuoteURL, maxContentURL)
		p.QuoteURL = *u.QuoteURL
	}
}

func applyKind(f *v402api.Faults, u *ProductUpdate, p *Product) {
	if u.Type != nil {
		v402api.Enum(f, "type", *u.Type, productTypes...)
		p.Type = *u.Type
	}
	if u.Status != nil {
		v402api.Enum(f, "status", *u.Status, ProductDraft, ProductActive, ProductInactive, ProductArchived)
	}
	if u.ContentType != nil {
		f.Text("content_type", *u.ContentType, maxShort)
		if *u.ContentType != "" && !mediaType.MatchString(*u.ContentType) {
			f.Add("content_type", v402api.InvalidFormat, "content_type must be of the form type/subtype")
		}
		p.ContentType = *u.ContentType
	}
}

func applyTags(f *v402api.Faults, u *ProductUpdate, p *Product) {
	if u.Tags == nil {
		return
	}
	if len(*u.Tags) > maxTags {
		f.Add("tags", v402api.TooLong, fmt.Sprintf("tags must have at most %d entries", maxTags))
		return
	}
	p.Tags = nil
	for i, tag := range *u.Tags {
		f.Required(fmt.Sprintf("tags.%d", i), tag, maxTag)
		if tag = strings.TrimSpace(tag); !slices.Contains(p.Tags, tag) {
			p.Tags = append(p.Tags, tag)
		}
	}
}

func applyAccess(f *v402api.Faults, u *ProductUpdate, p *Product) {
	if u.AccessDuration != nil {
		f.Between("access_duration", *u.AccessDuration, 0, maxDuration)
		p.AccessDuration = seconds(min(*u.AccessDuration, maxDuration))
	}
	if u.MaxAccesses != nil {
		f.Between("max_access_count", *u.MaxAccesses, 0, maxAccesses)
		p.MaxAccesses = *u.MaxAccesses
	}
}

// applyPrice checks price, currency, scheme and chains against each other if one
// of them changes.
func (s *Service) applyPrice(f *v402api.Faults, u *ProductUpdate, p *Product) {
	if u.Scheme != nil {
		v402api.Enum(f, "payment_scheme", *u.Scheme, schemes...)
		p.Scheme = *u.Scheme
	}
	if u.Price != nil {
		p.Price = parsePrice(f, *u.Price, p.Scheme)
	}
	if (u.Price != nil || u.Scheme != nil) && !f.Has("price") {
		checkPrice(f, p)
	}
	if u.Currency != nil {
		f.Text("currency", *u.Currency, maxCurrency)
		p.Currency = strings.ToUpper(*u.Currency)
		if _, known := s.coins.unit(p.Currency); !known {
			f.Add("currency", v402api.InvalidEnum, "currency must be one that is accepted here; see GET /api/v1/clients/chains")
		}
	}
	if u.Chains != nil {
		p.Chains = s.parseChains(f, *u.Chains)
	}
	if (u.Chains != nil || u.Currency != nil) && !f.Has("currency") {
		for _, n := range p.Chains {
			if _, ok := s.coins.find(n, p.Currency); !ok {
				f.Add("chains", v402api.InvalidEnum, fmt.Sprintf("%s is not accepted on %s", p.Currency, ChainName(n)))
			}
		}
	}
}

// parsePrice reads a price; that of a free product may be missing.
func parsePrice(f *v402api.Faults, price Price, scheme Scheme) x402.Amount {
	const most = 78 // digits of 2^256-1
	switch text := string(price); {
	case text == "" && scheme == SchemeFree:
	case text == "":
		f.Add("price", v402api.Required, "price is required")
	case strings.HasPrefix(text, "-") && integer.MatchString(text):
		f.Add("price", v402api.AmountTooLow, "Invalid payment amount: price must not be negative")
	case len(text) > most && integer.MatchString(text):
		f.Add("price", v402api.AmountTooHigh, "Invalid payment amount: price must be below 2^256")
	default:
		amount, err := x402.ParseAtomic(text)
		switch {
		case err == nil:
			return amount
		case len(text) == most && integer.MatchString(text):
			f.Add("price", v402api.AmountTooHigh, "Invalid payment amount: price must be below 2^256")
		default:
			f.Add("price", v402api.InvalidFormat, "price must be a whole number of the smallest unit, in decimal digits without sign, point or leading zeros")
		}
	}
	return x402.Amount{}
}

func checkPrice(f *v402api.Faults, p *Product) {
	switch {
	case p.Scheme == SchemeExact && p.Price.IsZero():
		f.Add("price", v402api.AmountTooLow, "Invalid payment amount: price must be above 0; what is free has the payment_scheme free")
	case p.Scheme == SchemeFree && !p.Price.IsZero():
		f.Add("price", v402api.AmountTooHigh, "Invalid payment amount: the price of a free product is 0")
	}
}

func (s *Service) parseChains(f *v402api.Faults, names []string) []x402.Network {
	if len(names) > maxChains {
		f.Add("chains", v402api.TooLong, fmt.Sprintf("chains must have at most %d entries", maxChains))
		return nil
	}
	var list []x402.Network
	for i, name := range names {
		n, err := ParseChain(name)
		if err != nil || !slices.Contains(s.networks, n) {
			f.Add(fmt.Sprintf("chains.%d", i), v402api.InvalidEnum, "this chain is not supported here")
		} else if !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}
