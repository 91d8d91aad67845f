package middleware

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/v402/v402/x402"
)

// problem is the body of a refusal that carries no challenge.
type problem struct {
	Error   x402.Reason `json:"error"`
	Field   string      `json:"field,omitempty"`
	Message string      `json:"message,omitempty"`
}

// errorOutcome is an answer of the guard itself. An empty message becomes the
// reason's description.
func errorOutcome(status int, reason x402.Reason, field, message string) *Outcome {
	if d := reason.Description(); message == "" && d != string(reason) {
		message = d
	}
	body, err := json.Marshal(problem{reason, field, message})
	if err != nil {
		panic(err) // three strings
	}
	o := &Outcome{Status: status, Body: body, Header: http.Header{
		"Content-Type":  jsonType,
		"Cache-Control": noStore,
		"Vary":          varyOn,
	}}
	if status == http.StatusServiceUnavailable {
		o.Header["Retry-After"] = []string{"1"}
	}
	return o
}

// internal is the answer to what is ours to fix.
func internalOutcome() *Outcome {
	return errorOutcome(http.StatusInternalServerError, "Internal Server Error", "", "")
}

// write sends an outcome. replayed marks one that was sent before.
func (g *Guard) write(w http.ResponseWriter, r *http.Request, o *Outcome, replayed bool) {
	h := w.Header()
	sized := len(o.Body) > 0 && r.Method != http.MethodHead
	copied := make([]string, 0, len(o.Header)+4) // an outcome may be sent many times
	for k, v := range o.Header {
		if v == nil {
			delete(h, k)
			continue
		}
		sized = sized && !strings.HasPrefix(k, http.TrailerPrefix) // only a chunked body has trailers
		start := len(copied)
		if k == "Vary" {
			copied = append(copied, h[k]...)
		}
		copied = append(copied, v...)
		h[k] = copied[start:len(copied):len(copied)]
	}
	if replayed {
		h.Set(replayHeader, "true")
	}
	g.cfg.CORS.apply(h, r)
	if sized {
		h["Content-Length"] = []string{strconv.Itoa(len(o.Body))}
	}
	w.WriteHeader(o.Status)
	if len(o.Body) > 0 {
		_, _ = w.Write(o.Body)
	}
}

// changes is what a handler made of the headers that it found: the keys that
// differ, with nil for those that it removed. Headers that others set before
// the handler ran belong to one answer and are not sent again.
func changes(before, after http.Header) http.Header {
	out := http.Header{}
	for k, v := range after {
		if had, ok := before[k]; !ok || !slices.Equal(had, v) {
			out[k] = v
		}
	}
	for k := range before {
		if _, ok := after[k]; !ok {
			out[k] = nil
		}
	}
	return out
}
