package ssh_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// way is what a configuration comes to, in one line; the folder of the test's home is written as HOME.
func way(o ssh.Options, home string) string {
	text := fmt.Sprintf("%s@%s:%d", o.User, o.Host, o.Port)
	add := func(name string, value any) {
		if said := fmt.Sprint(value); said != "" && said != "[]" {
			text += " " + name + "=" + said
		}
	}
	add("command", o.ProxyCommand)
	add("jump", o.Jump)
	add("agent", o.IdentityAgent)
	if o.ConnectTimeout != ssh.DefaultConnectTimeout {
		add("timeout", o.ConnectTimeout)
	}
	for _, one := range ssh.Said(o) {
		text += " " + one
	}
	return strings.ReplaceAll(text, home, "HOME")
}

// TestTheConfigurationIsReadAsSSHReadsIt: what `ssh -G` of OpenSSH 9.2 says of the same files, but for the user that
// nobody has named.
func TestTheConfigurationIsReadAsSSHReadsIt(t *testing.T) {
	for name, test := range map[string]struct {
		config  string
		host    string // h unless said
		options ssh.Options
		want    string
	}{
		"nothing":                          {want: "root@h:22"},
		"the first value":                  {config: "Host h\nUser one\nHost *\nUser two\nPort 2222\n", want: "one@h:2222"},
		"a negated pattern":                {config: "Host * !h\nUser one\nHost !x *\nUser two\n", want: "two@h:22"},
		"only negated patterns":            {config: "Host !x\nUser one\n", want: "root@h:22"},
		"patterns are exact":               {config: "Host H\nUser one\nHost ?\nUser two\n", want: "two@h:22"},
		"no comma in Host":                 {config: "Host h,x\nUser one\n", want: "root@h:22"},
		"a host name":                      {config: "Host h\nHostName %h.example.com\n", want: "root@h.example.com:22"},
		"= and quotes":                     {config: "Host=h\n  User = \"a b\"\n\tIdentityFile='/k 1'\n", want: "a b@h:22 key=/k 1"},
		"comments":                         {config: "# User no\nHost h # x\n  User ops # who\n", want: "ops@h:22"},
		"several keys":                     {config: "Host h\nIdentityFile /a\nHost *\nIdentityFile /b\nIdentityFile /a\n", want: "root@h:22 key=/a key=/b"},
		"keys: none":                       {config: "Host h\nIdentityFile none\nIdentitiesOnly yes\n", want: "root@h:22 only"},
		"certificates":                     {config: "CertificateFile /a\nCertificateFile ~/b\n", want: "root@h:22 certificate=/a certificate=HOME/b"},
		"tokens":                           {config: "Host h\nHostName x\nPort 23\nUser u\nIdentityFile %d/%h-%n-%p-%r-%%-%k\n", want: "u@x:23 key=HOME/x-h-23-u-%-h"},
		"tokens of options":                {config: "IdentityFile /%p-%r\n", options: ssh.Options{User: "me", Port: 5}, want: "me@h:5 key=/5-me"},
		"the environment":                  {config: "IdentityFile ${SLIPWAY_TEST_KEYS}/k\n", want: "root@h:22 key=/keys/k"},
		"an agent":                         {config: "IdentityAgent none\n", want: "root@h:22 agent=none"},
		"an agent's variable":              {config: "IdentityAgent $SLIPWAY_TEST_KEYS\n", want: "root@h:22 agent=/keys"},
		"an agent's socket":                {config: "IdentityAgent ~/%r.sock\n", want: "root@h:22 agent=HOME/root.sock"},
		"a jump":                           {config: "ProxyJump ops@a:2022,[2001:db8::1]:23,ssh://u@c:24\n", want: "root@h:22 jump=[ops@a:2022 [2001:db8::1]:23 u@c:24]"},
		"a jump with tokens":               {config: "Host h\nHostName x\nPort 23\nUser u\nProxyJump ops@%h-gw.example.com,%n-%r-%p:2022\n", want: "u@x:23 jump=[ops@x-gw.example.com h-u-23:2022]"},
		"a jump with a zone":               {config: "ProxyJump ops@[fe80::1%%eth0]:23\n", want: "root@h:22 jump=[ops@[fe80::1%eth0]:23]"},
		"a jump: none":                     {config: "Host h\nProxyJump none\nHost *\nProxyJump a\n", want: "root@h:22"},
		"a jump before a command":          {config: "ProxyJump a\nProxyCommand nc %h %p\n", want: "root@h:22 jump=[a]"},
		"a command before a jump":          {config: "ProxyCommand nc %h %p # x\nProxyJump a\n", want: "root@h:22 command=nc %h %p # x"},
		"a command: none":                  {config: "ProxyCommand none\n", want: "root@h:22"},
		"known hosts":                      {config: "UserKnownHostsFile ~/a /b\nGlobalKnownHostsFile none\n", want: "root@h:22 known=HOME/a,/b"},
		"known hosts: none":                {config: "UserKnownHostsFile none\nGlobalKnownHostsFile /g\n", want: "root@h:22 known=/g"},
		"an alias":                         {config: "HostKeyAlias other\n", want: "root@h:22 alias=other"},
		"times":                            {config: "ConnectTimeout 1m30\nServerAliveInterval 20\nServerAliveCountMax 4\n", want: "root@h:22 timeout=1m30s alive=20s/1m20s"},
		"Host is about the very letters":   {config: "Host h\nUser a\n", host: "H", want: "root@h:22"},
		"Match host is not":                {config: "Match host WEB*\nUser a\nMatch originalhost Web\nPort 1\n", host: "wEB", want: "a@web:1"},
		"no signs of life may be missed":   {config: "ServerAliveInterval 20\nServerAliveCountMax 0\n", want: "root@h:22 alive=20s/20s"},
		"nobody is prompted":               {config: "NumberOfPasswordPrompts 0\n", want: "root@h:22 unprompted"},
		"a port by its service":            {config: "Port https\nIdentityFile /%p\n", want: "root@h:443 key=/443"},
		"Match all":                        {config: "Match all\nUser a\n", want: "a@h:22"},
		"Match host is about HostName":     {config: "HostName x\nMatch host h\nUser a\nMatch host x,y\nUser b\n", want: "b@x:22"},
		"Match originalhost":               {config: "HostName x\nMatch originalhost x\nUser a\nMatch originalhost h\nUser b\n", want: "b@x:22"},
		"Match user":                       {config: "Match user ops\nPort 1\nMatch user root\nPort 2\n", options: ssh.Options{User: "ops"}, want: "ops@h:1"},
		"Match with several conditions":    {config: "Match host h user x\nPort 1\nMatch host h !user x\nPort 2\n", want: "root@h:2"},
		"Match is judged where it stands":  {config: "Match host h\nHostName x\nUser a\nMatch host h\nPort 1\n", want: "a@x:22"},
		"Match exec":                       {config: "Match exec \"test %h = h\"\nUser yes\nMatch exec false\nPort 1\n", want: "yes@h:22"},
		"Match exec is not asked in vain":  {config: "Match host x exec \"sleep 60\"\nUser a\n", want: "root@h:22"},
		"Match final":                      {config: "Match final\nUser a\nHost h\nHostName x\nMatch final host x\nPort 7\n", want: "a@x:7"},
		"a second look is at HostName":     {config: "Host h\nHostName X.Example.com\nHost *.example.com\nUser ops\nMatch final all\nPort 7\nHost h\nIdentityFile /k\n", want: "ops@x.example.com:7 key=/k"},
		"a second look is not at the name": {config: "Match final all\nPort 7\nMatch host x\nUser a\nHost h\nHostName x\nMatch final all\nHost h\nIdentityFile /k\nHost x\nIdentityAgent /s\n", want: "a@x:7 agent=/s key=/k"},
		"a second look, and names":         {config: "CanonicalizeHostname yes\nHost h\nHostName x.y.z\nHost x.y.z\nUser ops\n", want: "ops@x.y.z:22"},
		"a second look renames nobody":     {config: "Match final all\nHostName y\nHost y\nUser ops\n", want: "root@h:22"},
		"Match tagged":                     {config: "Tag lab\nMatch tagged lab\nUser a\n", want: "a@h:22"},
		"Match localuser":                  {config: "Match localuser nobody-of-this-name\nUser a\n", want: "root@h:22"},
		"Match localnetwork":               {config: "Match localnetwork 127.0.0.0/8\nUser a\nMatch localnetwork 240.0.0.0/8\nPort 1\n", want: "a@h:22"},
		"below a Host line":                {config: "Host x\nInclude more\nHost h\nInclude more\n", want: "included@h:22"},
		"an Include ends its own blocks":   {config: "Host h\nInclude blocks\nPort 9\n", want: "root@h:9"},
		"included files are in order":      {config: "Include conf.d/*\n", want: "first@h:22"},
		"what options say counts":          {config: "User a\nPort 1\nProxyJump b\nConnectTimeout 1\nIdentityAgent none\n", options: ssh.Options{User: "me", Port: 2, ProxyCommand: "c", ConnectTimeout: time.Minute, IdentityAgent: "/s"}, want: "me@h:2 command=c agent=/s timeout=1m0s"},
		"options want no way but direct":   {config: "ProxyJump b\n", options: ssh.Options{ProxyCommand: "none"}, want: "root@h:22"},
		"options name another file":        {config: "User a\n", options: ssh.Options{ConfigFile: "~/.ssh/more"}, want: "included@h:22"},
		"options want none":                {config: "User a\n", options: ssh.Options{ConfigFile: "none"}, want: "root@h:22"},
		"what is about others is no error": {config: "ForwardAgent yes\nCiphers x\nSendEnv LANG LC_*\n", want: "root@h:22"},
		"the name is as it is typed":       {config: "Host 192.0.2.1\nUser a\n", host: "192.0.2.1", want: "a@192.0.2.1:22"},
		"authentication": {config: "PubkeyAuthentication no\nPasswordAuthentication no\nChallengeResponseAuthentication no\nBatchMode yes\nPreferredAuthentications a,b\nNumberOfPasswordPrompts 1\n",
			want: "root@h:22 off=publickey off=password off=keyboard-interactive never prefers=a,b prompts=1"},
	} {
		t.Run(name, func(t *testing.T) {
			home := homeWith(t, map[string]string{
				"config": test.config, "more": "User included\n", "blocks": "Host x\nUser x\n",
				"conf.d/1": "User first\n", "conf.d/2": "User second\n",
			})
			t.Setenv("HOME", home)
			t.Setenv("SHELL", "/bin/sh")
			t.Setenv("SLIPWAY_TEST_KEYS", "/keys")
			o := test.options
			if o.Host = test.host; o.Host == "" {
				o.Host = "h"
			}
			got, err := ssh.Resolve(t.Context(), o)
			if err != nil || way(got, home) != test.want {
				t.Errorf("got  %s, %v\nwant %s", way(got, home), err, test.want)
			}
		})
	}
}

