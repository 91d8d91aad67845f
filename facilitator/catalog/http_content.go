package catalog

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/v402/v402/facilitator/account"
	"github.com/v402/v402/facilitator/catalog/content"
	"github.com/v402/v402/internal/egress"
	"github.com/v402/v402/internal/web"
	"github.com/v402/v402/internal/web/v402api"
)

func (a *api) routeContent(rt *v402api.Router) {
	proxy := a.newProxy()
	rt.Handle("GET /api/v1/clients/content/{id}/redirect", a.buyer(a.getRedirect))
	rt.Handle("GET /api/v1/clients/content/{id}/stream", a.buyer(func(w http.ResponseWriter, r *http.Request, u account.User, payer string) error {
		return a.getStream(w, r, u, payer, proxy)
	}))
}

// Deliver opens a product by an access token for whoever fetches its content.
// Within the time of a content URL after an access it is the same access; later
// it is another one, which counts.
func (s *Service) Deliver(ctx context.Context, productID, token string) (Access, error) {
	product, err := s.store.Product(ctx, productID)
	if err != nil {
		return Access{}, refusal(err, ErrProductUnknown, "read a product")
	}
	ticket, err := content.Verifier{Keys: s.contentKeys(product.OwnerID), Now: s.options.Now}.Token(product.ID, token)
	if err != nil || !ticket.Counted {
		return s.byToken(ctx, &product, AccessRequest{ProductID: productID, Token: token})
	}
	g, err := s.store.AccessGrant(ctx, ticket.Grant)
	switch {
	case err != nil:
		return Access{Product: product}, refusal(err, ErrAccessToken, "read a grant")
	case g.ProductID != product.ID:
		return Access{Product: product}, ErrAccessToken
	case s.sameAccess(g, s.options.Payments.ContentTTL):
		return s.open(&product, g)
	default:
		return s.use(ctx, &product, g)
	}
}

// sameAccess says whether an access by g is still the last one, which was
// counted no longer than within ago.
func (s *Service) sameAccess(g Grant, within time.Duration) bool {
	now := s.now()
	return g.Counted() && now.Before(g.LastAccessAt.Add(within)) && (g.Live(now) || g.Status(now) == GrantExhausted)
}

// deliver opens a product for a request by its access token, or by who sent it.
func (a *api) deliver(r *http.Request, u account.User, payer string) (Access, error) {
	token := r.Header.Get(HeaderAccessToken)
	if token == "" {
		return a.enter(r, r.PathValue("id"), u, payer)
	}
	return a.Deliver(r.Context(), r.PathValue("id"), token)
}

func (a *api) getRedirect(w http.ResponseWriter, r *http.Request, u account.User, payer string) error {
	got, err := a.deliver(r, u, payer)
	if err != nil {
		return a.deny(w, r, err)
	}
	web.Secure(w.Header())
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer") // the URL has a token
	w.Header().Set("Location", got.ContentURL)
	w.WriteHeader(http.StatusFound)
	return nil
}

func (a *api) getStream(w http.ResponseWriter, r *http.Request, u account.User, payer string, proxy *httputil.ReverseProxy) error {
	got, err := a.deliver(r, u, payer)
	if err != nil {
		return a.deny(w, r, err)
	}
	target, err := a.options.Payments.policy().Check(got.ContentURL)
	if err != nil {
		return &Error{Code: v402api.InvalidState, Message: "The content of this product cannot be passed on; use its content_url", Err: err}
	}
	ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), targetKey{}, target), a.options.Payments.ContentTime)
	defer cancel()
	proxy.ServeHTTP(w, r.WithContext(ctx))
	return nil
}

type targetKey struct{}

// passed are the headers of a request that the content's server gets.
var passed = []string{"Accept", "Accept-Language", "Accept-Encoding", "Range", "If-Range", "If-None-Match", "If-Modified-Since", "User-Agent"}

// kept are the headers of an answer that the buyer gets.
var kept = []string{
	"Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Content-Range", "Content-Disposition", "Accept-Ranges", "Etag", "Last-Modified",
}

// newProxy passes content on. It reaches public hosts only, follows no redirect,
// and ends with the request of the buyer.
func (s *Service) newProxy() *httputil.ReverseProxy {
	transport := egress.NewTransport(s.options.Payments.policy())
	transport.ResponseHeaderTimeout = s.options.Payments.ContentWait
	transport.DisableCompression = true
	return &httputil.ReverseProxy{
		Transport: transport, FlushInterval: 100 * time.Millisecond, ErrorLog: nil,
		Rewrite: func(p *httputil.ProxyRequest) {
			header := http.Header{}
			for _, name := range passed {
				if v := p.In.Header.Values(name); len(v) > 0 {
					header[name] = v
				}
			}
			p.Out.Header, p.Out.Body, p.Out.ContentLength = header, nil, 0
			p.Out.URL, _ = p.In.Context().Value(targetKey{}).(*url.URL)
			p.Out.Host = ""
		},
		ModifyResponse: s.checkContent,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil || errors.Is(r.Context().Err(), context.DeadlineExceeded) {
				s.log.WarnContext(r.Context(), "catalog: content not passed on", "error", err)
			}
			var refused *Error
			if !errors.As(err, &refused) {
				refused = errContentUnreached
			}
			(&v402api.API{Logger: s.log, Now: s.options.Now}).Refuse(w, r, &Error{Code: refused.Code, Message: refused.Message})
		},
	}
}

var (
	errContentUnreached = &Error{Code: v402api.ChainUnavailable, Message: "The content cannot be fetched from its provider now; try again later"}
	errContentTooLarge  = &Error{Code: v402api.TooLarge, Message: "The content is too large to be passed on; use its content_url"}
)

// checkContent lets an answer through that is content.
func (s *Service) checkContent(resp *http.Response) error {
	status := resp.StatusCode
	if status >= 300 && status != http.StatusNotModified && status != http.StatusRequestedRangeNotSatisfiable {
		return errContentUnreached
	}
	if resp.ContentLength > s.options.Payments.MaxContent {
		return errContentTooLarge
	}
	header := http.Header{}
	for _, name := range kept {
		if v := resp.Header.Values(name); len(v) > 0 {
			header[name] = v
		}
	}
	resp.Header = header
	web.Secure(header)
	header.Set("Content-Security-Policy", "sandbox; default-src 'none'") // it is not ours, but comes from our origin
	header.Set("Cache-Control", "private, no-store")
	if strings.HasPrefix(header.Get("Content-Type"), "text/html") && header.Get("Content-Disposition") == "" {
		header.Set("Content-Disposition", "attachment")
	}
	resp.Body = &bounded{ReadCloser: resp.Body, left: s.options.Payments.MaxContent}
	return nil
}

// bounded fails once more than so many bytes were read.
type bounded struct {
	io.ReadCloser
	left int64
}

// Read implements [io.Reader].
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errContentTooLarge
	}
	return n, err
}
