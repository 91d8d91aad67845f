package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Router finds the handler of a request. Unlike http.ServeMux it matches a value
// with slashes in the middle of a path, does not "clean" paths (a value may hold
// "//" or ".."), and leaves every answer to the API.
type Router struct {
	NotFound         http.HandlerFunc
	MethodNotAllowed func(w http.ResponseWriter, r *http.Request, allowed []string)

	routes []route
}

// route is a method and a path: before, and if name is not empty the value of
// that name, and after.
type route struct {
	method              string
	before, name, after string
	slashes             bool // may be in the value
	handler             http.HandlerFunc
}

// Handle adds a route, such as "GET /api/sales/{id}" or, with a value that may
// hold slashes, "PUT /api/contracts/{hash...}/revoke". It has one value at most,
// which [http.Request.PathValue] returns. The first route that matches wins.
func (rt *Router) Handle(pattern string, h http.HandlerFunc) {
	method, path, _ := strings.Cut(pattern, " ")
	before, rest, _ := strings.Cut(path, "{")
	name, after, _ := strings.Cut(rest, "}")
	name, slashes := strings.CutSuffix(name, "...")
	rt.routes = append(rt.routes, route{method, before, name, after, slashes, h})
}

// ServeHTTP implements [http.Handler]. A route of GET serves HEAD too.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	var allowed []string
	for _, c := range rt.routes {
		value, ok := c.match(path)
		switch {
		case !ok:
		case c.method == r.Method, c.method == http.MethodGet && r.Method == http.MethodHead:
			if c.name != "" {
				r.SetPathValue(c.name, value)
			}
			c.handler(w, r)
			return
		case !slices.Contains(allowed, c.method):
			allowed = append(allowed, c.method)
		}
	}
	if allowed == nil {
		rt.NotFound(w, r)
		return
	}
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	slices.Sort(allowed)
	rt.MethodNotAllowed(w, r, allowed)
}

// match compares the escaped path, so that an escaped slash is never taken for
// one of the route's own. What is no text names nothing.
func (c route) match(path string) (value string, ok bool) {
	if c.name == "" {
		return "", path == c.before
	}
	rest, ok := strings.CutPrefix(path, c.before)
	if !ok {
		return "", false
	}
	rest, ok = strings.CutSuffix(rest, c.after)
	if !ok || rest == "" || !c.slashes && strings.Contains(rest, "/") {
		return "", false
	}
	value, err := url.PathUnescape(rest)
	return value, err == nil && utf8.ValidString(value) && !strings.ContainsRune(value, 0)
}
