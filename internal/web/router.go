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
// "//" or ".."), and leaves every answer to the API. HEAD goes where GET goes.
// Its fields are set, and its routes added, before it serves.
type Router struct {
	NotFound         http.HandlerFunc
	MethodNotAllowed func(w http.ResponseWriter, r *http.Request, allowed []string)

	routes []route
}

// route is a method and a path: what comes before the first value, and the
// values with what comes after each.
type route struct {
	pattern string
	method  string
	before  string
	values  []placed
	handler http.HandlerFunc
}

// placed is a value in a path.
type placed struct {
	name    string
	after   string // up to the next value or the end
	slashes bool   // may be in the value
}

// Handle adds a route, such as "GET /items/{id}/parts/{part}" or, with a value
// that may hold slashes and is the last one, "PUT /items/{id...}/close".
// [http.Request.PathValue] returns the values. The first route that matches wins.
func (rt *Router) Handle(pattern string, h http.HandlerFunc) {
	method, path, _ := strings.Cut(pattern, " ")
	before, rest, more := strings.Cut(path, "{")
	c := route{pattern: pattern, method: method, before: before, handler: h}
	for more {
		var v placed
		v.name, rest, _ = strings.Cut(rest, "}")
		v.name, v.slashes = strings.CutSuffix(v.name, "...")
		v.after, rest, more = strings.Cut(rest, "{")
		c.values = append(c.values, v)
	}
	rt.routes = append(rt.routes, c)
}

// Include adds the routes that other has now.
func (rt *Router) Include(other *Router) { rt.routes = append(rt.routes, other.routes...) }

// ServeHTTP implements [http.Handler]. Handlers find the pattern of their route in
// [http.Request.Pattern]: it can be logged, where a path may hold what must not be.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	var allowed []string
	for i := range rt.routes {
		c := &rt.routes[i]
		switch {
		case !strings.HasPrefix(path, c.before):
		case c.method == r.Method, c.method == http.MethodGet && r.Method == http.MethodHead:
			if c.match(path, r.SetPathValue) {
				r.Pattern = c.pattern
				c.handler(w, r)
				return
			}
		case !slices.Contains(allowed, c.method) && c.match(path, func(_, _ string) {}):
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
// one of the route's own, and hands the values to set. What is no text names
// nothing.
func (c *route) match(path string, set func(name, value string)) bool {
	rest := path[len(c.before):]
	for _, v := range c.values {
		end := len(rest)
		if v.slashes {
			end -= len(v.after)
		} else {
			segment, _, _ := strings.Cut(rest, "/")
			suffix, _, _ := strings.Cut(v.after, "/") // such as ".csv"
			end = len(segment) - len(suffix)
		}
		if end <= 0 || !strings.HasPrefix(rest[end:], v.after) {
			return false
		}
		text, err := url.PathUnescape(rest[:end])
		if err != nil || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return false
		}
		set(v.name, text)
		rest = rest[end+len(v.after):]
	}
	return rest == ""
}
