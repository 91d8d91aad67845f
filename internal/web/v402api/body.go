package v402api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/v402/v402/internal/web"
	"github.com/v402/v402/x402"
)

// MaxBody bounds a request body, in bytes, where a handler has no bound of its own.
const MaxBody = 1 << 20

// Receive waits for the body of r, up to limit bytes of it. Do so before you ask who
// sends it: whoever sends it slowly is then served as who they are at its end, when
// their key may have been revoked. An error of the body is left to who reads it.
func Receive(r *http.Request, limit int64) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	rest := r.Body
	begin, err := io.ReadAll(io.LimitReader(rest, limit+1))
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(begin), failing{err}, rest), rest}
}

// failing fails with an error, or ends if there is none.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

// Read decodes the body of r, a JSON object of at most limit bytes, into what
// into points to: see [Decode]. An empty body is an empty object.
func Read(r *http.Request, limit int64, into any) error {
	err := web.Body(r, limit, func(body []byte) error {
		if len(body) == 0 {
			body = []byte("{}")
		}
		return Decode(body, into)
	})
	var refused *Error
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil, errors.As(err, &refused):
		return err
	case errors.Is(err, web.ErrTooLarge), errors.As(err, &tooLarge):
		return &Error{Code: TooLarge, Message: "The request body is too large", Details: map[string]any{"limit": limit}}
	default:
		return &Error{Code: ValidationFailed, Message: "The request body could not be read", Err: err}
	}
}

// Decode decodes a JSON object into the struct that into points to. Every member
// must be a field with that name in its json tag, and of its type, and stand there
// once; what is wrong is in the Faults of the [Error]. A member that is missing or null leaves
// its field as it is. A field whose type has an UnmarshalJSON that returns a
// *[Fault] says itself what is wrong.
func Decode(j []byte, into any) error {
	members, err := x402.DecodeObject(j, new(struct{}))
	var wrong *x402.Error
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		return Invalid(wrong.Field, InvalidFormat, wrong.Field+" stands twice in the request body")
	case err != nil:
		return &Error{Code: ValidationFailed, Message: "The request body must be a JSON object", Err: err}
	}
	var faults Faults
	v := reflect.ValueOf(into).Elem()
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		raw, given := members[name]
		delete(members, name)
		if !given || string(raw) == "null" {
			continue
		}
		if err := json.Unmarshal(raw, v.Field(i).Addr().Interface()); err != nil {
			faults = append(faults, faultOf(name, v.Field(i).Type(), err))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		name = clip(name)
		faults.Add(name, UnknownField, name+" is not known here")
	}
	return faults.Err()
}

// clip shortens a name that a client made up.
func clip(name string) string {
	const most = 64 // bytes
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "…"
}

// Error makes a Fault what an UnmarshalJSON can return; its Field is ignored.
func (f *Fault) Error() string { return f.Message }

func faultOf(name string, t reflect.Type, err error) Fault {
	var own *Fault
	if errors.As(err, &own) {
		return Fault{name, own.Code, name + " " + own.Message}
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return Fault{name + "." + wrong.Field, InvalidType, name + "." + wrong.Field + " must be " + kindOf(wrong.Type)}
	}
	return Fault{name, InvalidType, name + " must be " + kindOf(t)}
}

// kindOf calls a Go type what it is in JSON.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return kindOf(t.Elem())
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "an integer"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "an array of " + strings.TrimPrefix(strings.TrimPrefix(kindOf(t.Elem()), "a "), "an ") + "s"
	default:
		if t == reflect.TypeFor[Time]() {
			return "a time in RFC 3339, such as 2024-01-15T10:30:00Z"
		}
		return "an object"
	}
}
