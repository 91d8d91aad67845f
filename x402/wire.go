package x402

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// Unknown holds the members of a JSON object that this version of the
// protocol does not name, so that they survive a round trip.
type Unknown map[string]json.RawMessage

// field is one named member of a wire struct.
type field struct {
	name      string
	index     int
	omitEmpty bool
	omitZero  bool
}

var fieldsOf sync.Map // reflect.Type → []field

// wireFields lists the JSON members of struct type t in their order.
func wireFields(t reflect.Type) []field {
	if f, ok := fieldsOf.Load(t); ok {
		return f.([]field)
	}
	var fields []field
	for i := range t.NumField() {
		tag, ok := t.Field(i).Tag.Lookup("json")
		if !ok || tag == "-" {
			continue
		}
		name, opts, _ := strings.Cut(tag, ",")
		fields = append(fields, field{name, i, strings.Contains(opts, "omitempty"), strings.Contains(opts, "omitzero")})
	}
	fieldsOf.Store(t, fields)
	return fields
}

// DecodeObject reads a JSON object into the tagged fields of the struct v
// points to. Names match to the letter (encoding/json ignores case, which
// would let two spellings of one field disagree), a null is as good as absent,
// and members without a field are returned.
func DecodeObject(data []byte, v any) (Unknown, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, err
	}
	if members == nil {
		return nil, fmt.Errorf("x402: a JSON object is needed, not null")
	}
	s := reflect.ValueOf(v).Elem()
	for _, f := range wireFields(s.Type()) {
		raw, ok := members[f.name]
		if !ok {
			continue
		}
		delete(members, f.name)
		if bytes.Equal(raw, []byte("null")) {
			continue
		}
		if err := json.Unmarshal(raw, s.Field(f.index).Addr().Interface()); err != nil {
			return nil, memberError(f.name, err)
		}
	}
	if len(members) == 0 {
		return nil, nil
	}
	return members, nil
}

// memberError names the member that could not be read, with its path.
func memberError(name string, err error) error {
	var inner *Error
	if errors.As(err, &inner) {
		return &Error{Reason: inner.Reason, Field: strings.TrimSuffix(name+"."+inner.Field, "."), Err: inner.Err}
	}
	return &Error{Reason: ReasonInvalidPayload, Field: name, Err: err}
}

// encodeObject writes the tagged fields of the struct v points to, then the
// unknown members by name.
func encodeObject(v any, unknown Unknown) ([]byte, error) {
	s := reflect.ValueOf(v).Elem()
	b := []byte{'{'}
	member := func(name string, value any) error {
		j, err := json.Marshal(value)
		if err != nil {
			return err
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		quoted, _ := json.Marshal(name)
		b = append(append(append(b, quoted...), ':'), j...)
		return nil
	}
	for _, f := range wireFields(s.Type()) {
		value := s.Field(f.index)
		if f.omitZero && value.IsZero() || f.omitEmpty && empty(value) {
			continue
		}
		if err := member(f.name, value.Interface()); err != nil {
			return nil, err
		}
	}
	names := make([]string, 0, len(unknown))
	for name := range unknown {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := member(name, unknown[name]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// empty is what omitempty means: nothing in it.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String:
		return v.Len() == 0
	default:
		return v.IsZero()
	}
}
