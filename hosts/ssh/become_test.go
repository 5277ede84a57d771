package ssh_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

const (
	rightPassword = `the right one, with 'quotes' "both", \ and $HOME`
	wrongPassword = "the wrong one"
)

// mark is what sudo is to ask with.
var mark = regexp.MustCompile(`slipway-[A-Z2-7]{20}`)

// asker gives passwords, one after another, and then an error. It notes what it was asked.
type asker struct {
	mutex             sync.Mutex
	passwords         []string
	code              string // for whatever asks for more than the password
	asked             []string
	accepted, refused int
}

func (a *asker) give(_ context.Context, prompt string) (string, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.asked = append(a.asked, prompt)
	if prompt != "" && a.code != "" {
		return a.code, nil
	}
	if len(a.passwords) == 0 {
		return "", &hosts.Error{Kind: hosts.KindPrivilege, Op: "ask for the password", Err: errors.New("nobody types one"), Fix: "type one"}
	}
	password := a.passwords[0]
	a.passwords = a.passwords[1:]
	return password, nil
}

func (a *asker) count(which *int) func() {
	return func() {
		a.mutex.Lock()
		defer a.mutex.Unlock()
		*which++
	}
}

func (a *asker) into(o *ssh.Options) {
	o.BecomePassword, o.BecomeAccepted, o.BecomeRefused = a.give, a.count(&a.accepted), a.count(&a.refused)
}

// becoming is a way to become root, and what comes of it.
type becoming struct {
	sudo, doas *hosttest.Becoming // nil: it is not there
	become     string
	root       bool // logs in as root
	passwords  []string
	code       string
	asks       []string // what is asked for; nil: nothing
	fails      []string // words of the error and its fix; nil: it works
	wrong      int      // passwords that the host counts as wrong
}

