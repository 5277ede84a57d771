package ssh

import (
	"strings"
	"sync"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	tailBytes = 4096
	tailLines = 5
)

// tail keeps the end of what a process writes, and gives it cleaned.
type tail struct {
	mutex sync.Mutex
	kept  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.kept = append(t.kept, p...)
	if extra := len(t.kept) - tailBytes; extra > 0 {
		t.kept = append([]byte(nil), t.kept[extra:]...)
	}
	return len(p), nil
}

// String is the last lines, joined by semicolons.
func (t *tail) String() string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	var lines []string
	for line := range strings.Lines(string(t.kept)) {
		if line = hosts.CleanLine(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-tailLines):], "; ")
}

// said is what goes behind an error: nothing where nothing was said.
func (t *tail) said(who string) string { return told(who, t.String()) }

func told(who, text string) string {
	if text == "" {
		return ""
	}
	return " (" + who + " said: " + text + ")"
}
