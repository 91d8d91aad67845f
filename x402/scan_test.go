package x402_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/x402"
)

// readable says whether DecodeObject takes data for a JSON object.
func readable(data string) bool {
	_, err := x402.DecodeObject([]byte(data), &struct{}{})
	return err == nil
}

func TestJSONIsReadAsStrictlyAsByTheStandardLibrary(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		`0`, `-0`, `-1.5e+10`, `1E5`, `1.0`, `true`, `false`, `null`, `""`, `"\u00e9\n\\\/\""`, `[]`, `[1,[2],{}]`, `{"b":{"c":null}}`, "\"\u00e9\"", "\"\xff\"", " [ 1 , 2 ] ",
		``, `01`, `-`, `1.`, `.5`, `+1`, `1e`, `1e+`, `0x1`, `NaN`, `tru`, `True`, `nul`, `nulll`, `'a'`, `"`, `"\x"`, `"\u12"`, `"\u12g4"`, "\"\n\"", "\"\x00\"", `[`, `[1`, `[1,]`, `[,1]`,
		`[1 2]`, `]`, `{`, `{"b"}`, `{"b":}`, `{"b":1,}`, `{,}`, `{b:1}`, `{1:1}`, `{"b" 1}`, `{"b":1 "c":2}`, `1,"c"`, `1 2`, "\u00a01", `/**/1`, strings.Repeat("[", 100), strings.Repeat("[", 9999) + strings.Repeat("]", 9999), strings.Repeat("[", 10001) + strings.Repeat("]", 10001),
	} {
		object := `{"a":` + value + `}`
		assert.Equal(t, json.Valid([]byte(object)), readable(object), "%.60s", object)
	}
	for _, text := range []string{``, ` `, `null`, `1`, `"a"`, `[]`, `[{}]`, `{} {}`, `{}x`, `{}}`, "\ufeff{}"} {
		assert.False(t, readable(text), text)
	}
	for _, text := range []string{`{}`, " \t\r\n{ } \n", `{ "a" : 1 , "b" : 2 }`} {
		assert.True(t, readable(text), text)
	}
}

func TestEveryKindOfMemberIsRead(t *testing.T) {
	t.Parallel()
	type inner struct {
		N int `json:"n"`
	}
	var v struct {
		S  string            `json:"s"`
		B  bool              `json:"b"`
		I  int               `json:"i"`
		F  x402.Seconds      `json:"f"`
		P  *string           `json:"p"`
		A  *x402.Amount      `json:"a"`
		L  []string          `json:"l"`
		M  map[string]string `json:"m"`
		R  json.RawMessage   `json:"r"`
		X  inner             `json:"x"`
		No string            // without a tag it is no member
	}
	unknown, err := x402.DecodeObject([]byte(`{"s":"a\n\u00e9","b":true,"i":-7,"f":1.5,"p":"","a":"9","l":["x","y"],"m":{"k":"v"},"r":[1, 2],"x":{"n":3},"No":"n","z":null}`), &v)
	require.NoError(t, err)
	assert.Equal(t, "a\né", v.S)
	assert.True(t, v.B)
	assert.Equal(t, -7, v.I)
	assert.EqualValues(t, 1.5, v.F)
	assert.Equal(t, "", *v.P)
	assert.Equal(t, "9", v.A.String())
	assert.Equal(t, []string{"x", "y"}, v.L)
	assert.Equal(t, map[string]string{"k": "v"}, v.M)
	assert.Equal(t, `[1, 2]`, string(v.R))
	assert.Equal(t, 3, v.X.N)
	assert.Equal(t, x402.Unknown{"No": json.RawMessage(`"n"`), "z": json.RawMessage(`null`)}, unknown)
	assert.Empty(t, v.No)

	for member, value := range map[string]string{
		"s": `1`, "b": `"true"`, "i": `1.0`, "f": `"1"`, "p": `{}`, "a": `9`, "l[1]": `["x",1]`, "m.k": `{"k":1}`, "x": `[]`,
	} {
		name, _, _ := strings.Cut(strings.Split(member, "[")[0], ".")
		_, err := x402.DecodeObject([]byte(`{"`+name+`":`+value+`}`), &v)
		var refused *x402.Error
		require.ErrorAs(t, err, &refused, member)
		assert.Equal(t, member, refused.Field)
	}
}

func TestWhatWasReadDoesNotChangeWithItsSource(t *testing.T) {
	t.Parallel()
	document := `{"later":[1],` + requirementV2[1:]
	data := []byte(document)
	var r x402.PaymentRequirements
	require.NoError(t, r.UnmarshalJSON(data))
	for i := range data {
		data[i] = 'x'
	}
	j, err := json.Marshal(r)
	require.NoError(t, err)
	assert.JSONEq(t, document, string(j))
}

func TestWhatIsNotJSONIsNotWritten(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{`{`, `{}}`, `{} {}`, `x`, ` `} {
		r := read[x402.PaymentRequirements](t, requirementV2)
		r.Extra = json.RawMessage(raw)
		_, err := r.MarshalJSON()
		assert.ErrorContains(t, err, "extra", raw)
		r.Extra, r.Unknown = nil, x402.Unknown{"later": json.RawMessage(raw)}
		_, err = r.MarshalJSON()
		assert.ErrorContains(t, err, "later", raw)
	}
}

func TestAFieldIsWrittenOnceEvenIfItIsAmongTheUnknown(t *testing.T) {
	t.Parallel()
	r := read[x402.PaymentRequirements](t, requirementV2)
	r.Unknown = x402.Unknown{"amount": json.RawMessage(`"1"`)}
	j, err := r.MarshalJSON()
	require.NoError(t, err)
	assert.Equal(t, requirementV2, string(j))
}

func FuzzDecodeObject(f *testing.F) {
	for _, s := range []string{paymentV1, paymentV2, requiredV1, `{"a":[1,{"b":"\u00e9"}]}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"a":-0.0e+1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		unknown, err := x402.DecodeObject(data, &struct{}{})
		var members map[string]json.RawMessage
		std := json.Unmarshal(data, &members)
		if err == nil && (std != nil || len(members) != len(unknown)) {
			t.Fatalf("read %d members of %q; the standard library %d, %v", len(unknown), data, len(members), std)
		}
		if err != nil && std == nil && members != nil && !strings.Contains(err.Error(), "stands twice") {
			t.Fatalf("%q is refused: %v", data, err)
		}
		for name, raw := range unknown {
			if string(members[name]) != string(raw) {
				t.Fatalf("%q is %q, not %q", name, members[name], raw)
			}
		}
	})
}

func FuzzPayment(f *testing.F) {
	f.Add([]byte(paymentV1))
	f.Add([]byte(paymentV2))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p x402.Payment
		if json.Unmarshal(data, &p) != nil {
			return
		}
		id, err := p.Identity()
		j, jerr := json.Marshal(p)
		if jerr != nil {
			t.Fatalf("read but not written: %v", jerr)
		}
		var again x402.Payment
		if jerr := json.Unmarshal(j, &again); jerr != nil {
			t.Fatalf("%s: %v", j, jerr)
		}
		if other, otherErr := again.Identity(); other != id || (err == nil) != (otherErr == nil) {
			t.Fatalf("%v, %v becomes %v, %v", id, err, other, otherErr)
		}
	})
}
