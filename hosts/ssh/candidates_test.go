package ssh_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// homeWith is a home folder with these files below .ssh.
func homeWith(t testing.TB, files map[string]string) string {
	t.Helper()
	home := t.TempDir()
	for name, text := range files {
		path := filepath.Join(home, ".ssh", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return home
}

// candidates are those of a home, without the folder that From begins with.
func candidates(t *testing.T, home string) []ssh.Candidate {
	t.Helper()
	all, err := ssh.Candidates(home)
	must(t, err)
	for i := range all {
		all[i].From = strings.TrimPrefix(all[i].From, filepath.Join(home, ".ssh")+"/")
	}
	return all
}

func TestFormsOfTheConfiguration(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  []ssh.Candidate
	}{
		"nothing": {},
		"all of it": {map[string]string{"config": "Host cp-1\n  HostName 192.0.2.11\n  Port 2222\n  User ops\n  IdentityFile ~/.ssh/lab\n"},
			[]ssh.Candidate{{Name: "cp-1", Host: "192.0.2.11", Port: 2222, User: "ops", IdentityFile: "~/.ssh/lab", From: "config:1"}}},
		"the name alone": {map[string]string{"config": "host cp-1"}, []ssh.Candidate{{Name: "cp-1", Host: "cp-1", From: "config:1"}}},
		"several names, and patterns": {map[string]string{"config": "Host a b* !c d? e\n"},
			[]ssh.Candidate{{Name: "a", Host: "a", From: "config:1"}, {Name: "e", Host: "e", From: "config:1"}}},
		"the first value counts": {map[string]string{"config": "Host a\nUser one\nUser two\nHost *\nUser three\nPort 1022\n"},
			[]ssh.Candidate{{Name: "a", Host: "a", User: "one", Port: 1022, From: "config:1"}}},
		"before all blocks": {map[string]string{"config": "User first\nHost a\nUser second\n"},
			[]ssh.Candidate{{Name: "a", Host: "a", User: "first", From: "config:2"}}},
		"a pattern's settings, but for who is left out": {map[string]string{"config": "Host cp-1 cp-2\nHost cp-* !cp-2\nUser ops\n"},
			[]ssh.Candidate{{Name: "cp-1", Host: "cp-1", User: "ops", From: "config:1"}, {Name: "cp-2", Host: "cp-2", From: "config:1"}}},
		"other forms of lines": {map[string]string{"config": "\t HOST = a # b\r\n  hostname=\"192.0.2.1\"\r\n# Host c\n  uSeR 'ops' # who\n"},
			[]ssh.Candidate{{Name: "a", Host: "192.0.2.1", User: "ops", From: "config:1"}}},
		"tokens": {map[string]string{"config": "Host a\nHostName %h.example.org\nIdentityFile /keys/%h\nHost b\nHostName 100%%\nHost c\nIdentityFile /keys/%z\n"},
			[]ssh.Candidate{{Name: "a", Host: "a.example.org", IdentityFile: "/keys/a.example.org", From: "config:1"}, {Name: "c", Host: "c", From: "config:6"}}},
		"a jump": {map[string]string{"config": "Host a\nProxyJump ops@jump:2022\nProxyCommand nc %h %p\nHost b\nProxyJump one,two\nHost c\nProxyJump none\nHost d\nProxyJump $(reboot)\n"},
			[]ssh.Candidate{
				{Name: "a", Host: "a", ProxyJump: "ops@jump:2022", ProxyCommand: "ssh -W '[%h]:%p' ssh://ops@jump:2022", From: "config:1"},
				{Name: "b", Host: "b", ProxyJump: "one,two", ProxyCommand: "ssh -J one -W '[%h]:%p' two", From: "config:4"},
				{Name: "c", Host: "c", From: "config:6"}, {Name: "d", Host: "d", ProxyJump: "$(reboot)", From: "config:8"},
			}},
		"a command": {map[string]string{"config": "Host a\nProxyCommand nc -X connect \"%h\" %p # all of it\nProxyJump jump\nHost b\nProxyCommand none\n"},
			[]ssh.Candidate{{Name: "a", Host: "a", ProxyCommand: `nc -X connect "%h" %p # all of it`, From: "config:1"}, {Name: "b", Host: "b", From: "config:4"}}},
		"conditions": {map[string]string{"config": "Match all\nUser ops\nMatch exec \"reboot\"\nPort 1\nMatch host a,b\nPort 2\nMatch user x\nPort 3\nHost a\n"},
			[]ssh.Candidate{{Name: "a", Host: "a", User: "ops", Port: 2, From: "config:9"}}},
		"wrong values": {map[string]string{"config": "Host a\nPort 70000\nUser \x1b[31mred\nHost b\nHostName \"two words\"\nHost \x1b[2J\nPort\n"},
			[]ssh.Candidate{{Name: "a", Host: "a", From: "config:1"}}},
		"included files": {map[string]string{
			"config": "Include conf.d/*.conf nowhere\nHost *\nUser last\n", "conf.d/1.conf": "Host a\nUser ops\n", "conf.d/2.conf": "Host b\n", "conf.d/other": "Host c\n",
		}, []ssh.Candidate{{Name: "a", Host: "a", User: "ops", From: "conf.d/1.conf:1"}, {Name: "b", Host: "b", User: "last", From: "conf.d/2.conf:1"}}},
		"included below a Host line": {map[string]string{"config": "Host a\nInclude ~/.ssh/more\nPort 22\nHost b\n", "more": "User ops\nHost c\nUser never\n"},
			[]ssh.Candidate{{Name: "a", Host: "a", Port: 22, User: "ops", From: "config:1"}, {Name: "b", Host: "b", From: "config:4"}}},
		"files that include each other": {map[string]string{"config": "Include config config config\nHost a\n"}, []ssh.Candidate{{Name: "a", Host: "a", From: "config:2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := candidates(t, homeWith(t, test.files)); !slices.Equal(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

// TestIncludesAreAsDeepAsOpenSSHs: 16 files below the first.
func TestIncludesAreAsDeepAsOpenSSHs(t *testing.T) {
	files := map[string]string{"config": "Include 1\n"}
	for i := 1; i <= 20; i++ {
		files[strconv.Itoa(i)] = fmt.Sprintf("Host h%d\nInclude none\nMatch all\nInclude %d\n", i, i+1)
	}
	all := candidates(t, homeWith(t, files))
	if len(all) != 16 || all[15].Name != "h16" {
		t.Errorf("got %d: %+v", len(all), all)
	}
}

// TestKnownHostsAreCandidates that the configuration does not name already.
func TestKnownHostsAreCandidates(t *testing.T) {
	key := authorized(newSigner(t).PublicKey())
	lines := []string{
		"cp-1,192.0.2.11 " + key,
		"192.0.2.11 " + key, // the same
		"[192.0.2.12]:2222 " + key,
		"192.0.2.13,192.0.2.14 " + key,
		knownhosts.HashHostname("hidden") + " " + key,
		"@cert-authority authority " + key, "@revoked revoked " + key,
		"*.example.org,!not.example.org " + key, "broken", "[x]:99999 " + key, "# a comment",
		"jump " + key,
	}
	home := homeWith(t, map[string]string{"config": "Host bastion\nHostName jump\n", "known_hosts": strings.Join(lines, "\n")})
	want := []ssh.Candidate{
		{Name: "bastion", Host: "jump", From: "config:1"},
		{Name: "cp-1", Host: "192.0.2.11", From: "known_hosts:1"},
		{Name: "192.0.2.12", Host: "192.0.2.12", Port: 2222, From: "known_hosts:3"},
		{Name: "192.0.2.13", Host: "192.0.2.13", From: "known_hosts:4"},
	}
	if got := candidates(t, home); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// FuzzCandidates: whatever the files say, it ends, and what comes of it is shown and typed as it is.
func FuzzCandidates(f *testing.F) {
	f.Add("Host a b*\nHostName %h.example\nProxyJump x,y:1\nInclude config\n", "a,192.0.2.1 ssh-ed25519 AAAA\n")
	f.Add("Match all\nHost \"a\\\" b' '\nUser=x\nProxyCommand \x1b[2J\n", "|1|a|b ssh-rsa AAAA")
	f.Fuzz(func(t *testing.T, config, known string) {
		if strings.Contains(strings.ToLower(config), "include") {
			config = strings.NewReplacer("/", "", "~", "").Replace(config) // this machine's files are not looked into
		}
		all, err := ssh.Candidates(homeWith(t, map[string]string{"config": config, "known_hosts": known}))
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range all {
			if one.Name == "" || one.Host == "" || one.Port < 0 || one.Port > 65535 || strings.ContainsAny(one.Name+one.Host, "*?!, \t\"'|") {
				t.Errorf("it is no host: %+v", one)
			}
			for _, text := range []string{one.Name, one.Host, one.User, one.IdentityFile, one.ProxyJump, one.ProxyCommand} {
				if hosts.Escape(text) != text || strings.Contains(text, "\n") {
					t.Errorf("it steers a terminal: %q", text)
				}
			}
		}
	})
}
