package ssh

import (
	"slices"
	"testing"
)

// TestWaysAreTriedInOrder: what asks for nothing first, and each that may still lead to root once.
func TestWaysAreTriedInOrder(t *testing.T) {
	const (
		locked = "sudo: a password is required"
		noTTY  = "sudo: sorry, you must have a tty to run sudo"
		closed = "doas: Authorization required"
	)
	sudo, doas := way{program: "sudo"}, way{program: "doas"}
	asks := func(w way) way { w.asks = true; return w }
	terminal := func(w way) way { w.terminal = true; return w }
	unnamed := func(w way) way { w.unnamed = true; return w }
	type step struct {
		no   refusal
		next way // the zero value: none
	}
	for name, test := range map[string]struct {
		there  []string
		silent bool // nobody can be asked
		steps  []step
	}{
		"a password":            {[]string{"sudo", "script"}, false, []step{{refusal{way: sudo, said: locked}, asks(sudo)}, {refusal{way: asks(sudo), said: "ops is not in the sudoers file"}, way{}}}},
		"nobody to ask":         {[]string{"sudo", "script"}, true, []step{{refusal{way: sudo, said: locked}, way{}}}},
		"a terminal":            {[]string{"sudo", "script"}, false, []step{{refusal{way: sudo, said: noTTY}, terminal(sudo)}, {refusal{way: terminal(sudo), said: locked}, terminal(asks(sudo))}}},
		"no terminal to give":   {[]string{"sudo"}, false, []step{{refusal{way: sudo, said: noTTY}, way{}}}},
		"a terminal in vain":    {[]string{"sudo", "script"}, false, []step{{refusal{way: terminal(sudo), said: noTTY}, way{}}}},
		"both":                  {[]string{"sudo", "doas", "script"}, false, []step{{refusal{way: sudo, said: locked}, doas}, {refusal{way: doas, said: closed}, asks(sudo)}, {refusal{way: asks(sudo), said: "no"}, terminal(asks(doas))}, {refusal{way: terminal(asks(doas)), said: "no"}, way{}}}},
		"sudo without a rule":   {[]string{"sudo", "doas"}, false, []step{{refusal{way: sudo, said: "no"}, doas}}},
		"sudo without -p":       {[]string{"sudo"}, false, []step{{refusal{way: asks(sudo), said: "sudo: unrecognized option '-p'"}, unnamed(asks(sudo))}, {refusal{way: unnamed(asks(sudo)), said: "sudo: unrecognized option '-S'"}, way{}}}},
		"doas, and no terminal": {[]string{"doas"}, false, []step{{refusal{way: doas, said: closed}, way{}}}},
		"three wrong":           {[]string{"sudo"}, false, []step{{refusal{way: asks(sudo), wrong: true}, asks(sudo)}, {refusal{way: asks(sudo), wrong: true}, asks(sudo)}, {refusal{way: asks(sudo), wrong: true}, way{}}}},
		"root without a word":   {[]string{"doas", "script"}, false, []step{{refusal{way: terminal(asks(doas)), early: true}, doas}}},
		"neither of them":       {nil, false, []step{{refusal{way: way{program: "none"}}, way{}}}},
		"a reason of its own":   {[]string{"sudo"}, false, []step{{refusal{way: sudo, said: "sudo: no valid sudoers sources found, quitting"}, way{}}}},
		"sudo reads a tty now":  {[]string{"sudo", "script"}, false, []step{{refusal{way: sudo, said: "sudo: a terminal is required to authenticate"}, terminal(sudo)}}},
	} {
		t.Run(name, func(t *testing.T) {
			l := &ladder{candidates: Options{}.candidates(), canAsk: !test.silent, there: slices.Clone(test.there)}
			for i, step := range test.steps {
				next, more := l.after(step.no)
				if more != (step.next != way{}) || more && next != step.next {
					t.Errorf("after step %d comes %+v (%t), not %+v", i, next, more, step.next)
				}
			}
		})
	}
}

// TestQuestions: what is sudo's, on every host the same, and what is another's.
func TestQuestions(t *testing.T) {
	a := newAsking()
	for line, want := range map[string]string{
		a.mark:                                   "",
		a.mark + " ":                             "",
		"[sudo: " + a.mark + "] Password: ":      "",
		"[sudo: authenticate] Password: ":        "",
		"[sudo] password for ops: ":              "",
		"Password: ":                             "",
		"Password for ops: ":                     "",
		"\rdoas (ops@cp-1) password: ":           "",
		"[sudo: " + a.mark + "] One-time code: ": "One-time code:",
		"Verification code: ":                    "Verification code:",
		"Mot de passe : ":                        "Mot de passe :",
		"Passcode or option (1-3): \x1b[2J":      `Passcode or option (1-3): \u001b[2J`,
	} {
		if got := a.question(line); got != want {
			t.Errorf("%q asks %q, not %q", line, got, want)
		}
	}
}
