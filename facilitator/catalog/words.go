package catalog

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Bounds of words.
const (
	maxWord       = 40 // characters of a word that count
	maxQuery      = 200
	maxQueryWords = 16
)

// Words are the words of a text as products are found by them: runs of letters
// and digits in lower case, without the accents of Latin, Greek and Cyrillic
// letters. Each character of a script that has no blanks between words is a word.
// All stores search in these, and so find the same.
func Words(text string) []string {
	var words []string
	var b strings.Builder
	n := 0 // characters in b
	end := func() {
		if n > 0 {
			words = append(words, b.String())
		}
		b.Reset()
		n = 0
	}
	for _, r := range norm.NFKD.String(text) {
		switch {
		case accent(r):
		case alone(r):
			end()
			words = append(words, string(r))
		case unicode.IsLetter(r), unicode.IsNumber(r), unicode.IsMark(r) && n > 0:
			if n++; n <= maxWord {
				b.WriteRune(unicode.ToLower(r))
			}
		default:
			end()
		}
	}
	end()
	return words
}

// accent says whether r is a mark on letters that are the same without it:
// Combining Diacritical Marks, U+0300 to U+036F.
func accent(r rune) bool { return r >= 0x0300 && r <= 0x036f }

// alone says whether r is of a script without blanks between words.
func alone(r rune) bool {
	return r > unicode.MaxLatin1 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) && unicode.IsLetter(r)
}

// queryWords are the words of what somebody looks for, each once. The last one
// is the beginning of a word if it has two characters and ends the query.
func queryWords(query string) (words []string, prefix bool) {
	all := Words(query)
	known := map[string]bool{}
	for _, w := range all {
		if !known[w] && len(words) < maxQueryWords {
			known[w] = true
			words = append(words, w)
		}
	}
	if len(words) == 0 {
		return nil, false
	}
	last := words[len(words)-1]
	end, _ := utf8.DecodeLastRuneInString(query)
	first, _ := utf8.DecodeRuneInString(last)
	open := last == all[len(all)-1] && (unicode.IsLetter(end) || unicode.IsNumber(end)) && !alone(first)
	return words, open && utf8.RuneCountInString(last) >= 2
}

// SearchText is what a product is found by.
type SearchText struct {
	Title, Tags, Category, Description []string // words
}

// SearchText returns the words that p is found by.
func (p *Product) SearchText() SearchText {
	return SearchText{
		Title: Words(p.Title), Tags: Words(strings.Join(p.Tags, " ")), Category: Words(p.Category), Description: Words(p.Description),
	}
}
