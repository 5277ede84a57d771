package workflow

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// agentFor gives the agent for a platform.
type agentFor func(context.Context, ssh.Platform) (ssh.Binary, error)

// Login is how to log in, as a command says it; the cluster file says the rest.
type Login struct {
	// AskPassword has the password asked for before a host is connected to, and AskBecome that of sudo or doas.
	AskPassword, AskBecome bool
	// PasswordFile and BecomePasswordFile have them, in place of those that the cluster file names.
	PasswordFile, BecomePasswordFile string
	// TrustOnFirstUse has host keys accepted that are not known yet.
	TrustOnFirstUse bool
}

// Check refuses two answers to one question, and files that others may read, before a host is connected to.
func (l Login) Check() error {
	switch {
	case l.AskPassword && l.PasswordFile != "":
		return usagef("--ask-pass and --password-file: say one of them")
	case l.AskBecome && l.BecomePasswordFile != "":
		return usagef("--ask-become-pass and --become-password-file: say one of them")
	}
	for _, file := range []string{l.PasswordFile, l.BecomePasswordFile} {
		if file == "" {
			continue
		}
		if err := ssh.CheckPasswordFile(file); err != nil {
			return &UsageError{err}
		}
	}
	return nil
}

// logins are how all hosts of a session, or of a probe, are logged in to.
type logins struct {
	Login
	version string
	gate    *ssh.Gate
	shared  *ssh.Shared
	note    func(string) // is told each thing once
}

// newLogins are logins that ask and tell so.
func newLogins(login Login, version string, ask AskSecret, note func(format string, args ...any)) *logins {
	l := &logins{Login: login, version: version, gate: ssh.NewGate(), shared: ssh.NewShared(ask)}
	var mutex sync.Mutex
	told := map[string]bool{}
	l.note = func(text string) {
		mutex.Lock()
		defer mutex.Unlock()
		if !told[text] {
			told[text] = true
			note("%s", text)
		}
	}
	return l
}

// by connects to hosts by SSH, with these agents.
func (l *logins) by(agent agentFor) Dialer {
	return func(ctx context.Context, h cluster.Host, tell func(string)) (hosts.Host, error) {
		o := l.options(h)
		o.Binary, o.Tell = agent, tell
		return ssh.Connect(ctx, o)
	}
}

func (l *logins) options(h cluster.Host) ssh.Options {
	o := sshOptions(h)
	o.Version, o.Gate, o.Shared, o.Note = l.version, l.gate, l.shared, l.note
	o.AskPassword, o.AskBecome, o.TrustOnFirstUse = l.AskPassword, l.AskBecome, l.TrustOnFirstUse
	o.PasswordFile = cmp.Or(l.PasswordFile, h.SSH.PasswordFile)
	o.BecomePasswordFile = cmp.Or(l.BecomePasswordFile, h.SSH.BecomePasswordFile)
	if l.AskPassword {
		o.PasswordFile = ""
	}
	if l.AskBecome {
		o.BecomePasswordFile = ""
	}
	return o
}

// sshOptions are how the cluster file says to reach a host.
func sshOptions(h cluster.Host) ssh.Options {
	o := ssh.Options{
		Name:            h.Name,
		Host:            h.SSH.Host,
		Port:            h.SSH.Port,
		User:            h.SSH.User,
		ConfigFile:      h.SSH.Config,
		IdentityFile:    h.SSH.IdentityFile,
		IdentityFiles:   h.SSH.IdentityFiles,
		CertificateFile: h.SSH.CertificateFile,
		IdentityAgent:   h.SSH.IdentityAgent,
		KnownHostsFile:  h.SSH.KnownHostsFile,
		HostKeys:        h.SSH.HostKeys,
		ProxyCommand:    h.SSH.ProxyCommand,
		Become:          h.SSH.Become,
		ConnectTimeout:  time.Duration(h.SSH.ConnectTimeout),
	}
	if h.SSH.NoJump() {
		o.ProxyCommand = cluster.SSHNone
		return o
	}
	for _, jump := range h.SSH.Jump {
		o.Jump = append(o.Jump, ssh.Jump(jump))
	}
	return o
}

// loginUser is who logs in to a host.
func loginUser(ctx context.Context, h cluster.Host) string {
	o, err := ssh.Resolve(ctx, sshOptions(h))
	if err != nil {
		return cmp.Or(h.SSH.User, cluster.DefaultSSHUser) // connecting says why
	}
	return o.User
}

// carried is the agent that this program has in it, for Linux on this machine's architecture; instead is what
// may be done about another platform.
func carried(own func() (ssh.Binary, error), platform ssh.Platform, instead string) (ssh.Binary, error) {
	of := ssh.Platform{OS: "linux", Arch: runtime.GOARCH}
	if platform == of {
		return own()
	}
	return ssh.Binary{}, fmt.Errorf("find an agent for %s: this command has one for %s only; %s", platform, of, instead)
}
