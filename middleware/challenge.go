package middleware

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/v402/v402/x402"
)

// Bounds of the challenge. Clients limit all headers together to 16 KiB.
const (
	maxChallengeHeader = 8 << 10 // bytes of base64
	maxURL             = 1 << 10 // bytes of the resource URL; beyond, its query is left out
)

// terms are the requirements for one request, and how they are written.
type terms struct {
	offers       []*offer
	requirements []x402.PaymentRequirements
	encoded      [][]byte // each requirement in v2
	v2           []byte   // the value of "accepts"
	v1           [][]byte // the value of "accepts" around each resource URL; nil if nothing is announced in v1
	inV1         []bool   // of each requirement: it is announced in v1
}

func (t *terms) add(o *offer, r x402.PaymentRequirements) {
	t.offers = append(t.offers, o)
	t.requirements = append(t.requirements, r)
}

// encode writes the requirements for both versions.
func (t *terms) encode(resource x402.ResourceInfo) error {
	for _, r := range t.requirements {
		j, err := json.Marshal(r)
		if err != nil {
			return err
		}
		t.encoded = append(t.encoded, j)
	}
	t.v2 = array(t.encoded)
	return t.encodeV1(resource)
}

// array writes a JSON array of what is JSON already.
func array(elements [][]byte) []byte {
	return append(append([]byte{'['}, bytes.Join(elements, []byte{','})...), ']')
}

// challenge is a 402 answer without the resource URL. The URL comes last in
// the v2 form, so that all before it can be encoded in advance.
type challenge struct {
	head string   // base64 of the v2 JSON up to the URL; its length is a multiple of 4
	body [][]byte // the v1 JSON around each URL, or "{}"
}

const challengeTail = `"}}` // of the v2 JSON, after the URL

// newChallenge writes a challenge. message explains a refusal in the body; where
// nothing was refused it is the v1 error.
func newChallenge(reason x402.Reason, message string, t *terms, resource []byte) *challenge {
	quoted := quote(string(reason))
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"x402Version":2,"error":%s,"accepts":%s,%s`, quoted, t.v2, resource)
	const before = `"url":"`
	for (b.Len()+len(before))%3 != 0 {
		b.WriteByte(' ')
	}
	b.WriteString(before)
	c := &challenge{head: base64.StdEncoding.EncodeToString(b.Bytes())}

	note := ""
	switch {
	case reason == x402.ReasonPaymentRequired:
		quoted = quote(cmp.Or(message, "X-PAYMENT header is required"))
	case message != "":
		note = `,"message":` + string(quote(message))
	}
	switch {
	case t.v1 != nil:
		c.body = append(c.body, t.v1...)
		c.body[0] = fmt.Appendf(nil, `{"x402Version":1,"error":%s%s,"accepts":%s`, quoted, note, t.v1[0])
		last := len(c.body) - 1
		c.body[last] = append(bytes.Clone(t.v1[last]), '}')
	case message != "":
		c.body = [][]byte{fmt.Appendf(nil, `{"error":%s%s}`, quoted, note)}
	default:
		c.body = [][]byte{[]byte("{}")}
	}
	return c
}

// maxHeader is the length of the header with the longest URL.
func (c *challenge) maxHeader() int {
	return len(c.head) + base64.StdEncoding.EncodedLen(maxURL+len(challengeTail))
}

// header is the value of PAYMENT-REQUIRED for a URL.
func (c *challenge) header(url []byte, scratch []byte) (string, []byte) {
	scratch = append(append(scratch[:0], url...), challengeTail...)
	n := len(scratch)
	scratch = base64.StdEncoding.AppendEncode(scratch, scratch)
	var b strings.Builder
	b.Grow(len(c.head) + len(scratch) - n)
	b.WriteString(c.head)
	b.Write(scratch[n:])
	return b.String(), scratch
}

// appendBody writes the body for a URL.
func (c *challenge) appendBody(b, url []byte) []byte {
	for i, part := range c.body {
		if i > 0 {
			b = append(b, url...)
		}
		b = append(b, part...)
	}
	return b
}

// buffers are reused by challenges: the URL, the header's tail, the body.
type buffers struct{ url, scratch, body []byte }

var bufferPool = sync.Pool{New: func() any { return new(buffers) }}

// Values of headers that many answers share. They are never modified.
var (
	jsonType  = []string{"application/json"}
	htmlType  = []string{"text/html; charset=utf-8"}
	noStore   = []string{"no-store"}
	private   = []string{"private"}
	varyOn    = []string{"PAYMENT-SIGNATURE, X-PAYMENT"}
	pageRules = []string{"default-src 'none'; style-src 'unsafe-inline'"}
	noSniff   = []string{"nosniff"}
)

// The payment headers as http.Header keys.
var (
	keyRequired   = http.CanonicalHeaderKey(x402.HeaderPaymentRequired)
	keySignature  = http.CanonicalHeaderKey(x402.HeaderPaymentSignature)
	keyResponse   = http.CanonicalHeaderKey(x402.HeaderPaymentResponse)
	keyPaymentV1  = http.CanonicalHeaderKey(x402.HeaderPaymentV1)
	keyResponseV1 = http.CanonicalHeaderKey(x402.HeaderPaymentResponseV1)
)

// writeChallenge answers a request that came without a payment.
func (g *Guard) writeChallenge(w http.ResponseWriter, r *http.Request, rt *route, t *terms, c *challenge) {
	buf := bufferPool.Get().(*buffers)
	defer bufferPool.Put(buf)
	var err error
	if buf.url, err = g.appendURL(buf.url[:0], r); err != nil {
		g.write(w, r, errorOutcome(http.StatusBadRequest, x402.ReasonInvalidPayload, "", err.Error()), false)
		return
	}
	var value string
	value, buf.scratch = c.header(buf.url, buf.scratch)

	h := w.Header()
	h[keyRequired] = []string{value}
	h["Cache-Control"] = noStore
	addVary(h)
	g.cfg.CORS.apply(h, r)
	if g.isBrowser(r) {
		g.writePage(w, r, rt, t, string(buf.url))
		return
	}
	h["Content-Type"] = jsonType
	w.WriteHeader(http.StatusPaymentRequired)
	buf.body = c.appendBody(buf.body[:0], buf.url)
	_, _ = w.Write(buf.body)
}

// addVary names the request headers that the answer depends on.
func addVary(h http.Header) {
	if have := h["Vary"]; len(have) > 0 {
		h["Vary"] = append(have[:len(have):len(have)], varyOn[0])
		return
	}
	h["Vary"] = varyOn
}

// resourceJSON writes extensions and resource, up to the value of the URL,
// without the space for padding and the name of the member.
func resourceJSON(r x402.ResourceInfo, extensions map[string]json.RawMessage) ([]byte, error) {
	var b bytes.Buffer
	if len(extensions) > 0 {
		j, err := json.Marshal(extensions)
		if err != nil {
			return nil, fmt.Errorf("extensions: %w", err)
		}
		fmt.Fprintf(&b, `"extensions":%s,`, j)
	}
	r.URL = ""
	j, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("resource: %w", err)
	}
	members := bytes.TrimPrefix(j, []byte(`{"url":""`)) // the model writes the URL first
	members = bytes.TrimPrefix(bytes.TrimSuffix(members, []byte("}")), []byte(","))
	b.WriteString(`"resource":{`)
	b.Write(members)
	if len(members) > 0 {
		b.WriteByte(',')
	}
	return b.Bytes(), nil
}

// quote writes a string as JSON.
func quote(s string) []byte {
	j, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string
	}
	return j
}
