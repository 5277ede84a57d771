package ssh

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// What Options.Become may be, beside empty, which is what the host has.
const (
	BecomeSudo = "sudo"
	BecomeDoas = "doas"
	BecomeNone = "none"
)

// way is how root is become. The zero value is the quiet one: root stays root, and for others
// the first program that there is runs root's shell, if it does so without asking.
type way struct {
	program  string // sudo or doas; empty: the first that there is
	asks     bool   // it may ask for a password
	terminal bool   // it is given a terminal
	unnamed  bool   // it asks in its own words: this sudo knows no -p
}

// candidates are the programs that may be used, the better known one first.
func (o Options) candidates() []string {
	switch o.Become {
	case BecomeNone:
		return nil
	case BecomeSudo, BecomeDoas:
		return []string{o.Become}
	}
	return []string{BecomeSudo, BecomeDoas}
}

// handOver is what the login user's shell does, at the end of startScript, to become root this way.
// mark is what sudo is to ask with.
func (w way) handOver(candidates []string, mark string) string {
	choose := `v=` + w.program + `; `
	if w.program == "" {
		choose = `v=; for p in ` + strings.Join(candidates, " ") + `; do case " $w " in *" $p "*) v=$p; break;; esac; done; `
	}
	return `b='` + rootShell + `'; if [ "$u" = 0 ]; then echo "` + viaWord + ` root"; exec sh -c "$b"; fi; ` + choose +
		`if [ -z "$v" ]; then echo "` + viaWord + ` none"; exit 1; fi; echo "` + viaWord + ` $v"; ` + w.run(mark)
}

// run is the command that becomes root.
//
// sudo -S takes the password from stdin, and no byte behind it. With requiretty it wants a
// terminal besides, and doas reads the password from nothing else. That is a terminal of the
// host's own, made by script(1), which is there wherever util-linux is: sshd need not give one
// (PermitTTY), and the agent's stdin and stdout stay the session's own pipes, which take every byte as
// it is and have an end. A terminal in their place would have neither.
func (w way) run(mark string) string {
	command := `$v -n --`
	switch {
	case w.asks && w.program == BecomeDoas:
		command = `$v --`
	case w.asks && w.unnamed:
		command = `$v -S --`
	case w.asks:
		command = `$v -S -p ` + mark + ` --`
	}
	if !w.terminal {
		return `exec ` + command + ` sh -c "$b"`
	}
	typescript := `script -qec "` + command + ` sh -c '$b' <&3 >&4 2>&5" /dev/null`
	if w.asks && w.program == BecomeDoas {
		// What is typed before doas has asked is thrown away, so the first line is typed when it comes: the
		// operator waits for the question. Nothing echoes it, as doas has the terminal do.
		return `SHELL=/bin/sh; export SHELL; exec 3<&0 4>&1 5>&2; { IFS= read -r l <&3; printf "%s\n" "$l"; } | ` + typescript + ` >&5`
	}
	return `SHELL=/bin/sh; export SHELL; exec ` + typescript + ` 3<&0 4>&1 5>&2 < /dev/null >&2`
}

// refusal is a way that did not lead to root.
type refusal struct {
	way
	said  string // by sudo or doas
	wrong bool   // the password was not the right one
	early bool   // root's shell came without the question that was to be answered first
}

// ladder is the order in which ways are tried: what asks for nothing comes first.
type ladder struct {
	candidates []string
	canAsk     bool // there is somebody to ask for a password
	there      []string
	locked     []way // what wants a password
	wrong      int
	refusals   []refusal
}

// wrongMost is how many wrong passwords a host is given. Each is the only one of its session: sudo's own three
// would let one slip of the operator's count three times where many failures lock the account.
const wrongMost = 3

