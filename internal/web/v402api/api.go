package v402api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/v402/v402/internal/web"
	"github.com/v402/v402/store"
)

// API makes http.Handlers of handlers that return errors.
type API struct {
	Logger *slog.Logger     // slog.Default() if nil
	Now    func() time.Time // time.Now if nil
	Limits *Limits          // nil limits nothing
}

// HandlerFunc serves a request, or writes nothing and returns an error.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// Func serves requests with h, unlimited.
func (a *API) Func(h HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		allowOrigins(w.Header())
		if err := h(w, r); err != nil {
			a.Refuse(w, r, err)
		}
	})
}

// Public serves whoever asks, as often as class grants to a client address.
func (a *API) Public(class Class, h HandlerFunc) http.Handler {
	return a.Func(func(w http.ResponseWriter, r *http.Request) error {
		if err := a.Admit(w, r, class, ""); err != nil {
			return err
		}
		return h(w, r)
	})
}

// maxGuarded is how much of a body [Guard] receives first, in bytes.
const maxGuarded = 64 << 10

// Guard serves whom identify admits, as often as class grants to the user with
// the ID, or to the client's address if there is none. Who is refused is counted
// by address too: guessing is limited.
func Guard[U any](a *API, class Class, identify func(*http.Request) (u U, id string, err error),
	h func(http.ResponseWriter, *http.Request, U) error) http.Handler {
	return a.Func(func(w http.ResponseWriter, r *http.Request) error {
		Receive(r, maxGuarded)
		u, id, err := identify(r)
		of := class
		if err != nil || id == "" {
			of, id = Anonymous, ""
		}
		if limited := a.Admit(w, r, of, id); limited != nil {
			return limited
		}
		if err != nil {
			return err
		}
		return h(w, r, u)
	})
}

// Admit counts a request of a user, or of the client's address if user is empty,
// and sets the X-RateLimit headers. It refuses what is above the limit.
func (a *API) Admit(w http.ResponseWriter, r *http.Request, class Class, user string) error {
	if a.Limits == nil {
		return nil
	}
	return a.Limits.admit(w.Header(), r, class, user, a.now())
}

// errorBody is the form of every error.
type errorBody struct {
	Error     Code    `json:"error"`
	Message   string  `json:"message"`
	Details   details `json:"details"`
	Timestamp Time    `json:"timestamp"`
}

// Refuse answers an error. One that is no [Error] is ours to mend: it is logged,
// and no business of the client.
func (a *API) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	var refused *Error
	if !errors.As(err, &refused) {
		if r.Context().Err() == nil || !errors.Is(err, context.Canceled) {
			a.log().Error("v402: request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		}
		refused = &Error{Code: Internal, Message: "Internal server error"}
	} else if refused.Err != nil && refused.Code.Status() >= http.StatusInternalServerError {
		a.log().Error("v402: request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	h := w.Header()
	switch refused.Code.Status() {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	case http.StatusTooManyRequests:
		if seconds, ok := refused.Details[retryAfter]; ok {
			h.Set("Retry-After", fmt.Sprint(seconds))
		}
	}
	h.Set("Cache-Control", "no-store")
	body := errorBody{refused.Code, refused.Message, detailsOf(refused), Time(a.now())}
	if err := JSON(w, refused.Code.Status(), body); err != nil {
		a.log().Error("v402: answer not encoded", "error", err)
		http.Error(w, `{"error":"INTERNAL_ERROR","message":"Internal server error","details":{}}`, http.StatusInternalServerError)
	}
}

// details are field and code of the first fault, all faults if there are more,
// and what the error adds, by name: in that order, which the documentation shows.
type details []detail

type detail struct {
	name  string
	value any
}

func detailsOf(e *Error) details {
	var d details
	if len(e.Faults) > 0 {
		d = details{{"field", e.Faults[0].Field}, {"code", e.Faults[0].Code}}
	}
	if len(e.Faults) > 1 {
		d = append(d, detail{"errors", e.Faults})
	}
	for _, name := range slices.Sorted(maps.Keys(e.Details)) {
		d = append(slices.DeleteFunc(d, func(of detail) bool { return of.name == name }), detail{name, e.Details[name]})
	}
	return d
}

// MarshalJSON implements [json.Marshaler].
func (d details) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, of := range d {
		j, err := json.Marshal(of.value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendQuote(b, of.name), ':') // names are plain
		b = append(b, j...)
	}
	return append(b, '}'), nil
}

// JSON writes v as the answer, not to be stored by caches unless the handler
// said otherwise.
func JSON(w http.ResponseWriter, status int, v any) error {
	if h := w.Header(); h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	return web.JSON(w, status, v)
}

// Page is a list as the API shows it.
type Page[V any] struct {
	Items []V   `json:"items"`
	Total int64 `json:"total"`
	Page  int   `json:"page"`
	Size  int   `json:"size"`
	Pages int64 `json:"pages"`
}

// PageOf shows each entry of a list as view makes it.
func PageOf[T, V any](l store.List[T], view func(T) V) Page[V] {
	items := make([]V, len(l.Items)) // [] in JSON, never null
	for i, item := range l.Items {
		items[i] = view(item)
	}
	return Page[V]{items, l.Total, l.Page, l.Size, l.Pages()}
}

func (a *API) now() time.Time {
	if a.Now == nil {
		return time.Now()
	}
	return a.Now()
}

func (a *API) log() *slog.Logger {
	if a.Logger == nil {
		return slog.Default()
	}
	return a.Logger
}
