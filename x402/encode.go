package x402

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
)

// encodeObject writes the tagged fields of the struct v points to, then the
// unknown members by name.
func encodeObject(v any, unknown Unknown) ([]byte, error) {
	s := reflect.ValueOf(v).Elem()
	fields := wireFields(s.Type())
	b := append(make([]byte, 0, 512), '{')
	var err error
	for _, f := range fields {
		value := s.Field(f.index)
		if f.omitZero && value.IsZero() || f.omitEmpty && empty(value) {
			continue
		}
		if b, err = f.encode(appendName(b, f.name), value); err != nil {
			return nil, fmt.Errorf("x402: encode %s: %w", f.name, err)
		}
	}
	names := make([]string, 0, len(unknown))
	for name := range unknown {
		if !slices.ContainsFunc(fields, func(f field) bool { return f.name == name }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if b, err = appendRaw(appendName(b, name), unknown[name]); err != nil {
			return nil, fmt.Errorf("x402: encode %s: %w", name, err)
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

// encoder appends v to b as JSON.
type encoder func(b []byte, v reflect.Value) ([]byte, error)

var jsonMarshaler = reflect.TypeFor[json.Marshaler]()

// encoderOf chooses how fields of type t are written: without encoding/json,
// which would check and copy the text at every level, wherever that is simple.
func encoderOf(t reflect.Type) encoder {
	switch {
	case t == rawMessage:
		return func(b []byte, v reflect.Value) ([]byte, error) { return appendRaw(b, v.Bytes()) }
	case t.Kind() == reflect.Pointer:
		return encodePointer(encoderOf(t.Elem()))
	case t.Implements(jsonMarshaler):
		return func(b []byte, v reflect.Value) ([]byte, error) {
			j, err := v.Interface().(json.Marshaler).MarshalJSON()
			return append(b, j...), err
		}
	}
	switch t.Kind() {
	case reflect.String:
		return func(b []byte, v reflect.Value) ([]byte, error) { return appendString(b, v.String()), nil }
	case reflect.Bool:
		return func(b []byte, v reflect.Value) ([]byte, error) { return strconv.AppendBool(b, v.Bool()), nil }
	case reflect.Int:
		return func(b []byte, v reflect.Value) ([]byte, error) { return strconv.AppendInt(b, v.Int(), 10), nil }
	default:
		return func(b []byte, v reflect.Value) ([]byte, error) {
			j, err := json.Marshal(v.Interface())
			return append(b, j...), err
		}
	}
}

func encodePointer(elem encoder) encoder {
	return func(b []byte, v reflect.Value) ([]byte, error) {
		if v.IsNil() {
			return append(b, "null"...), nil
		}
		return elem(b, v.Elem())
	}
}

// appendRaw appends JSON text as it is, if it is well-formed.
func appendRaw(b, raw []byte) ([]byte, error) {
	if len(raw) == 0 {
		return append(b, "null"...), nil
	}
	s := scanner{data: raw}
	if err := s.value(0); err != nil {
		return nil, err
	}
	if s.space(); s.pos < len(raw) {
		return nil, s.unexpected()
	}
	return append(b, raw...), nil
}

func appendName(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	return append(appendString(b, name), ':')
}

// appendString appends s as a JSON string, escaped as encoding/json does.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			j, _ := json.Marshal(s) // a string has no error
			return append(b, j...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
