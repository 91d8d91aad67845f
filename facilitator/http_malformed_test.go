package facilitator_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator"
	"github.com/v402/v402/x402"
)

// malformed are bodies that are not understood, and the reason that is told.
func malformed(t testing.TB) map[string]struct {
	body   string
	reason x402.Reason
} {
	v2, v1 := body(t, pay(x402.V2, 1)), body(t, pay(x402.V1, 1))
	swap := func(in, old, new string) string {
		require.Contains(t, in, old)
		return strings.Replace(in, old, new, 1)
	}
	last := func(in, old, new string) string { // of the requirements
		i := strings.LastIndex(in, old)
		require.Positive(t, i)
		return in[:i] + new + in[i+len(old):]
	}
	const (
		payload, requirements, version = x402.ReasonInvalidPayload, x402.ReasonInvalidRequirements, x402.ReasonInvalidVersion
	)
	return map[string]struct {
		body   string
		reason x402.Reason
	}{
		"nothing":                      {"", payload},
		"a blank":                      {" ", payload},
		"not JSON":                     {"pay me", payload},
		"null":                         {"null", payload},
		"a number":                     {"402", payload},
		"a string":                     {`"x402"`, payload},
		"a list":                       {"[" + v2 + "]", payload},
		"true":                         {"true", payload},
		"an empty object":              {"{}", payload},
		"cut short":                    {v2[:len(v2)/2], payload},
		"one brace too many":           {v2 + "}", payload},
		"two documents":                {v2 + v2, payload},
		"a comma at the end":           {swap(v2, "}}", "},}"), payload},
		"a byte order mark":            {"\ufeff" + v2, payload},
		"a NUL":                        {"\x00" + v2, payload},
		"single quotes":                {strings.ReplaceAll(v2, `"`, `'`), payload},
		"depth":                        {strings.Repeat(`{"a":`, 12000), payload},
		"no payload":                   {swap(v2, "paymentPayload", "payment"), payload},
		"payload null":                 {`{"x402Version":2,"paymentPayload":null,"paymentRequirements":{}}`, payload},
		"payload a string":             {`{"x402Version":2,"paymentPayload":"e30=","paymentRequirements":{}}`, payload},
		"payload a list":               {`{"x402Version":2,"paymentPayload":[],"paymentRequirements":{}}`, payload},
		"payload in other case":        {swap(v2, "paymentPayload", "PaymentPayload"), payload},
		"the scheme's payload missing": {swap(v2, `"payload":`, `"pay":`), payload},
		"no requirements":              {swap(v2, "paymentRequirements", "requirements"), requirements},
		"requirements null":            {v2[:strings.Index(v2, `"paymentRequirements":`)] + `"paymentRequirements":null}`, requirements},
		"requirements a string":        {v2[:strings.Index(v2, `"paymentRequirements":`)] + `"paymentRequirements":"x"}`, requirements},
		"requirements a list":          {v2[:strings.Index(v2, `"paymentRequirements":`)] + `"paymentRequirements":[]}`, requirements},
		"version 0":                    {strings.ReplaceAll(v2, `"x402Version":2`, `"x402Version":0`), version},
		"version 3":                    {strings.ReplaceAll(v2, `"x402Version":2`, `"x402Version":3`), version},
		"version -1":                   {strings.ReplaceAll(v2, `"x402Version":2`, `"x402Version":-1`), version},
		"version a string":             {strings.ReplaceAll(v2, `"x402Version":2`, `"x402Version":"2"`), payload},
		"version a fraction":           {strings.ReplaceAll(v2, `"x402Version":2`, `"x402Version":2.5`), payload},
		"version a list":               {strings.ReplaceAll(v2, `"x402Version":2`, `"x402Version":[2]`), payload},
		"version missing everywhere":   {strings.ReplaceAll(v2, `"x402Version":2`, `"x":2`), version},
		"v1 outside, v2 inside":        {swap(v2, `"x402Version":2`, `"x402Version":1`), version},
		"v2 outside, v1 inside":        {swap(v1, `"x402Version":1`, `"x402Version":2`), version},
		"amount a number":              {last(v2, `"amount":"10000"`, `"amount":10000`), requirements},
		"amount negative":              {last(v2, `"amount":"10000"`, `"amount":"-1"`), requirements},
		"amount signed":                {last(v2, `"amount":"10000"`, `"amount":"+10000"`), requirements},
		"amount hexadecimal":           {last(v2, `"amount":"10000"`, `"amount":"0x2710"`), requirements},
		"amount scientific":            {last(v2, `"amount":"10000"`, `"amount":"1e18"`), requirements},
		"amount decimal":               {last(v2, `"amount":"10000"`, `"amount":"0.01"`), requirements},
		"amount with dollar":           {last(v2, `"amount":"10000"`, `"amount":"$0.01"`), requirements},
		"amount empty":                 {last(v2, `"amount":"10000"`, `"amount":""`), requirements},
		"amount with zero in front":    {last(v2, `"amount":"10000"`, `"amount":"010000"`), requirements},
		"amount with blank":            {last(v2, `"amount":"10000"`, `"amount":" 10000"`), requirements},
		"amount in other digits":       {last(v2, `"amount":"10000"`, `"amount":"１００００"`), requirements},
		"amount of 2^256":              {last(v2, `"amount":"10000"`, `"amount":"115792089237316195423570985008687907853269984665640564039457584007913129639936"`), requirements},
		"amount of a thousand digits":  {last(v2, `"amount":"10000"`, `"amount":"`+strings.Repeat("9", 1000)+`"`), requirements},
		"accepted amount negative":     {swap(v2, `"amount":"10000"`, `"amount":"-1"`), payload},
		"v1 amount a number":           {last(v1, `"maxAmountRequired":"10000"`, `"maxAmountRequired":10000`), requirements},
		"v1 amount decimal":            {last(v1, `"maxAmountRequired":"10000"`, `"maxAmountRequired":"0.01"`), requirements},
		"scheme a number":              {last(v2, `"scheme":"exact"`, `"scheme":1`), requirements},
		"network a number":             {last(v2, `"network":"eip155:84532"`, `"network":84532`), requirements},
		"payTo an object":              {last(v2, `"payTo":"`+shop+`"`, `"payTo":{}`), requirements},
		"timeout a string":             {last(v2, `"maxTimeoutSeconds":300`, `"maxTimeoutSeconds":"300"`), requirements},
		"timeout beyond a float":       {last(v2, `"maxTimeoutSeconds":300`, `"maxTimeoutSeconds":1e999`), requirements},
		"the whole in base64":          {"eyJ4NDAyVmVyc2lvbiI6Mn0=", payload},
		"a form":                       {"x402Version=2&paymentPayload={}", payload},
	}
}

