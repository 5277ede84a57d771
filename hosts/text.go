package hosts

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxLine is how many characters Clean leaves of one line; the line's both ends stay.
const MaxLine = 1000

// coloured are the terminal's sequences that only colour text: they say nothing, and many
// programs' logs are full of them.
var coloured = regexp.MustCompile(`\x1b\[[0-9;:]*m`)

// Clean makes text that somebody else wrote (a host, a container, an SSH server, a file)
// fit to be shown: it cannot steer a terminal, turn the reading direction, overwrite what
// stands before it or flood the screen. What is taken for a control character is shown by
// its code (\u001b), colours are left out, a tab becomes a space, and the middle of a line
// longer than MaxLine is left out. Lines stay lines. Text without such things stays as it is.
func Clean(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(coloured.ReplaceAllString(text, ""), "\t", " ")
	lines := strings.Split(Escape(text), "\n")
	for i, line := range lines {
		lines[i] = Shorten(line, MaxLine)
	}
	return strings.Join(lines, "\n")
}

// CleanLine is Clean for what has to stay in one line, such as a cell of a table.
func CleanLine(text string) string {
	return Shorten(strings.Join(strings.Fields(strings.ReplaceAll(Clean(text), "\n", " ")), " "), MaxLine)
}

// Escape shows every control character of a text, and all else that is not printed, by its
// code, and leaves the rest as it is: newlines and tabs as well. In JSON the codes mean the
// same characters, so that escaped JSON says what it said before.
func Escape(text string) string {
	if strings.IndexFunc(text, steers) < 0 && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case !steers(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		text = text[size:]
	}
	return b.String()
}

// steers tells the characters that a terminal does something else with than to print them:
// the controls C0 and C1, line separators, and Unicode's format characters, which turn the
// reading direction (CVE-2021-42574) or are not seen at all.
func steers(r rune) bool {
	if r == '\n' || r == '\t' || unicode.Is(unicode.Zs, r) {
		return false
	}
	return !unicode.IsPrint(r)
}

// Shorten leaves out the middle of a line of more than so many characters.
func Shorten(line string, most int) string {
	if len(line) <= most {
		return line
	}
	runes := []rune(line)
	if len(runes) <= most {
		return line
	}
	end := most / 4
	return fmt.Sprintf("%s … (%d characters left out) … %s",
		string(runes[:most-end]), len(runes)-most, string(runes[len(runes)-end:]))
}

// Size writes a number of bytes for people.
func Size(bytes int64) string {
	const unit = 1000
	if bytes < unit {
		return fmt.Sprintf("%d B", bytes)
	}
	value, prefix := float64(bytes)/unit, 0
	for value >= unit {
		value, prefix = value/unit, prefix+1
	}
	return fmt.Sprintf("%.1f %cB", value, "kMGTPE"[prefix])
}

// Count writes a number with its noun.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
