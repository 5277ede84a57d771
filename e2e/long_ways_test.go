//go:build long

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
)

// sshdWay is a way in that OpenSSH's own sshd has to prove: what the in-process one of hosts/hosttest does may be
// other than what is out there.
type sshdWay struct {
	name   string
	sshd   string   // what is added to worker-1's sshd_config
	gate   string   // the same for cp-1, which is the jump host
	config string   // ~/.ssh/config, after the lines that lead to both hosts
	ssh    string   // of worker-1 in the cluster file; it is reached by its name unless said
	flags  []string // of hosts check
	refuse []string // words of why it is not reached; none: it is
}

// wayPassword is root's on worker-1, for as long as the test.
const wayPassword = "a pass phrase, with $signs"

// waysByOpenSSH are the rows. In them PASSWORD, CERTIFICATE, OTHER1 to 3, KEY and KNOWN stand for files, WORKER for worker-1's address.
var waysByOpenSSH = []sshdWay{
	{name: "the configuration of ssh alone"},
	{name: "a password", sshd: "PermitRootLogin yes\nPubkeyAuthentication no\nPasswordAuthentication yes\nKbdInteractiveAuthentication no", flags: []string{"--password-file", "PASSWORD"}},
	{name: "a password that PAM asks for", sshd: "PermitRootLogin yes\nPubkeyAuthentication no\nPasswordAuthentication no\nKbdInteractiveAuthentication yes\nUsePAM yes", flags: []string{"--password-file", "PASSWORD"}},
	{name: "a key and a password", sshd: "PermitRootLogin yes\nPasswordAuthentication yes\nAuthenticationMethods publickey,password", flags: []string{"--password-file", "PASSWORD"}},
	{name: "a key and a password, and nobody is there", sshd: "PermitRootLogin yes\nPasswordAuthentication yes\nAuthenticationMethods publickey,password", refuse: []string{"the host wants more than a key"}},
	{name: "no key is taken", sshd: "PubkeyAuthentication no\nPasswordAuthentication yes", refuse: []string{"it takes no keys", "--password-file"}},
	{name: "a user certificate", sshd: "TrustedUserCAKeys /etc/ssh/ways_ca.pub\nAuthorizedKeysFile none", ssh: "{host: worker-1, certificateFile: CERTIFICATE}"},
	{name: "a user certificate of nobody's", sshd: "AuthorizedKeysFile none", ssh: "{host: worker-1, certificateFile: CERTIFICATE}", refuse: []string{"it refuses", "ssh-copy-id"}},
	{name: "a jump host", ssh: "{host: WORKER, jump: [gate], identityFile: KEY, knownHostsFile: KNOWN}"},
	{name: "a jump host of the configuration", config: "Host behind\nHostName WORKER\nProxyJump gate\nIdentityFile KEY\nUserKnownHostsFile KNOWN\n", ssh: "{host: behind}"},
	{name: "a jump host that forbids it", gate: "AllowTcpForwarding no", ssh: "{host: WORKER, jump: [gate]}", refuse: []string{"it forbids TCP forwarding", "AllowTcpForwarding yes"}},
	{name: "a jump host that forbids this host", gate: "PermitOpen 192.0.2.1:22", ssh: "{host: WORKER, jump: [gate]}", refuse: []string{"it forbids TCP forwarding", "PermitOpen"}},
	{name: "fewer tries than keys", sshd: "MaxAuthTries 2", ssh: "{host: worker-1, identityFiles: [OTHER1, OTHER2, OTHER3]}", refuse: []string{"more keys than the host cares to see"}},
}

