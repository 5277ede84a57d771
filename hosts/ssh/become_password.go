package ssh

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/slipway-k8s/slipway/hosts"
)

// becoming is the password for sudo or doas on one host.
type becoming struct {
	options Options
	trial   *trial
	refused bool
}

// withBecome has the password for sudo or doas come from the file, or from the operator, where it can.
func (o Options) withBecome() (Options, *becoming) {
	can := o.BecomePasswordFile != "" || o.Shared != nil && o.Shared.ask != nil && !o.never
	if o.BecomePassword != nil || !can {
		return o, nil
	}
	if o.Shared == nil {
		o.Shared = NewShared(nil)
	}
	b := &becoming{options: o}
	o.BecomePassword, o.BecomeAccepted, o.BecomeRefused = b.password, b.accepted, b.wrong
	return o, b
}

func (b *becoming) password(ctx context.Context, prompt string) (string, error) {
	o := b.options
	b.leave()
	key := secretKey{kind: "become", user: o.User}
	from := fromFile(key, o.BecomePasswordFile)
	switch {
	case o.BecomePasswordFile != "" && b.refused:
		return "", b.refusal() // the same would be tried again
	case o.BecomePasswordFile == "":
		if !o.AskBecome {
			key.text = prompt
		}
		if b.refused && !(&authentication{options: o}).ours(key) {
			key.host = o.Name // the others take another one
		}
		text := fmt.Sprintf("Password of %s for sudo", o.User)
		if key.host != "" {
			text += " on " + o.Name
		}
		from = o.Shared.askFor(key, cmp.Or(o.prompts, 3), Question{Host: o.Name, About: o.User + "@" + o.address(), Text: text, Become: true})
	}
	o.tell("waiting for the password for sudo")
	given, err := o.Shared.take(ctx, from, false)
	if err != nil {
		var known *hosts.Error
		if errors.As(err, &known) || ctx.Err() != nil {
			return "", err
		}
		return "", &hosts.Error{
			Kind: hosts.KindPrivilege, Op: "become root as " + o.User, Err: fmt.Errorf("sudo wants a password, and none was given: %w", err),
			Fix: "say --ask-become-pass on a terminal, or --become-password-file FILE",
		}
	}
	b.trial = given
	return given.value, nil
}

func (b *becoming) accepted() {
	if b.trial != nil {
		b.trial.accepted()
		b.trial = nil
	}
}

func (b *becoming) wrong() {
	if b.refused = true; b.trial != nil {
		b.trial.refuse(b.refusal())
		b.trial = nil
	}
}

// leave lets the next host try what this one has not judged.
func (b *becoming) leave() {
	if b.trial != nil {
		b.trial.leave()
		b.trial = nil
	}
}

// refusal is what all hosts are told of a password that one of them refused for good.
func (b *becoming) refusal() error {
	o := b.options
	what := "the password of " + o.User
	if o.BecomePasswordFile != "" {
		what += " that " + o.BecomePasswordFile + " has"
	}
	return &hosts.Error{
		Kind: hosts.KindPrivilege, Op: "become root as " + o.User, Err: fmt.Errorf("sudo on %s refuses %s", o.Name, what),
		Fix: fmt.Sprintf("see that it is the right one: ssh -t -p %d %s@%s sudo true; no other host was tried with it, so that no account is locked", o.Port, o.User, o.Host),
	}
}
