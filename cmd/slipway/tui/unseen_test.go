package tui

import (
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// TestNothingIsAgreedToUnseen: on a terminal that is too small to show the question, y agrees to nothing.
func TestNothingIsAgreedToUnseen(t *testing.T) {
	j := jobOnPaper(onPaper(t, Terminal{}, text.English), planned, asked)
	a := newApp(j.shared, j)
	a.Update(tea.WindowSizeMsg{Width: 40, Height: 12})
	if shown := a.View(); strings.Contains(shown, "Apply this plan?") {
		t.Fatalf("it shows:\n%s", shown)
	}
	a.Update(keyOf("y"))
	if len(j.job.question.answer) > 0 {
		t.Error("the plan was agreed to")
	}
}

// TestAQuestionThatIsSeenIsAnswered: from the first frame that has it, y agrees.
func TestAQuestionThatIsSeenIsAnswered(t *testing.T) {
	j := jobOnPaper(onPaper(t, Terminal{}, text.English), planned)
	a := newApp(j.shared, j)
	a.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	a.View()
	asked(j.job)
	a.Update(keyOf("tab")) // a frame that is drawn for another reason
	if shown := a.View(); !strings.Contains(shown, "Apply this plan?") {
		t.Fatalf("it shows:\n%s", shown)
	}
	a.Update(keyOf("y"))
	if len(j.job.question.answer) == 0 {
		t.Error("it is seen, and y does nothing")
	}
}

// TestAQuestionIsShownForAWhile: a y that was typed ahead agrees to nothing.
func TestAQuestionIsShownForAWhile(t *testing.T) {
	s := onPaper(t, Terminal{}, text.English)
	s.askPause = askPause
	j := jobOnPaper(s, planned, asked)
	a := newApp(s, j)
	a.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	if shown := a.View(); !strings.Contains(shown, "Apply this plan?") || strings.Contains(shown, "y: do it") {
		t.Errorf("it shows:\n%s", shown)
	}
	a.Update(keyOf("y"))
	if len(j.job.question.answer) > 0 {
		t.Fatal("it was agreed to at once")
	}
	a.Update(waitedMsg{j, j.job.question})
	if shown := a.View(); !strings.Contains(shown, "y: do it") {
		t.Errorf("it shows:\n%s", shown)
	}
	a.Update(keyOf("y"))
	if len(j.job.question.answer) == 0 {
		t.Error("y does nothing any more")
	}
}
