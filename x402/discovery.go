package x402

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// DiscoveredResource is something for sale that a facilitator knows of: an entry
// of GET /discovery/resources and GET /discovery/search.
type DiscoveredResource struct {
	Resource    string                     `json:"resource"` // URL, or the name of a tool
	Type        string                     `json:"type"`     // "http" or "mcp"
	Version     int                        `json:"x402Version"`
	Accepts     []PaymentRequirements      `json:"accepts"`
	LastUpdated time.Time                  `json:"lastUpdated"`
	Description string                     `json:"description,omitempty"`
	MimeType    string                     `json:"mimeType,omitempty"`
	ServiceName string                     `json:"serviceName,omitempty"`
	Tags        []string                   `json:"tags,omitempty"`
	IconURL     string                     `json:"iconUrl,omitempty"`
	Extensions  map[string]json.RawMessage `json:"extensions,omitempty"`
	Metadata    json.RawMessage            `json:"metadata,omitempty"`
	Unknown     Unknown                    `json:"-"`
}

// discoveredWire is DiscoveredResource with the offers in the form of its version.
type discoveredWire struct {
	Resource    string                     `json:"resource"`
	Type        string                     `json:"type"`
	Version     int                        `json:"x402Version"`
	Accepts     []json.RawMessage          `json:"accepts"`
	LastUpdated moment                     `json:"lastUpdated"`
	Description string                     `json:"description,omitempty"`
	MimeType    string                     `json:"mimeType,omitempty"`
	ServiceName string                     `json:"serviceName,omitempty"`
	Tags        []string                   `json:"tags,omitempty"`
	IconURL     string                     `json:"iconUrl,omitempty"`
	Extensions  map[string]json.RawMessage `json:"extensions,omitempty"`
	Metadata    json.RawMessage            `json:"metadata,omitempty"`
}

// MarshalJSON writes the offers in the form of r.Version (v2 if it is zero).
func (r DiscoveredResource) MarshalJSON() ([]byte, error) {
	w := discoveredWire{r.Resource, r.Type, r.Version, make([]json.RawMessage, len(r.Accepts)), moment{r.LastUpdated},
		r.Description, r.MimeType, r.ServiceName, r.Tags, r.IconURL, r.Extensions, r.Metadata}
	if w.Version == 0 {
		w.Version = V2
	}
	for i, offer := range r.Accepts {
		var err error
		if w.Version == V1 {
			w.Accepts[i], err = offer.MarshalV1(ResourceInfo{URL: r.Resource, Description: r.Description, MimeType: r.MimeType})
		} else {
			w.Accepts[i], err = offer.MarshalJSON()
		}
		if err != nil {
			return nil, err
		}
	}
	return encodeObject(&w, r.Unknown)
}

// UnmarshalJSON reads the offers in the form of the entry's x402Version. Where
// only those of v1 describe the resource, their description is taken.
func (r *DiscoveredResource) UnmarshalJSON(data []byte) error {
	var w discoveredWire
	unknown, err := DecodeObject(data, &w)
	if err != nil {
		return err
	}
	if w.Version != V1 && w.Version != V2 {
		return Refuse(ReasonInvalidVersion, "x402Version", fmt.Sprintf("%d is not 1 or 2", w.Version))
	}
	v := DiscoveredResource{w.Resource, w.Type, w.Version, make([]PaymentRequirements, len(w.Accepts)), w.LastUpdated.Time,
		w.Description, w.MimeType, w.ServiceName, w.Tags, w.IconURL, w.Extensions, w.Metadata, unknown}
	for i, raw := range w.Accepts {
		var info ResourceInfo
		if w.Version == V1 {
			v.Accepts[i], info, err = UnmarshalRequirementsV1(raw)
		} else {
			err = v.Accepts[i].UnmarshalJSON(raw)
		}
		if err != nil {
			return memberError(fmt.Sprintf("accepts[%d]", i), err)
		}
		if v.Description == "" {
			v.Description = info.Description
		}
		if v.MimeType == "" {
			v.MimeType = info.MimeType
		}
	}
	*r = v
	return nil
}

// DiscoveryPage is a facilitator's answer to GET /discovery/resources.
type DiscoveryPage struct {
	Version    int                  `json:"x402Version"`
	Items      []DiscoveredResource `json:"items"`
	Pagination Pagination           `json:"pagination"`
	Unknown    Unknown              `json:"-"`
}

// Pagination says which part of a list a [DiscoveryPage] is.
type Pagination struct {
	Limit  int `json:"limit"`
	Offset int `json:"offset"`
	Total  int `json:"total"`
}

// MarshalJSON implements [json.Marshaler]; the list is never null.
func (p DiscoveryPage) MarshalJSON() ([]byte, error) {
	if p.Version == 0 {
		p.Version = V2
	}
	if p.Items == nil {
		p.Items = []DiscoveredResource{}
	}
	return encodeObject(&p, p.Unknown)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (p *DiscoveryPage) UnmarshalJSON(data []byte) error {
	var v DiscoveryPage
	unknown, err := DecodeObject(data, &v)
	if err != nil {
		return err
	}
	v.Unknown = unknown
	*p = v
	return nil
}

// SearchPage is a facilitator's answer to GET /discovery/search.
type SearchPage struct {
	Version        int                  `json:"x402Version"`
	Resources      []DiscoveredResource `json:"resources"`
	PartialResults bool                 `json:"partialResults,omitempty"` // some sources did not answer in time
	Pagination     *Cursor              `json:"pagination,omitempty"`     // nil where all fits one page
	Unknown        Unknown              `json:"-"`
}

// Cursor says where the next [SearchPage] begins; "" is the end.
type Cursor struct {
	Limit  int    `json:"limit"`
	Cursor string `json:"cursor"`
}

// MarshalJSON implements [json.Marshaler]; the list is never null.
func (p SearchPage) MarshalJSON() ([]byte, error) {
	if p.Version == 0 {
		p.Version = V2
	}
	if p.Resources == nil {
		p.Resources = []DiscoveredResource{}
	}
	return encodeObject(&p, p.Unknown)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (p *SearchPage) UnmarshalJSON(data []byte) error {
	var v SearchPage
	unknown, err := DecodeObject(data, &v)
	if err != nil {
		return err
	}
	v.Unknown = unknown
	*p = v
	return nil
}

// moment is a time that facilitators write as RFC 3339, or as unix seconds or
// milliseconds. It is written as RFC 3339 in UTC.
type moment struct{ time.Time }

// firstMillis tells milliseconds from seconds: as seconds it is in the year 5138.
const firstMillis = 100_000_000_000

func (m moment) MarshalJSON() ([]byte, error) {
	return []byte(m.UTC().Format(`"2006-01-02T15:04:05.999Z07:00"`)), nil
}

func (m *moment) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		return m.Time.UnmarshalJSON(data)
	}
	n, err := strconv.ParseInt(string(data), 10, 64)
	switch {
	case err != nil || n < 0:
		return fmt.Errorf("not a time: RFC 3339 or unix seconds are needed")
	case n >= firstMillis:
		m.Time = time.UnixMilli(n).UTC()
	default:
		m.Time = time.Unix(n, 0).UTC()
	}
	return nil
}
