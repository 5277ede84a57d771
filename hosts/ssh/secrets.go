package ssh

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/slipway-k8s/slipway/hosts"
)

// Question is what only the operator can answer.
type Question struct {
	Host   string // by its name in the cluster file, the one that asks first; empty for a key's passphrase
	About  string // what the answer is for: ops@192.0.2.11:22, or a key's file
	Text   string // one line, without what steers a terminal
	Said   string // what the host says ahead of it, or why it is asked again; may be empty
	Shown  bool   // what is typed may be seen
	Become bool   // it is for sudo or doas
}

// Ask puts a question. It may be called from several goroutines.
type Ask func(context.Context, Question) (string, error)

// Shared is what all hosts of a command have together: what the operator has answered, and the connections to
// jump hosts.
type Shared struct {
	ask   Ask
	jumps jumps

	mutex   sync.Mutex
	secrets map[secretKey]*secret
	opened  map[string]*openedKey
}

// NewShared makes a Shared; without ask nobody is asked.
func NewShared(ask Ask) *Shared {
	return &Shared{ask: ask, secrets: map[secretKey]*secret{}, opened: map[string]*openedKey{}, jumps: jumps{open: map[string]*jumpHost{}}}
}

// secretKey is what is the same for all hosts that are given one answer.
type secretKey struct {
	kind string // password, become, or answer
	user string
	text string // the question's
	file string // that has the answer
	host string // where one host alone wants another one
}

// once tells that an answer is good for one host and one login: what a host asks for besides the password may be the code of
// a second factor, which is spent then.
func (k secretKey) once() bool { return k.kind == "answer" || k.text != "" }

// notTaken is why there is none any more: of a password it is told by whom it is from.
func (k secretKey) notTaken(why error) error {
	var known *hosts.Error
	if !k.once() || !errors.As(why, &known) {
		return why
	}
	told := *known
	told.Err = fmt.Errorf("%s does not take what was answered to %q", k.host, hosts.CleanLine(k.text))
	told.Fix = "see what the host wants to be told, and run the same command again"
	return &told
}

// secret is an answer. Until a host has accepted it, one host at a time tries it: a wrong one must not lock an
// account on all of them.
type secret struct {
	key  secretKey
	turn chan struct{} // held by who asks, and by who tries

	mutex  sync.Mutex
	value  string
	given  bool
	filled chan struct{} // closed when it is given
	proven bool
	tries  int   // that were refused
	over   error // why there is none, and will be none
}

// source is where an answer comes from, and how often another one may be had.
type source struct {
	key   secretKey
	most  int
	fetch func(ctx context.Context, refused int) (string, error)
}

// trial is an answer that a host is given, and that it accepts or refuses.
type trial struct {
	secret *secret
	most   int
	holds  bool // the turn
	value  string
}

// mayAsk tells whether the operator may be asked for a password. BatchMode of the configuration of ssh forbids it, but not
// to who has said to be asked.
func (o Options) mayAsk(said bool) bool {
	return o.Shared != nil && o.Shared.ask != nil && (said || !o.never)
}

// mayAskPassword is about the password to log in with, which NumberOfPasswordPrompts 0 forbids to ask for as well.
func (o Options) mayAskPassword() bool {
	return o.mayAsk(o.AskPassword) && (o.AskPassword || !o.unprompted)
}

// ErrNobody is in the error of an Ask that has nobody to ask.
var ErrNobody = errors.New("nobody can be asked")

func (s *Shared) secret(key secretKey) *secret {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	one := s.secrets[key]
	if one == nil {
		one = &secret{key: key, turn: make(chan struct{}, 1), filled: make(chan struct{})}
		s.secrets[key] = one
	}
	return one
}

// elsewhere tells that other hosts have accepted one of the answers that this one has refused: it wants another.
func (s *Shared) elsewhere(key secretKey, refused []string) bool {
	one := s.secret(key)
	one.mutex.Lock()
	defer one.mutex.Unlock()
	return one.proven && slices.Contains(refused, one.value)
}

// settled is what needs no turn: an answer that a host has accepted, or the reason why there is none.
func (s *secret) settled() (value string, err error, is bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.value, s.over, s.proven || s.over != nil
}

