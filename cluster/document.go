package cluster

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds a Cluster file. A thousand hosts need a fifth of it.
const maxFile = 1 << 20

// documents parses a stream of YAML documents; empty ones are left out.
func documents(data []byte) ([]*yaml.Node, error) {
	if len(data) > maxFile {
		return nil, &SyntaxError{Line: 1, Column: 1, Message: "the file is larger than 1 MiB: this is no Cluster file"}
	}
	found, err := parse(data)
	if err != nil {
		return nil, locate(data, err)
	}
	return found, nil
}

func parse(data []byte) ([]*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var found []*yaml.Node
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		if len(document.Content) == 1 && document.Content[0].ShortTag() != "!!null" {
			found = append(found, document.Content[0])
		}
	}
}

// locate says where the trouble of an unreadable file is. The parser gives at best a
// line, often the one where the surrounding block began; so look for the shortest
// beginning of the file that fails in the same way: it ends where the trouble is.
func locate(data []byte, err error) *SyntaxError {
	message := syntaxMessage(err)
	fails := func(end int) bool {
		_, err := parse(data[:end])
		return err != nil && syntaxMessage(err) == message
	}
	low, high := 0, len(data) // data[:high] fails, data[:low] does not
	for high-low > 1 {
		middle := low + (high-low)/2
		if fails(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	at := max(high-1, 0)
	start := bytes.LastIndexByte(data[:at], '\n') + 1
	line, _, _ := bytes.Cut(data[start:], []byte("\n"))
	return &SyntaxError{
		Line:    1 + bytes.Count(data[:start], []byte("\n")),
		Column:  1 + utf8.RuneCount(data[start:at]),
		Message: message,
		Text:    printable(line),
	}
}

// syntaxMessage is the parser's message without its own idea of the place.
func syntaxMessage(err error) string {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, found := strings.CutPrefix(message, "line "); found {
		if _, after, found := strings.Cut(rest, ": "); found {
			return after
		}
	}
	return message
}

// printable shortens a line and takes out what would upset a terminal.
func printable(line []byte) string {
	const longest = 160
	var b strings.Builder
	for i, r := range []rune(strings.TrimRight(string(line), "\r")) {
		if i == longest {
			b.WriteString("…")
			break
		}
		if r < ' ' && r != '\t' || r == 0x7f || r == utf8.RuneError {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}
