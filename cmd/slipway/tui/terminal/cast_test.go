package terminal

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestCastsAreRead(t *testing.T) {
	cast, err := ReadCast(strings.NewReader("{\"version\": 2, \"width\": 4, \"height\": 2}\n[0.5, \"o\", \"\\u001b[1mab\"]\n\n[1, \"m\", \"here\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if cast.Columns != 4 || cast.Lines != 2 || len(cast.Events) != 2 {
		t.Fatalf("read: %+v", cast)
	}
	if got, want := cast.Events[0], (CastEvent{500 * time.Millisecond, CastOutput, "\x1b[1mab"}); got != want {
		t.Errorf("the first event: %+v, want %+v", got, want)
	}
	if got, want := cast.Events[1], (CastEvent{time.Second, CastMark, "here"}); got != want {
		t.Errorf("the second event: %+v, want %+v", got, want)
	}
}

func TestWhatIsNoCastIsRefused(t *testing.T) {
	for said, input := range map[string]string{
		"empty":                  "",
		"line 1: want a header":  "{\"version\": 1, \"width\": 4, \"height\": 2}\n",
		"line 2: want [SECONDS,": "{\"version\": 2, \"width\": 4, \"height\": 2}\n[1]\n",
		"line 3: want [SECONDS,": "{\"version\": 2, \"width\": 4, \"height\": 2}\n[1, \"o\", \"a\"]\n[\"a\", \"o\", \"a\"]\n",
	} {
		if _, err := ReadCast(strings.NewReader(input)); err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%q: %v, want: %s", input, err, said)
		}
	}
}

func TestAPictureHasTheColoursAndTheWideCharacters(t *testing.T) {
	cast := Cast{Columns: 6, Lines: 2, Events: []CastEvent{{0, CastOutput, "a\x1b[1;38;5;117mb\x1b[0m中\x1b[7mc\x1b[0m\r\n\x1b[48;2;1;2;3;3mi"}}}
	var seen Picture
	cast.Play(func(_ CastEvent, picture Picture) { seen = picture })
	for _, c := range []struct {
		y, x int
		want Cell
	}{
		{0, 0, Cell{Text: "a"}},
		{0, 1, Cell{Text: "b", Bold: true, Foreground: "#87d7ff"}},
		{0, 2, Cell{Text: "中", Wide: true}},
		{0, 3, Cell{}},
		{0, 4, Cell{Text: "c", Reversed: true}},
		{0, 5, Cell{Text: " "}},
		{1, 0, Cell{Text: "i", Italic: true, Background: "#010203"}},
	} {
		if got := seen[c.y][c.x]; got != c.want {
			t.Errorf("line %d, column %d: %+v, want %+v", c.y, c.x, got, c.want)
		}
	}
}

// A character whose bytes are read in two parts is written whole: JSON has no half ones.
func TestARecordingKeepsCharactersWhole(t *testing.T) {
	var out bytes.Buffer
	r, err := newRecording(&out, 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"a\xe4\xb8", "\xad", "\xe2", "\x9c\x93b", "\xff", "c"} {
		r.add([]byte(part))
	}
	cast, err := ReadCast(&out)
	if err != nil {
		t.Fatal(err)
	}
	all := ""
	for _, event := range cast.Events {
		all += event.Data
	}
	if want := "a中✓b\ufffdc"; all != want {
		t.Errorf("recorded: %q, want %q", all, want)
	}
}

func TestAProgramIsRecorded(t *testing.T) {
	var out bytes.Buffer
	at, err := Start(exec.Command("printf", `\033[32m中 well`), 10, 2, &out)
	if err != nil {
		t.Fatal(err)
	}
	defer at.Close()
	if err := at.Wait(time.Minute); err != nil {
		t.Fatal(err)
	}
	at.Mark("the end")
	cast, err := ReadCast(&out)
	if err != nil {
		t.Fatal(err)
	}
	if last := cast.Events[len(cast.Events)-1]; last.Kind != CastMark || last.Data != "the end" {
		t.Errorf("the last event: %+v", last)
	}
	cast.Play(func(_ CastEvent, picture Picture) {
		if got, want := picture[0][3], at.Picture()[0][3]; picture[0][3].Text == "w" && got != want {
			t.Errorf("played: %+v, seen: %+v", got, want)
		}
	})
	if got := at.Picture()[0][0]; got.Text != "中" || !got.Wide || got.Foreground == "" {
		t.Errorf("the picture begins with %+v", got)
	}
}