// TestBecomingRoot goes every way that hosts have, each with what the operator sees where it does
// not lead there.
func TestBecomingRoot(t *testing.T) {
	password := []string{""}
	for name, way := range map[string]becoming{
		"root's login":                         {root: true},
		"root's login, with neither sudo":      {root: true, become: ssh.BecomeNone},
		"sudo":                                 {sudo: &hosttest.Becoming{}},
		"sudo, by name":                        {sudo: &hosttest.Becoming{}, become: ssh.BecomeSudo},
		"sudo with a password":                 {sudo: &hosttest.Becoming{Password: rightPassword}, passwords: []string{rightPassword}, asks: password},
		"sudo with a lecture":                  {sudo: &hosttest.Becoming{Password: rightPassword, Lecture: true}, passwords: []string{rightPassword}, asks: password},
		"sudo that remembers":                  {sudo: &hosttest.Becoming{Password: rightPassword, Persist: true}},
		"sudo with a second factor":            {sudo: &hosttest.Becoming{Password: rightPassword, Also: "Verification code: "}, passwords: []string{rightPassword}, code: "123456", asks: []string{"", "Verification code:"}},
		"sudo with requiretty":                 {sudo: &hosttest.Becoming{RequireTTY: true}},
		"sudo with requiretty and a password":  {sudo: &hosttest.Becoming{RequireTTY: true, Password: rightPassword, Lecture: true}, passwords: []string{rightPassword}, asks: password},
		"sudo-rs":                              {sudo: &hosttest.Becoming{Rust: true}},
		"sudo-rs with a password":              {sudo: &hosttest.Becoming{Rust: true, Password: rightPassword}, passwords: []string{rightPassword}, asks: password},
		"sudo-rs without -p":                   {sudo: &hosttest.Becoming{Rust: true, NoPrompt: true, Password: rightPassword}, passwords: []string{rightPassword}, asks: password},
		"doas nopass":                          {doas: &hosttest.Becoming{}},
		"doas with a password":                 {doas: &hosttest.Becoming{Password: rightPassword}, passwords: []string{rightPassword}, asks: password},
		"doas persist":                         {doas: &hosttest.Becoming{Password: rightPassword, Persist: true}},
		"both, and doas does not ask":          {sudo: &hosttest.Becoming{Password: rightPassword}, doas: &hosttest.Becoming{}, passwords: []string{rightPassword}},
		"both, and sudo is not to be used":     {sudo: &hosttest.Becoming{Refuses: "no"}, doas: &hosttest.Becoming{}, become: ssh.BecomeDoas},
		"both, and sudo has no rule":           {sudo: &hosttest.Becoming{Password: rightPassword, Refuses: "ops is not in the sudoers file."}, doas: &hosttest.Becoming{Password: rightPassword}, passwords: []string{rightPassword, rightPassword}, asks: []string{"", ""}},
		"a wrong password, and the right one":  {sudo: &hosttest.Becoming{Password: rightPassword}, passwords: []string{wrongPassword, rightPassword}, asks: []string{"", ""}, wrong: 1},
		"the same with a terminal":             {sudo: &hosttest.Becoming{RequireTTY: true, Password: rightPassword}, passwords: []string{wrongPassword, rightPassword}, asks: []string{"", ""}, wrong: 1},
		"the same for sudo-rs":                 {sudo: &hosttest.Becoming{Rust: true, Password: rightPassword}, passwords: []string{wrongPassword, rightPassword}, asks: []string{"", ""}, wrong: 1},
		"the same for doas":                    {doas: &hosttest.Becoming{Password: rightPassword}, passwords: []string{wrongPassword, rightPassword}, asks: []string{"", ""}, wrong: 1},
		"wrong passwords":                      {sudo: &hosttest.Becoming{Password: rightPassword}, passwords: []string{"1", "2", "3", "4"}, asks: []string{"", "", ""}, wrong: 3, fails: []string{"sudo does not take the password", "Sorry, try again.", "ssh -t -p "}},
		"a wrong password, and no more":        {sudo: &hosttest.Becoming{Password: rightPassword}, passwords: []string{wrongPassword}, asks: []string{"", ""}, wrong: 1, fails: []string{"nobody types one", "type one"}},
		"a wrong code":                         {sudo: &hosttest.Becoming{Password: rightPassword, Also: "Code: "}, passwords: []string{rightPassword, rightPassword, rightPassword}, code: "1", asks: []string{"", "Code:", "", "Code:", "", "Code:"}, fails: []string{"does not take the password"}},
		"a password of two lines":              {sudo: &hosttest.Becoming{Password: rightPassword}, passwords: []string{"a\nb"}, asks: password, fails: []string{"has a line's end in it"}},
		"sudo wants one, and nobody is asked":  {sudo: &hosttest.Becoming{Password: rightPassword}, fails: []string{"sudo: a password is required", "--ask-become-pass", "ops ALL=(ALL) NOPASSWD: ALL"}},
		"doas wants one, and nobody is asked":  {doas: &hosttest.Becoming{Password: rightPassword}, fails: []string{"doas: Authentication required", "--ask-become-pass"}},
		"neither":                              {fails: []string{"neither sudo nor doas is there", "install sudo"}},
		"sudo is to be used, and is not there": {doas: &hosttest.Becoming{}, become: ssh.BecomeSudo, fails: []string{"sudo is not there"}},
		"none":                                 {sudo: &hosttest.Becoming{}, become: ssh.BecomeNone, fails: []string{"ssh.become is none", "ssh.user to root"}},
		"not in sudoers":                       {sudo: &hosttest.Becoming{Password: rightPassword, Refuses: "ops is not in the sudoers file.  This incident will be reported."}, passwords: []string{rightPassword}, asks: password, fails: []string{"ops is not in the sudoers file", "/etc/sudoers.d/slipway-ops"}},
		"not in sudoers, and doas never set up": {
			sudo: &hosttest.Becoming{Refuses: "ops is not in the sudoers file."}, doas: &hosttest.Becoming{Refuses: "doas: doas is not enabled, /etc/doas.conf: No such file or directory"},
			fails: []string{"on cp-1: ops is not in the sudoers file.\n", "/etc/sudoers.d/slipway-ops"},
		},
		"not in sudo-rs' rules":   {sudo: &hosttest.Becoming{Rust: true, Refuses: "sudo: I'm sorry ops. I'm afraid I can't do that"}, fails: []string{"I'm sorry ops", "/etc/sudoers.d/slipway-ops"}},
		"some commands only":      {sudo: &hosttest.Becoming{Refuses: "Sorry, user ops is not allowed to execute '/usr/bin/sh -c echo slipway-agent-root; IFS= read -r s && eval \"$s\"' as root on cp-1."}, fails: []string{"not allowed to execute 'sh' as root on cp-1", "NOPASSWD: ALL"}},
		"an expired password":     {sudo: &hosttest.Becoming{Refuses: "sudo: Account or password is expired, reset your password and try again"}, fails: []string{"is expired", "chage -l ops"}},
		"a locked account":        {sudo: &hosttest.Becoming{Refuses: "sudo: account validation failure, is your account locked?"}, fails: []string{"account locked", "passwd -S ops"}},
		"sudo without its rights": {sudo: &hosttest.Becoming{Refuses: "sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set"}, fails: []string{"setuid bit", "chmod 4755"}},
		"sudo on nosuid":          {sudo: &hosttest.Becoming{Refuses: "sudo: effective uid is not 0, is /usr/bin/sudo on a file system with the 'nosuid' option set or an NFS file system without root privileges?"}, fails: []string{"nosuid", "findmnt"}},
		"broken sudoers":          {sudo: &hosttest.Becoming{Refuses: "/etc/sudoers:3:1: syntax error\nsudo: no valid sudoers sources found, quitting"}, fails: []string{"syntax error", "visudo -c"}},
		"doas without a file":     {doas: &hosttest.Becoming{Refuses: "doas: doas is not enabled, /etc/doas.conf: No such file or directory"}, fails: []string{"not enabled", "permit nopass ops"}},
		"doas without a rule":     {doas: &hosttest.Becoming{Refuses: "doas: Operation not permitted"}, fails: []string{"Operation not permitted", "permit nopass ops"}},
		"runas_default":           {sudo: &hosttest.Becoming{RunAs: "nobody"}, fails: []string{"commands are run as", "and not as root", "runas_default"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t)
			way.set(server)
			ask := &asker{passwords: slices.Clone(way.passwords), code: way.code}
			o := options(server)
			o.Become = way.become
			if way.passwords != nil {
				ask.into(&o)
			}
			err := way.visit(t, o)
			switch {
			case way.fails == nil && err != nil:
				t.Fatal(err)
			case way.fails != nil && err == nil:
				t.Fatal("it goes")
			case way.fails != nil:
				wantError(t, err, hosts.KindPrivilege, way.fails...)
			}
			if !slices.Equal(ask.asked, way.asks) {
				t.Errorf("it asks %q, not %q", ask.asked, way.asks)
			}
			if ask.refused != way.wrong && way.code == "" || server.WrongPasswords() != way.wrong {
				t.Errorf("%d passwords are called wrong, and the host counts %d, not %d", ask.refused, server.WrongPasswords(), way.wrong)
			}
			if given := len(way.passwords) > 0 && way.fails == nil && len(ask.asked) > 0; given != (ask.accepted > 0) && way.fails == nil {
				t.Errorf("a password is called right %d times", ask.accepted)
			}
			way.keepsSecrets(t, server.BecomeLog(), err)
		})
	}
}

