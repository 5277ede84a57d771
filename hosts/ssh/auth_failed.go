package ssh

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// notGiven is the error of a password that was to be asked for before the host is connected to. It says nothing of the
// host: who asks knows best what to do.
func (a *authentication) notGiven(err error) error {
	var known *hosts.Error
	if errors.As(err, &known) {
		return known
	}
	return &hosts.Error{
		Kind: hosts.KindAuth, Op: "ask for the password of " + a.options.User, Err: err,
		Fix: "run the same command on a terminal and type it; or name a file that has it: --password-file FILE",
	}
}

// refusedFor is what all are told of a password that one host has refused too often.
func (a *authentication) refusedFor() error {
	o := a.options
	fix := fmt.Sprintf("see that it is the password of %s: %s; no other host was tried with it, so that no account is locked", o.User, o.byHand("", ""))
	err := fmt.Errorf("%s refuses the password of %s", o.Name, o.User)
	if o.PasswordFile != "" {
		err = fmt.Errorf("%s refuses the password of %s that %s has", o.Name, o.User, o.PasswordFile)
	}
	return &hosts.Error{Kind: hosts.KindAuth, Op: fmt.Sprintf("log in to %s as %s", o.address(), o.User), Err: err, Fix: fix}
}

// failed is the error of a login that has tried all there is.
func (a *authentication) failed() error {
	var known *hosts.Error
	nobody := errors.Is(a.trouble, ErrNobody)
	if errors.As(a.trouble, &known) && !nobody {
		return known
	}
	tried := a.keys.tried(a.options)
	if a.trouble != nil && !nobody {
		tried += "; no password was given: " + a.trouble.Error()
	}
	switch {
	case len(a.wrong) > 0:
		tried += "; it refuses the password"
	case a.denied:
		tried += "; it refuses what was answered"
	}
	if len(a.allowed) > 0 {
		tried += fmt.Sprintf(" (it lets in by %s)", hosts.CleanLine(strings.Join(a.allowed, ", ")))
	}
	return &hosts.Error{
		Kind: hosts.KindAuth, Op: fmt.Sprintf("log in to %s as %s", a.options.address(), a.options.User),
		Err: errors.New(tried), Fix: a.fix(),
	}
}

// fix is what to do about a login that was refused, by what the host lets in by.
func (a *authentication) fix() string {
	takes := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(a.allowed, name) })
	}
	if why := a.keys.expired(a.options.User); why != "" {
		return why
	}
	switch {
	case a.keys.unopened != "":
		return "open it once with ssh-agent: ssh-add " + word(a.keys.unopened)
	case a.partial > 0 && takes(byInteractive, byPassword):
		return "the host wants more than a key: say --ask-pass on a terminal"
	case takes(byPublicKey) && takes(byInteractive, byPassword):
		return letIn(a.options) + "; or log in by password: --ask-pass on a terminal, or --password-file FILE"
	case takes(byPublicKey):
		return letIn(a.options)
	case takes(byInteractive, byPassword):
		return "it takes no keys: say --ask-pass on a terminal, or --password-file FILE; or set PubkeyAuthentication yes in its sshd_config"
	}
	return fmt.Sprintf("set PubkeyAuthentication yes in sshd_config on the host, or another ssh.user in the cluster file; it offers nothing that Slipway does: %s", strings.Join(a.allowed, ", "))
}

func letIn(o Options) string {
	if o.User == "root" {
		return fmt.Sprintf("let the key in: %s; or, where sshd lets no root log in (PermitRootLogin), set ssh.user in the cluster file "+
			"to one who may become root by sudo or doas", o.copyKey())
	}
	return fmt.Sprintf("let the key in: %s; or name another as ssh.identityFile in the cluster file", o.copyKey())
}