func TestMalformedBodiesAreRefusedPreciselyAndChangeNothing(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	table := malformed(t)
	require.GreaterOrEqual(t, len(table), 40)
	for name, c := range table {
		for _, path := range []string{"/verify", "/settle"} {
			w := httptest.NewRecorder()
			a.service.Handler().ServeHTTP(w, httptest.NewRequest("POST", path, strings.NewReader(c.body)))
			status := 400
			if len(c.body) > facilitator.MaxBody {
				status = 413
			}
			require.Equal(t, status, w.Code, "%s: %s", name, w.Body)
			refusal := readRefusal(t, path, w.Body.Bytes())
			require.Equal(t, c.reason, refusal.reason, "%s: %s", name, w.Body)
			require.NotEmpty(t, refusal.message, name)
		}
	}
	require.Zero(t, a.chain.verifies.Load())
	require.Zero(t, a.token.count())
	require.Empty(t, a.log.String(), "a stranger's mistakes are not ours to log")
}

type refusal struct {
	reason  x402.Reason
	message string
}

// readRefusal reads an answer to a body that was not understood, which has the
// form of the operation's own answers.
func readRefusal(t testing.TB, path string, body []byte) refusal {
	t.Helper()
	if path == "/verify" {
		var v struct {
			IsValid        *bool
			InvalidReason  x402.Reason
			InvalidMessage string
		}
		require.NoError(t, json.Unmarshal(body, &v), "%s", body)
		require.NotNil(t, v.IsValid)
		require.False(t, *v.IsValid)
		return refusal{v.InvalidReason, v.InvalidMessage}
	}
	var s struct {
		Success              *bool
		Transaction, Network *string
		ErrorReason          x402.Reason
		ErrorMessage         string
	}
	require.NoError(t, json.Unmarshal(body, &s), "%s", body)
	require.NotNil(t, s.Success)
	require.False(t, *s.Success)
	require.NotNil(t, s.Transaction)
	require.NotNil(t, s.Network)
	return refusal{s.ErrorReason, s.ErrorMessage}
}

func TestALargeBodyIsRefusedWithoutReadingItAll(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, declared := range []bool{true, false} {
		in := &endless{}
		r := httptest.NewRequest("POST", "/settle", in)
		r.ContentLength = -1
		if declared {
			r.ContentLength = 1 << 30
		}
		w := httptest.NewRecorder()
		a.service.Handler().ServeHTTP(w, r)
		require.Equal(t, 413, w.Code)
		require.Equal(t, x402.ReasonInvalidPayload, readRefusal(t, "/settle", w.Body.Bytes()).reason)
		require.LessOrEqual(t, in.read, 2*facilitator.MaxBody)
	}
	fits := body(t, pay(x402.V2, 1))
	fits += strings.Repeat(" ", facilitator.MaxBody-len(fits))
	require.Equal(t, 200, a.do("POST", "/verify", fits).Code)
	require.Equal(t, 413, a.do("POST", "/verify", fits+" ").Code)
}

// endless is a body without an end.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}
