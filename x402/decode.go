package x402

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
)

// DecodeObject reads a JSON object into the tagged fields of the struct v
// points to. It is stricter than encoding/json, so that no two readers of one
// payment can disagree: names match to the letter, and a name that stands twice
// is an error. A null is as good as absent, and members without a field are
// returned. An error about a member is an *[Error] with [ReasonInvalidPayload],
// unless the member's own says otherwise, and the path of the member.
//
// It is meant for the payloads of schemes; the types of this package use it.
func DecodeObject(data []byte, v any) (Unknown, error) {
	s := reflect.ValueOf(v).Elem()
	fields := wireFields(s.Type())
	var seen uint64 // one bit for each field; no struct has more
	var unknown Unknown
	err := eachMember(data, func(name, raw []byte) error {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == string(name) })
		if i < 0 {
			if _, twice := unknown[string(name)]; twice {
				return duplicate(name)
			}
			if unknown == nil {
				unknown = Unknown{}
			}
			unknown[string(name)] = bytes.Clone(raw)
			return nil
		}
		if seen&(1<<i) != 0 {
			return duplicate(name)
		}
		seen |= 1 << i
		if string(raw) == "null" {
			return nil
		}
		if err := fields[i].decode(raw, s.Field(fields[i].index)); err != nil {
			return memberError(fields[i].name, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return unknown, nil
}

func duplicate(name []byte) error {
	return Refuse(ReasonInvalidPayload, clip(string(name)), "stands twice in one object")
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	rawMessage      = reflect.TypeFor[json.RawMessage]()
)

// decoder reads a JSON value that is known to be well-formed, and not null,
// into v.
type decoder func(raw []byte, v reflect.Value) error

// decoderOf chooses how fields of type t are read: without encoding/json, which
// would check the text once more, wherever that is simple.
func decoderOf(t reflect.Type) decoder {
	pointer := reflect.PointerTo(t)
	switch {
	case t == rawMessage:
		return func(raw []byte, v reflect.Value) error { v.SetBytes(bytes.Clone(raw)); return nil }
	case pointer.Implements(jsonUnmarshaler):
		return func(raw []byte, v reflect.Value) error {
			return v.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(raw)
		}
	case pointer.Implements(textUnmarshaler):
		return decodeText
	}
	switch t.Kind() {
	case reflect.Pointer:
		elem := decoderOf(t.Elem())
		return func(raw []byte, v reflect.Value) error {
			v.Set(reflect.New(t.Elem()))
			return elem(raw, v.Elem())
		}
	case reflect.Slice:
		return decodeSlice(t)
	case reflect.Map:
		return decodeMap(t)
	case reflect.String:
		return decodeString
	case reflect.Bool:
		return decodeBool
	case reflect.Int:
		return decodeInt
	default:
		return func(raw []byte, v reflect.Value) error { return json.Unmarshal(raw, v.Addr().Interface()) }
	}
}

func decodeSlice(t reflect.Type) decoder {
	elem := decoderOf(t.Elem())
	return func(raw []byte, v reflect.Value) error {
		list := reflect.MakeSlice(t, 0, 1)
		err := eachElement(raw, func(raw []byte) error {
			e := reflect.New(t.Elem()).Elem()
			if err := elem(raw, e); err != nil {
				return memberError(fmt.Sprintf("[%d]", list.Len()), err)
			}
			list = reflect.Append(list, e)
			return nil
		})
		v.Set(list)
		return err
	}
}

// decodeMap reads an object with names of any kind; they are strings.
func decodeMap(t reflect.Type) decoder {
	elem := decoderOf(t.Elem())
	return func(raw []byte, v reflect.Value) error {
		object := reflect.MakeMap(t)
		err := eachMember(raw, func(name, raw []byte) error {
			key := reflect.ValueOf(string(name)).Convert(t.Key())
			if object.MapIndex(key).IsValid() {
				return duplicate(name)
			}
			e := reflect.New(t.Elem()).Elem()
			if err := elem(raw, e); err != nil {
				return memberError(string(name), err)
			}
			object.SetMapIndex(key, e)
			return nil
		})
		v.Set(object)
		return err
	}
}

func decodeString(raw []byte, v reflect.Value) error {
	if raw[0] != '"' {
		return errors.New("a JSON string is needed")
	}
	text, err := unquote(raw)
	v.SetString(string(text))
	return err
}

func decodeText(raw []byte, v reflect.Value) error {
	if raw[0] != '"' {
		return errors.New("a JSON string is needed")
	}
	text, err := unquote(raw)
	if err != nil {
		return err
	}
	return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(text)
}

func decodeBool(raw []byte, v reflect.Value) error {
	if raw[0] != 't' && raw[0] != 'f' {
		return errors.New("true or false is needed")
	}
	v.SetBool(raw[0] == 't')
	return nil
}

func decodeInt(raw []byte, v reflect.Value) error {
	n, err := strconv.Atoi(string(raw))
	if err != nil {
		return errors.New("a whole JSON number is needed")
	}
	v.SetInt(int64(n))
	return nil
}

// memberError names the member that could not be read, with its path.
func memberError(name string, err error) *Error {
	var inner *Error
	if !errors.As(err, &inner) {
		return &Error{Reason: ReasonInvalidPayload, Field: name, Err: err}
	}
	if inner.Field != "" && inner.Field[0] != '[' {
		name += "."
	}
	return &Error{Reason: inner.Reason, Field: name + inner.Field, Err: inner.Err}
}

// versionOf peeks at x402Version.
func versionOf(data []byte) (int, error) {
	version := 0
	err := eachMember(data, func(name, raw []byte) error {
		if string(name) != "x402Version" || string(raw) == "null" {
			return nil
		}
		if err := decodeInt(raw, reflect.ValueOf(&version).Elem()); err != nil {
			return &Error{Reason: ReasonInvalidVersion, Field: "x402Version", Err: err}
		}
		return nil
	})
	if err == nil && version != V1 && version != V2 {
		err = Refuse(ReasonInvalidVersion, "x402Version", fmt.Sprintf("%d is not 1 or 2", version))
	}
	return version, err
}
