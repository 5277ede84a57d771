package ssh_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// twoFactors are the questions of a host that wants a password and a code.
func twoFactors(password, code string) hosttest.Ways {
	return hosttest.Ways{NoKeys: true, Questions: []hosttest.Exchange{
		{Prompts: []string{"Password: "}, Answers: []string{password}},
		{Prompts: []string{"Verification code: "}, Answers: []string{code}},
	}}
}

// TestACodeIsGivenToOneHostOnce: it is spent then. Each host is asked for on its own, and anew for each login, while
// the password is asked for once.
func TestACodeIsGivenToOneHostOnce(t *testing.T) {
	by := &operator{answers: []string{"secret", "code 0", "code 1", "code 2", "code 3"}}
	shared := ssh.NewShared(by.ask)
	login := func(i int, server *hosttest.Server) {
		server.SetWays(twoFactors("secret", fmt.Sprint("code ", i)))
		o := options(server)
		o.Name, o.Shared = fmt.Sprint("cp-", i), shared
		connect(t, o)
	}
	first := newServer(t)
	login(0, first)
	login(1, newServer(t))
	login(2, newServer(t))
	login(3, first) // as after a reboot
	want := []string{"Password of ops", "Verification code:", "Verification code:", "Verification code:", "Verification code:"}
	if texts := by.texts(); !slices.Equal(texts, want) {
		t.Errorf("asked %q", texts)
	}
	if by.asked[2].Host != "cp-1" {
		t.Errorf("asked for %s", by.asked[2].Host)
	}
	if answers := first.Seen().Answers; !slices.Equal(answers, []string{"secret", "code 0", "secret", "code 3"}) {
		t.Errorf("given %q", answers)
	}
}

// TestAMistypedCodeIsNotThePasswordsFault, where other hosts have taken that.
func TestAMistypedCodeIsNotThePasswordsFault(t *testing.T) {
	for _, file := range []bool{false, true} {
		by := &operator{answers: []string{"secret", "1", "mistyped", "2"}}
		name := ""
		if file {
			by.answers, name = by.answers[1:], passwordFile(t, "secret\n", 0o600)
		}
		shared := ssh.NewShared(by.ask)
		var last *hosttest.Server
		for _, code := range []string{"1", "2"} {
			last = newServer(t)
			last.SetWays(twoFactors("secret", code))
			o := options(last)
			o.Name, o.Shared, o.PasswordFile = "cp-"+code, shared, name
			connect(t, o)
		}
		if answers := last.Seen().Answers; !slices.Equal(answers, []string{"secret", "mistyped", "secret", "2"}) {
			t.Errorf("given %q, asked %q", answers, by.texts())
		}
	}
}

// TestACodeThatIsAskedForAgainWasWrong: the next one is asked for, in the same login.
func TestACodeThatIsAskedForAgainWasWrong(t *testing.T) {
	server := newServer(t)
	server.SetWays(hosttest.Ways{NoKeys: true, Questions: []hosttest.Exchange{
		{Prompts: []string{"Code: "}}, {Prompts: []string{"Code: "}, Answers: []string{"2"}},
	}})
	by := &operator{answers: []string{"1", "2"}}
	o := options(server)
	o.Shared = ssh.NewShared(by.ask)
	connect(t, o)
	if answers := server.Seen().Answers; !slices.Equal(answers, []string{"1", "2"}) || by.asked[1].Said != "cp-1 refused it" {
		t.Errorf("given %q, asked %+v", answers, by.asked)
	}
}

// TestACodeForRootIsGivenToOneHostOnce.
func TestACodeForRootIsGivenToOneHostOnce(t *testing.T) {
	by := &operator{answers: []string{rightPassword, "123456"}}
	shared := ssh.NewShared(by.ask)
	server := newServer(t)
	for _, name := range []string{"cp-1", "cp-2", "cp-1"} {
		server.SetLogin(hosttest.Login{UID: 1000})
		server.BecomeBy(hosttest.Becoming{Password: rightPassword, Also: "Verification code: "})
		o := options(server)
		o.Name, o.Shared = name, shared
		connect(t, o)
	}
	if texts := by.texts(); !slices.Equal(texts, []string{"Password of ops to become root", "Verification code:", "Verification code:", "Verification code:"}) {
		t.Errorf("asked %q", texts)
	}
}

// TestWhatIsThePassword among what PAM asks, and what may be a code, which is asked for at each host.
func TestWhatIsThePassword(t *testing.T) {
	for question, want := range map[string]struct{ login, become bool }{
		"Password: ":                 {true, true},
		"(ops@token-1) Password: ":   {true, false},
		"[sudo] password for ops: ":  {true, true},
		"doas (ops@cp-1) password: ": {true, true},
		"Passwort: ":                 {true, false},
		"First Factor: ":             {true, true}, // SSSD
		"Second Factor (optional): ": {false, false},
		"Verification code: ":        {false, false},
		"Password + Token value: ":   {false, false}, // SSSD, where both are one
		"One-time password (OATH): ": {false, false},
		"Enter PASSCODE: ":           {false, false}, // SecurID
		"Passcode or option (1-2): ": {false, false},
		"Enter your OTP password: ":  {false, false},
		"Password for otpmaster: ":   {true, true},
	} {
		if login, become := ssh.AsksForPassword(question); login != want.login || become != want.become {
			t.Errorf("%q: to log in %v, to become root %v", question, login, become)
		}
	}
}

// TestAHostsOwnPasswordMayChange: one that it has taken and then refuses is forgotten.
func TestAHostsOwnPasswordMayChange(t *testing.T) {
	servers := append(passwordHosts(t, 1, "secret"), passwordHosts(t, 1, "other")...)
	by := &operator{answers: []string{"secret", "other", "new"}}
	shared := ssh.NewShared(by.ask)
	login := func(i int) {
		o := options(servers[i])
		o.Name, o.Shared = fmt.Sprint("cp-", i), shared
		connect(t, o)
	}
	login(0)
	login(1)
	servers[1].SetWays(hosttest.Ways{NoKeys: true, Password: "new"})
	login(1)
	if texts := by.texts(); !slices.Equal(texts, []string{"Password of ops", "Password of ops on cp-1", "Password of ops on cp-1"}) {
		t.Errorf("asked %q", texts)
	}
}

// TestCodesThatStayWrong are not called a wrong password.
func TestCodesThatStayWrong(t *testing.T) {
	server := newServer(t)
	server.SetWays(hosttest.Ways{NoKeys: true, Questions: []hosttest.Exchange{{Prompts: []string{"Code: "}, Answers: []string{"right"}}}})
	by := &operator{answers: []string{"wrong"}}
	o := options(server)
	o.Shared = ssh.NewShared(by.ask)
	refused(t, o, hosts.KindAuth, "it refuses what was answered")
	refused(t, o, hosts.KindAuth, `cp-1 does not take what was answered to "Code:"`)
	if len(by.asked) != 3 {
		t.Errorf("asked %q", by.texts())
	}
}
