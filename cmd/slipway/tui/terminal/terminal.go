// Package terminal runs a program in a terminal of its own: keys go in, and the screen is read as a user sees it. It is for
// tests, and for the recordings and pictures of the documentation.
package terminal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

// Terminal is a terminal in which a program runs.
type Terminal struct {
	command *exec.Cmd
	pty     *os.File
	presses int

	mu      sync.Mutex
	screen  *vt.Emulator
	written int64         // bytes that the program has written
	raw     bytes.Buffer  // their end
	changed chan struct{} // closed, and made anew, with each change
	ended   chan struct{} // closed when the program has ended and all it wrote was read
	err     error         // how it ended
	record  *recording    // nil: none is made
}

// Start starts a program in a terminal with so many columns and lines. What it shows is written to record as an
// asciicast, where that is not nil.
func Start(command *exec.Cmd, columns, lines int, record io.Writer) (*Terminal, error) {
	// A shell's child hears of SIGHUP, also where this process was started to ignore it (nohup): what is caught here is
	// as it usually is in what is executed.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	defer signal.Stop(caught)
	file, err := pty.StartWithSize(command, &pty.Winsize{Cols: uint16(columns), Rows: uint16(lines)})
	if err != nil {
		return nil, fmt.Errorf("start %s in a terminal: %w", command.Path, err)
	}
	t := &Terminal{command: command, pty: file, screen: vt.NewEmulator(columns, lines), changed: make(chan struct{}), ended: make(chan struct{})}
	if record != nil {
		if t.record, err = newRecording(record, columns, lines); err != nil {
			return nil, err
		}
	}
	go t.answer()
	go t.read()
	return t, nil
}

// answer gives the program what a terminal answers to its questions.
func (t *Terminal) answer() { _, _ = io.Copy(t.pty, t.screen) } // it ends with the screen

// rawKept is how much of what the program wrote is kept.
const rawKept = 1 << 20

func (t *Terminal) read() {
	buffer := make([]byte, 32<<10)
	for {
		n, err := t.pty.Read(buffer)
		t.take(buffer[:n])
		if err != nil { // a terminal whose program has ended gives EIO
			break
		}
	}
	err := t.command.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
	close(t.ended)
}

func (t *Terminal) take(data []byte) {
	if len(data) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = t.screen.Write(data) // memory takes all
	t.written += int64(len(data))
	if t.raw.Write(data); t.raw.Len() > rawKept {
		t.raw.Next(t.raw.Len() - rawKept)
	}
	t.record.add(data)
	close(t.changed)
	t.changed = make(chan struct{})
}

// Screen is what is seen: a line for each of the terminal's, without the spaces at its end.
func (t *Terminal) Screen() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen()
}

func (t *Terminal) seen() string {
	lines := strings.Split(t.screen.String(), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

// Raw is the end of what the program has written, as it came.
func (t *Terminal) Raw() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.raw.String()
}

// Written is how many bytes the program has written.
func (t *Terminal) Written() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.written
}

// Await waits until the screen is as it is wanted, and gives it. It is an error that it is not so in time, or that the program
// ends before.
func (t *Terminal) Await(within time.Duration, wanted func(screen string) bool) (string, error) {
	late := time.NewTimer(within)
	defer late.Stop()
	for {
		t.mu.Lock()
		screen, changed := t.seen(), t.changed
		t.mu.Unlock()
		if wanted(screen) {
			return screen, nil
		}
		select {
		case <-changed:
		case <-t.ended:
			if screen = t.Screen(); wanted(screen) {
				return screen, nil
			}
			return screen, errors.New("the program has ended before")
		case <-late.C:
			return screen, fmt.Errorf("not within %s", within)
		}
	}
}

// keys are what a terminal sends for keys that are no characters (xterm's, which all send today).
var keys = map[string]string{
	"enter": "\r", "tab": "\t", "shift+tab": "\x1b[Z", "esc": "\x1b", "space": " ", "backspace": "\x7f", "delete": "\x1b[3~",
	"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F", "pgup": "\x1b[5~", "pgdown": "\x1b[6~",
	"f1": "\x1bOP", "f2": "\x1bOQ", "ctrl+c": "\x03", "ctrl+u": "\x15",
}

// Press presses a key: by its name, or a character. As between the keys of somebody who types, the program has time to
// read it before the next one.
func (t *Terminal) Press(key string) error {
	t.presses++
	if sent, named := keys[key]; named {
		key = sent
	}
	if err := t.send(key); err != nil {
		return err
	}
	t.awaitRead()
	return nil
}

// Type sends several characters at once, as a slow link or a key that is held down does.
func (t *Terminal) Type(characters string) error {
	t.presses += utf8.RuneCountInString(characters)
	return t.send(characters)
}

// readWithin bounds the wait for a program to read a key: it may be busy, or end.
const readWithin = time.Second

// awaitRead waits until nothing is left to be read, for as long as the kernel may take to hand a key on.
func (t *Terminal) awaitRead() {
	const enough = 3
	late := time.Now().Add(readWithin)
	for read := 0; read < enough && time.Now().Before(late); {
		select {
		case <-t.ended:
			return
		case <-time.After(time.Millisecond):
		}
		if read++; unread(t.pty) > 0 {
			read = 0
		}
	}
}

// Paste pastes a text, as a terminal does it that tells its program so.
func (t *Terminal) Paste(text string) error {
	t.presses++
	return t.send("\x1b[200~" + strings.ReplaceAll(text, "\n", "\r") + "\x1b[201~")
}

// Presses is how many keys were pressed; a paste is one.
func (t *Terminal) Presses() int { return t.presses }

func (t *Terminal) send(text string) error {
	_, err := io.WriteString(t.pty, text)
	return err
}

// Mark puts a mark into the recording, where one is made.
func (t *Terminal) Mark(mark string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.record.event(CastMark, mark)
}

// Resize makes the terminal larger or smaller.
func (t *Terminal) Resize(columns, lines int) error {
	t.mu.Lock()
	t.screen.Resize(columns, lines)
	t.mu.Unlock()
	return pty.Setsize(t.pty, &pty.Winsize{Cols: uint16(columns), Rows: uint16(lines)})
}

// PID is the program's process.
func (t *Terminal) PID() int { return t.command.Process.Pid }

// Signal sends the program a signal.
func (t *Terminal) Signal(signal os.Signal) error { return t.command.Process.Signal(signal) }

// Wait waits until the program has ended, and gives its error as exec.Cmd does.
func (t *Terminal) Wait(within time.Duration) error {
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case <-t.ended:
		return t.err
	case <-late.C:
		return fmt.Errorf("the program has not ended within %s", within)
	}
}

// Cooked tells whether the terminal is as programs expect it: lines are echoed and edited, and Ctrl-C interrupts.
func (t *Terminal) Cooked() (bool, error) { return isCooked(t.pty) }

// Close ends the program, if it still runs, and the terminal.
func (t *Terminal) Close() error {
	select {
	case <-t.ended:
	default:
		_ = t.command.Process.Signal(syscall.SIGKILL)
		<-t.ended
	}
	endAnswers(t.screen)
	return t.pty.Close()
}

// endAnswers ends who reads what a terminal answers. The emulator's own Close may not be called beside its Read.
func endAnswers(screen *vt.Emulator) {
	if answers, is := screen.InputPipe().(io.Closer); is {
		_ = answers.Close()
	}
}
