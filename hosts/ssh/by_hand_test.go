package ssh_test

import (
	"testing"

	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// TestWhatIsTypedByHandGoesTheSameWay: by the name that ssh's configuration knows, and with what the cluster file says.
func TestWhatIsTypedByHandGoesTheSameWay(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "")
	home := homeWith(t, map[string]string{"config": "Host cp-1\nHostName 192.0.2.11\nPort 2222\nUser ops\nProxyJump gate\nIdentityFile ~/.ssh/lab\n"})
	t.Setenv("HOME", home)
	for name, test := range map[string]struct {
		options    ssh.Options
		hand, copy string
	}{
		"an address alone": {ssh.Options{Host: "192.0.2.9"}, "ssh -t -p 22 root@192.0.2.9 true", "ssh-copy-id -p 22 root@192.0.2.9"},
		"a name of the configuration": {ssh.Options{Host: "cp-1"}, "ssh -t -p 2222 -o ProxyJump=gate ops@cp-1 true",
			"ssh-copy-id -p 2222 -i " + home + "/.ssh/lab -o ProxyJump=gate ops@cp-1"},
		"what the cluster file says": {ssh.Options{Host: "192.0.2.9", Port: 2022, User: "ops", ConfigFile: "none", IdentityFile: "/keys/a b", KnownHostsFile: "/keys/known",
			Jump: []ssh.Jump{{Host: "one", User: "me"}, {Host: "two", Port: 23}}},
			"ssh -t -p 2022 -F none -i '/keys/a b' -o UserKnownHostsFile=/keys/known -o ProxyJump=me@one,two:23 ops@192.0.2.9 true",
			"ssh-copy-id -p 2022 -F none -i '/keys/a b' -o UserKnownHostsFile=/keys/known -o ProxyJump=me@one,two:23 ops@192.0.2.9"},
		"a command on the way": {ssh.Options{Host: "192.0.2.9", ProxyCommand: "dial %h %p"}, "ssh -t -p 22 -o 'ProxyCommand=dial %h %p' root@192.0.2.9 true",
			"ssh-copy-id -p 22 -o 'ProxyCommand=dial %h %p' root@192.0.2.9"},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := ssh.Resolve(t.Context(), test.options)
			must(t, err)
			if hand := ssh.ByHand(o, "-t", "true"); hand != test.hand {
				t.Errorf("ssh:\n%s, want\n%s", hand, test.hand)
			}
			if copied := ssh.CopyKey(o); copied != test.copy {
				t.Errorf("ssh-copy-id:\n%s, want\n%s", copied, test.copy)
			}
		})
	}
}