// TestIllFormedLinesAreTold, each with its file and line, and nobody is connected to.
func TestIllFormedLinesAreTold(t *testing.T) {
	for config, want := range map[string]string{
		"Host h\n  Port nothing\n":                 `config:2: port: "nothing" is no number from 1 to 65535, nor the name of a service`,
		"ServerAliveCountMax -1\n":                 `config:1: serveralivecountmax: "-1" is no number from 0`,
		"Port\n":                                   "config:1: port: its value is missing",
		"User \"a\n":                               "config:1: user: a quote does not end",
		"Host x\nPort 0\nHost h\nPort 70000\n":     `config:4: port: "70000" is no number`,
		"HostName a b\n":                           `config:1: hostname: one value is wanted, and not "a b"`,
		"HostName %z\n":                            `config:1: hostname: "%z" is no name`,
		"IdentityFile %z\n":                        "config:1: identityfile: %z has no meaning here",
		"IdentityFile ${SLIPWAY_TEST_UNSET}/k\n":   "config:1: identityfile: the environment has no SLIPWAY_TEST_UNSET",
		"Match host\n":                             "config:1: match: host: its value is missing",
		"Match weekday monday\n":                   `config:1: match: "weekday" is no condition`,
		"Match all host x\n":                       "config:1: match: all stands with other conditions",
		"Match exec \"/nowhere/%z\"\n":             "config:1: Match exec: %z has no meaning here",
		"ProxyJump a:b\n":                          `config:1: proxyjump: "a:b" is no jump host`,
		"ProxyJump %z\n":                           "config:1: proxyjump: %z has no meaning here",
		"ProxyJump b%%z\n":                         `config:1: proxyjump: "b%z" is no jump host`,
		"HostName web%%eth0\n":                     `config:1: hostname: "web%%eth0" is no name`,
		"ProxyJump $(reboot)\n":                    `config:1: proxyjump: "$(reboot)" is no jump host`,
		"ProxyCommand nc\nProxyUseFdpass yes\n":    "config:2: proxyusefdpass: a connection that is handed over",
		"IdentitiesOnly maybe\n":                   `config:1: identitiesonly: "maybe" is neither yes nor no`,
		"ConnectTimeout soon\n":                    `config:1: connecttimeout: "soon" is no time`,
		"AddressFamily ipx\n":                      `config:1: addressfamily: "ipx" is none of any, inet and inet6`,
		"Include loop\n":                           "too many files include each other",
		"User a\nPort x\nConnectTimeout y\nHost\n": `config:2: port: "x"`,
	} {
		home := homeWith(t, map[string]string{"config": config, "loop": "Include loop\n"})
		t.Setenv("HOME", home)
		_, err := ssh.Connect(t.Context(), ssh.Options{Name: "cp-1", Host: "h"})
		wantError(t, err, hosts.KindBroken, "read the configuration of ssh", strings.ReplaceAll(want, "HOME", home), "ssh.config: none")
	}
}

