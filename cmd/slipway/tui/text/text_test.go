package text

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var verb = regexp.MustCompile(`%(\[\d+\])?[-+# 0]*[0-9]*(\.[0-9]+)?[a-zA-Z%]`)

// TestCatalogueIsComplete: every text is said in every language, with the same verbs in the same order, and nothing
// is left untranslated but names.
func TestCatalogueIsComplete(t *testing.T) {
	if len(all) < 100 {
		t.Fatalf("the catalogue has %d texts", len(all))
	}
	for _, one := range all {
		verbs := verb.FindAllString(one.in[English], -1)
		for l := range languages {
			said := one.in[l]
			if strings.TrimSpace(said) == "" {
				t.Errorf("language %d has nothing for %q", l, one.in[English])
			}
			if got := verb.FindAllString(said, -1); !slices.Equal(got, verbs) {
				t.Errorf("%q has the verbs %v, %q has %v", one.in[English], verbs, said, got)
			}
			if strings.ContainsFunc(said, func(r rune) bool { return r < ' ' && r != '\n' }) {
				t.Errorf("%q has a control character", said)
			}
		}
		if strings.Contains(one.in[English], " ") && one.in[Chinese] == one.in[English] {
			t.Errorf("%q is not translated", one.in[English])
		}
	}
}

// TestEveryTextIsSaid: what nobody says any more is no longer in the catalogue.
func TestEveryTextIsSaid(t *testing.T) {
	var code strings.Builder
	files, err := filepath.Glob("../*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(content)
	}
	own, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	defined := regexp.MustCompile(`(?m)^\t([A-Z]\w*) += add\(`)
	for _, file := range own {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range defined.FindAllSubmatch(content, -1) {
			if !regexp.MustCompile(`text\.` + string(match[1]) + `\b`).MatchString(code.String()) {
				t.Errorf("nobody says %s", match[1])
			}
		}
	}
}

func TestLanguageOfALocale(t *testing.T) {
	for _, c := range []struct {
		env     map[string]string
		console bool
		want    Language
	}{
		{nil, false, English},
		{map[string]string{"LANG": "zh_CN.UTF-8"}, false, Chinese},
		{map[string]string{"LANG": "zh_CN.UTF-8"}, true, English},
		{map[string]string{"LANG": "zh_CN.UTF-8", "LC_ALL": "en_GB.UTF-8"}, false, English},
		{map[string]string{"LC_MESSAGES": "zh_TW.UTF-8", "LANG": "de_DE.UTF-8"}, false, Chinese},
	} {
		if got := Of(func(name string) string { return c.env[name] }, c.console); got != c.want {
			t.Errorf("%v on the console %v: %v, want %v", c.env, c.console, got, c.want)
		}
	}
	if English.Next() != Chinese || Chinese.Next() != English {
		t.Error("the key does not lead through all languages")
	}
}
