package catalog_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/v402/v402/facilitator/catalog"
)

func TestWordsAreRunsOfLettersAndDigits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                           "",
		" ,;- ":                      "",
		"Premium AI Tutorial":        "premium|ai|tutorial",
		"machine-learning_2024":      "machine|learning|2024",
		"Crème BRÛLÉE":               "creme|brulee",
		"Ｆｕｌｌ":                       "full",
		"机器学习":                       "机|器|学|习",
		"Go语言":                       "go|语|言",
		"don't":                      "don|t",
		"Ёлка й":                     "елка|и",
		"x²":                         "x2",
		"\xffabc\x00def":             "abc|def",
		strings.Repeat("a", 50):      strings.Repeat("a", 40),
		"title:plain* OR \"quoted\"": "title|plain|or|quoted",
	} {
		require.Equal(t, want, strings.Join(catalog.Words(text), "|"), "%q", text)
	}
}

func FuzzWords(f *testing.F) {
	for _, text := range []string{"Premium AI", "Crème brûlée", "机器学习 Go", "हिन्दी", "\xff\x00", "a*b\"c'd", "½ ﬁ ﷺ", "İstanbul"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, word := range catalog.Words(text) {
			require.True(t, utf8.ValidString(word))
			require.LessOrEqual(t, utf8.RuneCountInString(word), 40)
			require.Equal(t, -1, strings.IndexFunc(word, func(r rune) bool {
				return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r)
			}), "%q of %q", word, text)
		}
	})
}
