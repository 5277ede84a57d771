package hosts_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/slipway-k8s/slipway/hosts"
)

func TestCleanShowsWhatWouldSteerATerminal(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"plain text":           {"größer als das, 漢字 und 🚢", "größer als das, 漢字 und 🚢"},
		"lines":                {"one\ntwo\r\nthree", "one\ntwo\nthree"},
		"a cleared screen":     {"a\x1b[2J\x1b[Hb", `a\u001b[2J\u001b[Hb`},
		"a title":              {"\x1b]0;root@cp-1\x07$ ", `\u001b]0;root@cp-1\u0007$ `},
		"the clipboard":        {"\x1b]52;c;cm0gLXJm\x1b\\", `\u001b]52;c;cm0gLXJm\u001b\`},
		"colours":              {"\x1b[1;31merror\x1b[0m: full", "error: full"},
		"what colours hide":    {"\x1b\x1b[0m[2J", `\u001b[2J`},
		"C1's introducer":      {"\u009b2J", `\u009b2J`},
		"C1 without UTF-8":     {"\x9b2J", `\x9b2J`},
		"a line written over":  {"all is well\rfailed: x", `all is well\u000dfailed: x`},
		"backspaces":           {"no\b\byes\x7f", `no\u0008\u0008yes\u007f`},
		"turned direction":     {"a\u202egpj.exe\u2066b", `a\u202egpj.exe\u2066b`},
		"what is not seen":     {"x\u200by\ufeff\U000e0041", `x\u200by\ufeff\udb40\udc41`},
		"other ends of a line": {"a\u2028b\x0bc\x0c\u0085", `a\u2028b\u000bc\u000c\u0085`},
		"tabs":                 {"a\tb", "a b"},
		"other spaces":         {"1\u00a0000", "1\u00a0000"},
		"no text at all":       {"", ""},
		"a NUL":                {"a\x00", `a\u0000`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := hosts.Clean(test.text); got != test.want {
				t.Errorf("Clean(%q) is %q, should be %q", test.text, got, test.want)
			}
		})
	}
}

func TestCleanLeavesBothEndsOfALongLine(t *testing.T) {
	text := "short\nbegin" + strings.Repeat("ä", 1<<20) + "end"
	got := hosts.Clean(text)
	first, long, _ := strings.Cut(got, "\n")
	if n := utf8.RuneCountInString(long); first != "short" || n > hosts.MaxLine+50 {
		t.Errorf("%d characters are left", n)
	}
	if !strings.HasPrefix(long, "begin") || !strings.HasSuffix(long, "end") || !strings.Contains(long, "left out") {
		t.Errorf("the line reads %.40s … %s", long, long[len(long)-40:])
	}
}

func TestCleanLineIsOneLine(t *testing.T) {
	if got := hosts.CleanLine("  one\n\n two\tthree\r\n"); got != "one two three" {
		t.Errorf("got %q", got)
	}
}

// TestEscapedJSONSaysTheSame: escaping JSON loses nothing of it.
func TestEscapedJSONSaysTheSame(t *testing.T) {
	said := "a\x1b[2J\u009b\u202e\U000e0041\r\n\tb\x7f"
	data, err := json.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	escaped := hosts.Escape(string(data))
	var heard string
	if err := json.Unmarshal([]byte(escaped), &heard); err != nil || heard != said {
		t.Fatalf("%s reads %q: %v", escaped, heard, err)
	}
	for _, steering := range []string{"\x1b", "\u009b", "\u202e", "\U000e0041", "\x7f"} {
		if strings.Contains(escaped, steering) {
			t.Errorf("%q is left in %q", steering, escaped)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"", "a\nb", "\x1b[31m\x9b\u202e", "\xff\xfe\x00", strings.Repeat("x", 2*hosts.MaxLine)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		clean := hosts.Clean(text)
		if again := hosts.Escape(clean); again != clean {
			t.Errorf("%q is not clean: %q", clean, again)
		}
		if again := hosts.Clean(clean); again != clean && utf8.RuneCountInString(clean) <= hosts.MaxLine {
			t.Errorf("Clean(%q) is %q, and cleaned again %q", text, clean, again)
		}
		if strings.ContainsAny(hosts.CleanLine(text), "\n\r\t\x1b") {
			t.Errorf("CleanLine(%q) is %q", text, hosts.CleanLine(text))
		}
	})
}

func TestSize(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 1_500_000: "1.5 MB", 34_600_000_000: "34.6 GB"} {
		if got := hosts.Size(bytes); got != want {
			t.Errorf("%d is %q, want %q", bytes, got, want)
		}
	}
}
