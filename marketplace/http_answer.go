package marketplace

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/v402/v402/internal/web"
)

// refusedAnswer is what a refusal looks like. The first two members are those of
// the first version of the API.
type refusedAnswer struct {
	Error         Code           `json:"error"`
	Message       string         `json:"message"`
	Code          Code           `json:"code"`
	CorrelationID string         `json:"correlation_id"`
	Details       *refusedDetail `json:"details,omitempty"`
}

// refusedDetail says more, where there is more to say.
type refusedDetail struct {
	Field     string `json:"field,omitempty"`
	Retryable bool   `json:"retryable,omitempty"` // the same request may succeed later
}

// refuse answers an error, and logs it if it is ours to mend: its cause is no
// business of the client.
func (s *Service) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var refused *Error
	if !errors.As(err, &refused) {
		refused = &Error{Code: CodeInternal, Message: "Something went wrong on our side."}
	}
	id := "req_" + ulid.Make().String()
	status := refused.Code.Status()
	if status >= http.StatusInternalServerError && (r.Context().Err() == nil || !errors.Is(err, context.Canceled)) {
		s.log.ErrorContext(r.Context(), "marketplace: request failed", "correlation_id", id, "method", r.Method, "path", r.URL.Path, "error", err)
	}
	answer := refusedAnswer{Error: refused.Code, Message: refused.Message, Code: refused.Code, CorrelationID: id}
	if d := (refusedDetail{refused.Field, refused.RetryAfter > 0}); d != (refusedDetail{}) {
		answer.Details = &d
	}
	if refused.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((refused.RetryAfter+time.Second-1)/time.Second)))
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.Header().Set("X-Correlation-Id", id)
	s.write(w, status, answer)
}

func (a *api) methodNotAllowed(w http.ResponseWriter, r *http.Request, allowed []string) {
	list := strings.Join(allowed, ", ")
	w.Header().Set("Allow", list)
	a.refuse(w, r, &Error{Code: codeMethodNotAllowed, Message: "This path answers " + list + " only."})
}

// succeed answers with v.
func (a *api) succeed(w http.ResponseWriter, v any) error {
	a.write(w, http.StatusOK, v)
	return nil
}

func (s *Service) write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Cache-Control", "no-store")
	if err := web.JSON(w, status, v); err != nil {
		s.log.Error("marketplace: answer not encoded", "error", err)
		http.Error(w, `{"error":"internal_error","message":"Something went wrong on our side.","code":"internal_error"}`, http.StatusInternalServerError)
	}
}

// views is never nil: an empty list is [] in JSON.
func views[T, V any](items []T, view func(T) V) []V {
	out := make([]V, len(items))
	for i, item := range items {
		out[i] = view(item)
	}
	return out
}

// stamp is a time as the API shows it: RFC 3339 in UTC, in whole seconds.
type stamp time.Time

// MarshalJSON implements json.Marshaler.
func (s stamp) MarshalJSON() ([]byte, error) {
	return time.Time(s).UTC().Truncate(time.Second).MarshalJSON()
}

// optionalStamp is a time that is left out, or null, where there is none.
func optionalStamp(t time.Time) *stamp {
	if t.IsZero() {
		return nil
	}
	s := stamp(t)
	return &s
}
