//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// commandFolders are where a program is looked for that is named without its folder.
var commandFolders = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// commandEnvironment is all that a command finds in its environment: it does not depend on how the
// agent was started.
var commandEnvironment = []string{"PATH=" + strings.Join(commandFolders, ":"), "HOME=/root", "LANG=C.UTF-8"}

// outputGrace is how long is waited for what a command has written, once it has ended: what it has
// started may hold its output open.
const outputGrace = 2 * time.Second

// runCommand runs a program. The journal names it; its arguments are its user's business.
func (h *Host) runCommand(ctx context.Context, a hosts.RunCommand) (hosts.Outcome, error) {
	if len(a.Argv) == 0 || a.Timeout <= 0 {
		return hosts.Outcome{}, errors.New("a program and a time limit have to be named")
	}
	entry, err := h.journal.begin(a, "")
	if err != nil {
		return hosts.Outcome{}, err
	}
	output, err := execute(ctx, a)
	if endErr := h.journal.end(entry, err); err == nil {
		err = endErr
	}
	if err != nil {
		return hosts.Outcome{}, err
	}
	return hosts.Outcome{Result: hosts.Changed, Output: output}, nil
}

func execute(ctx context.Context, a hosts.RunCommand) (*hosts.CommandOutput, error) {
	limit := time.Duration(a.Timeout) * time.Second
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	program, err := found(a.Argv[0])
	if err != nil {
		return nil, err
	}
	var stdout, stderr firstBytes
	command := exec.CommandContext(within, program, a.Argv[1:]...)
	command.Dir, command.Env = "/", commandEnvironment
	command.Stdout, command.Stderr = &stdout, &stderr
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) } // with what it has started
	command.WaitDelay = outputGrace
	err = command.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if command.ProcessState == nil {
		return nil, err
	}
	output := &hosts.CommandOutput{
		Stdout: string(stdout.kept), Stderr: string(stderr.kept), Code: command.ProcessState.ExitCode(), LeftOut: stdout.left + stderr.left,
	}
	if status, ok := command.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		output.Code, output.Cause = 128+int(status.Signal()), "ended by signal "+status.Signal().String()
	}
	if within.Err() != nil {
		output.Cause = fmt.Sprintf("it did not end within %s, and was killed", limit)
	}
	return output, nil
}

// found finds a program in the folders that commands have: the agent's own PATH may be another.
func found(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, folder := range commandFolders {
		if path, err := exec.LookPath(folder + "/" + name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no program is called %s in %s", name, strings.Join(commandFolders, ", "))
}

// firstBytes keeps the first part of what is written, and counts the rest.
type firstBytes struct {
	kept []byte
	left int64
}

func (b *firstBytes) Write(p []byte) (int, error) {
	room := min(len(p), hosts.MaxOutput-len(b.kept))
	b.kept = append(b.kept, p[:room]...)
	b.left += int64(len(p) - room)
	return len(p), nil
}
