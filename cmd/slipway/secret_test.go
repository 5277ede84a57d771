package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/slipway-k8s/slipway/workflow"
)

// asked is what came of a question.
type asked struct {
	answer string
	err    error
}

// asking is a keyboard, and asks on its terminal: it returns when the question is there. What is shown is read until the test ends.
func asking(t *testing.T) (keyboard *os.File, ask func(ctx context.Context, text string) chan asked) {
	t.Helper()
	keyboard, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close(); tty.Close() })
	screen := make(chan string, 1000)
	go func() {
		defer close(screen)
		buffer := make([]byte, 4096)
		for {
			n, err := keyboard.Read(buffer)
			if err != nil {
				return
			}
			screen <- string(buffer[:n])
		}
	}()
	p := &prompts{turn: make(chan struct{}, 1), open: func() (*os.File, func(), error) { return tty, func() {}, nil }}
	return keyboard, func(ctx context.Context, text string) chan asked {
		answered := make(chan asked, 1)
		go func() {
			answer, err := p.ask(ctx, workflow.Secret{Host: "cp-1", About: "ops@192.0.2.11:22", Text: text})
			answered <- asked{answer, err}
		}()
		for shown := ""; !strings.Contains(shown, text+" (ops@192.0.2.11:22): "); {
			select {
			case more := <-screen:
				shown += more
			case <-time.After(20 * time.Second):
				t.Fatalf("the question does not come; there is %q", shown)
			}
		}
		return answered
	}
}

// TestCtrlCAtAQuestionEndsTheCommand, not the question alone: whoever asked would go on as if the host had refused.
func TestCtrlCAtAQuestionEndsTheCommand(t *testing.T) {
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt)
	defer stop()
	keyboard, ask := asking(t)
	answered := ask(ctx, "Password")
	if _, err := io.WriteString(keyboard, "\x03"); err != nil {
		t.Fatal(err)
	}
	if got := <-answered; !errors.Is(got.err, context.Canceled) {
		t.Errorf("the answer is %q, %v", got.answer, got.err)
	}
}

// TestAQuestionThatIsGivenUpTakesNothingThatIsTyped: what comes after it is the next one's answer.
func TestAQuestionThatIsGivenUpTakesNothingThatIsTyped(t *testing.T) {
	keyboard, ask := asking(t)
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		answered := ask(ctx, "First")
		cancel()
		if got := <-answered; !errors.Is(got.err, context.Canceled) {
			t.Fatalf("it ends with %q, %v", got.answer, got.err)
		}
	}
	answered := ask(t.Context(), "Second")
	if _, err := io.WriteString(keyboard, "secret\r"); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-answered:
		if got.answer != "secret" || got.err != nil {
			t.Errorf("the answer is %q, %v", got.answer, got.err)
		}
	case <-time.After(5 * time.Second):
		t.Error("another question has taken the answer")
	}
}
