package x402

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

var (
	errTruncated = errors.New("the JSON text ends too early")
	errTooDeep   = errors.New("the JSON text is nested too deeply")
)

// maxDepth bounds nesting, as encoding/json does.
const maxDepth = 10000

// eachMember calls f with the name and the raw value of each member of the JSON
// object in data, in their order, and stops at its first error. The text is
// checked in full (RFC 8259). Names are unescaped; name and value are only valid
// during the call, and alias data.
func eachMember(data []byte, f func(name, raw []byte) error) error {
	s := scanner{data: data}
	s.space()
	if s.peek() != '{' {
		return errors.New("a JSON object is needed")
	}
	if err := s.object(1, f); err != nil {
		return err
	}
	if s.space(); s.pos < len(s.data) {
		return s.unexpected()
	}
	return nil
}

// eachElement calls f with the raw value of each element of the JSON array in
// data, as eachMember does.
func eachElement(data []byte, f func(raw []byte) error) error {
	s := scanner{data: data}
	s.space()
	if s.peek() != '[' {
		return errors.New("a JSON array is needed")
	}
	if err := s.array(1, f); err != nil {
		return err
	}
	if s.space(); s.pos < len(s.data) {
		return s.unexpected()
	}
	return nil
}

// scanner walks over JSON text.
type scanner struct {
	data []byte
	pos  int
}

func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0 // valid nowhere
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) unexpected() error {
	if s.pos >= len(s.data) {
		return errTruncated
	}
	return fmt.Errorf("unexpected %q at byte %d of the JSON text", s.data[s.pos], s.pos)
}

// value skips one value and the spaces before it.
func (s *scanner) value(depth int) error {
	s.space()
	switch c := s.peek(); {
	case c == '"':
		return s.quoted()
	case c == '{':
		return s.object(depth+1, nil)
	case c == '[':
		return s.array(depth+1, nil)
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	default:
		return s.unexpected()
	}
}

// object skips an object, telling f of each member unless f is nil.
func (s *scanner) object(depth int, f func(name, raw []byte) error) error {
	if depth > maxDepth {
		return errTooDeep
	}
	s.pos++ // {
	if s.space(); s.peek() == '}' {
		s.pos++
		return nil
	}
	for {
		if s.space(); s.peek() != '"' {
			return s.unexpected()
		}
		start := s.pos
		if err := s.quoted(); err != nil {
			return err
		}
		quoted := s.data[start:s.pos]
		if s.space(); s.peek() != ':' {
			return s.unexpected()
		}
		s.pos++
		s.space()
		start = s.pos
		if err := s.value(depth); err != nil {
			return err
		}
		if f != nil {
			name, err := unquote(quoted)
			if err != nil {
				return err
			}
			if err := f(name, s.data[start:s.pos]); err != nil {
				return err
			}
		}
		if more, err := s.more('}'); !more {
			return err
		}
	}
}

// array skips an array, telling f of each element unless f is nil.
func (s *scanner) array(depth int, f func(raw []byte) error) error {
	if depth > maxDepth {
		return errTooDeep
	}
	s.pos++ // [
	if s.space(); s.peek() == ']' {
		s.pos++
		return nil
	}
	for {
		s.space()
		start := s.pos
		if err := s.value(depth); err != nil {
			return err
		}
		if f != nil {
			if err := f(s.data[start:s.pos]); err != nil {
				return err
			}
		}
		if more, err := s.more(']'); !more {
			return err
		}
	}
}

// more skips a comma and says true, or the end.
func (s *scanner) more(end byte) (bool, error) {
	s.space()
	switch s.peek() {
	case ',':
		s.pos++
		return true, nil
	case end:
		s.pos++
		return false, nil
	default:
		return false, s.unexpected()
	}
}

// quoted skips a string.
func (s *scanner) quoted() error {
	for s.pos++; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			return nil
		case c < 0x20:
			return s.unexpected()
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		}
	}
	return errTruncated
}

// escape moves from a backslash to the last byte of its sequence.
func (s *scanner) escape() error {
	s.pos++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
		for range 4 {
			s.pos++
			switch c := s.peek(); {
			case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
			default:
				return s.unexpected()
			}
		}
		return nil
	default:
		return s.unexpected()
	}
}

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if err := s.digits(); err != nil {
		return err
	}
	if s.peek() == '.' {
		s.pos++
		if err := s.digits(); err != nil {
			return err
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		return s.digits()
	}
	return nil
}

// digits skips one digit or more.
func (s *scanner) digits() error {
	start := s.pos
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.pos++
	}
	if s.pos == start {
		return s.unexpected()
	}
	return nil
}

func (s *scanner) literal(word string) error {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
		return s.unexpected()
	}
	s.pos += len(word)
	return nil
}

// unquote returns what is between the quotes of a JSON string, unescaped. Where
// nothing is escaped and all is ASCII, that is a part of quoted itself.
func unquote(quoted []byte) ([]byte, error) {
	inner := quoted[1 : len(quoted)-1]
	for _, c := range inner {
		if c == '\\' || c >= 0x80 {
			var s string
			err := json.Unmarshal(quoted, &s)
			return []byte(s), err
		}
	}
	return inner, nil
}
