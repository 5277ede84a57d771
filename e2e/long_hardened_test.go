//go:build long

package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// way is how a host lets an operator in and become root, by the real sshd, sudo, doas and shells, and what comes of it.
type way struct {
	name  string
	setup string // on the host, as root
	user  string // ops unless said
	says  []string
}

// restartSSHD has sshd read its configuration, as often as it takes.
const restartSSHD = "systemctl reset-failed ssh; systemctl restart ssh\n"

// plainWay undoes what a way has set up.
const plainWay = `umount /var/lib/slipway /home/ops/.cache 2> /dev/null; rm -f /etc/ssh/sshd_config.d/00-ways.conf /home/ops/.bashrc /etc/doas.conf
sed -i 's/^#Subsystem/Subsystem/' /etc/ssh/sshd_config; sed -i 's/^command=.* ssh-/ssh-/' /home/ops/.ssh/authorized_keys
[ ! -e /usr/bin/sudo.away ] || mv /usr/bin/sudo.away /usr/bin/sudo; chmod 4755 /usr/bin/sudo; chown ops /home/ops; chmod 0700 /home/ops
echo 'ops ALL=(ALL:ALL) NOPASSWD: ALL' > /etc/sudoers.d/ops; usermod --shell /bin/bash ops > /dev/null 2>&1
echo 'ops:7 horses, and $a battery' | chpasswd; chage -d 2026-01-01 -M -1 ops; rm -rf /var/lib/slipway /home/ops/.cache
` + restartSSHD

// sshdSays puts lines into sshd's configuration, ahead of the others.
func sshdSays(lines ...string) string {
	return "printf '%s\\n' '" + strings.Join(lines, "' '") + "' > /etc/ssh/sshd_config.d/00-ways.conf\n" + restartSSHD
}

// sudoersSay puts lines in the place of the rule that asks for no password.
func sudoersSay(lines ...string) string {
	return "printf '%s\\n' '" + strings.Join(lines, "' '") + "' > /etc/sudoers.d/ops\n"
}

const (
	wantsPassword = "ops ALL=(ALL:ALL) ALL"
	withoutSudo   = "mv /usr/bin/sudo /usr/bin/sudo.away\n"
	withoutSFTP   = "sed -i 's/^Subsystem/#Subsystem/' /etc/ssh/sshd_config\n"
	fullVar       = "mkdir -p /var/lib/slipway; mount -t tmpfs -o size=5m,mode=755 tmpfs /var/lib/slipway\n"
	noexecVar     = "mkdir -p /var/lib/slipway; mount -t tmpfs -o noexec,mode=755 tmpfs /var/lib/slipway\n"
)

// hardest is all of what may be in the way at once and still lets an operator in.
var hardest = withoutSFTP + sshdSays("MaxSessions 1", "PermitTTY no", "DisableForwarding yes", "PermitRootLogin no", "Banner /etc/issue", "MaxStartups 2") +
	sudoersSay("Defaults requiretty,use_pty,lecture=always,timestamp_timeout=0,secure_path=/usr/bin:/bin", wantsPassword) +
	"usermod --shell /usr/bin/fish ops; echo 'umask 077' > /home/ops/.bashrc\n"