// TestAConfigurationThatOthersMayWriteIsRefused, as by ssh: it may have commands run.
func TestAConfigurationThatOthersMayWriteIsRefused(t *testing.T) {
	home := homeWith(t, map[string]string{"config": "Include more\n", "more": "User a\n"})
	t.Setenv("HOME", home)
	file := filepath.Join(home, ".ssh", "more")
	must(t, os.Chmod(file, 0o666))
	_, err := ssh.Resolve(t.Context(), ssh.Options{Name: "cp-1", Host: "h"})
	wantError(t, err, hosts.KindBroken, file+": others may write to it", "chmod go-w "+file)
}

// TestWhatIsNotFollowedIsTold.
func TestWhatIsNotFollowedIsTold(t *testing.T) {
	for config, want := range map[string]string{
		"StrictHostKeyChecking no\n":                         "config:1: StrictHostKeyChecking no is not followed: host keys are always checked",
		"StrictHostKeyChecking accept-new\n":                 "StrictHostKeyChecking accept-new is not followed",
		"StrictHostKeyChecking yes\n":                        "",
		"KnownHostsCommand /bin/keys %H\n":                   "KnownHostsCommand is not run",
		"PKCS11Provider /lib/x.so\n":                         "PKCS11Provider is not loaded",
		"Frobnicate yes\n":                                   "config:1: frobnicate is no setting of ssh_config(5) that is known here",
		"IgnoreUnknown Frob*,x\nFrobnicate yes\n":            "",
		"Host x\nFrobnicate yes\n":                           "",
		"CanonicalizeHostname yes\nCanonicalDomains a.org\n": "CanonicalizeHostname is not followed: h is taken as it stands",
		"CanonicalizeHostname yes\n":                         "",
		"Match command reboot\nUser a\n":                     "Match command is about ssh alone, and taken as not met",
	} {
		t.Setenv("HOME", homeWith(t, map[string]string{"config": config}))
		var notes []string
		_, err := ssh.Resolve(t.Context(), ssh.Options{Host: "h", Note: func(text string) { notes = append(notes, text) }})
		must(t, err)
		if want == "" && len(notes) > 0 || want != "" && !slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, want) }) {
			t.Errorf("%q: told %q, want %q", config, notes, want)
		}
	}
}
