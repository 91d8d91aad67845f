package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// chaos is a proxy in front of a chain's JSON-RPC that misbehaves as nodes and
// networks do: it loses answers to what it has passed on, delays, refuses,
// talks nonsense, swallows transactions, and lags behind the chain.
type chaos struct {
	*httptest.Server
	upstream string

	mu     sync.Mutex
	random *rand.Rand
	quiet  bool
	lag    uint64         // blocks that it is behind
	until  time.Time      // when the lag changes
	done   map[string]int // what it did
}

func newChaos(t testing.TB, upstream string, seed uint64) *chaos {
	c := &chaos{upstream: upstream, random: rand.New(rand.NewPCG(seed, 9)), done: map[string]int{}}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

// mostLag is the most blocks that a proxy is behind.
const mostLag = 6

// calm ends the chaos.
func (c *chaos) calm() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quiet, c.lag = true, 0
}

// mood is what a proxy does to one HTTP request.
type mood string

const (
	honest    mood = "honest"
	loses     mood = "answer lost" // after the call was passed on
	breaks    mood = "broken off"  // before it was
	delays    mood = "delayed"
	fails     mood = "status 500"
	throttles mood = "status 429"
	babbles   mood = "garbage"
	truncates mood = "cut off"
	refuses   mood = "JSON-RPC error" // for one call of the batch
	swallows  mood = "transaction swallowed"
)

var moods = []mood{loses, loses, loses, breaks, delays, delays, fails, throttles, babbles, truncates, refuses, refuses, swallows}

// next draws a mood, and how far behind the chain this request is answered.
func (c *chaos) next() (m mood, lag uint64, pause time.Duration, at int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.quiet {
		return honest, 0, 0, 0
	}
	if now := time.Now(); now.After(c.until) {
		c.lag = []uint64{0, 0, 0, 1, 2, mostLag}[c.random.IntN(6)]
		c.until = now.Add(upTo(c.random, time.Second))
	}
	m = honest
	if c.random.IntN(100) < 40 {
		m = moods[c.random.IntN(len(moods))]
	}
	c.done[string(m)]++
	if c.lag > 0 {
		c.done["lagging"]++
	}
	return m, c.lag, upTo(c.random, 3*time.Second), c.random.IntN(1000)
}

func (c *chaos) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	m, lag, pause, at := c.next()
	switch m {
	case breaks:
		panic(http.ErrAbortHandler)
	case fails:
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	case throttles:
		http.Error(w, "too many requests", http.StatusTooManyRequests)
		return
	case babbles:
		fmt.Fprint(w, "<html>upstream is being deployed</html>")
		return
	}
	calls, batch, err := readCalls(body)
	if err == nil {
		err = c.answer(calls, lag, m, at)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	answer := writeAnswers(calls, batch)
	switch m {
	case loses:
		panic(http.ErrAbortHandler)
	case delays:
		select {
		case <-time.After(pause):
		case <-r.Context().Done():
		}
	case truncates:
		answer = answer[:at%len(answer)]
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer)
}

// call is one JSON-RPC request and its answer.
type call struct {
	ID     json.RawMessage   `json:"id"`
	Method string            `json:"method"`
	Params []json.RawMessage `json:"params"`

	answer reply
}

type reply struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
}

func (c *call) succeed(result string) {
	c.answer = reply{Version: "2.0", ID: c.ID, Result: json.RawMessage(result)}
}

func (c *call) fail(code int, message string) {
	c.answer = reply{Version: "2.0", ID: c.ID, Error: fmt.Appendf(nil, `{"code":%d,"message":%q}`, code, message)}
}

func readCalls(body []byte) (calls []*call, batch bool, err error) {
	if body = bytes.TrimSpace(body); len(body) > 0 && body[0] == '[' {
		return calls, true, json.Unmarshal(body, &calls)
	}
	var one call
	err = json.Unmarshal(body, &one)
	return []*call{&one}, false, err
}

func writeAnswers(calls []*call, batch bool) []byte {
	answers := make([]reply, len(calls))
	for i, c := range calls {
		answers[i] = c.answer
	}
	var v any = answers
	if !batch {
		v = answers[0]
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // raw messages that were decoded before
	}
	return b
}

// answer passes calls on, but for what the mood keeps back, and makes the
// answers those of a node that is lag blocks behind.
func (c *chaos) answer(calls []*call, lag uint64, m mood, at int) error {
	view, err := c.view(lag)
	if err != nil {
		return err
	}
	var passed []*call
	for i, one := range calls {
		switch {
		case m == refuses && i == at%len(calls):
			one.fail(-32000, []string{"header not found", "request timed out", "limit exceeded"}[at%3])
		case m == swallows && one.Method == "eth_sendRawTransaction":
			one.swallow()
		case view.hides(one):
		default:
			passed = append(passed, one)
		}
	}
	if err := c.forward(passed); err != nil {
		return err
	}
	for _, one := range passed {
		view.age(one)
	}
	return nil
}

// forward asks the chain for all of calls in one batch.
func (c *chaos) forward(calls []*call) error {
	if len(calls) == 0 {
		return nil
	}
	requests := make([]map[string]any, len(calls))
	for i, one := range calls {
		requests[i] = map[string]any{"jsonrpc": "2.0", "id": i, "method": one.Method, "params": one.Params}
	}
	body, err := json.Marshal(requests)
	if err != nil {
		return err
	}
	w, err := http.Post(c.upstream, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer w.Body.Close()
	var answers []struct {
		reply
		ID int `json:"id"`
	}
	if err := json.NewDecoder(w.Body).Decode(&answers); err != nil {
		return err
	}
	if len(answers) != len(calls) {
		return errors.New("the chain does not answer every call")
	}
	for _, a := range answers {
		a.reply.ID = calls[a.ID].ID
		calls[a.ID].answer = a.reply
	}
	return nil
}

// report logs what the proxy did.
func (c *chaos) report(t testing.TB) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Logf("chaos: %v", c.done)
	require.Greater(t, len(c.done), 8, "some kind of chaos never took place")
}