// TestLongWaysIn goes them all with OpenSSH's sshd.
func TestLongWaysIn(t *testing.T) {
	l := newLab(t, "--control-planes", "1", "--workers", "1")
	data, err := os.ReadFile(l.file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	words := waysFiles(t, l, c)
	for _, way := range waysByOpenSSH {
		t.Run(way.name, func(t *testing.T) {
			sub := *l
			sub.t = t
			sub.sshd("worker-1", way.sshd)
			sub.sshd("cp-1", way.gate)
			defer sub.sshd("worker-1", "")
			defer sub.sshd("cp-1", "")
			config := words.Replace(way.config) + leadTo("worker-1", c.Hosts[1]) + leadTo("gate", c.Hosts[0])
			home := t.TempDir()
			if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(home, ".ssh", "config"), []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			ssh := way.ssh
			if ssh == "" {
				ssh = "{host: worker-1}"
			}
			file := filepath.Join(home, "cluster.yaml")
			text := fmt.Sprintf("apiVersion: %s\nkind: Cluster\nname: ways\nhosts:\n- {name: cp-1, address: %s, roles: [control-plane]}\n- {name: worker-1, address: %s, roles: [worker], ssh: %s}\n",
				cluster.APIVersion, c.Hosts[0].Address(), c.Hosts[1].Address(), words.Replace(ssh))
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"hosts", "check", "-f", file, "worker-1"}
			for _, flag := range way.flags {
				args = append(args, words.Replace(flag))
			}
			sub.wantWay(home, args, way.refuse)
		})
	}
}

// wantWay looks at worker-1 with a home of its own.
func (l *lab) wantWay(home string, args, refuse []string) {
	l.t.Helper()
	ctx, cancel := l.bounded()
	defer cancel()
	command := l.command(ctx, args...)
	command.Env = append(command.Env, "HOME="+home, "SSH_AUTH_SOCK=")
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	err := command.Run()
	if (err == nil) != (refuse == nil) {
		l.t.Fatalf("%v: %s", err, out.String())
	}
	for _, word := range refuse {
		if !strings.Contains(out.String(), word) {
			l.t.Errorf("%q is not in: %s", word, out.String())
		}
	}
}

// leadTo are the lines of ~/.ssh/config that lead to a lab host by a name.
func leadTo(name string, h cluster.Host) string {
	command := strings.NewReplacer("%h", h.Address(), "%p", "22").Replace(h.SSH.ProxyCommand)
	return fmt.Sprintf("Host %s\nHostName %s\nUser root\nIdentityFile %s\nIdentitiesOnly yes\nUserKnownHostsFile %s\nProxyCommand %s\n",
		name, h.Address(), h.SSH.IdentityFile, h.SSH.KnownHostsFile, command)
}

// sshd gives a host's sshd these lines besides; none takes them away.
func (l *lab) sshd(host, lines string) {
	l.t.Helper()
	l.exec(host, "sh", "-c", fmt.Sprintf("printf '%%s\\n' '%s' > /etc/ssh/sshd_config.d/05-ways.conf && systemctl reload ssh", lines))
}

// waysFiles makes what the rows name: keys, a CA and a certificate by it, and root's password on worker-1.
func waysFiles(t *testing.T, l *lab, c *cluster.Cluster) *strings.Replacer {
	t.Helper()
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	keygen := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ssh-keygen", append([]string{"-q"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
	}
	for _, key := range []string{"ca", "1", "2", "3"} {
		keygen("-t", "ed25519", "-N", "", "-f", at(key))
	}
	public, err := os.ReadFile(c.Hosts[1].SSH.IdentityFile + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("lab.pub"), public, 0o600); err != nil {
		t.Fatal(err)
	}
	keygen("-s", at("ca"), "-I", "ways", "-n", "root", at("lab.pub"))
	authority, err := os.ReadFile(at("ca.pub"))
	if err != nil {
		t.Fatal(err)
	}
	l.exec("worker-1", "sh", "-c", fmt.Sprintf("echo '%s' > /etc/ssh/ways_ca.pub && printf '%%s\\n' 'root:%s' | chpasswd", strings.TrimSpace(string(authority)), wayPassword))
	if err := os.WriteFile(at("password"), []byte(wayPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("PASSWORD", at("password"), "CERTIFICATE", at("lab-cert.pub"), "OTHER1", at("1"), "OTHER2", at("2"), "OTHER3", at("3"),
		"KEY", c.Hosts[1].SSH.IdentityFile, "KNOWN", c.Hosts[1].SSH.KnownHostsFile, "WORKER", c.Hosts[1].Address())
}
