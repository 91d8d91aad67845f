package middleware

import (
	"fmt"
	"strings"
)

// pattern is a parsed [Route.Pattern].
type pattern struct {
	text     string
	method   string   // "" for every method
	segments []string // canonical literals; "" stands for {name}
	plain    []string // the same, decoded once
	rest     bool     // whatever follows is matched, and nothing too
	slash    bool     // ends in a slash or {name...}, so that net/http wants one
}

// parsePattern reads a pattern of net/http without a host, or one that ends
// in "/*".
func parsePattern(text string) (pattern, error) {
	fail := func(format string, args ...any) (pattern, error) {
		return pattern{}, fmt.Errorf("middleware: pattern %q: "+format, append([]any{text}, args...)...)
	}
	p := pattern{text: text}
	method, path, ok := strings.Cut(text, " ")
	if ok {
		p.method, path = method, strings.TrimLeft(path, " \t")
	} else {
		path = text
	}
	switch {
	case p.method != strings.ToUpper(p.method) || strings.Trim(p.method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "":
		return fail("%q is not a method in capitals", p.method)
	case p.method == "OPTIONS":
		return fail("OPTIONS is answered by the guard and cannot be sold")
	case !strings.HasPrefix(path, "/"):
		return fail("the path must begin with a slash; hosts are not part of it")
	case len(path) > maxPath:
		return fail("longer than %d bytes", maxPath)
	}
	parts := strings.Split(path[1:], "/")
	for i, part := range parts {
		last := i == len(parts)-1
		name, isParam := strings.CutPrefix(part, "{")
		name, closed := strings.CutSuffix(name, "}")
		switch {
		case last && (part == "" || part == "*" || isParam && closed && strings.HasSuffix(name, "...")):
			p.rest, p.slash = true, part != "*"
		case last && part == "{$}":
			p.slash = true // it makes no difference to what is guarded
		case isParam && closed && name != "" && strings.Trim(name, "{}.$") == name:
			p.segments, p.plain = append(p.segments, ""), append(p.plain, "")
		case part == "" || part == "." || part == ".." || strings.ContainsAny(part, "{}*?#\\;") || strings.Contains(part, "%00"):
			return fail("%q is not a segment", part)
		default:
			literal, ok := canonical(part)
			if !ok {
				return fail("%q is encoded too often", part)
			}
			p.segments, p.plain = append(p.segments, literal), append(p.plain, unescape(part))
		}
	}
	return p, nil
}

// exactly says whether a method and an encoded path are spelled as net/http
// wants them for p. The guard matches more than that.
func (p pattern) exactly(method, encoded string) bool {
	switch {
	case p.method != "" && method != p.method && (p.method != "GET" || method != "HEAD"):
		return false
	case encoded == "" || clean(encoded) != encoded:
		return false
	}
	segments := strings.Split(encoded[1:], "/")
	if len(segments) < len(p.plain) {
		return false
	}
	for i, want := range p.plain {
		if segments[i] == "" || want != "" && unescape(segments[i]) != want {
			return false
		}
	}
	following := segments[len(p.plain):]
	switch {
	case len(following) == 0:
		return !p.slash
	case p.rest:
		return true
	default:
		return p.slash && len(following) == 1 && following[0] == ""
	}
}

// relation of two sets of requests.
type relation int

const (
	disjoint relation = iota
	equal
	narrower // the first is a proper part of the second
	wider
	overlapping
)

func (p pattern) compareMethods(q pattern) relation {
	switch {
	case p.method == q.method:
		return equal
	case q.method == "" || p.method == "HEAD" && q.method == "GET":
		return narrower
	case p.method == "" || p.method == "GET" && q.method == "HEAD":
		return wider
	default:
		return disjoint
	}
}

// comparePaths relates the paths that p and q match.
func (p pattern) comparePaths(q pattern) relation {
	r := equal
	for i := 0; i < len(p.segments) || i < len(q.segments); i++ {
		switch {
		case i >= len(p.segments):
			if !p.rest {
				return disjoint
			}
			return r.and(wider)
		case i >= len(q.segments):
			if !q.rest {
				return disjoint
			}
			return r.and(narrower)
		case p.segments[i] == q.segments[i]:
		case q.segments[i] == "":
			r = r.and(narrower)
		case p.segments[i] == "":
			r = r.and(wider)
		default:
			return disjoint
		}
	}
	switch {
	case p.rest && !q.rest:
		return r.and(wider)
	case q.rest && !p.rest:
		return r.and(narrower)
	default:
		return r
	}
}

// and combines the relations of two independent parts.
func (r relation) and(s relation) relation {
	switch {
	case r == disjoint || s == disjoint:
		return disjoint
	case r == equal || r == s:
		return s
	case s == equal:
		return r
	default:
		return overlapping
	}
}

// conflict says why no order between p and q is right; nil if there is one.
func (p pattern) conflict(q pattern) error {
	switch p.compareMethods(q).and(p.comparePaths(q)) {
	case equal:
		return fmt.Errorf("middleware: patterns %q and %q match the same requests", p.text, q.text)
	case overlapping:
		return fmt.Errorf("middleware: patterns %q and %q overlap, and neither is more specific", p.text, q.text)
	default:
		return nil
	}
}
