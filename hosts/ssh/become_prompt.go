package ssh

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	// promptRest is how long the rest of a question may take to come: sudo-rs writes more behind ours.
	promptRest = 100 * time.Millisecond
	// promptPause is how long nothing follows what looks like a question for it to be one.
	promptPause = time.Second
)

// asking finds in what a process writes to stderr what it asks for. sudo asks with a mark of ours, which
// no lecture, start file or other program knows; what PAM asks besides, as for the code of a second
// factor, and what doas and older sudo-rs ask is known by its look: it ends like a
// question, and nothing follows it.
type asking struct {
	mark      string
	questions chan string
	over      chan struct{}
	ending    func()

	mutex   sync.Mutex
	line    []byte // the last one, which has not ended
	pause   *time.Timer
	answers int
	settled bool  // it is known, and told, whether they were right
	same    bool  // it asks again for what it was given
	failed  error // there is no password to give
}

func newAsking() *asking {
	a := &asking{mark: "slipway-" + rand.Text(), questions: make(chan string), over: make(chan struct{})}
	a.ending = sync.OnceFunc(func() { close(a.over) })
	return a
}

// looksAsked is how a question ends.
var looksAsked = regexp.MustCompile(`[:?>\])] ?$`)

// Write is told what comes on stderr.
func (a *asking) Write(p []byte) (int, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.line = append(a.line, p...)
	if end := strings.LastIndexByte(string(a.line), '\n'); end >= 0 {
		a.line = append([]byte(nil), a.line[end+1:]...)
	}
	if len(a.line) > tailBytes {
		a.line = a.line[:0]
	}
	if a.pause != nil {
		a.pause.Stop()
		a.pause = nil
	}
	switch {
	case strings.Contains(string(a.line), a.mark):
		a.pause = time.AfterFunc(promptRest, a.ask)
	case looksAsked.Match(a.line):
		a.pause = time.AfterFunc(promptPause, a.ask)
	}
	return len(p), nil
}

// ask passes the line on as a question.
func (a *asking) ask() {
	a.mutex.Lock()
	question := a.question(string(a.line))
	a.line = a.line[:0]
	a.mutex.Unlock()
	select {
	case a.questions <- question:
	case <-a.over:
	}
}

// forPassword is what asks for the user's password and tells nothing else: sudo's own words, or SSSD's,
// with whatever a host's name makes of them, would be another question on each host.
var forPassword = regexp.MustCompile(`(?i)^(\[sudo[^\]]*\] *)?(doas \([^)]*\) *)?(password( for [^ :]+)?|first factor)? *:?$`)

// question is what a line asks, empty where it is the user's password.
func (a *asking) question(line string) string {
	text := hosts.CleanLine(strings.TrimSpace(strings.ReplaceAll(line, a.mark, "")))
	text = strings.TrimSpace(strings.TrimPrefix(text, "[sudo: ]")) // sudo-rs puts what -p says in its brackets
	if forPassword.MatchString(text) {
		return ""
	}
	return text
}

// end ends the questions.
func (a *asking) end() {
	a.ending()
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.pause != nil {
		a.pause.Stop()
	}
}

// settle tells whether what was answered was right, where something was, once.
func (a *asking) settle(tell func()) {
	a.mutex.Lock()
	due := a.answers > 0 && !a.settled
	a.settled = a.settled || due
	a.mutex.Unlock()
	if due {
		tell()
	}
}

func (a *asking) given() int {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.answers
}

// again tells that the same was asked twice: the first answer was wrong.
func (a *asking) again() bool {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.same
}

func (a *asking) failure() error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.failed
}

// note changes what is known of the answers.
func (a *asking) note(change func()) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	change()
}

// errNotOneLine is a password that cannot be typed.
var errNotOneLine = errors.New("the password has a line's end in it, and sudo and doas read one line")

// answer gives a process what it asks for, each once, by its stdin. It ends the stdin of one that
// asks for more: that gives up then, and no second try is counted.
func (h *host) answer(ctx context.Context, p *process, ask *asking, wait *wait) {
	answered := map[string]bool{}
	for {
		var question string
		select {
		case question = <-ask.questions:
		case <-ask.over:
			return
		}
		if answered[question] {
			ask.note(func() { ask.same = true })
			_ = p.stdin.Close()
			return
		}
		answered[question] = true
		wait.pause()
		password, err := h.options.BecomePassword(ctx, question)
		wait.resume()
		if err == nil && strings.ContainsAny(password, "\r\n\x00") {
			err = &hosts.Error{Kind: hosts.KindPrivilege, Op: "become root as " + h.options.User, Err: errNotOneLine}
		}
		if err != nil {
			ask.note(func() { ask.failed = err })
			_ = p.stdin.Close()
			return
		}
		ask.note(func() { ask.answers++ })
		if _, err := io.WriteString(&p.stdin, password+"\n"); err != nil {
			return // its end is told by who reads
		}
	}
}