func (w becoming) set(server *hosttest.Server) {
	if !w.root {
		server.SetLogin(hosttest.Login{UID: 1000, Noise: "no line's end behind this"})
	}
	server.Without("sudo")
	if w.sudo != nil {
		server.BecomeBy(*w.sudo)
	}
	if w.doas != nil {
		server.BecomeByDoas(*w.doas)
	}
}

// visit connects, has the agent do what takes all its bytes, and closes.
func (w becoming) visit(t *testing.T, o ssh.Options) error {
	host, err := ssh.Connect(t.Context(), o)
	if err != nil {
		return err
	}
	blob := hosttest.Content(allBytes())
	must(t, host.Upload(t.Context(), []hosts.Blob{blob}, nil))
	if _, err := host.Do(t.Context(), hosts.WriteFile{Path: "/x", Mode: 0o600, Content: blob.Ref}, nil); err != nil {
		t.Error(err)
	}
	return host.Close()
}

// allBytes is every byte, and what a terminal would make of two of them.
func allBytes() []byte {
	var all []byte
	for i := range 1 << 16 {
		all = append(all, byte(i), byte(i>>8))
	}
	return append(all, "\r\n\x03\x04\x11\x13\x1a\x1c\x7f"...)
}

// keepsSecrets: no password stands in an argument, an environment or an error.
func (w becoming) keepsSecrets(t *testing.T, log string, err error) {
	for _, password := range w.passwords {
		if len(password) < 3 {
			continue
		}
		if strings.Contains(log, password) {
			t.Errorf("sudo or doas was given it as an argument or in its environment:\n%s", log)
		}
		if err != nil && strings.Contains(err.Error(), password) {
			t.Errorf("it is in the error: %v", err)
		}
	}
	if err != nil && mark.MatchString(err.Error()) {
		t.Errorf("what sudo was to ask with is shown: %v", err)
	}
	if strings.Contains(log, "slipway-agent-inbox") {
		t.Errorf("the scripts are among the arguments, and so in the log of sudo:\n%s", log)
	}
}

// TestAHostThatGoesWhileAPasswordIsTyped is told of at once: nobody types for it any more, and the password is neither
// right nor wrong.
func TestAHostThatGoesWhileAPasswordIsTyped(t *testing.T) {
	noLeaks(t)
	server := newServer(t)
	server.SetLogin(hosttest.Login{UID: 1000})
	server.BecomeBy(hosttest.Becoming{Password: rightPassword})
	o, ask := options(server), &asker{}
	ask.into(&o)
	o.BecomePassword = func(ctx context.Context, _ string) (string, error) {
		server.Cut()
		<-ctx.Done()
		return "", ctx.Err()
	}
	_, err := ssh.Connect(t.Context(), o)
	wantError(t, err, hosts.KindCut, "the connection was lost")
	if ask.accepted+ask.refused != 0 {
		t.Errorf("it is called right %d times, wrong %d times", ask.accepted, ask.refused)
	}
}
