package payer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/v402/v402/x402"
)

// maxChallengeBody bounds how much of a 402's body is read, in bytes.
const maxChallengeBody = 256 << 10

// challenge is what a 402 asks for, in either version.
type challenge struct {
	version    int
	error      string
	resource   x402.ResourceInfo
	extensions map[string]json.RawMessage
	entries    []entry
}

// entry is one of the challenge's offers, or why it cannot be read.
type entry struct {
	requirements x402.PaymentRequirements
	err          error
}

// readChallenge reads the challenge of a 402: the header of v2, or else a JSON
// body of v1 (as the official clients detect them). The body stays readable.
// It returns nil where there is no challenge that can be read.
func readChallenge(resp *http.Response) (*challenge, error) {
	if values := resp.Header.Values(x402.HeaderPaymentRequired); len(values) > 0 {
		var doc json.RawMessage
		err := x402.DecodeHeader(values[0], &doc)
		if err == nil && len(values) > 1 {
			err = errors.New("the header stands there more than once")
		}
		var c *challenge
		if err == nil {
			c, err = decodeChallenge(doc)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", x402.HeaderPaymentRequired, err)
		}
		return c, nil
	}
	body, err := peek(resp, maxChallengeBody)
	if err != nil {
		return nil, err
	}
	c, err := decodeChallenge(body)
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	if c.version != x402.V1 {
		return nil, errors.New("body: only version 1 is read from the body")
	}
	return c, nil
}

// decodeChallenge reads a PaymentRequired document. An offer that cannot be
// read does not spoil the others.
func decodeChallenge(doc []byte) (*challenge, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(doc, &members); err != nil {
		return nil, err
	}
	accepts, ok := members["accepts"]
	if !ok {
		return nil, errors.New("no accepts")
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(accepts, &raw); err != nil {
		return nil, fmt.Errorf("accepts: %w", err)
	}
	members["accepts"] = json.RawMessage("[]")
	rest, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	var required x402.PaymentRequired
	if err := json.Unmarshal(rest, &required); err != nil {
		return nil, err
	}
	c := &challenge{
		version: required.Version, error: required.Error,
		resource: required.Resource, extensions: required.Extensions,
	}
	for _, j := range raw {
		var e entry
		if c.version == x402.V1 {
			e.requirements, _, e.err = x402.UnmarshalRequirementsV1(j)
		} else {
			e.err = json.Unmarshal(j, &e.requirements)
		}
		if e.err != nil {
			e = entry{err: fmt.Errorf("cannot be read: %w", e.err)}
		}
		c.entries = append(c.entries, e)
	}
	return c, nil
}

// peek reads the body of resp and puts it back. It returns an error, with the
// body still readable from its beginning, if there is more than limit.
func peek(resp *http.Response, limit int64) ([]byte, error) {
	head, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	rest := io.Reader(resp.Body)
	if err != nil {
		rest = failing{err}
	}
	resp.Body = &joined{io.MultiReader(bytes.NewReader(head), rest), resp.Body}
	switch {
	case err != nil:
		return nil, err
	case int64(len(head)) > limit:
		return nil, fmt.Errorf("body of more than %d bytes", limit)
	}
	return head, nil
}

// joined is a body of which a part was read already.
type joined struct {
	io.Reader
	io.Closer
}

// failing is the rest of a body that broke off.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// discard ends a response so that its connection can be used again, unless its
// body is long or slow.
func discard(resp *http.Response) {
	t := time.AfterFunc(time.Second, func() { _ = resp.Body.Close() })
	defer t.Stop()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // a broken body is closed all the same
	_ = resp.Body.Close()
}
