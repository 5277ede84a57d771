package main_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/terminal"
)

// What scripts do with a program on a screen. One is open at a time.
//
//	screen COLUMNSxLINES COMMAND...  starts a command in a terminal
//	press KEY...                     presses keys, by name or character, one after another
//	types TEXT                       sends several characters at once
//	paste FILE                       pastes what a file has
//	sees REGEXP                      waits until the screen has such text; ! sees: that it has not
//	shows FILE                       waits until the screen is as the file says; UPDATE_SCREENS writes it
//	resize COLUMNSxLINES
//	storms N                         resizes it N times, to sizes from 1x1 to 200x60, the same at each time that it runs
//	leaves CODE                      waits for the end, and that the terminal is as it was
//	signals NAME                     sends the program a signal: TERM, HUP or INT
//	writes REGEXP                    the program has written such bytes; ! writes: it has not
//	everywhere FILE KEY|SIGNAL CODE COMMAND...  starts the command in a terminal once for each line of a file, which leads
//	                                 to a screen, and ends it there: a word of a line is a key or, with a slash before it, a REGEXP to be seen
//	presses N                        no more than N keys were pressed until now

type screenKey struct{}

// screenPatience bounds the wait for something on the screen: a machine may be slow.
const screenPatience = 60 * time.Second

func screenOf(ts *testscript.TestScript) *terminal.Terminal {
	s, is := ts.Value(screenKey{}).(*screens)
	if !is || s.open == nil {
		ts.Fatalf("no screen is open")
	}
	return s.open
}

type screens struct{ open *terminal.Terminal }

func sizeOf(ts *testscript.TestScript, text string) (columns, lines int) {
	w, h, _ := strings.Cut(text, "x")
	columns, err := strconv.Atoi(w)
	ts.Check(err)
	lines, err = strconv.Atoi(h)
	ts.Check(err)
	return columns, lines
}

func startScreen(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: screen COLUMNSxLINES COMMAND [ARG...]")
	}
	columns, lines := sizeOf(ts, args[0])
	command := exec.Command(args[1], args[2:]...)
	command.Dir = ts.MkAbs(".")
	command.Env = []string{"TERM=xterm-256color", "LANG=C.UTF-8"}
	for _, name := range []string{"PATH", "HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "TERM", "LANG", "LC_ALL", "NO_COLOR", "TMPDIR"} {
		if value := ts.Getenv(name); value != "" {
			command.Env = append(command.Env, name+"="+value)
		}
	}
	t, err := terminal.Start(command, columns, lines, nil)
	ts.Check(err)
	s := ts.Value(screenKey{}).(*screens)
	s.open = t
	ts.Defer(func() { _ = t.Close() })
}

func press(ts *testscript.TestScript, _ bool, args []string) {
	for _, key := range args {
		ts.Check(screenOf(ts).Press(key))
	}
}

func types(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(screenOf(ts).Type(args[0]))
}

func paste(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(screenOf(ts).Paste(strings.TrimSuffix(ts.ReadFile(args[0]), "\n")))
}

func sees(ts *testscript.TestScript, neg bool, args []string) {
	wanted, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	screen, err := screenOf(ts).Await(screenPatience, func(screen string) bool { return wanted.MatchString(screen) != neg })
	if err != nil {
		ts.Fatalf("sees %s: %v; the screen:\n%s\nand what was written after the last frame:\n%s", args[0], err, screen, afterScreen(screenOf(ts).Raw()))
	}
}

// afterScreen is what a program has written that no longer draws, such as why it has ended.
func afterScreen(raw string) string {
	_, after, _ := strings.Cut(raw, "\x1b[?1049l")
	return after
}

func shows(ts *testscript.TestScript, _ bool, args []string) {
	want := ""
	if os.Getenv("UPDATE_SCREENS") == "" {
		want = ts.ReadFile(args[0])
	}
	screen, err := screenOf(ts).Await(screenPatience, func(screen string) bool { return want == "" || screen+"\n" == want })
	if err != nil {
		ts.Fatalf("shows %s: %v; the screen:\n%s", args[0], err, screen)
	}
}

func resize(ts *testscript.TestScript, _ bool, args []string) {
	columns, lines := sizeOf(ts, args[0])
	ts.Check(screenOf(ts).Resize(columns, lines))
}

func storms(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	random := rand.New(rand.NewPCG(1, uint64(n)))
	for range n {
		ts.Check(screenOf(ts).Resize(1+random.IntN(200), 1+random.IntN(60)))
	}
}

// leaves: whatever was on the screen, the terminal is the shell's again.
func leaves(ts *testscript.TestScript, _ bool, args []string) {
	t := screenOf(ts)
	if err := endsWith(args[0], t.Wait(screenPatience)); err != nil {
		ts.Fatalf("leaves: %v; the screen:\n%s", err, t.Screen())
	}
	if cooked, err := t.Cooked(); err != nil || !cooked {
		ts.Fatalf("the terminal neither echoes nor edits lines any more (%v)", err)
	}
	raw := t.Raw()
	for _, mode := range []string{"?1049", "?2004", "?1002", "?1006"} {
		on, off := strings.LastIndex(raw, "\x1b["+mode+"h"), strings.LastIndex(raw, "\x1b["+mode+"l")
		if on > off {
			ts.Fatalf("the terminal is left in mode %s", mode)
		}
	}
	if hidden, shown := strings.LastIndex(raw, "\x1b[?25l"), strings.LastIndex(raw, "\x1b[?25h"); hidden > shown {
		ts.Fatalf("the cursor is left hidden")
	}
	fmt.Fprintln(ts.Stdout(), t.Screen())
}

func presses(ts *testscript.TestScript, _ bool, args []string) {
	most, err := strconv.Atoi(args[0])
	ts.Check(err)
	if n := screenOf(ts).Presses(); n > most {
		ts.Fatalf("%d keys were pressed, at most %d may be needed", n, most)
	}
}

var signalsByName = map[string]os.Signal{"TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "INT": syscall.SIGINT}

func signals(ts *testscript.TestScript, _ bool, args []string) {
	signal, known := signalsByName[args[0]]
	if !known {
		ts.Fatalf("no signal is called %s here", args[0])
	}
	ts.Check(screenOf(ts).Signal(signal))
}

func writes(ts *testscript.TestScript, neg bool, args []string) {
	wanted, err := regexp.Compile(args[0])
	ts.Check(err)
	if raw := screenOf(ts).Raw(); wanted.MatchString(raw) == neg {
		ts.Fatalf("writes %s: %t; it wrote:\n%q", args[0], !neg, raw)
	}
}

func everywhere(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 4 {
		ts.Fatalf("usage: everywhere FILE KEY|SIGNAL CODE COMMAND [ARG...]")
	}
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		ts.Logf("%s: %s", args[1], strings.TrimSpace(line))
		startScreen(ts, false, append([]string{"80x24"}, args[3:]...))
		for _, word := range words {
			if seen, is := strings.CutPrefix(word, "/"); is && seen != "" {
				sees(ts, false, []string{seen})
			} else {
				press(ts, false, []string{word})
			}
		}
		if signal, is := signalsByName[args[1]]; is {
			ts.Check(screenOf(ts).Signal(signal))
		} else {
			press(ts, false, args[1:2])
		}
		leaves(ts, false, args[2:3])
	}
}
