package middleware

import (
	"slices"
	"strings"
)

// trie finds the route of a canonical path. It is built once and then only
// read; a lookup allocates nothing and does not depend on the number of routes.
type trie struct {
	root    node
	longest int      // bytes of the longest literal
	others  []string // methods beside the usual ones
}

type node struct {
	literals map[string]*node
	param    *node
	here     leaf // patterns that end here
	rest     leaf // patterns that match whatever follows
}

// leaf holds the routes of one path, by method.
type leaf struct {
	any     *route
	methods []methodRoute
}

type methodRoute struct {
	method string
	route  *route
}

// newTrie returns an error for patterns that overlap without an order.
func newTrie(routes []*route) (*trie, error) {
	t := &trie{}
	for i, rt := range routes {
		for _, other := range routes[:i] {
			if err := other.pattern.conflict(rt.pattern); err != nil {
				return nil, err
			}
		}
		t.add(rt)
	}
	return t, nil
}

func (t *trie) add(rt *route) {
	n := &t.root
	for _, s := range rt.pattern.segments {
		n = n.child(s)
		t.longest = max(t.longest, len(s))
	}
	l := &n.here
	if rt.pattern.rest {
		l = &n.rest
	}
	if rt.pattern.method == "" {
		l.any = rt
	} else {
		l.methods = append(l.methods, methodRoute{rt.pattern.method, rt})
		if !slices.Contains(allMethods, rt.pattern.method) && !slices.Contains(t.others, rt.pattern.method) {
			t.others = append(t.others, rt.pattern.method)
		}
	}
}

func (n *node) child(segment string) *node {
	if segment == "" {
		if n.param == nil {
			n.param = &node{}
		}
		return n.param
	}
	c, ok := n.literals[segment]
	if !ok {
		if n.literals == nil {
			n.literals = map[string]*node{}
		}
		c = &node{}
		n.literals[segment] = c
	}
	return c
}

// find returns the most specific route for a path, which begins with a slash.
// Its ASCII letters may be of either case.
func (t *trie) find(method, path string) *route {
	return t.walk(&t.root, method, strings.TrimPrefix(path, "/"), path == "" || path == "/")
}

// walk goes on from n with what is left of the path; done means nothing is,
// which is not the same as an empty last segment after a trailing slash.
func (t *trie) walk(n *node, method, path string, done bool) *route {
	if done {
		if rt := n.here.find(method); rt != nil {
			return rt
		}
		return n.rest.find(method)
	}
	segment, after, more := strings.Cut(path, "/")
	if segment == "" && !more { // a trailing slash
		if rt := n.rest.find(method); rt != nil {
			return rt
		}
		return n.here.find(method)
	}
	if c := t.literal(n, segment); c != nil {
		if rt := t.walk(c, method, after, !more); rt != nil {
			return rt
		}
	}
	if n.param != nil { // net/http lets {x} be empty, but not at the end
		if rt := t.walk(n.param, method, after, !more); rt != nil {
			return rt
		}
	}
	return n.rest.find(method)
}

// literal is the child of n for a segment, whatever its ASCII case.
func (t *trie) literal(n *node, segment string) *node {
	if len(n.literals) == 0 || len(segment) > t.longest {
		return nil
	}
	if c, ok := n.literals[segment]; ok {
		return c
	}
	var lower [128]byte
	if len(segment) > len(lower) {
		return n.literals[strings.ToLower(segment)]
	}
	for i := range len(segment) {
		c := segment[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return n.literals[string(lower[:len(segment)])]
}

// find picks the route of a method: its own, that of GET for HEAD, or the one
// for all.
func (l *leaf) find(method string) *route {
	if rt := l.exact(method); rt != nil {
		return rt
	}
	if strings.EqualFold(method, "HEAD") {
		if rt := l.exact("GET"); rt != nil {
			return rt
		}
	}
	return l.any
}

func (l *leaf) exact(method string) *route {
	for _, m := range l.methods {
		if m.method == method || strings.EqualFold(m.method, method) {
			return m.route
		}
	}
	return nil
}
