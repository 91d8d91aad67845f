package registry

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/v402/v402/internal/web"
)

// answer is what is answered to a request that was carried out, and to one that
// was refused for a reason other than its fields; then Data is null.
type answer struct {
	Success bool   `json:"success"`
	Message string `json:"message"`
	Data    any    `json:"data"`
	Meta    *meta  `json:"meta,omitempty"` // of a list
}

// meta says where in a list a page is.
type meta struct {
	CurrentPage int   `json:"current_page"`
	LastPage    int   `json:"last_page"`
	PerPage     int   `json:"per_page"`
	Total       int64 `json:"total"`
}

// invalidAnswer lists what was wrong, by field.
type invalidAnswer struct {
	Success bool                `json:"success"`
	Message string              `json:"message"`
	Errors  map[string][]string `json:"errors"`
}

// statusError is a refusal that only HTTP knows.
type statusError struct {
	status  int
	message string
}

func (e *statusError) Error() string { return "registry: " + e.message }

var (
	errUnknownPath = &statusError{http.StatusNotFound, "There is no such path; see GET /api/registry/openapi.yaml"}
	errTooLarge    = &statusError{http.StatusRequestEntityTooLarge, "The request body is too large"}
	errUnreadable  = &statusError{http.StatusBadRequest, "The request body could not be read"}
	errTooMany     = &statusError{http.StatusTooManyRequests, "Too many attempts; try again later"}
)

func unknownPath(http.ResponseWriter, *http.Request) error { return errUnknownPath }

func (a *api) methodNotAllowed(w http.ResponseWriter, _ *http.Request, allowed []string) {
	list := strings.Join(allowed, ", ")
	w.Header().Set("Allow", list)
	a.write(w, http.StatusMethodNotAllowed, answer{Message: "This path answers " + list + " only"})
}

// succeed answers with data.
func (a *api) succeed(w http.ResponseWriter, status int, message string, data any) error {
	a.write(w, status, answer{Success: true, Message: message, Data: data})
	return nil
}

// page answers with one page of a list, each entry shown as view makes it.
func page[T, V any](a *api, w http.ResponseWriter, message string, l List[T], view func(T) V) error {
	a.write(w, http.StatusOK, answer{Success: true, Message: message, Data: views(l.Items, view), Meta: metaOf(l)})
	return nil
}

func metaOf[T any](l List[T]) *meta {
	return &meta{CurrentPage: l.Page, LastPage: l.LastPage(), PerPage: l.PerPage, Total: l.Total}
}

// views is never nil: an empty list is [] in JSON.
func views[T, V any](items []T, view func(T) V) []V {
	out := make([]V, len(items))
	for i, item := range items {
		out[i] = view(item)
	}
	return out
}

// refuse answers an error, and logs it if it is ours to mend: its cause is no
// business of the client.
func (a *api) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var invalid *ValidationError
	var refused *Error
	var status *statusError
	switch {
	case errors.As(err, &invalid):
		a.write(w, http.StatusUnprocessableEntity, invalidAnswer{Message: "Validation failed", Errors: invalid.Fields})
	case errors.As(err, &refused):
		if refused == ErrAdminRequired {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		a.write(w, refused.Kind.status(), answer{Message: refused.Message})
	case errors.As(err, &status):
		a.write(w, status.status, answer{Message: status.message})
	default:
		if r.Context().Err() == nil || !errors.Is(err, context.Canceled) {
			a.log.Error("registry: request failed", "route", r.Pattern, "error", err) // a path may have an e-mail
		}
		a.write(w, http.StatusInternalServerError, answer{Message: "Internal server error"})
	}
}

func (k Kind) status() int {
	switch k {
	case Unauthorized:
		return http.StatusUnauthorized
	case Forbidden:
		return http.StatusForbidden
	case NotFound:
		return http.StatusNotFound
	default:
		return http.StatusBadRequest
	}
}

func (a *api) write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Cache-Control", "no-store")
	if err := web.JSON(w, status, v); err != nil {
		a.log.Error("registry: answer not encoded", "error", err)
		http.Error(w, `{"success":false,"message":"Internal server error","data":null}`, http.StatusInternalServerError)
	}
}

// stamp is a time as the API shows it: RFC 3339 in UTC, in whole seconds; null
// if zero.
type stamp time.Time

// MarshalJSON implements json.Marshaler.
func (s stamp) MarshalJSON() ([]byte, error) {
	t := time.Time(s)
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.UTC().Truncate(time.Second).MarshalJSON()
}

// String is s for a CSV cell; empty if zero.
func (s stamp) String() string {
	if t := time.Time(s); !t.IsZero() {
		return t.UTC().Format(time.RFC3339)
	}
	return ""
}

// orNull is nil, which is null in JSON, for the zero value.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