// after is the way to try after one that was refused.
func (l *ladder) after(no refusal) (way, bool) {
	l.refusals = append(l.refusals, no)
	w := no.way
	switch said := no.said; {
	case no.early:
		return way{program: w.program}, true
	case no.wrong:
		l.wrong++
		return w, l.wrong < wrongMost
	case w.asks && !w.unnamed && knowsNoPrompt.MatchString(said):
		w.unnamed = true
		return w, true
	case !w.terminal && wantsTerminal.MatchString(said) && slices.Contains(l.there, "script"):
		w.terminal = true
		return w, true
	case !w.asks && wantsPassword.MatchString(said) && w.program == BecomeDoas && !slices.Contains(l.there, "script"):
		l.refusals[len(l.refusals)-1].said += "; a terminal is required to give it one"
	case !w.asks && wantsPassword.MatchString(said):
		l.locked = append(l.locked, way{program: w.program, asks: true, terminal: w.terminal || w.program == BecomeDoas})
	}
	if !w.asks {
		if next := slices.Index(l.candidates, w.program) + 1; next > 0 {
			for _, program := range l.candidates[next:] {
				if slices.Contains(l.there, program) {
					return way{program: program}, true
				}
			}
		}
	}
	if !l.canAsk || len(l.locked) == 0 {
		return way{}, false
	}
	w, l.locked = l.locked[0], l.locked[1:]
	return w, true
}

// becomeRoot gives root's own shell on the host, which waits for a line.
func (h *host) becomeRoot(ctx context.Context) (*process, error) {
	l := &ladder{candidates: h.options.candidates(), canAsk: h.options.BecomePassword != nil}
	for w := h.way; ; {
		p, no, err := h.attempt(ctx, w)
		switch {
		case err != nil:
			return nil, err
		case no == nil:
			h.way = w
			return p, nil
		}
		l.there = h.place.programs
		next, more := l.after(*no)
		if !more {
			return nil, h.noRoot(l)
		}
		w = next
	}
}

// attempt tries one way. Neither a process nor an error comes of one that is refused.
func (h *host) attempt(ctx context.Context, w way) (p *process, no *refusal, err error) {
	ask := newAsking()
	wait := h.awaitWord(ctx, "the login shell of "+h.options.User)
	asked, stopAsking := context.WithCancel(ctx)
	answered := make(chan struct{})
	defer func() {
		if gaveUp := wait.end(); gaveUp != nil && err != nil {
			err = gaveUp
		}
		ask.end()
		stopAsking() // who types a password types it for nobody
		<-answered
		if p != nil && (err != nil || no != nil) {
			_ = p.session.Close()
			p = nil
		}
	}()
	if p, err = h.spawn(loginCommand, ask); err != nil {
		close(answered)
		return nil, nil, err
	}
	go func() {
		defer close(answered)
		if w.asks {
			h.answer(asked, p, ask, wait)
		}
	}()
	start := line(startScript+w.handOver(h.options.candidates(), ask.mark), h.options.Directory, h.options.Inbox)
	p.say(start)
	no, err = h.heedStart(ctx, p, w, ask, wait)
	return p, no, err
}

// heedStart reads what startScript has to say, up to root's shell.
func (h *host) heedStart(ctx context.Context, p *process, w way, ask *asking, wait *wait) (*refusal, error) {
	via := ""
	for {
		word, rest, err := p.hear()
		switch {
		case word == inboxWord:
			h.place.uid, h.place.inbox, _ = strings.Cut(rest, " ")
		case word == waysWord:
			h.place.programs = strings.Fields(rest)
		case word == unsafeWord:
			return nil, h.unsafePlace(parseFinding(rest), "")
		case word == viaWord:
			via = rest
			w.program = cmp.Or(w.program, via)
			wait.next(via + ", which is to run a shell as root")
		case word == rootWord && w.asks && w.program == BecomeDoas && ask.given() == 0:
			return &refusal{way: w, early: true}, nil
		case word == rootWord:
			ask.settle(h.options.BecomeAccepted)
			return nil, nil
		case err != nil && via == "":
			return nil, h.noShell(ctx, p, err)
		case err != nil && (via == "root" || h.connection.lost(err)):
			return nil, err
		case err != nil:
			return h.refused(p, w, ask)
		}
	}
}

// refused is what a program said in root's place.
func (h *host) refused(p *process, w way, ask *asking) (*refusal, error) {
	p.awaitExit()
	if err := ask.failure(); err != nil {
		return nil, err
	}
	no := &refusal{way: w, said: shortened(p.stderr.String())}
	if no.wrong = ask.given() > 0 && (ask.again() || isWrong.MatchString(no.said)); no.wrong {
		ask.settle(h.options.BecomeRefused)
	}
	ask.settle(h.options.BecomeAccepted) // what it said comes after the password
	return no, nil
}

// parseFinding reads what comes behind unsafeWord.
func parseFinding(rest string) finding {
	why, at, _ := strings.Cut(rest, "\t")
	return finding{path: hosts.Clean(at), why: cmp.Or(hosts.Clean(why), "is not safe")}
}
