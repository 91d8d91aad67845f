package x402

import (
	"encoding/json"
	"reflect"
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
	decode    decoder
	encode    encoder
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
		fields = append(fields, field{
			name: name, index: i,
			omitEmpty: strings.Contains(opts, "omitempty"), omitZero: strings.Contains(opts, "omitzero"),
			decode: decoderOf(t.Field(i).Type), encode: encoderOf(t.Field(i).Type),
		})
	}
	fieldsOf.Store(t, fields)
	return fields
}
