// Package text is the catalogue of all that the TUI says by itself, in every language that it speaks.
// What comes from elsewhere (findings, steps, units, versions) stays as it is.
package text

import (
	"fmt"
	"strings"
)

// Language is one that the TUI speaks.
type Language int

// The languages, in the order in which a key leads from one to the next.
const (
	English Language = iota
	Chinese
	languages
)

// Text is one thing that is said, with the verbs of package fmt for what is put into it.
type Text struct{ in [languages]string }

// all is the whole catalogue, for the test that nothing is missing in it.
var all []*Text

func add(english, chinese string) *Text {
	t := &Text{[languages]string{english, chinese}}
	all = append(all, t)
	return t
}

// Say is a text in the language.
func (l Language) Say(t *Text, args ...any) string {
	if len(args) == 0 {
		return t.in[l]
	}
	return fmt.Sprintf(t.in[l], args...)
}

// Next is the language that follows.
func (l Language) Next() Language { return (l + 1) % languages }

// Of is the language of a locale such as zh_CN.UTF-8, as the environment has it in LC_ALL,
// LC_MESSAGES or LANG (POSIX: the first that is set counts). console tells that the terminal is the Linux console, which
// has no Chinese characters.
func Of(getenv func(string) string, console bool) Language {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		locale := getenv(name)
		if locale == "" {
			continue
		}
		if strings.HasPrefix(locale, "zh") && !console {
			return Chinese
		}
		return English
	}
	return English
}