// waysIn lead to a host.
var waysIn = []way{
	{name: "root", user: "root"},
	{name: "sudo"},
	{name: "sudo with a password", setup: sudoersSay(wantsPassword)},
	{name: "sudo with a prompt of its own", setup: sudoersSay(`Defaults passprompt="Passwort: "`, "Defaults passprompt_override", wantsPassword)},
	{name: "sudo with requiretty", setup: sudoersSay("Defaults requiretty", "ops ALL=(ALL:ALL) NOPASSWD: ALL")},
	{name: "sudo with requiretty, a password and use_pty", setup: sudoersSay("Defaults requiretty,use_pty", wantsPassword)},
	{name: "sudo with log_input and log_output", setup: sudoersSay("Defaults use_pty,log_input,log_output", wantsPassword)},
	{name: "sudo for sh alone", setup: sudoersSay("ops ALL=(ALL:ALL) NOPASSWD: /usr/bin/sh")},
	{name: "doas nopass", setup: withoutSudo + "echo permit nopass ops > /etc/doas.conf"},
	{name: "doas with a password", setup: withoutSudo + "echo permit ops > /etc/doas.conf"},
	{name: "doas persist", setup: withoutSudo + "echo permit persist ops > /etc/doas.conf"},
	{name: "fish", setup: "usermod --shell /usr/bin/fish ops"},
	{name: "tcsh", setup: "usermod --shell /usr/bin/tcsh ops"},
	{name: "csh", setup: "usermod --shell /bin/bsd-csh ops"},
	{name: "zsh", setup: "usermod --shell /usr/bin/zsh ops"},
	{name: "a start file that prints", setup: "echo 'echo hello; echo hello >&2' > /home/ops/.bashrc"},
	{name: "a start file that is broken", setup: "echo 'if then fi' > /home/ops/.bashrc"},
	{name: "a home that is not the user's", setup: "chown root /home/ops; chmod 0755 /home/ops"},
	{name: "one session", setup: sshdSays("MaxSessions 1")},
	{name: "no SFTP", setup: withoutSFTP + restartSSHD},
	{name: "all at once", setup: hardest},
}

// waysNotIn are told with their cause and what to do.
var waysNotIn = []way{
	{name: "root is not let in", setup: sshdSays("PermitRootLogin no"), user: "root", says: []string{"PermitRootLogin", "ssh.user"}},
	{name: "no rule", user: "nosudo", setup: "echo 'nosudo:7 horses, and $a battery' | chpasswd", says: []string{"nosudo is not in the sudoers file", "/etc/sudoers.d/slipway-nosudo"}},
	{name: "another rule", setup: sudoersSay("ops ALL=(ALL:ALL) /usr/bin/systemctl"), says: []string{"not allowed to execute 'sh' as root"}},
	{name: "NOEXEC", setup: sudoersSay("ops ALL=(ALL:ALL) NOPASSWD: NOEXEC: ALL"), says: []string{"NOEXEC"}},
	{name: "runas_default", setup: sudoersSay("Defaults runas_default=nobody", "ops ALL=(ALL:ALL) NOPASSWD: ALL"), says: []string{"commands are run as nobody"}},
	{name: "a wrong password", setup: sudoersSay(wantsPassword) + "echo ops:another | chpasswd", says: []string{"does not take the password"}},
	{name: "an expired password", setup: "chage -d 0 ops", says: []string{"password has expired", "chage"}},
	{name: "broken sudoers", setup: sudoersSay("ops ALL=(ALL:ALL"), says: []string{"syntax error", "visudo -c"}},
	{name: "sudo without its rights", setup: "chmod u-s /usr/bin/sudo", says: []string{"setuid bit", "chmod 4755"}},
	{name: "neither sudo nor doas", setup: withoutSudo + "mv /usr/bin/doas /usr/bin/doas.away; echo mv /usr/bin/doas.away /usr/bin/doas > /root/undo", says: []string{"neither sudo nor doas is there"}},
	{name: "doas without a rule", setup: withoutSudo + "echo permit nosudo > /etc/doas.conf", says: []string{"doas: Operation not permitted", "permit nopass ops"}},
	{name: "nologin", setup: "usermod --shell /usr/sbin/nologin ops", says: []string{"This account is currently not available", "usermod --shell"}},
	{name: "false", setup: withoutSFTP + sshdSays("Subsystem sftp internal-sftp") + "usermod --shell /bin/false ops", says: []string{"/etc/passwd gives ops the shell /bin/false"}},
	{name: "ForceCommand", setup: sshdSays("ForceCommand /bin/echo this host is for backups"), says: []string{"this host is for backups", "forcecommand"}},
	{name: "files only", setup: sshdSays("ForceCommand internal-sftp"), says: []string{"may only use SFTP"}},
	{name: "command= in authorized_keys", setup: `sed -i 's/^ssh-/command="echo backup" ssh-/' /home/ops/.ssh/authorized_keys`, says: []string{"what was to be run was not run", "backup", "authorized_keys"}},
	{name: "a start file that ends the shell", setup: "echo 'exit 0' > /home/ops/.bashrc", says: []string{"what was to be run was not run", "start files"}},
	{name: "no sessions", setup: sshdSays("MaxSessions 0"), says: []string{"MaxSessions", "has to be 1 or more"}},
	{name: "noexec", setup: noexecVar, says: []string{"Permission denied", "noexec", "findmnt -T /var/lib/slipway"}},
	{name: "a full disk", setup: fullVar, says: []string{"No space left", "are needed"}},
}

