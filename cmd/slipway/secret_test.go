package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/slipway-k8s/slipway/workflow"
)

// TestAQuestionThatIsGivenUpTakesNothingThatIsTyped: what comes after it is the next one's answer.
func TestAQuestionThatIsGivenUpTakesNothingThatIsTyped(t *testing.T) {
	keyboard, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer keyboard.Close()
	defer tty.Close()
	screen := make(chan string)
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
	type given struct {
		answer string
		err    error
	}
	ask := func(ctx context.Context, text string) chan given {
		answered := make(chan given, 1)
		go func() {
			answer, err := p.ask(ctx, workflow.Secret{Host: "cp-1", About: "ops@192.0.2.11:22", Text: text})
			answered <- given{answer, err}
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
	go func() {
		for range screen { // what is shown after it
		}
	}()
	select {
	case got := <-answered:
		if got.answer != "secret" || got.err != nil {
			t.Errorf("the answer is %q, %v", got.answer, got.err)
		}
	case <-time.After(5 * time.Second):
		t.Error("another question has taken the answer")
	}
}
