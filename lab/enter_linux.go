package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exec runs a command on a host as root, not by SSH but from inside its namespaces: so
// it works also when the network or sshd does not. A virtual machine has no other door than
// SSH. A command that ran and failed is no error; its code says so.
func (l *Lab) Exec(ctx context.Context, host string, stdin io.Reader, argv ...string) (Result, error) {
	var stdout, stderr bytes.Buffer
	code, err := l.Run(ctx, host, Streams{In: stdin, Out: &stdout, Err: &stderr}, argv...)
	return Result{Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), Code: code}, err
}

// Run is Exec with streams of the caller's.
func (l *Lab) Run(ctx context.Context, host string, streams Streams, argv ...string) (int, error) {
	if len(argv) == 0 {
		return 0, errors.New("run nothing: a command is wanted")
	}
	r, err := l.load()
	if err != nil {
		return 0, err
	}
	h, err := r.find(host)
	if err != nil {
		return 0, err
	}
	if h.Kind == KindVM {
		code, err := l.runOverSSH(ctx, h, streams, argv)
		if err != nil {
			err = fmt.Errorf("run %s on %s: %w", argv[0], host, err)
		}
		return code, err
	}
	return l.runInside(ctx, h, streams, argv)
}

// runInside runs a command in a host's namespaces.
func (l *Lab) runInside(ctx context.Context, h *hostRecord, streams Streams, argv []string) (int, error) {
	cmd, err := l.start(ctx, h, streams, argv)
	if err != nil {
		return 0, fmt.Errorf("run %s on %s: %w", argv[0], h.Name, err)
	}
	err = cmd.Wait()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		if status := exit.Sys().(syscall.WaitStatus); status.Signaled() {
			return 128 + int(status.Signal()), ctx.Err()
		}
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("run %s on %s: %w", argv[0], h.Name, err)
	}
	return 0, nil
}

func (r *record) find(host string) (*hostRecord, error) {
	if h := r.host(host); h != nil {
		return h, nil
	}
	var names []string
	for _, h := range r.Hosts {
		names = append(names, h.Name)
	}
	return nil, fmt.Errorf("lab %s has no host %s, only %s", r.Name, host, strings.Join(names, ", "))
}

// start forks the command from a thread that has entered the host.
func (l *Lab) start(ctx context.Context, h *hostRecord, streams Streams, argv []string) (*exec.Cmd, error) {
	type outcome struct {
		cmd *exec.Cmd
		err error
	}
	done := make(chan outcome)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread stays in the host and dies there
		cmd, err := l.startInside(ctx, h, streams, argv)
		done <- outcome{cmd, err}
	}()
	o := <-done
	return o.cmd, o.err
}

func (l *Lab) startInside(ctx context.Context, h *hostRecord, streams Streams, argv []string) (*exec.Cmd, error) {
	init, err := h.process().open()
	if errors.Is(err, unix.ESRCH) {
		return nil, ErrDown
	}
	if err != nil {
		return nil, err
	}
	defer unix.Close(init)
	group, err := joinCgroups(h.PID)
	if err != nil {
		return nil, err
	}
	if group != nil {
		defer group.Close()
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil { // a mount namespace is entered alone
		return nil, fmt.Errorf("unshare the working folder: %w", err)
	}
	const all = unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP
	if err := unix.Setns(init, all); err != nil {
		return nil, fmt.Errorf("enter the host: %w", err)
	}
	if err := dropCapabilities(); err != nil { // this thread's, and so the command's
		return nil, err
	}
	path, err := lookPath(argv[0])
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path)
	cmd.Args = argv
	cmd.Dir = "/root"
	cmd.Env = []string{"PATH=" + searchPath, "HOME=/root", "USER=root", "LOGNAME=root", "LANG=C.UTF-8", "TERM=" + terminal()}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = streams.In, streams.Out, streams.Err
	if group != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
	}
	return cmd, cmd.Start()
}

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func terminal() string {
	if term := os.Getenv("TERM"); term != "" {
		return term
	}
	return "dumb"
}

// lookPath looks a command up on the host: this thread is inside.
func lookPath(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, dir := range filepath.SplitList(searchPath) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, exec.ErrNotFound)
}

// joinCgroups puts this thread into the v1 cgroups of a process, so that what it forks
// is born there; for v2 it gives the folder into which the fork is to be born.
func joinCgroups(pid int) (group *os.File, err error) {
	all, err := hierarchies()
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return nil, err
	}
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		fields := strings.SplitN(line, ":", 3)
		if len(fields) != 3 {
			continue
		}
		for _, h := range all {
			if h.Unified && fields[0] == "0" {
				if group, err = os.Open(filepath.Join(h.Mount, fields[2])); err != nil {
					return nil, fmt.Errorf("enter the host's cgroups: %w", err)
				}
			}
			if h.Unified || h.Options != fields[1] {
				continue
			}
			tasks := filepath.Join(h.Mount, fields[2], "tasks")
			if err := os.WriteFile(tasks, []byte(strconv.Itoa(unix.Gettid())), 0o644); err != nil {
				return nil, fmt.Errorf("enter the host's cgroups: %w", err)
			}
		}
	}
	return group, nil
}
