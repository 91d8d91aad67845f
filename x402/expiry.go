package x402

import (
	"encoding/json"
	"strconv"
	"time"
)

// Expires is when p can no longer move, for one that is accepted at now: when its
// authorization runs out, or else when the requirement's time has passed. It is
// in a year at the latest. Clocks differ: leave a margin.
func (p Payment) Expires(now time.Time) time.Time {
	var payload struct {
		Authorization struct {
			ValidBefore string `json:"validBefore"`
		} `json:"authorization"`
		Permit2 struct {
			Deadline string `json:"deadline"`
		} `json:"permit2Authorization"`
	}
	_ = json.Unmarshal(p.Payload.Payload, &payload) // what is missing stays zero
	at := now.Add(p.Requirements.MaxTimeoutSeconds.Duration())
	latest := now.AddDate(1, 0, 0)
	for _, s := range []string{payload.Authorization.ValidBefore, payload.Permit2.Deadline} {
		if s == "" {
			continue
		}
		t := latest
		if seconds, err := strconv.ParseInt(s, 10, 64); err == nil && seconds < latest.Unix() {
			t = time.Unix(seconds, 0)
		}
		if t.After(at) {
			at = t
		}
	}
	return at
}
