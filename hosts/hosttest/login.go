package hosttest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// Login is what a client meets that has logged in. The zero value is root, and nothing special.
type Login struct {
	UID         int
	MaxSessions int    // refuses more; 0: never; negative: all
	NoSFTP      bool   // no such subsystem
	Noise       string // what the login shell prints ahead of a command's output
	// Shell is the login shell, as /etc/passwd has it, or the name of a Script; sh if empty. It is run as sshd runs it,
	// with -c.
	Shell string
	// ForceCommand is run in place of all commands, as sshd's does; the client's is in SSH_ORIGINAL_COMMAND.
	ForceCommand string
	Home         string // in place of Server.Home
	Umask        int    // of the shell's start file; 0: this process's
}

// execute runs a command in the login shell; where that ends in the agent's stand-in, the
// Fake is served, with what the shell left of stdin. There is no terminal, as in a session of
// sshd's that asked for none, whatever this process has.
func (s *Server) execute(channel ssh.Channel, command string, login Login) {
	in, fromClient, err := os.Pipe()
	if err != nil {
		return
	}
	defer in.Close()
	out := &untilAgent{channel: channel}
	s.hands.Go(func() {
		s.feed(fromClient, channel, &out.found)
		_ = fromClient.Close()
	})
	_, _ = io.WriteString(channel, login.Noise) // a client that left hears nothing
	run := s.shell(command, login)
	run.Stdin, run.Stdout, run.Stderr = in, out, channel.Stderr()
	err = run.Run()
	if line, started := out.end(); started {
		s.serveAgent(channel, in, strings.Fields(line))
		return
	}
	status := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		status = 127
	}
	ExitStatus(channel, status)
}

func (s *Server) shell(command string, login Login) *exec.Cmd {
	shell, home := "sh", s.Home
	if login.Shell != "" {
		shell = login.Shell
		if !filepath.IsAbs(shell) {
			shell = filepath.Join(s.dir, "bin", shell)
		}
	}
	if login.Home != "" {
		home = login.Home
	}
	environment := []string{
		"HOME=" + home, "SHELL=" + shell, "PATH=" + filepath.Join(s.dir, "bin") + ":" + os.Getenv("PATH"),
	}
	if login.ForceCommand != "" {
		environment = append(environment, "SSH_ORIGINAL_COMMAND="+command)
		command = login.ForceCommand
	}
	if login.Umask != 0 {
		command = "umask " + strings.TrimPrefix(octal(login.Umask), "0o") + "; " + command
	}
	run := exec.CommandContext(s.over, shell, "-c", command)
	run.Env, run.SysProcAttr = environment, &syscall.SysProcAttr{Setsid: true}
	if _, err := os.Stat(s.Home); err == nil {
		run.Dir = s.Home
	}
	return run
}

func octal(mask int) string {
	return string([]byte{'0' + byte(mask>>6&7), '0' + byte(mask>>3&7), '0' + byte(mask&7)})
}

// feed copies what the client sends. Lines that name the directory of the agent's by its usual name mean that of
// this server; they end where the agent begins, or what is put there.
func (s *Server) feed(to io.Writer, from io.Reader, started *atomic.Bool) {
	var line []byte
	raw, part := false, make([]byte, 32<<10)
	for {
		n, err := from.Read(part)
		rest := part[:n]
		for !raw && !started.Load() && len(rest) > 0 {
			end := bytes.IndexByte(rest, '\n') + 1
			if end == 0 {
				line, rest = append(line, rest...), nil
				break
			}
			line, rest = append(line, rest[:end]...), rest[end:]
			raw = bytes.Contains(line, []byte("head -c"))
			_, _ = to.Write(bytes.ReplaceAll(line, []byte("'"+usualDirectory+"'"), []byte("'"+s.Directory()+"'")))
			line = line[:0]
		}
		_, _ = to.Write(rest) // an end is all that can come of it
		if err != nil {
			_, _ = to.Write(line)
			return
		}
	}
}

// untilAgent passes on what a command writes, up to the line with which the agent's stand-in says that it was run.
type untilAgent struct {
	channel ssh.Channel
	found   atomic.Bool
	held    []byte // what may be the beginning of the mark, and then the line
}

func (u *untilAgent) Write(p []byte) (int, error) {
	u.held = append(u.held, p...)
	if u.found.Load() {
		return len(p), nil
	}
	if at := bytes.Index(u.held, []byte(agentMark)); at >= 0 {
		u.found.Store(true)
		_, _ = u.channel.Write(u.held[:at])
		u.held = append([]byte(nil), u.held[at+len(agentMark):]...)
		return len(p), nil
	}
	keep := min(len(u.held), len(agentMark)-1)
	for keep > 0 && !bytes.HasPrefix([]byte(agentMark), u.held[len(u.held)-keep:]) {
		keep--
	}
	_, err := u.channel.Write(u.held[:len(u.held)-keep])
	u.held = append([]byte(nil), u.held[len(u.held)-keep:]...)
	return len(p), err
}

// end gives the line, where there was one, and passes on what was held back.
func (u *untilAgent) end() (line string, started bool) {
	if u.found.Load() {
		return string(u.held), true
	}
	_, _ = u.channel.Write(u.held)
	return "", false
}
