package payer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/v402/v402/x402"
)

// fileHeader is the first line of a ledger file.
const fileHeader = `{"ledger":"v402/payer","version":1}`

// ErrDamaged is returned for a ledger file that cannot be read.
var ErrDamaged = errors.New("payer: damaged ledger file")

// record is a spending as it stands in a line of a ledger file. The last line
// of an ID holds.
type record struct {
	ID          string          `json:"id"`
	Fingerprint string          `json:"fingerprint,omitempty"`
	Host        string          `json:"host"`
	Network     x402.Network    `json:"network"`
	Asset       string          `json:"asset"`
	Amount      x402.Amount     `json:"amount"`
	Currency    string          `json:"currency"`
	Value       x402.Amount     `json:"value"`
	PayTo       string          `json:"payTo"`
	Resource    string          `json:"resource,omitempty"`
	State       State           `json:"state"`
	Payload     json.RawMessage `json:"payload,omitempty"`
	Transaction string          `json:"transaction,omitempty"`
	CreatedAt   time.Time       `json:"createdAt"`
	ExpiresAt   time.Time       `json:"expiresAt"`
}

// encodeSpending is the line of s, with its end.
func encodeSpending(s Spending) ([]byte, error) {
	j, err := json.Marshal(record(s))
	if err != nil {
		return nil, fmt.Errorf("payer: writing spending %q: %w", s.ID, err)
	}
	return append(j, '\n'), nil
}

// decodeLedger reads a ledger file. The last line may be torn, by a crash while
// it was written: then it is left out. lines is the number of spendings' lines.
func decodeLedger(data []byte) (b book, lines int, torn bool, err error) {
	head, rest, ok := bytes.Cut(data, []byte{'\n'})
	if !ok || string(head) != fileHeader {
		return book{}, 0, false, fmt.Errorf("%w: the first line is not %s", ErrDamaged, fileHeader)
	}
	for len(rest) > 0 {
		var l []byte
		var ended bool
		l, rest, ended = bytes.Cut(rest, []byte{'\n'})
		if len(rest) == 0 && (!ended || bytes.IndexByte(l, 0) >= 0) {
			return b, lines, true, nil // unfinished, or never filled by the file system
		}
		s, err := decodeSpending(l)
		if err != nil {
			return book{}, 0, false, fmt.Errorf("%w: line %d: %w", ErrDamaged, lines+2, err)
		}
		b.put(s)
		lines++
	}
	return b, lines, false, nil
}

func decodeSpending(l []byte) (Spending, error) {
	var r record
	if err := json.Unmarshal(l, &r); err != nil {
		return Spending{}, err
	}
	s := Spending(r)
	switch {
	case s.ID == "":
		return Spending{}, errors.New("no id")
	case s.State != Reserved && s.State != Paid && s.State != Released && s.State != Unknown:
		return Spending{}, fmt.Errorf("unknown state %q", clip(string(s.State)))
	}
	if _, err := valueOf(s); err != nil {
		return Spending{}, err
	}
	return s, nil
}
