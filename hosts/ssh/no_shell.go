package ssh

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// noShell says why a session ended before the shell in it had said a word: the account is let in,
// and what it was asked to run was not run.
func (h *host) noShell(ctx context.Context, p *process, err error) error {
	var known *hosts.Error
	if errors.As(err, &known) || h.connection.lost(err) {
		return err
	}
	said := p.said()
	if fix := h.turnedAway(said); fix != "" {
		return &hosts.Error{Kind: hosts.KindAuth, Op: "run a command", Err: err, Fix: fix}
	}
	if shell := h.loginShell(ctx); runsNothing(shell) {
		return &hosts.Error{
			Kind: hosts.KindAuth, Op: "run a command", Err: fmt.Errorf("%w; /etc/passwd gives %s the shell %s, which runs nothing", err, h.options.User, shell),
			Fix: h.fixNoLogin(),
		}
	}
	return &hosts.Error{
		Kind: hosts.KindBroken, Op: "run a command",
		Err: fmt.Errorf("what was to be run was not run: %w", err), Fix: h.fixForced(),
	}
}

// fixForced is what to do about an sshd, a shell or a start file that runs something else than it is asked to.
func (h *host) fixForced() string {
	o := h.options
	return fmt.Sprintf("let %[1]s run commands: see whether sshd runs another one in their place (as root on the host: sshd -T -C user=%[1]s | grep -i forcecommand; "+
		`grep -n 'command=' ~%[1]s/.ssh/authorized_keys), which login shell it has (getent passwd %[1]s), and whether that one's start files end it or run another; `+
		"and what it says when you ask yourself: %[2]s", o.User, o.byHand("", "true"))
}

func (h *host) fixNoLogin() string {
	return fmt.Sprintf("give %[1]s a shell on the host: usermod --shell /bin/bash %[1]s; or set another ssh.user in the cluster file", h.options.User)
}

// runsNothing tells of a shell that is there so that nobody has one.
func runsNothing(shell string) bool {
	name := shell[strings.LastIndexByte(shell, '/')+1:]
	return name == "nologin" || name == "false" || name == "true" || name == "git-shell" || name == "sftp-server"
}

// maxPasswd is how much of /etc/passwd is looked through.
const maxPasswd = 4 << 20

// loginShell is what /etc/passwd has for the login user, where sshd gives files to who has no shell, as its
// internal-sftp does; empty where that is not known.
func (h *host) loginShell(ctx context.Context) string {
	client, err := h.files.open(ctx)
	if err != nil {
		return ""
	}
	var shell string
	_ = h.connection.within(ctx, filePatience, "read /etc/passwd", func() error {
		file, err := client.Open("/etc/passwd")
		if err != nil {
			return err
		}
		defer file.Close()
		shell = shellOf(h.options.User, io.LimitReader(file, maxPasswd))
		return nil
	})
	return shell
}

// shellOf finds a user's shell in a passwd(5).
func shellOf(user string, passwd io.Reader) string {
	for lines := bufio.NewScanner(passwd); lines.Scan(); {
		if fields := strings.Split(lines.Text(), ":"); len(fields) == 7 && fields[0] == user {
			return hosts.CleanLine(fields[6])
		}
	}
	return ""
}
