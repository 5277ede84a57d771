package ssh_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// TestAPasswordThatIsNotGivenSaysNothingOfTheHost: it was not connected to. What the operator's front end says is told as it is.
func TestAPasswordThatIsNotGivenSaysNothingOfTheHost(t *testing.T) {
	own := &hosts.Error{Kind: hosts.KindAuth, Op: "ask for: the password", Err: fmt.Errorf("%w: there is no terminal", ssh.ErrNobody), Fix: "type it"}
	for _, test := range []struct {
		err   error
		words []string
	}{
		{errors.New("nothing was typed"), []string{"ask for the password of ops on cp-1: nothing was typed", "--password-file FILE", "terminal"}},
		{fmt.Errorf("%w: there is no terminal", ssh.ErrNobody), []string{"ask for the password of ops on cp-1: nobody can be asked: there is no terminal", "--password-file FILE"}},
		{own, []string{own.Op + " on cp-1: nobody can be asked: there is no terminal", "type it"}},
	} {
		server := newServer(t)
		o := options(server)
		o.AskPassword = true
		o.Shared = ssh.NewShared(func(context.Context, ssh.Question) (string, error) { return "", test.err })
		err := refused(t, o, hosts.KindAuth, test.words...)
		if text := err.Error() + err.Fix; strings.Contains(text, server.IdentityFile) || strings.Contains(text, "ssh-copy-id") || server.Seen().Connections > 0 {
			t.Errorf("%d connections: %v\nfix: %s", server.Seen().Connections, err, err.Fix)
		}
	}
}

// TestNobodyIsPrompted where NumberOfPasswordPrompts is 0; a password out of a file is none.
func TestNobodyIsPrompted(t *testing.T) {
	home := homeWith(t, map[string]string{"config": "NumberOfPasswordPrompts 0\n"})
	t.Setenv("HOME", home)
	server := passwordHosts(t, 1, "secret")[0]
	by := &operator{answers: []string{"secret"}}
	o := options(server)
	o.ConfigFile, o.Shared = "", ssh.NewShared(by.ask)
	refused(t, o, hosts.KindAuth, "it takes no keys")
	if len(by.asked) > 0 {
		t.Errorf("asked %q", by.texts())
	}
	o.PasswordFile = passwordFile(t, "secret\n", 0o600)
	connect(t, o)
}

// TestWhoSaysAskIsAsked, whatever BatchMode of the configuration says; for what nobody has said, it counts.
func TestWhoSaysAskIsAsked(t *testing.T) {
	home := homeWith(t, map[string]string{"config": "BatchMode yes\n"})
	t.Setenv("HOME", home)
	server := newServer(t)
	server.SetLogin(hosttest.Login{UID: 1000})
	server.SetWays(hosttest.Ways{NoKeys: true, Password: "secret"})
	server.BecomeBy(hosttest.Becoming{Password: rightPassword})
	by := &operator{answers: []string{"secret", rightPassword}}
	o := options(server)
	o.ConfigFile, o.AskPassword, o.AskBecome, o.Shared = "", true, true, ssh.NewShared(by.ask)
	connect(t, o)

	by = &operator{answers: []string{"secret"}}
	o.AskPassword, o.AskBecome, o.Shared = true, false, ssh.NewShared(by.ask)
	refused(t, o, hosts.KindPrivilege, "a password is required")
	o.AskPassword, o.AskBecome, o.Shared = false, false, ssh.NewShared(by.ask)
	refused(t, o, hosts.KindAuth, "it takes no keys")
	if len(by.asked) != 1 {
		t.Errorf("asked %q", by.texts())
	}
}
