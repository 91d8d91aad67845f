package middleware

import (
	"net/http"
	"path"
	"strings"
	"unicode"
)

// Bounds of what is decoded of a request's path.
const (
	maxPasses = 5       // of percent-decoding
	maxPath   = 8 << 10 // bytes of a path that is not plain
)

// match is what the routes say about a request.
type match struct {
	route     *route
	ambiguous bool // readings of the path disagree, or it could not be decoded
}

// match finds the route of r. Servers and handlers read a path in different
// ways, so a request is guarded if any reading of its path is: as it stands,
// cleaned, decoded once or several times, with backslashes for slashes,
// without path parameters, cut at NUL. It is ambiguous if two readings lead to
// two routes.
func (t *trie) match(r *http.Request) match {
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	if r.URL.RawPath == "" && plain(r.URL.Path) {
		var m match
		t.read(&m, method, r.URL.Path)
		return m
	}
	escaped := r.URL.EscapedPath()
	if len(escaped) > maxPath || len(r.URL.Path) > maxPath {
		return match{ambiguous: true}
	}
	return t.matchReadings(method, escaped, r.URL.Path)
}

// matchReadings tries every reading of an encoded path. decoded is what the
// server made of it.
func (t *trie) matchReadings(method, encoded, decoded string) match {
	var m match
	levels := []string{encoded}
	for pass := 0; ; pass++ {
		last := levels[len(levels)-1]
		next := unescape(last)
		if next == last {
			break
		}
		if pass == maxPasses {
			return match{ambiguous: true}
		}
		levels = append(levels, next)
	}
	if len(levels) < 2 || levels[1] != decoded {
		levels = append(levels, decoded)
	}
	for _, level := range levels {
		t.readLevel(&m, method, level)
		if slashed := strings.ReplaceAll(level, `\`, "/"); slashed != level {
			t.readLevel(&m, method, slashed)
		}
		if cut := strings.IndexAny(level, "\x00?#"); cut >= 0 {
			t.readLevel(&m, method, level[:cut])
			t.readLevel(&m, method, strings.ReplaceAll(level[:cut], `\`, "/"))
		}
	}
	return m
}

// readLevel reads one level as it stands and cleaned.
func (t *trie) readLevel(m *match, method, level string) {
	t.readSegments(m, method, level)
	if strings.Contains(level, ";") {
		t.readSegments(m, method, clean(stripParameters(level)))
	}
	t.readSegments(m, method, clean(level))
}

// readSegments brings each segment into canonical form and looks them up.
func (t *trie) readSegments(m *match, method, level string) {
	segments := strings.Split(strings.TrimPrefix(level, "/"), "/")
	for i, s := range segments {
		c, ok := canonical(s)
		if !ok {
			m.ambiguous = true
			return
		}
		segments[i] = c
	}
	t.read(m, method, "/"+strings.Join(segments, "/"))
}

// read looks a path up with and without its trailing slash.
func (t *trie) read(m *match, method, path string) {
	m.add(t.find(method, path))
	if len(path) > 1 && path[len(path)-1] == '/' {
		m.add(t.find(method, path[:len(path)-1]))
	}
}

func (m *match) add(rt *route) {
	switch {
	case rt == nil || rt == m.route:
	case m.route == nil:
		m.route = rt
	default:
		m.ambiguous = true
	}
}

// plain says whether all readings of a decoded path are the same, save for
// letter case and a trailing slash.
func plain(p string) bool {
	if p == "" || p[0] != '/' {
		return false
	}
	for i := range len(p) {
		switch c := p[i]; {
		case c < 0x20 || c >= 0x7f || c == '%' || c == '\\' || c == ';' || c == '?' || c == '#':
			return false
		case c == '/' && unclean(p[i+1:]):
			return false
		}
	}
	return true
}

// unclean says whether what follows a slash is another one or a dot segment.
func unclean(rest string) bool {
	switch {
	case rest == "" || rest[0] != '.':
		return rest != "" && rest[0] == '/'
	case len(rest) > 1 && rest[1] == '.':
		return len(rest) == 2 || rest[2] == '/'
	default:
		return len(rest) == 1 || rest[1] == '/'
	}
}

// clean resolves empty, "." and ".." segments and keeps a trailing slash, as
// http.ServeMux does.
func clean(p string) string {
	out := path.Clean("/" + p)
	if out != "/" && strings.HasSuffix(p, "/") {
		out += "/"
	}
	return out
}

// stripParameters cuts each segment at its first semicolon.
func stripParameters(p string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}

// canonical brings a segment, or the literal of a pattern, into the form in
// which they are compared: fully decoded, without path parameters and control
// characters, in one letter case. Equal segments have equal forms, and a
// segment that is not empty has one that is not. ok is false if it is encoded
// more than maxPasses times.
func canonical(segment string) (form string, ok bool) {
	s := segment
	for pass := 0; ; pass++ {
		next := unescape(s)
		if next == s {
			break
		}
		if pass == maxPasses {
			return "", false
		}
		s = next
	}
	s, _, _ = strings.Cut(s, ";")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '/' || r == '\\':
			return separator
		case r < 0x20 || r == 0x7f:
			return -1
		default:
			return fold(r)
		}
	}, s)
	if s == "" && segment != "" {
		s = string(nothing)
	}
	return s, true
}

// What stands in a canonical segment for characters that it cannot hold.
const (
	separator = '\x01' // a slash inside a segment
	nothing   = '\x02' // nothing is left of it
)

// fold is the same for all letters that differ in case only.
func fold(r rune) rune {
	if r == 'ı' {
		return 'i' // its upper case is I
	}
	if r < 0x80 && r != 'k' && r != 'K' && r != 's' && r != 'S' {
		return unicode.ToLower(r)
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return unicode.ToLower(least)
}

// unescape decodes percent-encoding once and leaves what is not valid as it is.
func unescape(s string) string {
	i := strings.IndexByte(s, '%')
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for ; i >= 0; i = strings.IndexByte(s, '%') {
		b.WriteString(s[:i])
		if i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			b.WriteByte(unhex(s[i+1])<<4 | unhex(s[i+2]))
			s = s[i+3:]
		} else {
			b.WriteByte('%')
			s = s[i+1:]
		}
	}
	b.WriteString(s)
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	default:
		return c - 'a' + 10
	}
}
