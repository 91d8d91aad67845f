package middleware

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"strings"

	"github.com/v402/v402/x402"
)

// isBrowser says whether a person sees the answer.
func (g *Guard) isBrowser(r *http.Request) bool {
	return strings.Contains(r.Header.Get("User-Agent"), "Mozilla") && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// writePage answers a browser; the headers of the challenge are set already.
func (g *Guard) writePage(w http.ResponseWriter, r *http.Request, rt *route, t *terms, url string) {
	h := w.Header()
	h["Content-Type"] = htmlType
	h["X-Content-Type-Options"] = noSniff
	body := rt.page
	if g.cfg.Paywall != nil {
		var b bytes.Buffer
		resource := rt.Resource
		resource.URL = url
		err := g.cfg.Paywall(&b, r, x402.PaymentRequired{
			Version: x402.V2, Error: string(x402.ReasonPaymentRequired),
			Resource: resource, Accepts: t.requirements, Extensions: rt.Extensions,
		})
		if err != nil {
			g.cfg.Logger.ErrorContext(r.Context(), "x402: the paywall page failed", "pattern", rt.Pattern, "error", err)
			b.Reset()
			b.WriteString("<!doctype html><title>Payment required</title><p>Payment required.")
		}
		body = b.Bytes()
	} else {
		h["Content-Security-Policy"] = pageRules
		if body == nil {
			body = page(rt.Resource, t)
		}
	}
	w.WriteHeader(http.StatusPaymentRequired)
	_, _ = w.Write(body)
}

const pageHead = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Payment required</title>
<style>
body{font:1.05rem/1.5 system-ui,sans-serif;margin:0;color:#1a1a1a;background:#fff}
main{max-width:40rem;margin:0 auto;padding:2rem 1rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1rem;border-top:1px solid #767676;padding-top:1rem}
dt{font-weight:600}dd{margin:0;overflow-wrap:anywhere}
@media (prefers-color-scheme:dark){body{color:#eee;background:#111}}
</style>
</head>
<body>
<main>
<h1>Payment required</h1>
`

// page is what a browser shows: what is sold, and each way to pay for it.
func page(resource x402.ResourceInfo, t *terms) []byte {
	var b bytes.Buffer
	b.WriteString(pageHead)
	if resource.ServiceName != "" {
		fmt.Fprintf(&b, "<p><strong>%s</strong></p>\n", html.EscapeString(resource.ServiceName))
	}
	if resource.Description != "" {
		fmt.Fprintf(&b, "<p>%s</p>\n", html.EscapeString(resource.Description))
	}
	if len(t.requirements) > 1 {
		b.WriteString("<p>Pay in one of these ways, with a wallet or an agent that speaks x402:</p>\n")
	} else {
		b.WriteString("<p>Pay with a wallet or an agent that speaks x402:</p>\n")
	}
	for i, r := range t.requirements {
		asset := t.offers[i].asset
		amount := r.Amount.String() + " atomic units"
		if asset.Symbol != "" {
			amount = r.Amount.Decimal(asset.Decimals) + " " + asset.Symbol
		}
		network := string(r.Network)
		if name, ok := r.Network.V1Name(); ok {
			network = name + " (" + network + ")"
		}
		b.WriteString("<dl>\n")
		for _, row := range [][2]string{{"Price", amount}, {"Network", network}, {"Token", r.Asset}, {"Pay to", r.PayTo}} {
			fmt.Fprintf(&b, "<dt>%s</dt><dd>%s</dd>\n", row[0], html.EscapeString(row[1]))
		}
		b.WriteString("</dl>\n")
	}
	b.WriteString("<div id=\"v402-wallet\"></div>\n</main>\n</body>\n</html>\n")
	return b.Bytes()
}
