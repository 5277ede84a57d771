package terminal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/x/vt"
)

// Cast is a recording, as asciicast (version 2) has it.
type Cast struct {
	Columns, Lines int
	Events         []CastEvent // in the order of time
}

// CastEvent is one thing that happened while a recording was made.
type CastEvent struct {
	At   time.Duration // since its begin
	Kind string        // "o": the program wrote Data; "m": Data is a mark; others are for players alone
	Data string
}

// The kinds of events.
const (
	CastOutput = "o"
	CastMark   = "m"
)

// ReadCast reads an asciicast of version 2.
func ReadCast(in io.Reader) (Cast, error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	if !lines.Scan() {
		return Cast{}, fmt.Errorf("read the asciicast: it is empty: %w", lines.Err())
	}
	var head struct{ Version, Width, Height int }
	if err := json.Unmarshal(lines.Bytes(), &head); err != nil || head.Version != 2 || head.Width < 1 || head.Height < 1 {
		return Cast{}, fmt.Errorf("read the asciicast: line 1: want a header with version 2, width and height: %.80s", lines.Text())
	}
	cast := Cast{Columns: head.Width, Lines: head.Height}
	for n := 2; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var seconds float64
		event := CastEvent{}
		if err := json.Unmarshal(lines.Bytes(), &[]any{&seconds, &event.Kind, &event.Data}); err != nil || event.Kind == "" {
			return Cast{}, fmt.Errorf("read the asciicast: line %d: want [SECONDS, KIND, DATA]: %.80s", n, lines.Text())
		}
		event.At = time.Duration(seconds * float64(time.Second))
		cast.Events = append(cast.Events, event)
	}
	if err := lines.Err(); err != nil {
		return Cast{}, fmt.Errorf("read the asciicast: %w", err)
	}
	return cast, nil
}

// Play shows a recording on a terminal of its own, and tells what is seen after each event. It does not wait between them.
func (c Cast) Play(seen func(event CastEvent, picture Picture)) {
	screen := vt.NewEmulator(c.Columns, c.Lines)
	defer endAnswers(screen)
	go func() { _, _ = io.Copy(io.Discard, screen) }()
	for _, event := range c.Events {
		if event.Kind == CastOutput {
			_, _ = screen.WriteString(event.Data) // memory takes all
		}
		seen(event, pictureOf(screen))
	}
}

// recording is an asciicast that is written: a header, then what was written when, a line of JSON each.
type recording struct {
	out   *json.Encoder
	began time.Time
	cut   []byte // the begin of a character whose end has not come yet
}

func newRecording(out io.Writer, columns, lines int) (*recording, error) {
	r := &recording{out: json.NewEncoder(out), began: time.Now()}
	r.out.SetEscapeHTML(false)
	return r, r.out.Encode(map[string]any{"version": 2, "width": columns, "height": lines, "timestamp": r.began.Unix(), "env": map[string]string{"TERM": "xterm-256color"}})
}

func (r *recording) add(data []byte) {
	if r == nil {
		return
	}
	data = append(r.cut, data...)
	whole := wholeCharacters(data)
	r.cut = bytes.Clone(data[whole:])
	r.event(CastOutput, string(data[:whole]))
}

func (r *recording) event(kind, data string) {
	if r == nil || data == "" {
		return
	}
	at := time.Since(r.began).Round(time.Millisecond).Seconds()
	_ = r.out.Encode([]any{at, kind, data}) // who reads it sees what is missing
}

// wholeCharacters is how many bytes there are before a character at the end that is cut.
func wholeCharacters(data []byte) int {
	for back := 1; back < utf8.UTFMax && back <= len(data); back++ {
		at := len(data) - back
		if utf8.RuneStart(data[at]) {
			if utf8.FullRune(data[at:]) {
				break
			}
			return at
		}
	}
	return len(data)
}
