package ssh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/slipway-k8s/slipway/hosts"
)

// becoming is the password for sudo or doas on one host.
type becoming struct {
	options Options

	mutex   sync.Mutex
	trials  []*trial // that the host has not judged
	refused []string
}

// withBecome has the password for sudo or doas come from the file, or from the operator, where it can.
func (o Options) withBecome() (Options, *becoming) {
	can := o.BecomePasswordFile != "" || o.mayAsk(o.AskBecome)
	if o.BecomePassword != nil || !can {
		return o, nil
	}
	b := &becoming{options: o}
	o.BecomePassword, o.BecomeAccepted, o.BecomeRefused = b.password, b.accepted, b.wrong
	return o, b
}

func (b *becoming) password(ctx context.Context, prompt string) (string, error) {
	o := b.options
	b.mutex.Lock()
	from, busy, refused := b.source(prompt), len(b.trials) > 0, len(b.refused) > 0
	b.mutex.Unlock()
	if o.BecomePasswordFile != "" && prompt == "" && refused {
		return "", b.refusal() // the same would be tried again
	}
	o.tell("waiting for the password of " + o.User)
	given, err := o.Shared.take(ctx, from, busy)
	switch {
	case ctx.Err() != nil:
		if err == nil {
			given.leave() // for the others
		}
		return "", ctx.Err()
	case err != nil:
		return "", b.none(err)
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.trials = append(b.trials, given)
	return given.value, nil
}

// source is where an answer comes from: the password's where there is no prompt but the usual one, else that of
// what the host asks besides.
func (b *becoming) source(prompt string) source {
	o := b.options
	key := secretKey{kind: "become", user: o.User, text: prompt}
	if key.once() {
		key.host = o.Name
		return o.Shared.askFor(key, cmp.Or(o.prompts, 3), Question{Host: o.Name, About: o.User + "@" + o.address(), Text: prompt, Become: true})
	}
	if o.BecomePasswordFile != "" {
		return fromFile(key, o.BecomePasswordFile)
	}
	if o.Shared.elsewhere(key, b.refused) {
		key.host = o.Name // the others take another one
	}
	text := fmt.Sprintf("Password of %s to become root", o.User)
	if key.host != "" {
		text += " on " + o.Name
	}
	return o.Shared.askFor(key, cmp.Or(o.prompts, 3), Question{Host: o.Name, About: o.User + "@" + o.address(), Text: text, Become: true})
}

func (b *becoming) accepted() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for _, given := range b.trials {
		given.accepted()
	}
	b.trials = nil
}

func (b *becoming) wrong() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.refused = append(b.refused, refuseAll(b.trials, b.refusal())...)
	b.trials = nil
}

// leave lets the next host try what this one has not judged.
func (b *becoming) leave() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for _, given := range b.trials {
		given.leave()
	}
	b.trials = nil
}

// none is the error of a password that nobody has given.
func (b *becoming) none(err error) error {
	var known *hosts.Error
	if errors.As(err, &known) && !errors.Is(err, ErrNobody) {
		return known
	}
	told := (&host{options: b.options}).noPrivilege(fmt.Errorf("a password is required, and none was given: %w", err))
	told.Fix = "have it asked for on a terminal, with --ask-become-pass; or name a file that has it, with --become-password-file; or " + told.Fix
	return told
}

// refusal is what all hosts are told of a password that one of them refused for good.
func (b *becoming) refusal() error {
	o := b.options
	what := "the password of " + o.User
	if o.BecomePasswordFile != "" {
		what += " that " + o.BecomePasswordFile + " has"
	}
	return &hosts.Error{
		Kind: hosts.KindPrivilege, Op: "become root as " + o.User, Err: fmt.Errorf("%s does not take %s", o.Name, what),
		Fix: fmt.Sprintf("see that it is the right one: %s; no other host was tried with it, so that no account is locked", o.byHand("-t", "'sudo true || doas true'")),
	}
}
