package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/v402/v402/facilitator/webhook/signature"
	"github.com/v402/v402/internal/egress"
)

// target is where a delivery goes, and what signs it.
type target struct {
	url     string
	secrets []signature.Secret // the newest first
}

// result is an attempt and what follows from it.
type result struct {
	Attempt
	hopeless   bool          // another attempt would end in the same way
	gone       bool          // the recipient wants no more
	absent     bool          // there is no such recipient any more
	unmade     bool          // no request was made, and the recipient could do nothing about that
	retryAfter time.Duration // as the recipient asks; 0 if it does not
}

// Bounds of what is kept of an answer.
const (
	keptResponse = 1 << 10 // bytes
	drained      = 16 << 10
	keptError    = 200 // runes
)

const userAgent = "v402-webhook/1 (+https://github.com/v402/v402)"

// attempt sends d once. err is why there is no target.
func (p *Publisher) attempt(ctx context.Context, to target, err error, d *Delivery) result {
	r := result{Attempt: Attempt{N: d.Attempts + 1, At: p.now()}}
	body, bodyErr := Body(d.Event)
	switch {
	case errors.Is(err, errSilent):
		r.Error, r.hopeless, r.unmade = errSilent.Error(), true, true
	case errors.Is(err, ErrGone):
		r.Error, r.hopeless, r.absent = "there is no such recipient any more", true, true
	case err != nil:
		r.Error, r.unmade = "the recipient could not be looked up", true
	case bodyErr != nil:
		r.Error, r.hopeless, r.unmade = "the event is no JSON", true, true
	case len(body) > signature.MaxBody:
		r.Error, r.hopeless, r.unmade = fmt.Sprintf("the event has %d bytes, above the limit of %d", len(body), signature.MaxBody), true, true
	case len(to.secrets) == 0:
		r.Error = "the recipient has no secret to sign with"
	default:
		start := time.Now()
		p.request(ctx, to, d, body, &r)
		r.DurationMS = time.Since(start).Milliseconds()
	}
	return r
}

// request makes one request and reads the answer into r.
func (p *Publisher) request(ctx context.Context, to target, d *Delivery, body []byte, r *result) {
	ctx, cancel := context.WithTimeout(ctx, p.options.Timeout)
	defer cancel()
	if _, err := p.options.policy().Check(to.url); err != nil && p.options.Transport == nil {
		r.Error = err.Error()
		return
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.url, bytes.NewReader(body))
	if err != nil {
		r.Error = "the URL cannot be read"
		return
	}
	p.sign(req.Header, to.secrets, d.Event.ID, r, body)
	resp, err := p.client.Do(req)
	if err != nil {
		r.Error = p.complaint(err)
		return
	}
	defer resp.Body.Close()
	kept, _ := io.ReadAll(io.LimitReader(resp.Body, keptResponse)) // what was read is shown
	_, _ = io.CopyN(io.Discard, resp.Body, drained)                // so that the connection can be used again
	r.StatusCode, r.Response = resp.StatusCode, plain(string(kept))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		r.Error = "the answer was " + strconv.Itoa(resp.StatusCode)
		r.gone = resp.StatusCode == http.StatusGone
		r.hopeless = r.gone
		r.retryAfter = retryAfter(resp.Header.Get("Retry-After"), p.now())
	}
}

// sign sets the headers. The one of our own has room for one secret: attempts
// take turns, the newest secret first.
func (p *Publisher) sign(h http.Header, secrets []signature.Secret, eventID string, r *result, body []byte) {
	all := make([]string, len(secrets))
	for i, s := range secrets {
		all[i] = s.Standard(eventID, r.At, body)
	}
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", userAgent)
	h.Set(signature.Header, secrets[(r.N-1)%len(secrets)].Hex(body))
	h.Set(signature.HeaderID, eventID)
	h.Set(signature.HeaderTimestamp, strconv.FormatInt(r.At.Unix(), 10))
	h.Set(signature.HeaderSignature, strings.Join(all, " "))
}

// complaint says to an owner why there was no answer, without what he could
// learn of our networks.
func (p *Publisher) complaint(err error) string {
	var dns *net.DNSError
	var u *url.Error
	switch {
	case errors.Is(err, egress.ErrNotPublic):
		return "the host has no public address"
	case errors.Is(err, context.DeadlineExceeded):
		return "there was no answer within " + p.options.Timeout.String()
	case errors.As(err, &dns):
		return "the host was not found"
	case errors.As(err, &u):
		err = u.Err
	}
	text := []rune(plain(err.Error()))
	return string(text[:min(len(text), keptError)])
}

// plain is s as text, without bytes that are none.
func plain(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// pause is how long the next attempt waits after so many failures before this
// one: it doubles each time, differs by up to a quarter, so that not all come back
// at once, and is as long as the recipient asks for, within Config.RetryMax.
func (p *Publisher) pause(failures int, asked time.Duration) time.Duration {
	d := p.options.RetryMax
	if failures < 30 && p.options.RetryBase<<failures>>failures == p.options.RetryBase {
		d = min(d, p.options.RetryBase<<failures)
	}
	d += time.Duration((rand.Float64() - 0.5) / 2 * float64(d))
	return min(max(d, asked), p.options.RetryMax)
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