// TestLongHardenedHosts: every way that a real sshd, sudo, doas and shell have leads in, or is told with its cause.
func TestLongHardenedHosts(t *testing.T) {
	l := newLab(t, "--control-planes", "1", "--packages", "fish,tcsh,csh,zsh,opendoas")
	promises(t, l, nil, []promise{
		{"a host is reached by every way that leads in", func(t *testing.T, l *lab) {
			for _, w := range waysIn {
				t.Run(w.name, func(t *testing.T) { l.goes(t, w, 0) })
			}
		}},
		{"a way that does not lead in is told with its cause", func(t *testing.T, l *lab) {
			for _, w := range waysNotIn {
				t.Run(w.name, func(t *testing.T) { l.goes(t, w, 1) })
			}
		}},
		{"a whole init takes one connection and one login, where everything is hardened", hardenedInit},
	})
}

// goes sets a way up and has the host looked at by it.
func (l *lab) goes(t *testing.T, w way, code int) {
	t.Helper()
	sub := *l
	sub.t = t
	sub.set(w)
	sub.wantCode(code, "cp-1", sub.byWay("hosts", "check")...)
	result := sub.run(sub.byWay("hosts", "check")...)
	for _, word := range w.says {
		if !strings.Contains(result.stdout+result.stderr, word) {
			t.Errorf("%q is not said: %s", word, result)
		}
	}
	if secret := "7 horses"; strings.Contains(result.stdout+result.stderr+sub.exec("cp-1", "journalctl", "-o", "cat", "--since", "-1min"), secret) {
		t.Error("the password is shown, or in the host's journal")
	}
}

// set makes a host what a way has it be, and the cluster file what goes that way.
func (l *lab) set(w way) {
	l.t.Helper()
	l.exec("cp-1", "sh", "-c", "[ ! -e /root/undo ] || { sh /root/undo; rm /root/undo; }\n"+plainWay+w.setup)
	content, err := os.ReadFile(l.file)
	if err != nil {
		l.t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(content)) {
		if strings.HasPrefix(line, "  user: ") {
			user := w.user
			if user == "" {
				user = "ops"
			}
			line = "  user: " + user + "\n"
		}
		lines = append(lines, line)
	}
	if err := os.WriteFile(l.file, []byte(strings.Join(lines, "")), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// byWay are a command's arguments with the file and with the password.
func (l *lab) byWay(verb ...string) []string {
	l.t.Helper()
	file := filepath.Join(l.state, "password")
	if err := os.WriteFile(file, []byte("7 horses, and $a battery\n"), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return append(verb, "-f", l.file, "--become-password-file", file)
}

// hardenedInit makes a cluster and resets it by the hardest way.
func hardenedInit(t *testing.T, l *lab) {
	l.set(way{setup: hardest})
	logins := func() int {
		n, err := strconv.Atoi(strings.TrimSpace(l.exec("cp-1", "sh", "-c", "journalctl -u ssh -o cat | grep -c 'Accepted publickey' || true")))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := logins()
	l.must(l.byWay("init", "--bundle", l.bundle, "--yes")...)
	if n := logins() - before; n != 1 {
		t.Errorf("init logged in %d times", n)
	}
	l.must(l.byWay("reset", "--all", "--yes")...)
}