// take gives an answer to try, when it is the caller's turn. Whoever takes says what came of it. Who tries another
// answer already (busy) waits for nobody who tries, so that no two wait for each other.
func (s *Shared) take(ctx context.Context, from source, busy bool) (*trial, error) {
	one := s.secret(from.key)
	if value, err, is := one.settled(); is {
		return &trial{secret: one, most: from.most, value: value}, err
	}
	var filled chan struct{}
	if busy {
		filled = one.isFilled()
	}
	select {
	case one.turn <- struct{}{}:
	case <-filled:
		value, err, _ := one.settled()
		return &trial{secret: one, most: from.most, value: value}, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if value, err, is := one.settled(); is {
		<-one.turn
		return &trial{secret: one, most: from.most, value: value}, err
	}
	if err := one.fill(ctx, from); err != nil {
		<-one.turn
		return nil, err
	}
	return &trial{secret: one, most: from.most, holds: true, value: one.value}, nil
}

// fill has the answer fetched, for who has the turn. That nobody gives one is remembered.
func (s *secret) fill(ctx context.Context, from source) error {
	s.mutex.Lock()
	given, tries := s.given, s.tries
	s.mutex.Unlock()
	if given {
		return nil
	}
	value, err := from.fetch(ctx, tries)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch {
	case err != nil && ctx.Err() == nil:
		s.over = err
	case err == nil:
		s.value, s.given = value, true
		close(s.filled)
	}
	return err
}

func (s *secret) isFilled() chan struct{} {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.filled
}

// prime has an answer fetched before it is needed.
func (s *Shared) prime(ctx context.Context, from source) error {
	t, err := s.take(ctx, from, false)
	if err == nil {
		t.leave()
	}
	return err
}

// accepted has all others go on with the answer, unless it is spent.
func (t *trial) accepted() {
	t.secret.mutex.Lock()
	if t.secret.key.once() {
		t.secret.forget()
		t.secret.tries = 0
	} else {
		t.secret.proven = t.secret.proven || t.holds
	}
	t.secret.mutex.Unlock()
	t.leave()
}

// refuse has the answer forgotten. After the last one that may be had, why is told to all.
func (t *trial) refuse(why error) {
	if !t.holds && t.secret.key.host == "" {
		return // others were let in by it
	}
	t.secret.mutex.Lock()
	if t.secret.value == t.value { // and not another one by now
		t.secret.forget()
	}
	if t.secret.tries++; t.secret.tries >= t.most {
		t.secret.over = t.secret.key.notTaken(why)
	}
	t.secret.mutex.Unlock()
	t.leave()
}

// forget has the next one ask anew; the caller holds the mutex.
func (s *secret) forget() {
	if s.given {
		s.given, s.proven, s.value, s.filled = false, false, "", make(chan struct{})
	}
}

// isProven tells that a host has accepted the answer.
func (t *trial) isProven() bool {
	t.secret.mutex.Lock()
	defer t.secret.mutex.Unlock()
	return t.secret.proven && t.secret.value == t.value
}

// refuseAll has the answers to one round of questions refused, and gives the passwords among them that are wrong. One that
// others have accepted is not, where something else was asked for besides: then that was it.
func refuseAll(trials []*trial, why error) (wrong []string) {
	besides := slices.ContainsFunc(trials, func(t *trial) bool { return t.secret.key.once() })
	for _, given := range trials {
		switch {
		case given.secret.key.once():
			given.refuse(why)
		case besides && given.isProven():
			given.leave()
		default:
			given.refuse(why)
			wrong = append(wrong, given.value)
		}
	}
	return wrong
}

// leave lets the next one try.
func (t *trial) leave() {
	if t.holds {
		t.holds = false
		<-t.secret.turn
	}
}

// askFor is a source that asks the operator.
func (s *Shared) askFor(key secretKey, most int, question Question) source {
	return source{key: key, most: most, fetch: func(ctx context.Context, refused int) (string, error) {
		if s.ask == nil {
			return "", ErrNobody
		}
		if refused > 0 && question.Said == "" {
			question.Said = fmt.Sprintf("%s refused it", question.Host)
		}
		question.Text, question.Said = hosts.CleanLine(question.Text), hosts.Clean(question.Said)
		return s.ask(ctx, question)
	}}
}
