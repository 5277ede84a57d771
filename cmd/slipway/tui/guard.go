package tui

import (
	"regexp"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// rendition is the only sequence that a frame may hold: it colours (ECMA-48, SGR).
var rendition = regexp.MustCompile(`\x1b\[[0-9;:]*m`)

// guard shows what else would steer the terminal by its code, wherever it came from: no screen can forget to clean
// what a host has said. The colours of a frame are its own only where what hosts say is cleaned, which
// takes colours away.
func guard(frame string) string {
	lines := strings.Split(frame, "\n")
	for i, line := range lines {
		lines[i] = guardLine(line)
	}
	return strings.Join(lines, "\n")
}

func guardLine(line string) string {
	line = strings.ReplaceAll(line, "\t", " ") // its width is not known
	var b strings.Builder
	at := 0
	for _, span := range rendition.FindAllStringIndex(line, -1) {
		b.WriteString(hosts.Escape(line[at:span[0]]))
		b.WriteString(line[span[0]:span[1]])
		at = span[1]
	}
	b.WriteString(hosts.Escape(line[at:]))
	return b.String()
}

// ascii has what others write in further characters said by those of ASCII, as wide as before where that is one column.
func ascii(frame string) string {
	return strings.Map(func(r rune) rune {
		if r <= '~' {
			return r
		}
		if plain, known := asciiFor[r]; known {
			return plain
		}
		return '?'
	}, frame)
}

var asciiFor = map[rune]rune{'✓': '+', '✗': 'x', '…': '~', '×': 'x', '→': '>', '·': '.', '—': '-', '–': '-', '“': '"', '”': '"', '‘': '\'', '’': '\''}

// clean is one line of what somebody else has said.
func clean(said string) string { return hosts.CleanLine(said) }

// cleanLines are the lines of what somebody else has said.
func cleanLines(said string) []string {
	return strings.Split(strings.TrimRight(hosts.Clean(said), "\n"), "\n")
}

// keepSpaces is clean, but leaves every space as it is: for text that is being typed, and for files and logs.
func keepSpaces(said string) string { return guardLine(strings.ReplaceAll(said, "\x1b", "")) }
